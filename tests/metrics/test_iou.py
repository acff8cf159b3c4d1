import pytest
import torch

from perdure.core.errors import DataError, SettingError
from perdure.metrics.iou import IoU
from tests.metrics.attributions import known_maps, patch, series, trial_of
from tests.reference import place_loop

TRUTH = patch()
SHARE = TRUTH.double().mean().item()


@pytest.mark.parametrize("reduce", ["best", "mean"])
@pytest.mark.parametrize(("kind", "known"), [("perfect", 1.0), ("inverted", 0.0), ("constant", SHARE), ("zero", 0.0)])
def test_calibration(reduce, kind, known):
    values = IoU(reduce).measure(trial_of(known_maps(TRUTH)[kind], TRUTH)).values
    assert values.tolist() == pytest.approx([known] * 8, abs=1e-6)


def test_random_maps_follow_the_closed_form():
    """A uniform map keeps 1 - t of both kinds: p (1 - t) / (p + (1 - p) (1 - t)) over the thresholds."""
    curve = IoU(granularity="element").measure(trial_of(known_maps(TRUTH)["random"], TRUTH)).curve.mean(0)
    kept = 1 - torch.arange(50, dtype=torch.float64) / 50
    expected = SHARE * kept / (SHARE + (1 - SHARE) * kept)
    assert (curve - expected).abs().max().item() < 0.01  # of 8 x 3 x 1024 sites


@pytest.mark.parametrize("absolute", [True, False])
def test_equals_the_loop(absolute):
    values, truth, mask = series(2)
    rows = list(place_loop.position_rows(values, truth, mask, absolute))
    curves = [place_loop.iou_curve(place_loop.heat(v), b) for v, b in rows]
    attribution = trial_of(values, truth, mask)
    assert IoU(absolute=absolute).measure(attribution).values.tolist() == pytest.approx([max(c) for c in curves])
    measured = IoU("mean", absolute=absolute).measure(attribution)
    assert measured.values.tolist() == pytest.approx([sum(c) / 50 for c in curves])
    assert measured.curve.tolist() == [pytest.approx(c) for c in curves]


def test_only_the_published_one_depends_on_the_scale():
    values, truth, mask = series(2)
    values = values.abs() / 10
    exact, published = IoU("mean"), IoU("mean", "published")
    for metric, same in ((exact, True), (published, False)):
        a, b = (metric.measure(trial_of(scale * values, truth, mask)).values for scale in (1.0, 0.25))
        assert torch.allclose(a, b) is same


def test_published_heat_is_the_mean_as_given():
    heat = torch.tensor([0.49, 0.29, 0.0, 0.9])
    values = heat[None, None, None, :].expand(1, 3, 1, 4)
    truth = torch.tensor([True, True, False, False]).expand(1, 3, 1, 4)
    curve = IoU(compat="published").measure(trial_of(values, truth)).curve[0]
    expected = torch.tensor([2 / 3] * 15 + [1 / 3] * 10 + [0.0] * 25)  # cold from t = 0.3 and 0.5 on
    torch.testing.assert_close(curve, expected, atol=2e-6, rtol=0)


def test_what_cannot_be_cut_is_named():
    with pytest.raises(DataError, match=r"the map reaches 3.*compat='published'"):
        IoU(compat="published").measure(trial_of(torch.full((8, 3, 32, 32), 3.0), TRUTH))
    for settings in ({"reduce": "median"}, {"compat": "old"}, {"granularity": "pixel"}):
        with pytest.raises(SettingError):
            IoU(**settings)
