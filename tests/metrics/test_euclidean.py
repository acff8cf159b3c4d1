import pytest
import torch

from perdure.metrics.euclidean import Euclidean
from tests.metrics.trials import box, by_loop, known_maps, series, trial_of
from tests.reference import metrics_loop

TRUTH = box()
MAPS = known_maps(TRUTH)


@pytest.mark.parametrize(
    ("kind", "known"),
    [("perfect", 0.0), ("inverted", (1 / 0.24) ** 0.5), ("constant", 1.0), ("zero", 1.0), ("random", 1.179)],
)
def test_calibration_on_the_earlier_box(kind, known):
    values = Euclidean().measure(trial_of(MAPS[kind], TRUTH)).values
    tolerance = 0.01 if kind == "random" else 1e-5  # of the mean over eight maps; otherwise float32 sums
    assert values.mean().item() == pytest.approx(known, abs=tolerance)


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("absolute", [True, False])
def test_equals_the_loop(levels, absolute):
    values, truth, mask = series(1, levels)
    expected = by_loop(metrics_loop.euclidean, values, truth, mask, absolute)
    measured = Euclidean(absolute).measure(trial_of(values, truth, mask)).values
    assert measured.tolist() == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    truth = torch.tensor([[[True, True, False]]])
    values = torch.tensor([[[0.0, 3.0, 3.0]]])
    assert Euclidean().measure(trial_of(values, truth)).values.item() == pytest.approx(1.0)  # sqrt(2) / sqrt(2)
