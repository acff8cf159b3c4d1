"""The metrics that compare each site with the truth: known answers, the slow loop, and one case by hand."""

import pytest
import torch

from perdure.core.errors import DataError, ShapeError
from perdure.core.registry import METRICS
from tests.metrics.attributions import box, by_loop, known_maps, series, trial_of
from tests.reference import metrics_loop

TRUTH = box()
MAPS = known_maps(TRUTH)

KNOWN = {
    "enrichment": {
        "perfect": 1.0,
        "inverted": 0.0,
        "constant": 0.0,
        "zero": 0.0,
        "random": 0.24 * 0.88 - 0.76 * 0.38,
    },
    "euclidean": {"perfect": 0.0, "inverted": (1 / 0.24) ** 0.5, "constant": 1.0, "zero": 1.0, "random": 1.179},
    "jaccard": {
        "perfect": 1.0,
        "inverted": 0.0,
        "constant": 0.24 / 1.76,
        "zero": 0.24 / 1.76,
        "random": 0.24 / 1.76,
    },
    "auprc": {"perfect": 1.0, "inverted": 0.24, "constant": 0.24, "zero": 0.24, "random": 0.24},
    "auroc": {"perfect": 1.0, "inverted": 0.0, "constant": 0.5, "zero": 0.5, "random": 0.5},
    "weighted_jaccard": {"perfect": 1.0, "inverted": 0.0, "constant": 0.0, "zero": 0.0, "random": 0.194},
}
"""Scores of maps on the earlier box, a quarter of whose sites are true."""

OF_RANDOM = {"weighted_jaccard": 0.002, "jaccard": 0.005}
"""How near the mean over eight random maps comes, .01 elsewhere; the others differ by sums in float32."""

HIGHER = [4.0, 3.0, 2.0, 1.0]
BY_HAND = {
    "enrichment": ([True, False, False], [0.9, 1.0, 0.0], -0.9),
    "euclidean": ([True, True, False], [0.0, 3.0, 3.0], 1.0),
    "jaccard": ([True, True, False, False], [4.0, 1.0, 3.0, 2.0], 1 / 3),
    "auprc": ([True, False, True, False], HIGHER, (1 + 2 / 3) / 2),
    "auroc": ([True, False, True, False], HIGHER, 3 / 4),
    "weighted_jaccard": ([True, True, False], [0.0, 3.0, 1.0], 1 / (2 + 1 / 3)),
}
"""Truth, map and score; true sites that are high but outranked count against the map by enrichment."""


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in KNOWN for kind in MAPS])
def test_calibration_on_the_earlier_box(name, kind):
    values = METRICS.make(name).measure(trial_of(MAPS[kind], TRUTH)).values
    tolerance = OF_RANDOM.get(name, 0.01) if kind == "random" else 1e-5
    assert values.mean().item() == pytest.approx(KNOWN[name][kind], abs=tolerance)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("absolute", [True, False])
def test_equals_the_loop(name, levels, absolute):
    values, truth, mask = series(1, levels)
    expected = by_loop(getattr(metrics_loop, name), values, truth, mask, absolute)
    measured = METRICS.make(name, {"absolute": absolute}).measure(trial_of(values, truth, mask)).values
    assert measured.tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name):
    truth, values, known = BY_HAND[name]
    attribution = trial_of(torch.tensor([[values]]), torch.tensor([[truth]]))
    assert METRICS.make(name).measure(attribution).values.item() == pytest.approx(known)


@pytest.mark.parametrize("name", ["auprc", "auroc", "aup", "aur"])
def test_features_are_scored_by_their_sum_over_valid_steps(name):
    values, truth, mask = series(4)
    truth = truth & (torch.arange(3) < 2)
    valid = mask[..., None]
    summed = trial_of((values * valid).sum(1), (truth & valid).any(1))
    expected = METRICS.make(name).measure(summed).values
    given = METRICS.make(f"{name}:granularity=feature").measure(trial_of(values, truth, mask)).values
    torch.testing.assert_close(given, expected)
    with pytest.raises(ShapeError, match="pass series for granularity='feature'"):
        METRICS.make(f"{name}:granularity=feature").measure(summed)
    with pytest.raises(DataError, match="valid features of sample 0"):
        METRICS.make(f"{name}:granularity=feature").measure(trial_of(values, torch.ones_like(truth), mask))
