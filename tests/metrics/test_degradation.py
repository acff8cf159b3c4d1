"""Degradation: known gaps, and the tile-by-tile loop."""

import dataclasses

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.metrics import _along as along
from perdure.metrics.degradation import Degradation
from perdure.metrics.deletion import Deletion
from tests.metrics.perturbed import function_of, image_trial, linear_trial, series_trial, valid_part
from tests.reference import perturbation_loop as loop


def tiles(x, window):
    """The sites of each tile of one sample, as boolean masks."""
    sizes = x.shape[1:] if x.ndim == 3 else x.shape[:1]
    starts = [range(0, size, window) for size in sizes]
    result = []
    for first in (
        torch.cartesian_prod(*(torch.tensor(list(entry)) for entry in starts)).reshape(-1, len(sizes)).tolist()
    ):
        where = tuple(slice(a, a + window) for a in first)
        mask = torch.zeros_like(x, dtype=torch.bool)
        mask[(slice(None), *where) if x.ndim == 3 else where] = True
        result.append(mask)
    return result


@pytest.mark.parametrize("attribution", [series_trial(), image_trial()], ids=["series", "images"])
@pytest.mark.parametrize("window", [1, 2, 3, 8])
def test_equals_the_loop(attribution, window):
    result = Degradation(window=window).measure(attribution)
    for i in range(len(attribution.query.x)):
        x, a = valid_part(attribution, attribution.query.x, i), valid_part(attribution, attribution.values, i)
        places = tiles(x, window)
        worth = [a[place].sum().item() for place in places]
        walks = [
            loop.walk(function_of(attribution, i), x, torch.zeros_like(x), places, loop.order_of(entry), 1)
            for entry in (worth, [-w for w in worth])
        ]
        morf, lerf = (loop.area(scores, 1, len(places)) for scores in walks)
        assert result.aux["morf"][i].item() == pytest.approx(morf, abs=1e-12)
        assert result.aux["lerf"][i].item() == pytest.approx(lerf, abs=1e-12)
        assert result.values[i].item() == pytest.approx(lerf - morf, abs=1e-12)


def test_images_lose_tiles_of_eight_pixels_and_series_single_steps():
    for attribution, window in ((image_trial(), 8), (series_trial(), 1)):
        torch.testing.assert_close(
            Degradation().measure(attribution).values, Degradation(window=window).measure(attribution).values
        )


def test_a_linear_model_has_a_closed_form():
    attribution, contributions = linear_trial(sites=9)
    ranked = contributions.sort(1, descending=True).values
    weights = 2 * torch.arange(9, dtype=torch.float64) - 8  # (N - i + 1/2) / N, in one order less the other
    torch.testing.assert_close(Degradation().measure(attribution).values, -(ranked * weights).sum(1) / 9)


def test_an_inverted_map_scores_the_opposite_and_a_constant_one_zero():
    attribution, contributions = linear_trial()
    score, against = (
        Degradation().measure(dataclasses.replace(attribution, values=entry)).values
        for entry in (contributions, -contributions)
    )
    assert (score > 0).all()
    torch.testing.assert_close(against, -score)
    for level in (0.0, 2.0):
        constant = dataclasses.replace(attribution, values=torch.full_like(contributions, level))
        assert Degradation().measure(constant).values.tolist() == [0.0] * 3


def test_the_most_relevant_first_is_deletion():
    attribution = series_trial()
    result = Degradation().measure(attribution).aux["morf"]
    torch.testing.assert_close(result, Deletion(granularity="position").measure(attribution).values)


def test_batch_mates_padding_and_chunks_change_nothing(monkeypatch):
    made = Degradation(window=2)
    whole, longer = made.measure(series_trial()), made.measure(series_trial(extra=4))
    alone = [made.measure(series_trial(slice(i, i + 1))) for i in range(4)]
    monkeypatch.setattr(along, "NUMBERS", 1)
    chunked = made.measure(series_trial())
    for part in ("values", "curve"):
        torch.testing.assert_close(getattr(longer, part), getattr(whole, part))
        torch.testing.assert_close(getattr(chunked, part), getattr(whole, part))
        torch.testing.assert_close(torch.cat([getattr(entry, part) for entry in alone]), getattr(whole, part))


@pytest.mark.parametrize("setting", [{"window": 0}, {"points": 0}, {"baseline": "black"}, {"score": "logits"}])
def test_settings_that_cannot_be_used(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        Degradation(**setting)
