"""Comprehensiveness and sufficiency: the loop over fractions, and known answers."""

import dataclasses

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.metrics.comprehensiveness import Comprehensiveness
from perdure.metrics.sufficiency import Sufficiency
from tests.metrics.perturbed import function_of, linear_trial, series_trial, valid_part

FRACTIONS = (0.1, 0.35, 0.6)


@pytest.mark.parametrize("absolute", [False, True])
def test_equals_the_loop(absolute):
    attribution = series_trial()
    both = [
        kind(fractions=FRACTIONS, absolute=absolute).measure(attribution) for kind in (Comprehensiveness, Sufficiency)
    ]
    for i in range(4):
        x, a = valid_part(attribution, attribution.query.x, i), valid_part(attribution, attribution.values, i)
        value, worth = function_of(attribution, i), (a.abs() if absolute else a).flatten()
        order = sorted(range(len(worth)), key=lambda k: -worth[k].item())
        for q, fraction in enumerate(FRACTIONS):
            top = torch.zeros(len(worth), dtype=torch.bool)
            top[order[: max(1, round(fraction * len(worth)))]] = True
            top = top.reshape(x.shape)
            without, only = value(x.masked_fill(top, 0.0)), value(x.masked_fill(~top, 0.0))
            assert both[0].curve[i, q].item() == pytest.approx(value(x) - without, abs=1e-9)
            assert both[1].curve[i, q].item() == pytest.approx(value(x) - only, abs=1e-9)
    for measured in both:
        torch.testing.assert_close(measured.values, measured.curve.mean(1))


def test_of_a_linear_model_the_top_contributions_are_lost_or_kept():
    attribution, contributions = linear_trial(sites=10)
    ranked = contributions.sort(1, descending=True).values
    lost = Comprehensiveness(fractions=(0.3,)).measure(attribution).values
    torch.testing.assert_close(lost, ranked[:, :3].sum(1))
    kept = Sufficiency(fractions=(0.3,)).measure(attribution).values
    torch.testing.assert_close(kept, contributions.sum(1) - ranked[:, :3].sum(1))
    against = dataclasses.replace(attribution, values=-contributions)
    torch.testing.assert_close(Comprehensiveness(fractions=(0.3,)).measure(against).values, ranked[:, -3:].sum(1))


def test_the_best_value_of_a_probability_is_the_whole_or_certainty():
    attribution = series_trial()
    for kind, bound in ((Comprehensiveness, 0.0), (Sufficiency, 1.0)):
        measured = kind().measure(attribution)
        torch.testing.assert_close(measured.best, measured.aux["before"] - bound)


@pytest.mark.parametrize("kind", [Comprehensiveness, Sufficiency])
@pytest.mark.parametrize(
    "setting", [{"fractions": ()}, {"fractions": (0.5, 1.0)}, {"baseline": "black"}, {"score": "log"}]
)
def test_settings_that_cannot_be_used(kind, setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        kind(**setting)
