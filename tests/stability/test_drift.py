"""Drift of explanations whose path is known, and the agreement of runs; null, ceiling, and clusters that move."""

import math

import pytest
import torch

from perdure.core.errors import EmptyDataError, ShapeError
from perdure.ops.agreement import cosine, kendall
from perdure.ops.correlation import spearman
from perdure.stability.agreement import RunExplanations, measure_sample_agreement
from perdure.stability.along_path import follow_clusters, measure_drift
from perdure.stability.null import shuffle_samples
from perdure.stability.vectors import Vectors

ALIKE = torch.zeros(40).long()


def make_run(values, predicted=ALIKE, again=None):
    everywhere = torch.ones_like(values, dtype=torch.bool)
    return RunExplanations(
        Vectors(values, everywhere), predicted, None if again is None else Vectors(again, everywhere)
    )


@pytest.fixture
def turning(generator):
    """Vectors that turn from one direction to another at right angles to it, by equal angles."""
    rows = torch.randn(2, 40, 6, generator=generator).double()
    first, two = rows - rows.mean(2, keepdim=True)  # so that shuffled ones are at right angles on average
    two -= (first * two).sum(1, keepdim=True) / first.square().sum(1, keepdim=True) * first
    first, two = (rows / rows.norm(dim=1, keepdim=True) for rows in (first, two))
    return [make_run(math.cos(a) * first + math.sin(a) * two) for a in torch.linspace(0, math.pi / 2, 5).tolist()]


def test_a_turn_is_measured_by_its_cosine(turning, generator):
    result = measure_drift(turning, cosine, generator)
    angles = torch.linspace(0, math.pi / 2, 5, dtype=torch.float64)
    assert torch.allclose(result.ends[:, 0], angles.cos(), atol=1e-6)
    assert torch.allclose(result.ends[:, 1], angles.flip(0).cos(), atol=1e-6)
    assert result.neighbour.isnan().tolist() == [True, False, False, False, False]
    assert torch.allclose(result.neighbour[1:], angles[1].cos().expand(4), atol=1e-6)
    assert (result.ceiling, abs(result.null) < 0.1) == (pytest.approx(1.0), True)


@pytest.mark.parametrize("measure", [spearman, kendall, cosine])
def test_two_ends_drift_as_two_runs_disagree(turning, generator, measure):
    predicted = [torch.randint(2, (40,), generator=generator) for _ in turning]
    runs = [RunExplanations(run.vectors, guess) for run, guess in zip(turning, predicted, strict=True)]
    result = measure_drift(runs, measure, generator)
    pairs = measure_sample_agreement(runs, measure, generator).pairs
    assert torch.allclose(result.ends[1:, 0], pairs[1:, 0])
    assert torch.allclose(result.ends[:-1, 1], pairs[:-1, -1])
    assert torch.allclose(result.neighbour[1:], pairs.diagonal(1))
    assert torch.equal(result.first.isnan(), torch.stack(predicted) != predicted[0])


def test_samples_with_one_type_and_other_predictions_are_left_out(generator):
    values, present = torch.randn(6, 3, generator=generator), torch.ones(6, 3, dtype=torch.bool)
    present[0, 1:] = False
    guesses = torch.tensor([0, 0, 0, 0, 0, 0]), torch.tensor([0, 1, 0, 0, 0, 0]), torch.tensor([1, 1, 1, 1, 1, 1])
    result = measure_drift([RunExplanations(Vectors(values, present), guess) for guess in guesses], spearman, generator)
    assert result.first[1].isnan().tolist() == [True, True, False, False, False, False]
    assert result.first[2].isnan().all()
    assert result.ends[2, 0].isnan()
    assert result.ends[1, 0] == 1.0


def test_a_noisy_method_has_a_lower_ceiling(generator):
    values = torch.randn(40, 6, generator=generator)
    noisy = [make_run(values, again=values + torch.randn(40, 6, generator=generator)) for _ in range(3)]
    assert 0.2 < measure_drift(noisy, spearman, generator).ceiling < 0.9


def test_the_stricter_null_keeps_the_types_that_matter_everywhere(generator):
    same = torch.arange(6.0) + 0.1 * torch.randn(40, 6, generator=generator)
    runs = [make_run(same)] * 3
    assert abs(measure_drift(runs, spearman, generator).null) < 0.1
    assert measure_drift(runs, spearman, generator, shuffle_samples).null > 0.9


def test_a_constant_explanation_has_a_drift(generator):
    runs = [make_run(torch.zeros(40, 3))] * 2 + [make_run(torch.randn(40, 3, generator=generator))]
    assert measure_drift(runs, spearman, generator).ends[:, 0].tolist() == [1.0, 1.0, 0.0]
    assert follow_clusters(runs, 2, generator).ari[1].tolist() == [1.0, 0.0, 1.0]


def test_clusters_keep_their_numbers_and_show_which_samples_move(generator):
    """Two groups; from the third point on the first ten samples are explained as the other group."""
    group = torch.arange(40) >= 20
    moved = group | (torch.arange(40) < 10)
    noise = 0.01 * torch.randn(40, 2, generator=generator)
    runs = [make_run(5.0 * subset[:, None] + noise) for subset in (group, group, moved, moved)]
    result = follow_clusters(runs, 2, generator)
    stays = result.label == result.label[0]
    assert stays.all(1).tolist() == [True, True, False, False]
    assert stays[2].tolist() == [False] * 10 + [True] * 30
    assert result.ari[:, 0].tolist()[:2] == [1.0, 1.0]
    assert result.ari[:, 1].tolist()[2:] == [1.0, 1.0]
    assert result.ari[0, 2].isnan()
    assert result.ari[1:, 2].tolist() == [1.0, result.ari[2, 0].item(), 1.0]
    assert (result.ceiling, abs(result.null) < 0.1) == (1.0, True)


def test_what_cannot_be_compared(generator):
    with pytest.raises(EmptyDataError, match="1 runs"):
        measure_drift([make_run(torch.zeros(40, 3))], spearman, generator)
    with pytest.raises(ShapeError, match="run 1"):
        follow_clusters(
            [make_run(torch.zeros(40, 3)), make_run(torch.zeros(4, 3), torch.zeros(4).long())], 2, generator
        )
