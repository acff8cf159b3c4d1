"""Counts of pairs of sites are those of their definition, whatever ties, masks and parts."""

from itertools import combinations

import pytest
import torch

from perdure.ops.concordance import concordance


def draw_rows(sites, levels, runs=3, rows=6, seed=0):
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(runs, rows, sites, generator=draw)
    if levels:
        values[:, ::2] = (values[:, ::2] * levels).round() / levels  # ties in every other row
    mask = torch.rand(rows, sites, generator=draw) < 0.8
    return values, mask


def count(a, b):
    """More pairs in the same order than in the opposite one, and pairs that are not tied in either."""
    signs = [[(x[i] > x[j]) - (x[i] < x[j]) for i, j in combinations(range(len(x)), 2)] for x in (a, b)]
    return [sum(x * y for x, y in zip(*signs, strict=True)), *(sum(map(abs, x)) for x in signs)]


@pytest.mark.parametrize("sites", [0, 1, 2, 7, 12, 33])
@pytest.mark.parametrize("levels", [None, 1])
def test_equals_the_definition(sites, levels):
    values, mask = draw_rows(sites, levels)
    rest = draw_rows(sites, levels, seed=1)[0]
    for second in (values, rest):
        excess, size, other = concordance(values, second, mask)
        for n, valid in enumerate(mask):
            for i in range(3):
                for j in range(i, 3):
                    result = [excess[i, j, n].item(), size[i, n].item(), other[j, n].item()]
                    assert result == count(values[i, n][valid].tolist(), second[j, n][valid].tolist())
        assert torch.equal(excess, excess.transpose(0, 1))


def test_what_is_counted_in_parts_is_what_is_counted_at_once(monkeypatch):
    values, mask = draw_rows(12, 1)
    whole = concordance(values, values, mask)
    monkeypatch.setattr("perdure.ops.concordance.BITS", 1)
    for counts, other in zip(concordance(values, values, mask), whole, strict=True):
        assert torch.equal(counts, other)


def test_invalid_sites_may_hold_anything():
    values, mask = draw_rows(12, 1)
    counts, other = (concordance(group, group, mask) for group in (values, values.masked_fill(~mask, 1e9)))
    assert torch.equal(counts[0], other[0])
