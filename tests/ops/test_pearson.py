import numpy as np
import pytest
import torch

from perdure.ops.pearson import pearson

A, B = torch.randn(2, 5, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_equals_numpy():
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(A, B, strict=True)]
    assert pearson(A, B).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_scale_and_offset_do_not_matter(scale):
    torch.testing.assert_close(pearson(scale * A, 3 - B), -pearson(A, B))


def test_rounding_is_no_variation():
    level = torch.full((1, 30), 7.3)
    rounded = level * (1 + torch.finfo(torch.float32).eps * torch.arange(30).remainder(3))
    assert not torch.equal(rounded, level)
    assert pearson(A[:1], rounded).item() == 0.0
    assert pearson(A[:1], torch.zeros(1, 30)).item() == 0.0
    assert pearson(A[:1], rounded.double()).item() != 0.0
