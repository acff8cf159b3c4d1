"""Neighbours of given weights: equal loss, other weights, and a model that is left as it was."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.core.errors import SettingError, UnsupportedError
from perdure.data._splits import Splits
from perdure.stability.neighbours import (
    KINDS,
    TOLERANCE,
    draw_neighbours,
    drop_weights,
    find_scale,
    initialise,
    multiply_by_noise,
)
from perdure.training.batches import shuffle_batches
from perdure.training.loop import fit
from perdure.training.settings import CLEAN

SLOW = ("shrink_and_perturb", "short_retraining")
CASES = [pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW else kind for kind in KINDS]


def draw_batch(count, seed):
    x = torch.randn(count, 6, 3, generator=torch.Generator().manual_seed(seed))
    return Batch(x, (x[:, :, 0].mean(1) > 0).long())


SPLITS = Splits(draw_batch(200, 0), draw_batch(100, 1), draw_batch(50, 2), ("-", "+"))


class Network(nn.Module):
    """A convolution with batch normalisation, and a parameter that no module can initialise."""

    def __init__(self):
        super().__init__()
        self.offset = nn.Parameter(0.1 * torch.randn(3))
        self.layers = nn.Sequential(nn.Conv1d(3, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.layers((x + self.offset).transpose(1, 2)).mean(2))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    source = shuffle_batches(SPLITS.train, 50)
    return fit(
        Network(), source, SPLITS.validation, replace(CLEAN, epochs=8, learning_rate=2e-2), torch.Generator()
    ).model


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("kind", CASES)
def test_neighbours_have_other_weights_and_about_the_loss_of_the_model(kind, model):
    before, random_state = state(model), torch.get_rng_state()
    made = draw_neighbours(kind, model, SPLITS, seed=0, count=2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert not model.training
    assert all(neighbour.is_equal for neighbour in made)
    weights = [model.head.weight, *(neighbour.model.head.weight for neighbour in made)]
    assert not any(torch.equal(a, b) for i, a in enumerate(weights) for b in weights[:i])
    again = draw_neighbours(kind, model, SPLITS, seed=0, count=2)
    assert torch.equal(again[1].model.head.weight, made[1].model.head.weight)


@pytest.mark.parametrize("kind", ["noise", "dropout"])
def test_perturbations_are_as_large_as_the_tolerance_allows(kind, model):
    given = draw_neighbours("noise", model, SPLITS, seed=0, count=1)[0]
    made = draw_neighbours(kind, model, SPLITS, seed=0, count=2)
    assert all(neighbour.loss <= given.loss + TOLERANCE for neighbour in made)
    assert max(neighbour.loss for neighbour in made) > 0.5 * TOLERANCE


def test_statistics_of_batch_normalisation_are_those_of_the_neighbour(model):
    (made,) = draw_neighbours("noise", model, SPLITS, seed=0, count=1)
    first = made.model.layers[0]((SPLITS.validation.inputs + made.model.offset).transpose(1, 2))
    torch.testing.assert_close(made.model.layers[1].running_mean, first.mean((0, 2)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CASES)
def test_frozen_weights_stay(kind, model):
    frozen = initialise(model, torch.Generator().manual_seed(1))
    frozen.load_state_dict(model.state_dict())
    frozen.layers[0].weight.requires_grad_(False)
    (made,) = draw_neighbours(kind, frozen, SPLITS, seed=0, count=1)
    assert torch.equal(made.model.layers[0].weight, model.layers[0].weight)
    assert not torch.equal(made.model.head.weight, model.head.weight)


def test_a_model_without_trainable_weights_is_an_error(model):
    fixed = initialise(model, torch.Generator()).requires_grad_(False)
    for kind in KINDS:
        with pytest.raises(UnsupportedError, match="no weights that can be trained"):
            draw_neighbours(kind, fixed, SPLITS, seed=0)


def test_initialised_weights_are_new_also_where_no_module_initialises_them(model):
    new = initialise(model, torch.Generator().manual_seed(0))
    assert all(
        not torch.equal(weight, given)
        for (name, weight), given in zip(new.named_parameters(), model.parameters(), strict=True)
    )
    assert new.head.weight.abs().max() <= 8**-0.5
    assert torch.equal(new.layers[1].weight, torch.ones(8))


def test_a_neighbour_far_from_the_loss_is_marked(model):
    noisy = replace(SPLITS.train, label=SPLITS.train.label.roll(1))
    (made,) = draw_neighbours(
        "fine_tuning", model, replace(SPLITS, train=noisy), 0, 1, replace(CLEAN, learning_rate=0.5)
    )
    assert not made.is_equal


def test_an_unknown_kind_is_an_error(model):
    with pytest.raises(SettingError, match="short_retraining"):
        draw_neighbours("swag", model, SPLITS, seed=0)


def test_noise_is_in_proportion_to_the_weights():
    weights = {"a": torch.tensor([0.0, 1.0, 100.0])}
    noise = multiply_by_noise(weights, 0.1, torch.Generator().manual_seed(0))["a"] / weights["a"]
    assert noise[0].isnan()
    assert (noise[1:] - 1).abs().max() < 0.5


def test_dropped_fraction_is_the_rate():
    dropped = drop_weights({"a": torch.ones(100, 100)}, 0.2, torch.Generator().manual_seed(0))["a"]
    assert 0.18 < (dropped == 0).double().mean() < 0.22


def test_a_scale_without_a_solution_is_zero_or_the_largest():
    assert find_scale(lambda scale: 1.0, limit=0.5, largest=3.0) == 0.0
    assert find_scale(lambda scale: 0.0, limit=0.5, largest=3.0) == 3.0
