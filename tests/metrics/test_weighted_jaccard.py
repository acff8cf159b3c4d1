import pytest
import torch

from perdure.metrics.weighted_jaccard import WeightedJaccard
from tests.metrics.trials import box, by_loop, known_maps, series, trial_of
from tests.reference import metrics_loop

TRUTH = box()
MAPS = known_maps(TRUTH)


@pytest.mark.parametrize(
    ("kind", "known"),
    [("perfect", 1.0), ("inverted", 0.0), ("constant", 0.0), ("zero", 0.0), ("random", 0.194)],
)
def test_calibration_on_the_earlier_box(kind, known):
    values = WeightedJaccard().measure(trial_of(MAPS[kind], TRUTH)).values
    tolerance = 0.002 if kind == "random" else 1e-5  # of the mean over eight maps; otherwise float32 sums
    assert values.mean().item() == pytest.approx(known, abs=tolerance)


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("absolute", [True, False])
def test_equals_the_loop(levels, absolute):
    values, truth, mask = series(1, levels)
    expected = by_loop(metrics_loop.weighted_jaccard, values, truth, mask, absolute)
    measured = WeightedJaccard(absolute).measure(trial_of(values, truth, mask)).values
    assert measured.tolist() == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    truth = torch.tensor([[[True, True, False]]])
    values = torch.tensor([[[0.0, 3.0, 1.0]]])  # scaled to 0, 1, 1/3
    assert WeightedJaccard().measure(trial_of(values, truth)).values.item() == pytest.approx(1 / (2 + 1 / 3))
