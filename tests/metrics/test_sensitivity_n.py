"""Sensitivity-n: known correlations, and the loop over sets."""

import dataclasses

import pytest
import torch

from perdure.core.attribution import Attribution
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.core.random import child_seeds, uniform
from perdure.core.target import Logit
from perdure.metrics import _along as along
from perdure.metrics import sensitivity_n
from perdure.metrics._evaluate import evaluate
from perdure.metrics.sensitivity_n import SensitivityN
from tests.cases import Constant
from tests.metrics.perturbed import LENGTHS, function_of, image_trial, linear_trial, series_trial, valid_part
from tests.reference import perturbation_loop as loop

SEEDS = torch.tensor([5, 6, 7, 8])
PLACES = {"position": {3: loop.pixels, 2: loop.steps}, "element": {3: loop.elements, 2: loop.elements}}


def sets_of(seed, number, places, n, masks):
    """The sets of one sample as documented: the n lowest of the numbers drawn for its places."""
    seeds = child_seeds(torch.tensor([seed]), ("sensitivity_n", number))
    keys = uniform(seeds, (places, masks), torch.zeros((), dtype=torch.float64))[0].T
    return keys.argsort(1)[:, :n].tolist()


@pytest.mark.parametrize("granularity", ["position", "element"])
@pytest.mark.parametrize("case", ["series", "seeded", "images"])
def test_equals_the_loop(granularity, case):
    attribution = image_trial() if case == "images" else series_trial(seeds=SEEDS if case == "seeded" else None)
    metric = SensitivityN(masks=12, points=4, granularity=granularity, baseline="mean")
    result = metric.measure(attribution)
    for i in range(len(attribution.query.x)):
        x, a = valid_part(attribution, attribution.query.x, i), valid_part(attribution, attribution.values, i)
        places = PLACES[granularity][x.ndim](x)
        worth = [a[place].sum().item() for place in places]
        most = max(1, min(int(0.8 * len(places)), len(places) - 1))
        for number in range(4):
            n = round(most ** (number / 3))
            sets = sets_of(int(SEEDS[i]) if case == "seeded" else 0, number, len(places), n, 12)
            axes = (1, 2) if x.ndim == 3 else (0,)
            blank = x.mean(axes, keepdim=True).expand_as(x)
            expected = loop.sensitivity(function_of(attribution, i, probability=False), x, blank, worth, places, sets)
            assert result.curve[i, number].item() == pytest.approx(expected, abs=1e-7)
    torch.testing.assert_close(result.values, result.curve.mean(1))


def test_a_linear_model_scores_every_set():
    attribution, contributions = linear_trial(sites=30)
    for values, expected in ((contributions, 1.0), (-contributions, -1.0), (5 * contributions + 3, 1.0)):
        result = SensitivityN().measure(dataclasses.replace(attribution, values=values))
        torch.testing.assert_close(result.curve, torch.full((3, 10), expected, dtype=torch.float64))


def test_random_maps_score_nothing_and_right_ones_all():
    attribution, _ = linear_trial(batch=60, sites=30)
    score = evaluate(attribution, "sensitivity_n", draws=1)
    assert score.null.mean().item() == pytest.approx(0.0, abs=4 / (60 * 29) ** 0.5)  # spread of chance correlations
    assert (score.ceiling == 1).all()


@pytest.mark.parametrize("level", [0.0, 0.1, 1e30])
def test_a_constant_map_scores_zero(level):
    attribution, contributions = linear_trial()
    result = SensitivityN().measure(dataclasses.replace(attribution, values=torch.full_like(contributions, level)))
    assert result.curve.abs().max().item() == 0.0


def test_a_model_that_ignores_its_input_scores_zero():
    x = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    result = SensitivityN().measure(Attribution(x, source=Query(Constant(True), x, Logit(torch.tensor([0, 1])))))
    assert result.values.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("compat", ["exact", "published"])
def test_the_largest_set_leaves_a_site_and_nothing_is_nan(compat):
    for sites in (1, 2, 3, 12):
        attribution, _ = linear_trial(sites=sites)
        result = SensitivityN(share=1.0, compat=compat).measure(attribution)
        expected = 0.0 if sites == 1 else 1.0
        torch.testing.assert_close(result.values, torch.full((3,), expected, dtype=torch.float64))


def test_published_sizes():
    tenths = SensitivityN(compat="published")._sizes(torch.tensor([50, 7]), images=False)
    assert tenths.tolist() == [[5, 10, 15, 20, 25, 30, 35, 40, 45], [1, 1, 2, 2, 3, 4, 4, 5, 6]]
    images = SensitivityN(compat="published")._sizes(torch.tensor([64, 64]), images=True)
    powers = {int(10 ** (4.5 * k / 44)) for k in range(45)}
    assert images.tolist() == [sorted(n for n in powers if n < 64)] * 2
    largest = SensitivityN(compat="published")._sizes(torch.tensor([224 * 224]), images=True)
    assert largest[0, -1].item() == 31622


def test_published_sets_are_the_same_for_all_samples():
    attribution = series_trial(seeds=SEEDS)
    twin = series_trial(seeds=torch.zeros(4, dtype=torch.long))
    made = SensitivityN(masks=10, compat="published")
    assert torch.equal(made.measure(attribution).curve, made.measure(twin).curve)
    exact = dataclasses.replace(made, compat="exact")
    assert not torch.equal(exact.measure(attribution).curve, exact.measure(twin).curve)


@pytest.mark.parametrize("seeds", [None, SEEDS])
def test_batch_mates_padding_and_chunks_change_nothing(seeds, monkeypatch):
    made = SensitivityN(masks=15)
    whole, longer = made.measure(series_trial(seeds=seeds)), made.measure(series_trial(extra=4, seeds=seeds))
    alone = torch.cat([made.measure(series_trial(slice(i, i + 1), seeds=seeds)).curve for i in range(4)])
    for module in (along, sensitivity_n):
        monkeypatch.setattr(module, "NUMBERS", 1)
    chunked = made.measure(series_trial(seeds=seeds))
    assert LENGTHS.min() == 1
    for curve in (longer.curve, chunked.curve, alone):
        torch.testing.assert_close(curve, whole.curve)


@pytest.mark.parametrize("setting", [{"masks": 0}, {"points": 0}, {"share": 0}, {"baseline": "black"}, {"compat": "x"}])
def test_settings_that_cannot_be_used(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        SensitivityN(**setting)
