import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.models._pooling import POOLS, SelfAttentionPooling, join, pool
from tests.reference import recurrent_pooling as slow

LENGTHS = torch.tensor([6, 4, 1])
MASK = torch.arange(6) < LENGTHS[:, None]


def outputs():
    return torch.randn(3, 6, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", POOLS)
def test_pools_the_valid_steps_of_each_sample(kind):
    x = outputs()
    expected = torch.stack([slow.pool(kind, x[i, :n]) for i, n in enumerate(LENGTHS)])
    pooled = pool(kind, x.masked_fill(~MASK[..., None], torch.nan), MASK)
    torch.testing.assert_close(pooled.value, expected)
    assert pooled.count.flatten().tolist() == LENGTHS.tolist()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(kind=st.sampled_from(list(POOLS)), cut=st.integers(1, 5), masked=st.booleans())
def test_two_stretches_join_to_one(kind, cut, masked):
    x, mask = outputs(), MASK if masked else None
    parts = [pool(kind, x[:, part], None if mask is None else mask[:, part]) for part in (slice(cut), slice(cut, 6))]
    joined, whole = join(kind, *parts), pool(kind, x, mask)
    torch.testing.assert_close(joined.value, whole.value)
    assert torch.equal(joined.count, whole.count)
    assert join(kind, None, whole) is whole


def test_self_attention_is_that_of_the_paper():
    pooling, x = SelfAttentionPooling(2, attention_size=4, hops=3), outputs()
    w1, w2 = pooling.input_layer.weight, pooling.hop_layer.weight
    expected = torch.stack([slow.self_attention(x[i, :n], w1, w2) for i, n in enumerate(LENGTHS)])
    torch.testing.assert_close(pooling(x, MASK), expected)
    torch.testing.assert_close(pooling(x), torch.stack([slow.self_attention(sample, w1, w2) for sample in x]))


def test_self_attention_weights_sum_to_one_over_the_valid_steps():
    weights = SelfAttentionPooling(2, attention_size=4, hops=3).weights(outputs(), MASK)
    torch.testing.assert_close(weights.sum(1), torch.ones(3, 3))
    assert torch.count_nonzero(weights[~MASK]) == 0
