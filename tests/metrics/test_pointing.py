import pytest
import torch

from perdure.metrics.pointing import Pointing
from tests.metrics.attributions import known_maps, patch, series, trial_of
from tests.reference import place_loop

TRUTH = patch()
SHARE = TRUTH.double().mean().item()


@pytest.mark.parametrize(("kind", "known"), [("perfect", 1.0), ("inverted", 0.0), ("constant", SHARE), ("zero", SHARE)])
def test_calibration(kind, known):
    values = Pointing().measure(trial_of(known_maps(TRUTH)[kind], TRUTH)).values
    assert values.tolist() == pytest.approx([known] * 8, abs=1e-6)


def test_random_maps_hit_as_often_as_the_truth_is_large():
    truth = patch(400)
    hits = Pointing().measure(trial_of(known_maps(truth)["random"], truth)).values
    assert set(hits.tolist()) == {0.0, 1.0}
    assert hits.mean().item() == pytest.approx(SHARE, abs=4 * (SHARE * (1 - SHARE) / 400) ** 0.5)


@pytest.mark.parametrize("levels", [None, 1])
@pytest.mark.parametrize("absolute", [True, False])
def test_equals_the_loop(levels, absolute):
    values, truth, mask = series(2, levels)
    expected = [place_loop.pointing(*row) for row in place_loop.position_rows(values, truth, mask, absolute)]
    measured = Pointing(absolute).measure(trial_of(values, truth, mask)).values
    assert measured.tolist() == pytest.approx(expected, abs=1e-12)


def test_tied_maxima_share_the_hit():
    values = torch.tensor([[[2.0], [2.0], [-2.0], [0.0]]])
    truth = torch.tensor([[[True], [False], [False], [False]]])
    assert Pointing().measure(trial_of(values, truth)).values.item() == pytest.approx(1 / 3)
    assert Pointing(absolute=False).measure(trial_of(values, truth)).values.item() == 0.5
