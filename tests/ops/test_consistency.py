import math

import pytest
import torch

from perdure.ops.consistency import mean_generalizability, relative_consistency


def draw_pairs(levels=None):
    draw = torch.Generator().manual_seed(0)
    distance, alike = torch.rand(60, generator=draw), torch.rand(60, generator=draw) < 0.6
    return (distance * levels).round() / levels if levels else distance, alike


@pytest.mark.parametrize("levels", [None, 5])
def test_equals_the_definition_at_every_threshold(levels):
    distance, alike = draw_pairs(levels)
    best = max(
        (distance[alike] <= gamma).double().mean() + (distance[~alike] > gamma).double().mean() - 1
        for gamma in distance
    )
    assert relative_consistency(distance, alike, torch.ones(60)) == pytest.approx(best.item(), abs=1e-12)
    expected = 1 / (1 + distance[alike].double().mean().item())
    assert mean_generalizability(distance, alike, torch.ones(60)) == pytest.approx(expected, abs=1e-12)


def test_a_weight_is_a_repetition():
    distance, alike = draw_pairs(5)
    times = torch.arange(60) % 3
    repeated = [entry.repeat_interleave(times) for entry in (distance, alike)]
    for measure in (mean_generalizability, relative_consistency):
        assert measure(distance, alike, times) == pytest.approx(measure(*repeated, torch.ones(len(repeated[0]))))


def test_equal_distances_are_uninformative():
    assert relative_consistency(torch.ones(4), torch.tensor([True, False, True, False]), torch.ones(4)) == 0.0


def test_without_unequal_predictions_there_is_no_consistency():
    assert math.isnan(relative_consistency(torch.rand(4), torch.ones(4, dtype=torch.bool), torch.ones(4)))
    assert math.isnan(mean_generalizability(torch.rand(4), torch.zeros(4, dtype=torch.bool), torch.ones(4)))
