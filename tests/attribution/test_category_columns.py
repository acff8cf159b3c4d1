"""Inputs and targets that a gradient or a padded sample cannot explain are named."""

import warnings

import pytest
import torch
from torch import nn

import perdure
from perdure.core.errors import LabelError, PartialInputWarning, UnsupportedError
from tests.cases import fill, stream


class Category(nn.Module):
    """Reads column 0 as a category, or not at all."""

    def __init__(self, uses=1.0):
        super().__init__()
        self.table, self.head, self.uses = nn.Embedding(5, 3), nn.Linear(4, 2), uses
        fill(self)

    def forward(self, x):
        return self.head(torch.cat([self.uses * self.table(x[:, 0].long()), x[:, 1:]], 1))


TABLE = torch.tensor([[0.0, 0.3], [3.0, -1.2], [4.0, 0.5]])


@pytest.mark.parametrize("method", ["gradient", "saliency", "integrated_gradients", "input_x_gradient"])
def test_a_category_without_a_gradient_is_warned_of(method):
    with pytest.warns(PartialInputWarning, match="column 0 .*'occlusion'"):
        perdure.attribute(Category(), TABLE, method, target=1)


def test_a_column_that_the_model_does_not_read_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        perdure.attribute(Category(uses=0.0), TABLE, "gradient", target=1)
        perdure.attribute(Category(), TABLE, "occlusion", target=1)


def test_token_ids_as_floats_are_refused_with_the_remedy():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2))
    with pytest.raises(UnsupportedError, match=r"perdure\.TokenModel"):
        perdure.attribute(model, TABLE.abs().round(), "gradient", target=1)


class Steps(nn.Module):
    """Returns outputs at every step."""

    def forward(self, x, lengths=None):
        return x.cumsum(1)


@pytest.mark.parametrize("step", [2, -1, torch.tensor([3, 1, 1])])
def test_a_step_that_is_padding_is_refused(step):
    x, lengths = torch.randn(3, 4, 2, generator=stream()), torch.tensor([4, 2, 1])
    with pytest.raises(LabelError, match=r"sample \d is -?\d, which is padding.*lengths - 1"):
        perdure.attribute(Steps(), x, "gradient", target=perdure.AtStep(step, perdure.Logit(1)), lengths=lengths)
    last = perdure.AtStep(lengths - 1, perdure.Logit(1))
    assert perdure.attribute(Steps(), x, "gradient", target=last, lengths=lengths).values.sum() == 7


class Fixed(nn.Module):
    """Takes four steps only, masked by lengths."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 2)

    def forward(self, x, lengths=None):
        mask = torch.arange(x.shape[1]) < (torch.full((len(x),), 4) if lengths is None else lengths)[:, None]
        return self.head((x * mask[..., None]).flatten(1))


@pytest.mark.parametrize("method", ["gradient_shap", "captum"])
def test_a_model_of_a_fixed_number_of_steps_is_named_by_methods_that_cut_padding(method):
    x, lengths = torch.randn(3, 4, 2, generator=stream()), torch.tensor([4, 2, 1])
    with pytest.raises(UnsupportedError, match=r"does not take [12] steps, only 4"):
        perdure.attribute(Fixed(), x, method, target=1, lengths=lengths)
