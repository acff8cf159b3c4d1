"""What every metric of the registry must keep to."""

import dataclasses
import pickle
from importlib import resources

import pytest
import torch

from perdure.attribution.input_x_gradient import InputXGradient
from perdure.core.metric import Measurement
from perdure.core.registry import METRICS
from perdure.core.spec import name_of
from perdure.core.target import Probability
from perdure.metrics._evaluate import evaluate
from tests.metrics.attributions import Weighted, known_maps, series, trial_of

NAMES = METRICS.names()
VALUES, TRUTH, MASK = series(2)  # every sample has steps without a true site
X = VALUES.flip(0) * 2

CURVES = ("degradation", "deletion", "insertion", "f_fidelity")

REACHED = ("comprehensiveness", "cpd", "sufficiency")
"""Metrics whose ceiling is one for each sample, that no measured map exceeds."""

QUICK = {"sensitivity_n": "sensitivity_n:masks=20,points=5"}
"""Settings of metrics that take their time with hundreds of maps; those here score random maps as widely spread."""

pytestmark = pytest.mark.parametrize("name", NAMES)


def attribution(values=VALUES, truth=TRUTH, mask=MASK, x=X):
    """Add the method that made the map, of a model with parameters, for metrics that explain again."""
    made = trial_of(values, truth, mask, x)
    query = dataclasses.replace(made.query, model=Weighted(values.shape[2]))
    return dataclasses.replace(made, source=query, method=InputXGradient())


def of_probability(made):
    return dataclasses.replace(
        made, source=dataclasses.replace(made.query, target=Probability(torch.ones(4, dtype=torch.int64)))
    )


def numbers(measured: Measurement):
    parts = {"values": measured.values, "curve": measured.curve, **measured.aux}
    return {key: part for key, part in parts.items() if part is not None}


def test_it_is_a_frozen_bag_of_settings_that_travels(name):
    metric = METRICS.make(name)
    assert name_of(metric) == name
    assert pickle.loads(pickle.dumps(metric)) == metric
    assert all(hasattr(type(metric), key) for key in ("needs_truth", "higher_is_better", "best"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        metric.best = 2.0


def test_its_paper_is_in_the_references(name):
    entry = METRICS.entry(name)
    keys = (resources.files("perdure") / "references.bib").read_text()
    assert f"{{{entry.reference}," in keys
    assert entry.summary.endswith(".")


def test_it_writes_to_nothing_and_repeats_itself(name):
    before = [part.clone() for part in (VALUES, TRUTH, MASK, X)]
    metric, state = METRICS.make(name), torch.get_rng_state()
    first, second = numbers(metric.measure(attribution())), numbers(metric.measure(attribution()))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert all(torch.equal(part, old) for part, old in zip((VALUES, TRUTH, MASK, X), before, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_batch_equals_a_loop_over_its_samples(name):
    metric = METRICS.make(name)
    whole = numbers(metric.measure(attribution()))
    for i in range(len(VALUES)):
        entry = slice(i, i + 1)
        alone = numbers(metric.measure(attribution(VALUES[entry], TRUTH[entry], MASK[entry], X[entry])))
        for key, part in alone.items():
            torch.testing.assert_close(part, whole[key][entry])


def test_more_padding_changes_nothing_whatever_it_holds(name):
    def longer(part, fill):
        return torch.cat([part, part.new_full((4, 5, *part.shape[2:]), fill)], dim=1)

    padded = attribution(longer(VALUES, 1e3), longer(TRUTH, True), longer(MASK, False), longer(X, -4.0))
    short, long = evaluate(attribution(), name), evaluate(padded, name)
    torch.testing.assert_close(numbers(long), numbers(short))
    torch.testing.assert_close(long.null, short.null)
    torch.testing.assert_close(long.ceiling, short.ceiling)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_it_is_finite_for_any_finite_map(name, dtype):
    low, high = torch.finfo(dtype).tiny, torch.finfo(dtype).max / 64  # leaves range to add up 27 sites
    for scale in (0.0, low, 1.0, high):
        measured = METRICS.make(name).measure(attribution((VALUES.sign() * scale).to(dtype), x=X.to(dtype)))
        assert all(part.isfinite().all() for part in numbers(measured).values())


def test_the_null_is_what_random_maps_score(name):
    """Where the null has the texture of the map, `aux` holds the score of a uniform random one."""
    quick = QUICK.get(name, name)
    truth = TRUTH[:1].expand(400, -1, -1)
    maps = known_maps(truth)["random"]
    whole = attribution(maps, truth, None, X[:1].expand(400, -1, -1))
    many = METRICS.make(quick).measure(dataclasses.replace(whole, method=None)).values
    null = evaluate(attribution(maps[:1], truth[:1], None, X[:1]), quick, draws=400, null="uniform").null
    error = (2 * many.var() / 400).sqrt().item()
    assert null.item() == pytest.approx(many.mean().item(), abs=4 * error)
    if getattr(METRICS.load(name), "perturbs", False):
        uniform = evaluate(whole, quick, draws=1).aux["uniform"]
        assert uniform.mean().item() == pytest.approx(many.mean().item(), abs=4 * error)


@pytest.mark.parametrize("null", ["shift", "permutation", "others"])
def test_a_null_with_the_texture_of_the_map_is_the_mean_of_its_draws(name, null):
    score = evaluate(attribution(), QUICK.get(name, name), draws=3, null=null)
    assert score.nulls.shape == (3, 4)
    torch.testing.assert_close(score.nulls.mean(0), score.null)
    if name == "parameter_randomisation":  # no method makes a moved map
        assert score.p is None
        return
    assert 0 < score.p <= 1
    constant = torch.ones_like(VALUES) * MASK[..., None]
    assert evaluate(attribution(constant), QUICK.get(name, name), draws=1, null=null).p == 1.0


def test_the_ceiling_is_the_score_of_the_best_map(name):
    metric = METRICS.make(name)
    score = evaluate(attribution(), metric, draws=50)  # so many that not all point at the truth
    if name in CURVES + REACHED:  # this target is a number, so that the best is the end of its range
        beyond = score.ceiling - score.values if metric.higher_is_better else score.values - score.ceiling
        assert (beyond >= 0).all()
    if name in REACHED:
        return
    if name in CURVES:
        score = evaluate(of_probability(attribution()), metric)
    if name == "parameter_randomisation":  # without a pair of redrawn models the best value is that of unlike maps
        score = evaluate(attribution(), f"{name}:redraws=1")
    assert score.ceiling.tolist() == pytest.approx([metric.best] * 4, abs=1e-6)
    if metric.needs_truth:
        assert torch.equal(score.ceiling, metric.measure(attribution(TRUTH.to(VALUES.dtype))).values)
        better = score.ceiling - score.null if metric.higher_is_better else score.null - score.ceiling
        assert (better > 0).all()
