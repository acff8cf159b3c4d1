import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import kendalltau

from perdure.ops.agreement import cosine, jensen_shannon, kendall, sign_agreement, top_jaccard
from tests.reference import agreement_loop

MEASURES = [cosine, jensen_shannon, kendall, sign_agreement, lambda a, b, mask: top_jaccard(a, b, mask, 3)]


def rows(levels=None, positive=False):
    values = torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = (values * levels).round() / levels if levels else values
    order = torch.rand(6, 12, generator=torch.Generator().manual_seed(1)).argsort(1)
    mask = order < torch.tensor([12, 9, 5, 3, 2, 1])[:, None]  # valid sites are anywhere
    return *(values.abs() if positive else values), mask


def expect(measure_pair, a, b, mask):
    return pytest.approx(
        [measure_pair(x[m].tolist(), y[m].tolist()) for x, y, m in zip(a, b, mask, strict=True)], abs=1e-12
    )


@pytest.mark.parametrize("levels", [None, 1, 2])
def test_kendall_equals_the_loop(levels):
    a, b, mask = rows(levels)
    assert kendall(a, b, mask).tolist() == expect(agreement_loop.kendall, a, b, mask)


def test_kendall_equals_scipy_with_ties():
    a, b, _ = rows(2)
    result = kendall(a, b, torch.ones_like(a, dtype=torch.bool))
    assert result.tolist() == pytest.approx([kendalltau(x, y).statistic for x, y in zip(a, b, strict=True)], abs=1e-12)


def test_top_jaccard_equals_the_loop_without_ties():
    a, b, mask = rows()
    for count in (1, 3, 20):
        result = top_jaccard(a, b, mask, count).tolist()
        assert result == expect(lambda x, y, k=count: agreement_loop.top_jaccard(x, y, k), a, b, mask)


def test_tied_top_sites_share_their_places():
    """Of three tied sites for one place, the other row takes one: a third over one and two thirds."""
    a, b = torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]])
    assert top_jaccard(a, b, torch.ones(1, 3, dtype=torch.bool), 1).item() == pytest.approx((1 / 3) / (5 / 3))


def test_cosine_equals_the_loop():
    a, b, mask = rows()
    assert cosine(a, b, mask).tolist() == expect(agreement_loop.cosine, a, b, mask)


def test_jensen_shannon_equals_the_loop_and_scipy():
    a, b, mask = rows(positive=True)
    assert jensen_shannon(a, b, mask).tolist() == expect(agreement_loop.jensen_shannon, a, b, mask)
    result = jensen_shannon(a, b, torch.ones_like(mask)).tolist()
    assert result == pytest.approx([jensenshannon(x, y, base=2) ** 2 for x, y in zip(a, b, strict=True)], abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_invalid_sites_may_hold_anything(measure):
    a, b, mask = rows(positive=True)
    assert torch.equal(measure(a.masked_fill(~mask, 1e9), b.masked_fill(~mask, 7.0), mask), measure(a, b, mask))


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_rows_are_as_alike_as_can_be(measure):
    a, _, mask = rows(positive=True)
    best = 0.0 if measure is jensen_shannon else 1.0
    torch.testing.assert_close(measure(a, a, mask), torch.full((6,), best, dtype=torch.float64), rtol=0, atol=1e-12)


def test_rows_of_zeros():
    """Constant rows are equal to each other; a constant row and a varying one have no angle and no order."""
    zero, group, everywhere = torch.zeros(1, 4), torch.arange(4.0)[None], torch.ones(1, 4, dtype=torch.bool)
    assert cosine(zero, zero, everywhere).item() == kendall(zero, zero, everywhere).item() == 1.0
    assert cosine(zero, group, everywhere).item() == kendall(zero, group, everywhere).item() == 0.0
    assert jensen_shannon(zero, torch.ones(1, 4), everywhere).item() == 0.0
