import pytest
import torch

from perdure.metrics.enrichment import Enrichment
from tests.metrics.trials import box, by_loop, known_maps, series, trial_of
from tests.reference import metrics_loop

TRUTH = box()
MAPS = known_maps(TRUTH)


@pytest.mark.parametrize(
    ("kind", "known"),
    [("perfect", 1.0), ("inverted", 0.0), ("constant", 0.0), ("zero", 0.0), ("random", 0.24 * 0.88 - 0.76 * 0.38)],
)
def test_calibration_on_the_earlier_box(kind, known):
    values = Enrichment().measure(trial_of(MAPS[kind], TRUTH)).values
    tolerance = 0.01 if kind == "random" else 1e-5  # of the mean over eight maps; otherwise float32 sums
    assert values.mean().item() == pytest.approx(known, abs=tolerance)


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("absolute", [True, False])
def test_equals_the_loop(levels, absolute):
    values, truth, mask = series(1, levels)
    expected = by_loop(metrics_loop.enrichment, values, truth, mask, absolute)
    measured = Enrichment(absolute).measure(trial_of(values, truth, mask)).values
    assert measured.tolist() == pytest.approx(expected, abs=1e-12)


def test_true_sites_that_are_high_but_outranked_count_against_the_map():
    truth = torch.tensor([[[True, False, False]]])
    values = torch.tensor([[[0.9, 1.0, 0.0]]])
    assert Enrichment().measure(trial_of(values, truth)).values.item() == pytest.approx(-0.9)
