"""CPD and CPP: the loop over removed elements, closed forms, and what saturation does."""

import dataclasses

import pytest
import torch
from torch import nn

from perdure.core.attribution import Attribution
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.core.target import AtStep, Logit
from perdure.metrics import _along as along
from perdure.metrics._evaluate import evaluate
from perdure.metrics.cpd import CPD
from perdure.metrics.cpp import CPP
from tests.metrics.perturbed import image_trial, linear_trial, series_trial, valid_part


def changes(attribution, i, kind, fraction, score):
    """All L1 changes of the prediction of one sample, removed element by element."""
    query = attribution.query
    x, a = valid_part(attribution, query.x, i), valid_part(attribution, attribution.values, i)
    if x.ndim == 3:  # pixels with all channels
        order = a.sum(0).flatten().abs()
        places = [torch.zeros(order.shape).index_fill_(0, torch.tensor([k]), 1.0) for k in range(len(order))]
        places = [place.reshape(1, *a.shape[1:]).expand_as(a).bool() for place in places]
    else:
        order = a.flatten().abs()
        places = [
            torch.zeros(len(order)).index_fill_(0, torch.tensor([k]), 1.0).reshape(a.shape).bool()
            for k in range(len(order))
        ]
    ranked = sorted(range(len(order)), key=lambda k: -order[k].item() if kind is CPD else order[k].item())
    predictions = []
    for removed in [None, *ranked[: max(1, int(fraction * len(order)))]]:
        x = x if removed is None else x.masked_fill(places[removed], 0.0)
        outputs = query.model(x[None])[0]
        predictions.append((outputs.softmax(0) if score == "probability" else outputs).detach())
    steps = torch.stack(predictions)
    return steps.diff(dim=0).abs().sum().item(), (steps[-1] - steps[0]).abs().sum().item()


@pytest.mark.parametrize("attribution", [series_trial(), image_trial()], ids=["series", "images"])
@pytest.mark.parametrize("score", ["probability", "output"])
@pytest.mark.parametrize("kind", [CPD, CPP])
def test_equals_the_loop(attribution, kind, score):
    result = kind(fraction=0.4, score=score).measure(attribution)
    for i in range(len(attribution.query.x)):
        total, bound = changes(attribution, i, kind, 0.4, score)
        assert result.values[i].item() == pytest.approx(total, abs=1e-9)
        assert result.aux["bound"][i].item() == pytest.approx(bound, abs=1e-9)
        assert result.aux["turning"][i].item() == pytest.approx(total - bound, abs=1e-9)
        assert result.curve[i, -1].item() == pytest.approx(total, abs=1e-9)


def test_of_an_additive_output_it_is_the_sum_of_absolute_contributions():
    attribution, contributions = linear_trial(sites=10)
    ranked = contributions.abs().sort(1, descending=True).values
    largest, smallest = (kind(fraction=0.3).measure(attribution).values for kind in (CPD, CPP))
    torch.testing.assert_close(largest, ranked[:, :3].sum(1))
    torch.testing.assert_close(smallest, ranked[:, -3:].sum(1))
    negative = dataclasses.replace(attribution, values=-contributions)
    torch.testing.assert_close(CPD(fraction=0.3).measure(negative).values, largest)


def test_behind_a_sigmoid_alternating_evidence_beats_any_order_by_sign():
    """Ten cells of one and ten of minus one, all removed: the published sum rewards turns, the logit does not."""
    x = torch.cat([torch.ones(1, 10), -torch.ones(1, 10)], 1).double()

    class Sum(nn.Module):
        def forward(self, x):
            return x.sum(1, keepdim=True)

    query = Query(Sum(), x, Logit(torch.tensor([0]), "logit"))
    by_sign = torch.arange(20, 0, -1)[None].double()
    turns = torch.stack([torch.arange(20, 0, -2), torch.arange(19, 0, -2)]).flatten()[None].double()
    scores = {
        name: CPD(fraction=1.0).measure(Attribution(values, source=query))
        for name, values in (("sign", by_sign), ("turns", turns))
    }
    assert scores["sign"].values.item() / 2 == pytest.approx(1.0, abs=1e-3)  # two classes change by the same
    assert scores["turns"].values.item() / 2 == pytest.approx(4.62, abs=0.01)
    assert scores["turns"].aux["bound"].item() == pytest.approx(0, abs=1e-12)
    logits = [CPD(fraction=1.0, score="output").measure(Attribution(v, source=query)).values for v in (by_sign, turns)]
    torch.testing.assert_close(*logits)
    assert logits[0].item() == pytest.approx(20)


def test_the_published_form_is_the_mean_over_classes():
    whole, mean = (CPD(fraction=0.5, compat=compat).measure(series_trial()) for compat in ("exact", "published"))
    torch.testing.assert_close(mean.values * 3, whole.values)
    torch.testing.assert_close(mean.aux["bound"] * 3, whole.aux["bound"])


def test_outputs_at_every_step_are_followed_alone_or_together():
    x = torch.tensor([[[1.0], [2.0], [4.0]]])
    label = torch.tensor([0])

    def model(x):
        return torch.cat([x.cumsum(1), -x.cumsum(1)], 2)

    last = Attribution(x, source=Query(model, x, AtStep(torch.tensor([2]), Logit(label, "logits"))))
    measured = CPD(fraction=0.34, score="output").measure(last)
    assert measured.values.item() == 8.0
    together = Attribution(x, source=Query(model, x, lambda outputs: outputs[:, :, 0].sum(1)))
    assert CPD(fraction=0.7, score="output").measure(together).values.item() == 2 * (4 + 2 * 2)
    assert CPD(fraction=0.7).measure(together).values.item() == 4 + 2 * 2


@pytest.mark.parametrize("kind", [CPD, CPP])
def test_batch_mates_padding_and_chunks_change_nothing(kind, monkeypatch):
    made = kind(fraction=0.5)
    whole, longer = made.measure(series_trial()), made.measure(series_trial(extra=4))
    alone = [made.measure(series_trial(slice(i, i + 1))) for i in range(4)]
    monkeypatch.setattr(along, "NUMBERS", 1)
    chunked = made.measure(series_trial())
    for part in ("values", "curve"):
        torch.testing.assert_close(getattr(longer, part), getattr(whole, part))
        torch.testing.assert_close(getattr(chunked, part), getattr(whole, part))
        torch.testing.assert_close(torch.cat([getattr(entry, part) for entry in alone]), getattr(whole, part))


def test_evaluation_adds_a_random_order_and_the_best_order_measured():
    score = evaluate(series_trial(), CPD(fraction=0.5), draws=3)
    assert (score.ceiling >= score.values).all()
    assert (score.null > 0).all()
    assert "uniform" in score.aux
    assert evaluate(series_trial(), CPP(fraction=0.5), draws=3).ceiling.tolist() == [0.0] * 4


@pytest.mark.parametrize("setting", [{"fraction": 0}, {"step": 0}, {"baseline": "black"}, {"score": "logits"}])
def test_settings_that_cannot_be_used(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        CPD(**setting)
