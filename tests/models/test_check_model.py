"""Models that cannot be explained as they are: each gets one message, with what would help."""

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.core.errors import NonFiniteError, ShapeError, UnsupportedError
from perdure.models._adapted import Adapted
from perdure.models._outputs import check_model
from perdure.models.deep_lstm import DeepLSTM
from perdure.models.recurrent import Recurrent
from tests.cases import stream

SERIES = Batch(torch.randn(5, 6, 3, generator=stream()), torch.tensor([0, 1, 2, 0, 1]))
TEXTS = Batch(
    torch.tensor([[2, 3, 1], [3, 2, 2]]), torch.tensor([0, 1]), torch.tensor([[True, True, False], [True] * 3])
)


class Gives(nn.Module):
    """Outputs of a shape made of the number of samples and of steps."""

    def __init__(self, shape, value=0.0):
        super().__init__()
        self.shape, self.value = shape, value

    def forward(self, x):
        return torch.full(self.shape(len(x), x.shape[1]), self.value)


@pytest.mark.parametrize("model", [Recurrent(hidden_size=2).build(3, 3, stream()), Gives(lambda n, _: (n, 3))])
def test_a_model_that_answers_passes_and_is_left_as_it_was(model):
    training = [module.training for module in model.modules()]
    check_model(model, SERIES, 3)
    assert [module.training for module in model.modules()] == training


@pytest.mark.parametrize(
    ("shape", "classes", "remedy"),
    [
        (lambda n, t: (n, t, 3), 3, r"an output for every step: select one, perdure.Adapted\(model, step='last'\)"),
        (lambda n, t: (n, 1), 2, r"outputs='logit'.* or return two logits"),
        (lambda n, t: (n,), 2, r"outputs='logit'.* or return two logits"),
        (lambda n, t: (n, 4), 3, r"logits \(2, 3\); a factory may take classes"),
    ],
)
def test_outputs_of_another_shape(shape, classes, remedy):
    with pytest.raises(ShapeError, match=rf"Gives returns outputs of shape .*2 samples of {classes} classes.*{remedy}"):
        check_model(Adapted(Gives(shape)), SERIES, classes)


def test_outputs_without_one_row_for_each_sample():
    with pytest.raises(ShapeError, match=r"shape \(6, 3\) for inputs of shape \(2, 6, 3\).*batch_first=True"):
        check_model(Adapted(Gives(lambda n, t: (t, 3))), SERIES, 3)
    with pytest.raises(ShapeError, match=r"return one row for each sample"):
        check_model(Adapted(Gives(lambda n, t: ())), SERIES, 3)


def test_outputs_that_are_not_finite_or_no_tensor():
    with pytest.raises(NonFiniteError, match="Gives returns NaN"):
        check_model(Gives(lambda n, _: (n, 3), torch.nan), SERIES, 3)
    with pytest.raises(UnsupportedError, match=r"returns dict. Remedy: .*perdure.Adapted\(model\)"):
        check_model(Returns(), SERIES, 3)


class Returns(nn.Module):
    def forward(self, x):
        return {"logits": x}


def test_a_model_that_raises_is_quoted_and_one_that_reads_features_first_is_recognised():
    layers = nn.Conv1d(3, 4, 2), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3)
    with pytest.raises(UnsupportedError, match=r"RuntimeError: .*channels.*layout='channels_first'"):
        check_model(Adapted(nn.Sequential(*layers)), SERIES, 3)
    with pytest.raises(UnsupportedError, match=r"inputs \(2, 6, 3\), raises RuntimeError.*here there are 3 features"):
        check_model(Adapted(nn.Linear(7, 3)), SERIES, 3)


def test_weights_on_several_devices():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3, device="meta"))
    with pytest.raises(UnsupportedError, match=r"are on cpu, meta. Remedy: move the model to one device"):
        check_model(model, SERIES, 3)


class Doubled(nn.Module):
    """Scales the embeddings of ids, but not those it is given."""

    def __init__(self, scale):
        super().__init__()
        self.embedding, self.scale = nn.Embedding(4, 2), scale

    def embed(self, ids):
        return self.embedding(ids)

    def forward(self, x, lengths=None):
        return (x if x.is_floating_point() else self.embed(x) * self.scale).sum(1)


def test_embeddings_must_mean_what_their_ids_mean():
    check_model(DeepLSTM(embedding_size=3, hidden_size=2, layers=1).build(4, 2, stream()), TEXTS, 2)
    check_model(Doubled(1.0), TEXTS, 2)
    with pytest.raises(UnsupportedError, match="Doubled returns other logits from embeddings"):
        check_model(Doubled(2.0), TEXTS, 2)


def test_weights_of_another_precision_are_named_whatever_the_layout():
    for model in (Recurrent(hidden_size=2).build(3, 3, stream()).double(), Adapted(nn.GRU(3, 3).double())):
        with pytest.raises(
            UnsupportedError, match=r"its weights are torch.float64, the data torch.float32: .*model.to"
        ):
            check_model(model, SERIES, 3)
