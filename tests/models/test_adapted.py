"""Models whose outputs are known, called in every way that users write them."""

import copy
import pickle
from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.core.errors import PaddingWarning, SettingError, ShapeError, UnsupportedError
from perdure.models._adapted import Adapted, adapt, unwrap
from perdure.models.recurrent import Recurrent

X = torch.arange(12.0).reshape(2, 3, 2)
LENGTHS = torch.tensor([3, 1])
SUM = X.sum(1)


class Answers(nn.Module):
    """Returns a given function of the sums over time."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, x):
        return self.make(x.sum(1))


Named = namedtuple("Named", ["hidden", "logits"])


@pytest.mark.parametrize(
    "make",
    [
        lambda logits: logits,
        lambda logits: {"logits": logits, "hidden": logits * 2},
        lambda logits: {"scores": logits, "states": logits[:, None], "loss": torch.tensor(1.0)},
        lambda logits: SimpleNamespace(logits=logits, hidden_states=None),
        lambda logits: (logits, logits[:, None]),
        lambda logits: [logits],
        lambda logits: Named(logits * 2, logits),
    ],
    ids=["tensor", "named", "only", "object", "tuple", "list", "namedtuple"],
)
def test_logits_are_found_where_there_is_one_way_to_find_them(make):
    assert torch.equal(Adapted(Answers(make))(X), SUM)


@pytest.mark.parametrize(("output", "factor"), [("b", 2), ("a", 1)])
def test_a_name_decides_where_several_tensors_may_be_logits(output, factor):
    model = Answers(lambda logits: {"a": logits, "b": logits * 2})
    assert torch.equal(Adapted(model, output=output)(X), SUM * factor)
    with pytest.raises(UnsupportedError, match=r"'a' of shape \(2, 2\), 'b' of shape \(2, 2\).*Adapted\(model, output"):
        Adapted(model)(X)
    with pytest.raises(UnsupportedError, match="no tensor 'c'"):
        Adapted(model, output="c")(X)


def test_an_output_without_a_tensor_is_named():
    with pytest.raises(UnsupportedError, match=r"returns a str.*\(str\)"):
        Adapted(Answers(lambda _: "yes"))(X)


def make_padded(name, **default):
    """A model that gives the sum over valid steps as it hears of them by an argument of that name."""
    valid = {
        "lengths": "torch.arange(x.shape[1]) < value[:, None]",
        "mask": "value",
        "attention_mask": "value == 1",
        "src_key_padding_mask": "~value",
    }[name]
    space = {"torch": torch, "nn": nn}
    source = f"""
class Padded(nn.Module):
    def forward(self, x, {name}{"=None" if default else ""}):
        value = {name}
        return x.sum(1) if value is None else (x * ({valid})[..., None]).sum(1)
"""
    exec(source, space)
    return space["Padded"]()


@pytest.mark.parametrize("name", ["lengths", "mask", "attention_mask", "src_key_padding_mask"])
def test_a_model_hears_of_padding_by_the_argument_it_names(name):
    expected = torch.stack([X[0].sum(0), X[1, 0]])
    assert torch.equal(Adapted(make_padded(name))(X, lengths=LENGTHS), expected)
    assert torch.equal(Adapted(make_padded(name, default=None))(X), SUM)
    assert torch.equal(Adapted(make_padded(name))(X), SUM)


def test_a_model_without_an_argument_for_padding_gets_a_warning_only_where_there_is_some():
    model = Adapted(Answers(lambda logits: logits))
    assert torch.equal(model(X, lengths=torch.tensor([3, 3])), SUM)
    with pytest.warns(PaddingWarning, match="Answers takes neither lengths nor mask"):
        assert torch.equal(model(X, lengths=LENGTHS), SUM)


def test_series_with_the_features_first():
    """A convolution over time reads (batch, feature, time); one of width one is a linear layer."""
    convolution = nn.Conv1d(2, 4, 1)
    model = Adapted(nn.Sequential(convolution, nn.AdaptiveAvgPool1d(1), nn.Flatten()), layout="channels_first")
    expected = (X @ convolution.weight[..., 0].T + convolution.bias).mean(1)
    assert torch.allclose(model(X), expected, atol=1e-6)
    with pytest.raises(SettingError, match="layout is 'first'"):
        Adapted(convolution, layout="first")


@pytest.mark.parametrize(("step", "places"), [("last", [2, 0]), (1, [1, 1]), (-1, [2, 2])])
def test_one_step_of_outputs_for_every_step(step, places):
    model = Adapted(make_padded("mask", default=None), step=step)
    model.model.forward = lambda x, mask=None: x
    assert torch.equal(model(X, lengths=LENGTHS), X[[0, 1], places])
    model.model.forward = lambda x, mask=None: x.sum(1)
    with pytest.raises(ShapeError, match="no output for every step"):
        model(X)


class Two(nn.Module):
    """A model of series and ages."""

    def forward(self, x, age, scale=1.0):
        return x.sum(1) * scale + age


def test_what_is_not_explained_is_fixed_for_all_samples():
    age = torch.tensor([[5.0, 7.0]])
    assert torch.equal(Adapted(Two(), given={"age": age, "scale": 2.0})(X), SUM * 2 + age)
    with pytest.raises(UnsupportedError, match=r"Two has more than one input: it requires age.*given=\{'age'"):
        Adapted(Two())


class Margin(nn.Module):
    """One output: the sum of a series, or that sum behind a sigmoid."""

    def __init__(self, squash, axes):
        super().__init__()
        self.squash, self.axes = squash, axes

    def forward(self, x):
        outputs = x.sum((1, 2))
        outputs = outputs.sigmoid() if self.squash else outputs
        return outputs if self.axes == 1 else outputs[:, None]


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("binary", ["logit", "probability"])
def test_one_output_becomes_the_two_logits_whose_softmax_it_is(binary, axes):
    """Cross-entropy of the two is binary cross-entropy of the one, and either class has a gradient."""
    x = X / 10 - 0.4
    model = Adapted(Margin(binary == "probability", axes), binary=binary)
    logits = model(x)
    assert torch.allclose(logits.softmax(1)[:, 1], x.sum((1, 2)).sigmoid(), atol=1e-6)
    label = torch.tensor([0, 1])
    expected = nn.functional.binary_cross_entropy_with_logits(x.sum((1, 2)), label.float())
    assert torch.allclose(nn.functional.cross_entropy(logits, label), expected, atol=1e-6)
    values = attribute(model, x, "gradient", target=label).values
    assert torch.allclose(values, torch.tensor([-0.5, 0.5])[:, None, None].expand_as(x), atol=1e-4)


def test_what_cannot_be_one_output_is_named():
    with pytest.raises(SettingError, match="binary is 'yes'"):
        Adapted(Margin(False, 1), binary="yes")
    with pytest.raises(ShapeError, match=r"shape \(2, 2\), which is not one output"):
        Adapted(Answers(torch.neg), binary="logit")(X)
    with pytest.raises(UnsupportedError, match=r"no probabilities.*binary='logit'"):
        Adapted(Margin(False, 1), binary="probability")(X)


def test_an_adapted_model_or_one_with_a_protocol_is_unchanged():
    ours = Recurrent(hidden_size=2).build(2, 2, torch.Generator())
    assert adapt(ours) is ours
    once = adapt(Answers(torch.neg))
    assert adapt(once) is once
    assert unwrap(Adapted(Adapted(ours))) is ours


def test_an_adapted_model_is_explained_copied_and_sent_to_another_process():
    model = Adapted(Two(), given={"age": torch.ones(1, 2)})
    values = attribute(model, X, "gradient", target=torch.tensor([0, 1])).values
    assert values[0].tolist() == [[1, 0]] * 3
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(X), model(X))
