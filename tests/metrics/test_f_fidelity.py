"""F-Fidelity: the exact expectation over all parts, and known answers."""

from itertools import combinations

import pytest
import torch

from perdure.core.attribution import Attribution
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.metrics.f_fidelity import FFidelity
from tests.metrics.perturbed import linear_trial, series_trial


def test_the_mean_over_draws_is_that_over_all_parts():
    """Of a product, which is not additive, the target without two of the top three or of the other four elements."""
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]).double()
    values = torch.tensor([[9.0, 8.0, 7.0, 1.0, 1.0, 1.0, 1.0]]).double()

    def target(x):
        return (1 + x).prod(1, keepdim=True).log() * x.sum(1, keepdim=True)

    def mean_without(part):
        rows = torch.stack([x[0].index_fill(0, torch.tensor(pair), 0.0) for pair in combinations(part, 2)])
        return target(rows).mean().item()

    query = Query(target, x, lambda outputs: outputs[:, 0])
    measured = FFidelity(explained=0.43, removed=0.3, draws=2000).measure(Attribution(values, source=query))
    before = target(x).item()
    assert measured.aux["plus"].item() == pytest.approx(before - mean_without((0, 1, 2)), rel=0.03)
    assert measured.aux["minus"].item() == pytest.approx(before - mean_without((3, 4, 5, 6)), rel=0.03)
    assert measured.values.item() == pytest.approx(mean_without((3, 4, 5, 6)) - mean_without((0, 1, 2)), rel=0.05)


def test_no_more_than_the_part_is_removed():
    x = torch.tensor([[5.0, 1.0, 1.0, 1.0, 1.0]])
    query = Query(lambda x: x.sum(1, keepdim=True), x, lambda outputs: outputs[:, 0])
    measured = FFidelity(explained=0.2, removed=0.6).measure(Attribution(x, source=query))
    assert (measured.aux["plus"].item(), measured.aux["minus"].item()) == (5.0, 3.0)
    everything = FFidelity(explained=1.0, removed=0.2).measure(Attribution(x, source=query))
    assert everything.aux["minus"].item() == 0.0


def test_a_good_map_beats_a_random_and_an_inverted_one():
    good, contributions = linear_trial(sites=20, batch=8)
    made = FFidelity(draws=40)
    inverted, random = (
        Attribution(values, source=good.query)
        for values in (-contributions, torch.rand(contributions.shape, generator=torch.Generator().manual_seed(1)))
    )
    scores = [made.measure(entry).values.mean().item() for entry in (good, random, inverted)]
    assert scores[0] > scores[1] > scores[2]
    assert scores[0] > 0 > scores[2]


def test_steps_of_a_constant_map_are_removed_as_a_whole():
    x = torch.tensor([[[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]]])
    values = torch.tensor([[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]])
    query = Query(lambda x: x.flatten(1).abs().sum(1, keepdim=True) + x.sum((1, 2))[:, None], x, lambda out: out[:, 0])
    measured = FFidelity(explained=0.34, removed=0.34).measure(Attribution(values, source=query))
    assert measured.aux["plus"].item() == pytest.approx(6.0)
    assert 2.0 <= measured.aux["minus"].item() <= 4.0


def test_batch_mates_and_padding_change_nothing():
    made = FFidelity()
    whole, longer = made.measure(series_trial()), made.measure(series_trial(extra=4))
    torch.testing.assert_close(longer.values, whole.values)
    alone = torch.cat([made.measure(series_trial(slice(i, i + 1))).values for i in range(4)])
    torch.testing.assert_close(alone, whole.values)


@pytest.mark.parametrize("setting", [{"explained": 0}, {"removed": 1.5}, {"draws": 0}, {"score": "logits"}])
def test_settings_that_cannot_be_used(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        FFidelity(**setting)
