"""All pairs at once give what each pair gives."""

import pytest
import torch

from perdure.ops.agreement import top_jaccard
from perdure.ops.similarity import SIMILARITIES, as_similarity, pack_valid, top_similarity

MEASURES = {**SIMILARITIES, "top-2 Jaccard": top_similarity(2)}


def draw_maps(levels, runs=3):
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(runs, 7, 12, generator=draw, dtype=torch.float64)
    values = (values * levels).round() / levels if levels else values
    values[1, 2] = 0.0  # a row without any order
    mask = torch.rand(7, 12, generator=draw).argsort(1) < torch.tensor([12, 9, 5, 3, 2, 1, 7])[:, None]
    return values.masked_fill(~mask, 0.0), mask


@pytest.mark.parametrize("levels", [None, 1, 2])
@pytest.mark.parametrize("name", MEASURES)
def test_a_table_holds_what_the_pairs_give(name, levels):
    values, mask = draw_maps(levels)
    values = values.abs() if name == "Jensen-Shannon" else values
    measure = MEASURES[name]
    own, cross = (
        measure.compare_all(values, values, mask),
        measure.compare_all(values[:2], values.flip(0)[:2] + 0.5 * mask, mask),
    )
    for i in range(3):
        for j in range(i, 3):
            torch.testing.assert_close(own[i, j], measure(values[i], values[j], mask).double(), rtol=0, atol=1e-9)
            torch.testing.assert_close(own[j, i], own[i, j], rtol=0, atol=1e-12)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        expected = measure(values[i], values.flip(0)[j] + 0.5 * mask, mask)
        torch.testing.assert_close(cross[i, j], expected.double(), rtol=0, atol=1e-9)


def test_the_top_ones_are_those_of_absolute_values():
    values, mask = draw_maps(None)
    expected = top_jaccard(values[0].abs(), values[1].abs(), mask, 2)
    torch.testing.assert_close(MEASURES["top-2 Jaccard"](values[0], values[1], mask), expected)


def test_a_measure_without_a_table_compares_pair_by_pair():
    values, mask = draw_maps(None)
    result = as_similarity(lambda a, b, mask: ((a - b).abs() * mask).sum(1)).compare_all(values, values, mask)
    assert torch.equal(result[0, 2], (values[0] - values[2]).abs().sum(1))
    assert torch.equal(result[2, 0], result[0, 2])


@pytest.mark.parametrize("name", MEASURES)
def test_packing_changes_no_measure(name):
    values, mask = draw_maps(None)
    values = values.abs() if name == "Jensen-Shannon" else values
    narrow, rows = pack_valid(mask[3:6], values[:, 3:6])
    assert narrow.shape == (3, 3)
    torch.testing.assert_close(
        MEASURES[name].compare_all(rows, rows, narrow),
        MEASURES[name].compare_all(values[:, 3:6], values[:, 3:6], mask[3:6]),
    )
