"""Copies of models: equal outputs, nothing shared, or a refusal that names the module."""

import copy
import threading
import warnings

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch
from perdure.core.copy import copy_module, without_graphs
from perdure.core.errors import UnsupportedError
from perdure.landscape.surface import ModelLoss
from perdure.metrics._evaluate import evaluate
from perdure.training.batches import shuffle_batches
from perdure.training.loop import fit
from perdure.training.settings import Training

X = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))


class Keeps(nn.Module):
    """A classifier that keeps its hidden values, with their graph, in a container, and anything else it is given."""

    def __init__(self, **more):
        super().__init__()
        self.head = nn.Linear(6, 2)
        self.__dict__.update(more)

    def forward(self, x):
        self.kept = {"hidden": [(self.head(x),)]}
        return self.kept["hidden"][0][0]


def deprecate(make):
    """Make a model by a function of torch that is deprecated, and that users still use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


MODELS = {
    "weight_norm": lambda: deprecate(lambda: nn.Sequential(nn.utils.weight_norm(nn.Linear(6, 2)))),
    "spectral_norm": lambda: nn.Sequential(nn.utils.spectral_norm(nn.Linear(6, 2))),
    "parametrized": lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 2))),
    "keeps values": Keeps,
    "locks": lambda: Keeps(lock=threading.Lock(), again=threading.RLock(), event=threading.Event()),
    "generator": lambda: Keeps(generator=torch.Generator().manual_seed(3)),
    "scripted": lambda: deprecate(lambda: torch.jit.script(nn.Sequential(nn.Linear(6, 2)))),
    "initialised lazy": lambda: nn.Sequential(nn.LazyLinear(2)),
}
for_all_models = pytest.mark.parametrize("name", MODELS)


def use(name):
    model = MODELS[name]().eval()
    model(X)
    return model


@for_all_models
def test_a_copy_computes_the_same_and_shares_no_weight(name):
    model = use(name)
    result = copy_module(model)
    assert torch.equal(result(X), model(X))
    assert not {id(weight) for weight in model.parameters()} & {id(weight) for weight in result.parameters()}
    with torch.no_grad():
        for weight in result.parameters():
            weight.add_(1.0)
    assert not torch.equal(result(X), model(X))


def test_tied_weights_stay_tied():
    shared = nn.Linear(6, 6)
    result = copy_module(nn.Sequential(shared, nn.ReLU(), shared))
    assert result[0] is result[2]


def test_a_generator_continues_from_the_same_state():
    model = Keeps(generator=torch.Generator().manual_seed(3))
    result = copy_module(model)
    assert torch.equal(torch.rand(2, generator=result.generator), torch.rand(2, generator=model.generator))


def test_what_cannot_be_copied_is_named_with_its_module(tmp_path):
    with (
        (tmp_path / "log").open("w") as file,
        pytest.raises(UnsupportedError, match=r"module '1' \(Keeps\) holds 'log'"),
    ):
        copy_module(nn.Sequential(nn.Linear(6, 6), Keeps(log=file)))


def test_a_lazy_module_without_weights_is_named():
    with pytest.raises(UnsupportedError, match=r"module '0'.*lazy.*run one forward pass"):
        copy_module(nn.Sequential(nn.LazyLinear(2)))


def test_a_function_can_be_copied():
    assert copy_module(torch.sum) is torch.sum


def test_a_model_without_graphs_is_sent_as_it_is():
    work = {"models": [nn.Linear(2, 1)], "rows": (X,)}
    assert without_graphs(work) is work
    model = use("weight_norm")
    sent = without_graphs({"models": [model], "rows": (X,)})
    assert not sent["models"][0][0].weight.requires_grad
    assert sent["rows"][0] is X
    assert model[0].weight.requires_grad


@for_all_models
def test_models_train_are_redrawn_and_are_put_on_a_surface(name):
    model, batch = use(name), Batch(X[:, None], torch.arange(8) % 2)
    explained = nn.Sequential(nn.Flatten(), model).eval()
    before = copy.copy(explained.state_dict())
    fitted = fit(explained, shuffle_batches(batch, 4), batch, Training(epochs=1), torch.Generator().manual_seed(0))
    assert fitted.model(X[:, None]).shape == (8, 2)
    attribution = attribute(explained, batch.inputs, "gradient", target=1)
    assert evaluate(attribution, "parameter_randomisation").values.isfinite().all()
    assert ModelLoss(explained, batch).model_at(dict(explained.named_parameters()))(X[:, None]).shape == (8, 2)
    torch.testing.assert_close(explained.state_dict(), before)


def test_a_frozen_model_is_refused_for_training_in_words():
    frozen = deprecate(lambda: torch.jit.freeze(torch.jit.script(nn.Sequential(nn.Linear(6, 2)).eval())))
    batch = Batch(X, torch.arange(8) % 2)
    with pytest.raises(UnsupportedError, match="no weights that can be trained"):
        fit(frozen, shuffle_batches(batch, 4), batch, Training(epochs=1), torch.Generator().manual_seed(0))
