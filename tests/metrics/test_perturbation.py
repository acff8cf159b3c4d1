"""Insertion and deletion: known areas, and the step-by-step loop in its exact and its published form."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.core.attribution import Attribution
from perdure.core.errors import ConstantScoreError, OutputsWarning, SettingError
from perdure.core.query import Query
from perdure.core.target import Logit
from perdure.metrics import _along as along
from perdure.metrics._evaluate import evaluate
from perdure.metrics.deletion import Deletion
from perdure.metrics.insertion import Insertion
from tests.cases import Constant
from tests.metrics.perturbed import function_of, image_trial, linear_trial, series_trial, valid_part
from tests.reference import perturbation_loop as loop

BOTH = pytest.mark.parametrize("metric", [Insertion, Deletion])
PLACES = {"position": {3: loop.pixels, 2: loop.steps}, "element": {3: loop.elements, 2: loop.elements}}


def closed_form(contributions, order):
    """Areas of insertion and deletion of a linear model from zero, one site at a time."""
    ranked = contributions.gather(1, order)
    sites = ranked.shape[1]
    weights = (sites - torch.arange(sites, dtype=torch.float64) - 0.5) / sites
    inserted = (ranked * weights).sum(1)
    return inserted, contributions.sum(1) - inserted


def by_loop(attribution, metric, i):
    """Scores of one sample, from the loop."""
    x, a = valid_part(attribution, attribution.query.x, i), valid_part(attribution, attribution.values, i)
    blank = valid_part(attribution, metric.blank(attribution.query), i)
    granularity = metric.granularity or ("position" if x.ndim == 3 else "element")
    places = PLACES[granularity][x.ndim](x)
    order = loop.order_of([a[place].sum().item() for place in places])
    order = order[: max(1, int(metric.share * len(order)))]
    ends = (blank, x) if isinstance(metric, Insertion) else (x, blank)
    return function_of(attribution, i), ends, places, order


@BOTH
@pytest.mark.parametrize("attribution", [series_trial(), image_trial()], ids=["series", "images"])
@pytest.mark.parametrize("granularity", [None, "position", "element"])
@pytest.mark.parametrize(("step", "fraction", "baseline"), [(1, 1.0, "zero"), (3, 0.4, "mean"), (2, 1.0, "blur")])
def test_equals_the_loop(metric, attribution, granularity, step, fraction, baseline):
    made = metric(step=step, share=fraction, baseline=baseline, granularity=granularity)
    result = made.measure(attribution)
    for i in range(len(attribution.query.x)):
        *walk, order = by_loop(attribution, made, i)
        scores = loop.walk(walk[0], *walk[1], walk[2], order, step)
        assert result.values[i].item() == pytest.approx(loop.area(scores, step, len(order)), abs=1e-12)
        assert result.curve[i, [0, -1]].tolist() == pytest.approx([scores[0], scores[-1]], abs=1e-12)
        assert [result.aux[key][i].item() for key in ("first", "last")] == result.curve[i, [0, -1]].tolist()


@BOTH
@pytest.mark.parametrize(("step", "fraction"), [(1, 1.0), (2, 0.4)])
def test_the_published_area_of_a_series_equals_its_loop(metric, step, fraction):
    made = metric(step=step, share=fraction, granularity="position", compat="published")
    attribution = series_trial()
    result = made.measure(attribution)
    for i in range(len(attribution.query.x)):
        *walk, order = by_loop(attribution, made, i)
        scores = loop.walk(walk[0], *walk[1], walk[2], order, step)[1:]
        assert result.values[i].item() == pytest.approx(loop.published_area(scores), abs=1e-12)


@BOTH
def test_the_published_staircase_of_1024_pixels_has_13_steps(metric):
    """The figures of the published code: 1024 scores of a 32 by 32 image, 13 of them distinct."""
    draw = torch.Generator().manual_seed(0)
    x, a, weight = (torch.rand(1, 1, 32, 32, generator=draw, dtype=torch.float64) for _ in range(3))
    query = Query(lambda x: (x * weight).flatten(1).sum(1), x, lambda outputs: outputs[:, 0])
    attribution, exact = Attribution(a, source=query), metric(step=1, points=1023)
    made = dataclasses.replace(exact, compat="published")
    result = made.measure(attribution)
    function, (start, end), places, order = (
        lambda entry: (entry * weight[0]).sum().item(),
        *by_loop_image(attribution, made),
    )
    scores = loop.published_image_scores(function, start, end, places, order, 1)
    assert (len(scores), len(set(scores))) == (1024, 13)
    assert result.curve[0].tolist() == pytest.approx(scores, abs=1e-9)
    assert result.values.item() == pytest.approx(loop.published_area(scores), abs=1e-9)
    assert query.passes.forward == 13  # the other 1011 are known
    assert abs(result.values.item() - exact.measure(attribution).values.item()) > 0.01


def by_loop_image(attribution, metric):
    x, a, blank = attribution.query.x[0], attribution.values[0], metric.blank(attribution.query)[0]
    places = loop.pixels(x)
    order = loop.order_of([a[place].sum().item() for place in places])
    return ((blank, x) if isinstance(metric, Insertion) else (x, blank)), places, order


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_a_linear_model_has_a_closed_form_for_every_order(seed):
    draw = torch.Generator().manual_seed(seed + 1)
    attribution, contributions = linear_trial(lambda c: torch.randn(c.shape, generator=draw, dtype=c.dtype), seed)
    order = attribution.values.argsort(1, descending=True)
    inserted, deleted = closed_form(contributions, order)
    torch.testing.assert_close(Insertion().measure(attribution).values, inserted)
    torch.testing.assert_close(Deletion().measure(attribution).values, deleted)


def test_perfect_random_inverted_and_constant_maps_score_what_they_must():
    attribution, contributions = linear_trial(batch=1, sites=40)
    total = contributions.sum().item()
    best, worst = (closed_form(contributions, (sign * contributions).argsort(1)) for sign in (-1, 1))
    in_order = closed_form(contributions, torch.arange(40)[None])
    for metric, which in ((Insertion(), 0), (Deletion(), 1)):
        score = evaluate(attribution, metric, draws=400)
        assert score.values.item() == pytest.approx(best[which].item())
        inverted = dataclasses.replace(attribution, values=-contributions)
        assert metric.measure(inverted).values.item() == pytest.approx(worst[which].item())
        for constant in (torch.zeros_like(contributions), torch.full_like(contributions, 3.0)):
            result = metric.measure(dataclasses.replace(attribution, values=constant)).values.item()
            assert result == pytest.approx(in_order[which].item())  # tied sites go in the order of their index
        spread = contributions.std().item() * (40 / 12) ** 0.5 / 400**0.5  # of the mean over 400 random orders
        assert score.null.item() == pytest.approx(total / 2, abs=4 * spread)
        reached = contributions.clamp(min=0).sum() if which == 0 else contributions.clamp(max=0).sum()
        assert score.ceiling.item() == pytest.approx(reached.item())  # no curve of these numbers leaves their range


@BOTH
def test_a_model_that_ignores_its_input_gives_its_probability(metric):
    x = torch.randn(2, 5)
    result = metric().measure(Attribution(x, source=Query(Constant(True), x, Logit(torch.tensor([0, 1])))))
    expected = torch.tensor([1.0, -3.0]).softmax(0)
    torch.testing.assert_close(result.values, expected)
    torch.testing.assert_close(result.curve, expected[:, None].expand(-1, 65))


@BOTH
def test_a_single_output_is_followed_as_a_sigmoid_once_it_is_declared_a_logit(metric):
    x = torch.tensor([[2.0]])
    result = metric().measure(
        Attribution(x, source=Query(lambda x: x, x, Logit(torch.tensor([0]), "independent_logits")))
    )
    assert result.values.item() == pytest.approx((0.5 + x.sigmoid().item()) / 2)


@BOTH
def test_a_single_output_that_may_be_a_number_is_followed_as_it_is(metric):
    x = torch.tensor([[2.0]])
    with pytest.warns(OutputsWarning, match="logit or a number"):
        result = metric().measure(Attribution(x, source=Query(lambda x: x, x, Logit(torch.tensor([0])))))
    assert result.values.item() == 1.0


@BOTH
def test_a_score_that_is_the_same_for_every_map_is_refused(metric):
    x = torch.randn(2, 5)
    with pytest.raises(ConstantScoreError, match="same score"):
        evaluate(Attribution(x, source=Query(Constant(True), x, Logit(torch.tensor([0, 1])))), metric())


@BOTH
def test_the_target_itself_can_be_followed(metric):
    attribution = image_trial()
    result = metric(score="target").measure(attribution)
    whole = result.aux["first" if metric is Deletion else "last"]
    torch.testing.assert_close(whole, attribution.query.value(attribution.query.x))


@BOTH
def test_batch_mates_padding_and_chunks_change_nothing(metric, monkeypatch):
    made = metric(baseline="noise")
    whole, longer = made.measure(series_trial()), made.measure(series_trial(extra=4))
    alone = [made.measure(series_trial(slice(i, i + 1))) for i in range(4)]
    monkeypatch.setattr(along, "NUMBERS", 1)
    chunked = made.measure(series_trial())
    for part in ("values", "curve"):
        torch.testing.assert_close(getattr(longer, part), getattr(whole, part))
        torch.testing.assert_close(getattr(chunked, part), getattr(whole, part))
        torch.testing.assert_close(torch.cat([getattr(entry, part) for entry in alone]), getattr(whole, part))


def test_many_sites_are_taken_in_few_equal_steps():
    attribution, _ = linear_trial(batch=2, sites=1000)
    result = Deletion(points=10).measure(attribution)
    assert attribution.query.passes.forward == 2 * 11
    torch.testing.assert_close(result.values, Deletion(step=100).measure(attribution).values)
    assert result.curve.shape == (2, 11)


@BOTH
@pytest.mark.parametrize(
    "setting",
    [
        *({"share": 0.0}, {"share": 1.2}, {"step": 0}, {"points": 0}, {"baseline": "black"}),
        *({"granularity": "word"}, {"compat": "old"}, {"score": "logits"}),
    ],
)
def test_settings_that_cannot_be_used(metric, setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        metric(**setting)


def test_insertion_ends_where_deletion_begins():
    attribution = series_trial()
    there, back = Insertion(baseline="mean").measure(attribution), Deletion(baseline="mean").measure(attribution)
    torch.testing.assert_close(there.aux["last"], back.aux["first"])
    torch.testing.assert_close(there.aux["first"], back.aux["last"])
