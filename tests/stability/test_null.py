import pytest
import torch

from perdure.ops.correlation import spearman
from perdure.stability.null import shuffle_samples, shuffle_types
from perdure.stability.vectors import Vectors


def draw_values(samples=30, types=8, seed=0):
    draw = torch.Generator().manual_seed(seed)
    present = torch.rand(samples, types, generator=draw) < 0.7
    return Vectors(torch.randn(samples, types, generator=draw).masked_fill(~present, 0.0), present)


@pytest.mark.parametrize(("shuffle", "axis"), [(shuffle_types, 1), (shuffle_samples, 0)])
def test_presence_and_values_are_kept_along_the_axis(shuffle, axis):
    vectors = draw_values()
    before = vectors.values.clone()
    result = shuffle(vectors, torch.Generator().manual_seed(1))
    assert torch.equal(result.present, vectors.present)
    assert torch.equal(result.values != 0, vectors.present)
    assert torch.equal(result.values.sort(axis).values, before.sort(axis).values)
    assert torch.equal(vectors.values, before)
    assert not torch.equal(result.values, before)


@pytest.mark.parametrize("shuffle", [shuffle_types, shuffle_samples])
def test_every_order_is_as_likely(shuffle):
    rows, along = torch.arange(1.0, 4.0).repeat(6000, 1), shuffle is shuffle_types
    values = rows if along else rows.T
    result = shuffle(
        Vectors(values, torch.ones_like(values, dtype=torch.bool)), torch.Generator().manual_seed(0)
    ).values
    rows = result if along else result.T
    counts = torch.unique(rows, dim=0, return_counts=True)[1]
    assert len(counts) == 6
    assert (counts - 1000).abs().max() < 4 * (6000 * (1 / 6) * (5 / 6)) ** 0.5  # four standard deviations


def test_types_that_always_matter_agree_by_the_stricter_null_alone():
    """Each type has its level in all sequences: runs agree on types, but on no single sequence."""
    levels = torch.arange(8.0).repeat(200, 1)
    vectors = Vectors(levels, torch.ones_like(levels, dtype=torch.bool))
    loose, strict = (shuffle(vectors, torch.Generator().manual_seed(0)) for shuffle in (shuffle_types, shuffle_samples))
    assert spearman(levels, loose.values, vectors.present).mean().abs() < 4 / (200 * 7) ** 0.5  # four standard errors
    assert spearman(levels, strict.values, vectors.present).mean() == 1.0
