import pytest
import torch

from perdure.metrics.precision_recall import PrecisionRecall
from tests.metrics.trials import box, by_loop, known_maps, series, trial_of
from tests.reference import metrics_loop

TRUTH = box()
MAPS = known_maps(TRUTH)


@pytest.mark.parametrize(
    ("kind", "known"),
    [("perfect", 1.0), ("inverted", 0.24), ("constant", 0.24), ("zero", 0.24), ("random", 0.24)],
)
def test_calibration_on_the_earlier_box(kind, known):
    values = PrecisionRecall().measure(trial_of(MAPS[kind], TRUTH)).values
    tolerance = 0.01 if kind == "random" else 1e-5  # of the mean over eight maps; otherwise float32 sums
    assert values.mean().item() == pytest.approx(known, abs=tolerance)


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("absolute", [True, False])
def test_equals_the_loop(levels, absolute):
    values, truth, mask = series(1, levels)
    expected = by_loop(metrics_loop.precision_recall, values, truth, mask, absolute)
    measured = PrecisionRecall(absolute).measure(trial_of(values, truth, mask)).values
    assert measured.tolist() == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    truth = torch.tensor([[[True, False, True, False]]])
    values = torch.tensor([[[4.0, 3.0, 2.0, 1.0]]])
    assert PrecisionRecall().measure(trial_of(values, truth)).values.item() == pytest.approx((1 + 2 / 3) / 2)
