"""The learning of a curve that is cut, at any step and often, ends with the bytes of one that was not."""

from dataclasses import replace
from functools import cache, partial

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.core.errors import PartError
from perdure.landscape.band import BandSettings, make_band_learner, relax_band
from perdure.landscape.curve import (
    CurveSettings,
    fit_bezier,
    fit_polychain,
    make_bezier_learner,
    make_polychain_learner,
)
from perdure.landscape.learning import learn_in_chunks, load_learning, save_learning
from perdure.landscape.route import save_path
from perdure.landscape.storage import TimedState, save_tensors
from perdure.landscape.surface import CountedSurface, ModelLoss, count_passes
from perdure.ops.params import params_of

KINDS = {
    "bezier": (fit_bezier, make_bezier_learner, CurveSettings(steps=90, batch_size=7)),
    "bezier of several bends": (fit_bezier, make_bezier_learner, CurveSettings(steps=90, batch_size=7, bends=3)),
    "bezier until it is low": (
        fit_bezier,
        make_bezier_learner,
        CurveSettings(steps=120, batch_size=7, learning_rate=0.2, allowed=0.25),
    ),
    "polychain": (fit_polychain, make_polychain_learner, CurveSettings(steps=90, batch_size=7, bends=2)),
    "band": (relax_band, make_band_learner, BandSettings(2, steps=20, batch_size=7, insertions=2)),
}
OFTEN = 40
"""Gradients after which each call is cut; more than a chunk has at first, so that some are lost and some kept."""


@cache
def lay_out():
    drawn = torch.Generator().manual_seed(0)
    x = torch.randn(30, 4, generator=drawn)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    surface = ModelLoss(model, Batch(x, (x[:, 0] * x[:, 1] > 0).long()))
    return surface, *(train(surface, drawn) for _ in "ab")


def train(surface, drawn):
    """Go down from a random point, so that the way between two has a barrier."""
    point = {name: torch.randn(weight.shape, generator=drawn) for name, weight in params_of(surface.model).items()}
    for _ in range(100):
        slope = surface.gradient(point)
        point = {name: weight - slope[name] for name, weight in point.items()}
    return point


def draws():
    return torch.Generator().manual_seed(3)


def write(folder, path):
    save_path(folder / "path.safetensors", path)
    return (folder / "path.safetensors").read_bytes()


def cut_often(kind, file):
    """Learn, interrupted again and again; return how often, and how many gradients were computed in all."""
    _, ways, settings = KINDS[kind]
    surface, *ends = lay_out()
    reported, cuts, spent = [], 0, 0

    def interrupts(gradients):
        if gradients > OFTEN:
            raise KeyboardInterrupt

    while cuts < 100:
        counted = CountedSurface(surface, interrupts)
        try:
            kept = learn_in_chunks(ways(counted, *ends, settings), draws(), file, reported.append)
        except KeyboardInterrupt:
            cuts, spent = cuts + 1, spent + counted.gradients
        else:
            return ways(surface, *ends, settings).path(kept.state), kept, cuts, spent + counted.gradients
    raise AssertionError


@pytest.mark.parametrize("kind", KINDS)
def test_a_learning_that_is_cut_again_and_again_gives_the_same_bytes(kind, tmp_path):
    learn, _, settings = KINDS[kind]
    counted = CountedSurface(lay_out()[0])
    whole = learn(counted, *lay_out()[1:], draws(), settings)
    path, kept, cuts, spent = cut_often(kind, tmp_path / "learning.safetensors")
    assert cuts
    assert spent > kept.state.gradients  # what came after the last chunk was lost, and taken again
    assert write(tmp_path, path) == write(tmp_path, whole)
    assert kept.state.gradients == counted.gradients
    assert count_passes(kept.state.evaluations, kept.state.gradients, 30, 7) == counted.passes


def test_learning_ends_early_once_the_loss_is_low_enough(tmp_path):
    """The case above is one where that happens between two cuts."""
    kept = cut_often("bezier until it is low", tmp_path / "learning.safetensors")[1]
    assert kept.state.steps in (50, 100)
    assert kept.state.ended


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 20, 40, 50, 51])
def test_a_cut_between_any_two_steps_changes_nothing(kind, steps):
    """Also where a round of the band ends, or the loss is evaluated."""
    _, ways, settings = KINDS[kind]
    learner = ways(*lay_out(), settings)
    start = learner.begin(draws())
    whole = learner.advance(start, learner.steps)
    parted = learner.advance(learner.advance(start, steps), learner.steps)
    assert torch.equal(parted.points, whole.points)
    assert torch.equal(parted.moments, whole.moments)
    assert torch.equal(parted.random, whole.random)
    counts = [(item.steps, item.gradients, item.evaluations, item.ended) for item in (parted, whole)]
    assert counts[0] == counts[1]
    assert (start.steps, float(start.moments.abs().max())) == (0, 0.0)


def test_one_that_is_done_costs_nothing_and_draws_are_advanced_in_one_go(tmp_path):
    file, generator = tmp_path / "learning.safetensors", draws()
    _, kept, _, _ = cut_often("polychain", file)
    counted = CountedSurface(lay_out()[0])
    again = learn_in_chunks(
        make_polychain_learner(counted, *lay_out()[1:]), draws(), file, partial(pytest.fail, "reported")
    )
    assert torch.equal(again.state.points, kept.state.points)
    assert (again.seconds, counted.passes) == (kept.seconds, 0)
    fit_polychain(*lay_out(), generator, KINDS["polychain"][2])
    assert torch.equal(generator.get_state(), kept.state.random)


def test_a_learning_comes_back_to_the_bit(tmp_path):
    file = tmp_path / "learning.safetensors"
    learner = make_band_learner(*lay_out(), BandSettings(2, steps=4, batch_size=7))
    half = replace(learner.advance(learner.begin(draws()), 6), level=0.1 + 0.2)
    save_learning(file, TimedState(half, 1.5))
    result = load_learning(file)
    assert result.seconds == 1.5
    for name, value in vars(half).items():
        other = getattr(result.state, name)
        assert torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other
    assert load_learning(tmp_path / "nowhere") is None


def test_damaged_files_are_named(tmp_path):
    file = tmp_path / "learning.safetensors"
    learner = make_bezier_learner(*lay_out())
    save_learning(file, TimedState(learner.begin(draws())))
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(PartError, match=r"learning\.safetensors is missing or damaged"):
        load_learning(file)
    save_tensors(file, {"points": torch.zeros(1)}, {"learned": {}, "seconds": 0.0})
    with pytest.raises(PartError, match="holds no learning"):
        load_learning(file)
