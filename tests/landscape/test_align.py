"""Symmetries keep the function, and alignment undoes a random signed permutation."""

import copy

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.core.errors import SettingError, ShapeError, UnsupportedError
from perdure.landscape.align import align
from perdure.landscape.surface import ModelLoss
from perdure.landscape.symmetry import find_symmetries, rearrange_units
from perdure.models.attention import Attention
from perdure.models.hierarchical import Hierarchical
from perdure.models.recurrent import Recurrent
from perdure.ops.params import distance, params_of
from perdure.ops.sequence import length_mask


def stack(activation=nn.Tanh, normalised=False):
    middle = [nn.BatchNorm1d(7)] if normalised else []
    return nn.Sequential(
        nn.Linear(4, 9), activation(), nn.Dropout(), nn.Linear(9, 7), *middle, activation(), nn.Linear(7, 3)
    )


def recurrent(**settings):
    return Recurrent(hidden_size=8, **settings).build(4, 3, torch.Generator().manual_seed(1))


def attending(kind, sizes, normalise=False):
    return kind(6, sizes, normalise=normalise).build(4, 3, torch.Generator().manual_seed(1))


NETWORKS = {
    **{f"{cell}-{layers}": recurrent(cell=cell, layers=layers) for cell in ("rnn", "gru", "lstm") for layers in (1, 2)},
    "mean": recurrent(pooling="mean"),
    "max": recurrent(pooling="max"),
    "input attention": recurrent(input_attention="mean", attention_size=3, hops=2),
    "self-attention": recurrent(pooling="self_attention", attention_size=5, hops=2, layers=2),
    **{f"bi-{cell}": recurrent(cell=cell, bidirectional=True, layers=2) for cell in ("rnn", "gru", "lstm")},
    "bi-max": recurrent(bidirectional=True, pooling="max"),
    "attention": attending(Attention, (5,)),
    "attention published": attending(Attention, (7, 6, 5), normalise=True),
    "hierarchical": attending(Hierarchical, (7, 5)),
    "hierarchical published": attending(Hierarchical, (7, 5), normalise=True),
    "tanh": stack(),
    "relu": stack(nn.ReLU),
    "normalised": stack(normalised=True),
}


def draw(model, generator):
    """Weights of a network, all of them random, those of batch normalisation too."""
    return {
        name: torch.randn(w.shape, generator=generator) / w.shape[-1] ** 0.5 for name, w in params_of(model).items()
    }


def shuffle(params, layers, generator):
    for units in layers:
        order = torch.randperm(units.size, generator=generator)
        sign = (
            torch.randint(2, (units.size,), generator=generator) * 2.0 - 1 if units.signed else torch.ones(units.size)
        )
        params = rearrange_units(params, units, order, sign)
    return params


def surface(model, generator, dtype=torch.float32):
    shape = (20, 4) if isinstance(model, nn.Sequential) else (20, 6, 4)
    mask = None if isinstance(model, nn.Sequential) else length_mask(torch.arange(20) % 6 + 1, 6)
    return ModelLoss(model, Batch(torch.randn(shape, generator=generator).to(dtype), torch.arange(20) % 3, mask))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_symmetry_keeps_the_function_and_alignment_undoes_it(name, generator):
    model = NETWORKS[name]
    layers, over = find_symmetries(model), surface(model, generator)
    first = draw(model, generator)
    second = shuffle(first, layers, generator)
    assert distance(first, second) > 1
    torch.testing.assert_close(over.losses(second), over.losses(first), rtol=0, atol=1e-5)
    result = align(first, second, layers)
    assert result.before == distance(first, second)
    assert result.after == distance(first, result.params) == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_was_aligned_to_another_is_nearer_and_the_same(name, generator):
    model = NETWORKS[name]
    layers, over = find_symmetries(model), surface(model, generator)
    first, second = draw(model, generator), draw(model, generator)
    result = align(first, second, layers)
    assert result.after < result.before
    torch.testing.assert_close(over.losses(result.params), over.losses(second), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_symmetry_is_exact_in_double_precision(name, generator):
    model = copy.deepcopy(NETWORKS[name]).double()
    over = surface(model, generator, torch.float64)
    first = {key: weight.double() for key, weight in draw(model, generator).items()}
    second = shuffle(first, find_symmetries(model), generator)
    torch.testing.assert_close(over.losses(second), over.losses(first), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["attention published", "hierarchical published"])
def test_every_weight_of_a_network_that_attends_is_placed(name):
    """Only what reads the data or feeds the classes, and biases of classes, has one axis left alone."""
    model = NETWORKS[name]
    placed = {(place.name, place.axis) for units in find_symmetries(model) for place in units.places}
    fixed = {("encoder.dense.weight", 1), ("head.weight", 0), ("head.bias", 0)}
    scores = {(f"{score}.weight.weight", 0) for score in ("score", "type_score")}
    axes = {(key, axis) for key, weight in params_of(model).items() for axis in range(weight.ndim)}
    assert axes - placed - scores == fixed


def test_shaken_weights_are_found_again(generator):
    """A twentieth of the spread of the weights as noise does not hide which unit is which."""
    model = NETWORKS["lstm-2"]
    layers, first = find_symmetries(model), draw(model, generator)
    noise = {name: 0.05 * w for name, w in draw(model, generator).items()}
    shaken = {name: w + noise[name] for name, w in first.items()}
    result = align(first, shuffle(shaken, layers, generator), layers)
    assert distance(result.params, shaken) == 0


def test_signs_are_found_only_where_they_are_free():
    assert all(units.signed for units in find_symmetries(NETWORKS["gru-2"]))
    assert not any(units.signed for units in find_symmetries(NETWORKS["max"]) + find_symmetries(NETWORKS["relu"]))


def test_what_cannot_be_aligned(generator):
    for model in (recurrent(bidirectional=True, pooling="self_attention"), nn.Linear(2, 2)):
        with pytest.raises(UnsupportedError, match="cannot be aligned"):
            find_symmetries(model)
    with pytest.raises(UnsupportedError, match="Conv1d"):
        find_symmetries(nn.Sequential(nn.Conv1d(2, 2, 1)))
    with pytest.raises(ShapeError):
        align({"w": torch.zeros(2)}, {"w": torch.zeros(3)}, ())
    with pytest.raises(SettingError):
        align({"w": torch.zeros(2)}, {"w": torch.zeros(2)}, (), rounds=0)
