import pytest
import torch

from perdure.core.errors import DataError, SettingError
from perdure.metrics.effective_heat_ratio import EffectiveHeatRatio
from tests.metrics.attributions import known_maps, patch, series, trial_of
from tests.reference import place_loop

TRUTH = patch()
SHARE = TRUTH.double().mean().item()
BOTH = pytest.mark.parametrize("compat", ["exact", "published"])


def pictures(*levels, size=100):
    """Nested squares about the centre, each with its half width and heat; the truth is the innermost."""
    values = torch.zeros(1, 1, size, size, dtype=torch.float64)
    for half, heat in levels:
        inside = slice(size // 2 - half, size // 2 + half)
        values[..., inside, inside] = heat
        truth = torch.zeros_like(values, dtype=torch.bool)
        truth[..., inside, inside] = True
    return values, truth


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    ("kind", "known"), [("perfect", 1.0), ("inverted", 0.0), ("constant", SHARE), ("zero", SHARE), ("random", SHARE)]
)
def test_calibration(weighted, kind, known):
    values = EffectiveHeatRatio(weighted).measure(trial_of(known_maps(TRUTH)[kind], TRUTH)).values
    tolerance = 0.02 if kind == "random" else 1e-6
    assert values.mean().item() == pytest.approx(known, abs=tolerance)


@pytest.mark.parametrize("weighted", [True, False])
def test_the_published_cases(weighted):
    """The upstream tests: a box that is hot, wholly or in part, and a hot box in a warm one of 60 by 60."""
    published = EffectiveHeatRatio(weighted, "published")
    values, truth = pictures((10, 1.0))
    part = values.clone()
    part[..., 55:, :] = 0.0
    assert published.measure(trial_of(values, truth)).values.item() == pytest.approx(1.0, abs=1e-9)
    assert published.measure(trial_of(part, truth)).values.item() == pytest.approx(1.0, abs=1e-9)
    values, truth = pictures((30, 0.9), (10, 1.0))
    measured = published.measure(trial_of(values, truth))
    assert measured.curve[0].tolist() == pytest.approx([1 / 9] * 9 + [1.0] * 2)
    assert measured.values.item() == pytest.approx(0.8 / 9 + 0.1 * (1 / 9 + 1) / 2 + 0.1)  # 0.2444
    assert measured.values.item() == pytest.approx(0.244, abs=5e-4)


def test_the_same_case_without_dependence_on_the_scale():
    """Heat on the truth over heat: 400 / (400 + 0.9 * 3200) instead of 400 / 3600."""
    values, truth = pictures((30, 0.9), (10, 1.0))
    low = 400 / (400 + 0.9 * 3200)
    for scale in (1.0, 1e-3, 1e6):
        measured = EffectiveHeatRatio().measure(trial_of(scale * values, truth)).values.item()
        assert measured == pytest.approx(0.8 * low + 0.1 * (low + 1) / 2 + 0.1)


@BOTH
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("levels", [None, 3])
def test_equals_the_loop(compat, weighted, levels):
    values, truth, mask = series(2, levels, steps=40)
    values = values.abs() / values.abs().amax()
    depth = values.shape[2]
    curves = []
    for v, b in place_loop.position_rows(values, truth, mask, True):
        given = [entry / depth for entry in v] if compat == "published" else place_loop.heat(v)
        curves.append(place_loop.heat_ratio_curve(given, b, weighted, compat == "published"))
    measured = EffectiveHeatRatio(weighted, compat).measure(trial_of(values, truth, mask))
    assert measured.curve.tolist() == [pytest.approx(c, abs=1e-7) for c in curves]
    assert measured.values.tolist() == pytest.approx(
        [sum(c[1:-1]) / 10 + (c[0] + c[-1]) / 20 for c in curves], abs=1e-7
    )


@BOTH
def test_a_map_that_never_gets_warm_has_a_score(compat):
    """Upstream stops here; its measure on a map of 0.05 everywhere carries no information about the place."""
    values = torch.full((8, 3, 32, 32), 0.05)
    measured = EffectiveHeatRatio(compat=compat).measure(trial_of(values, TRUTH)).values
    assert measured.tolist() == pytest.approx([SHARE if compat == "exact" else 0.0] * 8)


def test_negative_evidence_is_cold_when_signs_count():
    values = torch.tensor([[[1.0], [-5.0], [0.5]]])
    truth = torch.tensor([[[True], [False], [False]]])
    signed = EffectiveHeatRatio(absolute=False).measure(trial_of(values, truth)).curve[0]
    assert signed[0].item() == pytest.approx(1 / 1.5)
    assert EffectiveHeatRatio().measure(trial_of(values, truth)).curve[0, -1].item() == 0.0


def test_what_cannot_be_scored_is_named():
    with pytest.raises(DataError, match=r"the map reaches 2.*Remedy"):
        EffectiveHeatRatio(compat="published").measure(trial_of(torch.full((8, 3, 32, 32), 2.0), TRUTH))
    for settings in ({"compat": "old"}, {"granularity": "pixel"}):
        with pytest.raises(SettingError):
            EffectiveHeatRatio(**settings)
