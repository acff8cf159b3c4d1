"""AUP, AUR, information and entropy of masks: loops over thresholds, and known maps."""

import math
from itertools import pairwise

import pytest
import torch

from perdure.core.errors import DataError, SettingError
from perdure.metrics._evaluate import evaluate
from perdure.metrics.aup import AUP
from perdure.metrics.aur import AUR
from perdure.metrics.mask_entropy import MaskEntropy
from perdure.metrics.mask_information import MaskInformation
from tests.metrics.attributions import box, by_loop, known_maps, series, trial_of


def loop_of(kind, compat):
    """The areas threshold by threshold, of one sample."""

    def area(values, truth):
        low, high = min(values), max(values)
        if low == high:
            return 0.0
        scaled = [(value - low) / (high - low) for value in values]
        levels = sorted(set(scaled))
        curve = []
        for level in levels:
            hits = [b for s, b in zip(scaled, truth, strict=True) if s >= level]
            curve.append(sum(hits) / (len(hits) if kind is AUP else sum(truth)))
        pairs = list(zip(levels, curve, strict=True))
        if compat == "published":
            return sum((b - a) * (p + q) / 2 for (a, p), (b, q) in pairwise(pairs))
        return sum((b - a) * q for (a, _), (b, q) in pairwise(pairs))

    return area


@pytest.mark.parametrize("compat", ["exact", "published"])
@pytest.mark.parametrize("levels", [None, 2])
@pytest.mark.parametrize("kind", [AUP, AUR])
def test_the_areas_are_those_of_a_loop_over_thresholds(kind, levels, compat):
    values, truth, mask = series(5, levels)
    result = kind(compat=compat).measure(trial_of(values, truth, mask)).values
    assert result.tolist() == pytest.approx(by_loop(loop_of(kind, compat), values, truth, mask))


def test_recall_is_the_mean_scaled_value_of_the_true_sites_whatever_their_ranks():
    """The exact map of a sum of squares ranks all true sites first: precision is perfect, recall is small."""
    draw = torch.Generator().manual_seed(0)
    truth = torch.zeros(5, 50, 50, dtype=torch.bool)
    truth[:, 12:37, :5] = True
    squares = torch.randn(truth.shape, generator=draw).square() * truth
    attribution = trial_of(squares, truth)
    aur = AUR().measure(attribution).values
    expected = [s[t].mean().item() / s.max().item() for s, t in zip(squares, truth, strict=True)]
    assert aur.tolist() == pytest.approx(expected, rel=1e-5)
    assert aur.mean() < 0.25
    assert AUP().measure(attribution).values.tolist() == pytest.approx([1.0] * 5)
    binary = AUR().measure(trial_of((squares > 0).float(), truth)).values
    assert binary.tolist() == pytest.approx([1.0] * 5)


@pytest.mark.parametrize("kind", [AUP, AUR])
def test_only_the_ranks_are_free_of_the_scale(kind):
    values, truth, mask = series(3)
    plain, bent = trial_of(values.abs(), truth, mask), trial_of(values.abs() ** 3, truth, mask)
    rank = kind(transform="rank")
    torch.testing.assert_close(rank.measure(plain).values, rank.measure(bent).values)
    assert not torch.allclose(kind().measure(plain).values, kind().measure(bent).values)


def test_ranks_of_ties_are_their_mean():
    truth = torch.tensor([[[True], [False], [False], [True]]])
    values = torch.tensor([[[3.0], [1.0], [2.0], [2.0]]])
    assert AUR(transform="rank").measure(trial_of(values, truth)).values.item() == pytest.approx((1 + 1.5 / 3) / 2)


@pytest.mark.parametrize("transform", ["scale", "rank"])
def test_known_maps(transform):
    truth = box(2)
    maps = {name: trial_of(values, truth) for name, values in known_maps(truth).items()}
    for kind, random in ((AUP, 0.24), (AUR, 0.5)):
        scores = {name: kind(transform=transform).measure(trial).values.tolist() for name, trial in maps.items()}
        assert scores["perfect"] == pytest.approx([1.0] * 2)
        assert scores["constant"] == scores["zero"] == scores["inverted"] == [0.0] * 2
        assert scores["random"] == pytest.approx([random] * 2, abs=0.02)


def test_known_masks():
    truth = box(2)
    maps = {name: trial_of(values, truth) for name, values in known_maps(truth).items()}
    most = -math.log2(1e-5)
    for kind, known in (
        (MaskInformation, {"perfect": most, "inverted": 0, "constant": 0, "random": 1 / math.log(2)}),
        (MaskEntropy, {"perfect": 0, "inverted": 0, "constant": 0, "random": 0.5 / math.log(2)}),
    ):
        for name, value in known.items():
            measured = kind().measure(maps[name])
            assert measured.values.tolist() == pytest.approx([value] * 2, abs=0.05)
            assert measured.aux["total"].tolist() == pytest.approx((measured.values * truth[0].sum()).tolist())


def test_masks_are_taken_as_given_on_request():
    truth = torch.tensor([[[True], [True], [False]]])
    mask = trial_of(torch.tensor([[[0.5], [0.75], [0.25]]], dtype=torch.float64), truth)
    information = MaskInformation(scale="given").measure(mask).values.item()
    assert information == pytest.approx((-math.log2(0.5 + 1e-5) - math.log2(0.25 + 1e-5)) / 2)
    entropy = MaskEntropy(scale="given").measure(mask).values.item()
    assert entropy == pytest.approx((1 - 0.75 * math.log2(0.75) - 0.25 * math.log2(0.25)) / 2)
    for values in (mask.values - 1, mask.values + 1):
        with pytest.raises(DataError, match=r"lies in \[0, 1\].*Remedy: leave scale='given' out"):
            MaskEntropy(scale="given").measure(trial_of(values, truth))


def test_evaluation_places_them_between_null_and_ceiling():
    values, truth, mask = series(1)
    for name in ("aup", "aur", "mask_information"):
        score = evaluate(trial_of(values, truth, mask), name)
        assert (score.null < score.ceiling).all()


@pytest.mark.parametrize("setting", [{"transform": "log"}, {"granularity": "row"}, {"compat": "code"}])
def test_settings_that_cannot_be_used(setting):
    for kind in (AUP, AUR):
        with pytest.raises(SettingError, match=next(iter(setting))):
            kind(**setting)
    with pytest.raises(SettingError, match="scale"):
        MaskEntropy(scale="rank")
