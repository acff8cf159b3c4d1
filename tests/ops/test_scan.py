import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.ops.scan import CHUNK, causal_softmax_average
from tests.reference.input_cell_attention import running_averages

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}  # the promise; float32 is held against a float64 reference


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(time, hops=2, batch=2, feature=3):
    generator = stream(time)
    return (
        torch.randn(batch, time, hops, generator=generator),
        torch.randn(batch, time, feature, generator=generator),
    )


def with_gradients(average, scores, values, pull):
    scores, values = scores.clone().requires_grad_(), values.clone().requires_grad_()
    result = average(scores, values)
    return result.detach(), *torch.autograd.grad((result * pull).sum(), (scores, values))


def assert_like_reference(scores, values, mask=None):
    pull = torch.randn(values.shape, generator=stream(1))
    expected = with_gradients(
        lambda e, x: running_averages(e, x, mask).mean(2), scores.double(), values.double(), pull.double()
    )
    for dtype, tolerance in TOLERANCE.items():
        result = with_gradients(
            lambda e, x: causal_softmax_average(e, x, mask), scores.to(dtype), values.to(dtype), pull.to(dtype)
        )
        for ours, theirs in zip(result, expected, strict=True):
            torch.testing.assert_close(ours.double(), theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("time", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
def test_equals_the_slow_reference(time):
    assert_like_reference(*draw(time))


@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("place", [0, 1, 20, 39, 40, 41, 79])
@pytest.mark.parametrize("spike", [200.0, -200.0])
def test_is_exact_with_a_spike_anywhere(spike, place, hops):
    scores, values = draw(80, hops, batch=1)
    scores[:, place] = spike
    assert_like_reference(scores, values)


@pytest.mark.parametrize("low_first", [True, False])
def test_is_exact_from_one_end_of_the_range_to_the_other(low_first):
    scores, values = draw(60)
    scores += torch.linspace(-200, 200, 60)[:, None] * (1 if low_first else -1)
    assert_like_reference(scores, values)


@pytest.mark.parametrize("rise", [44.0, 45.0, 46.0, 47.0, 87.0, 104.0])
def test_is_exact_where_a_normaliser_is_about_to_vanish(rise):
    """The rise is near the logarithm of the smallest safe normaliser, of its square, and of the smallest float."""
    scores, values = torch.zeros(1, 60, 1), torch.randn(1, 60, 3, generator=stream())
    scores[:, 20] = rise
    assert_like_reference(scores, values)


def test_lengths_end_the_reading():
    scores, values = draw(50, batch=3)
    assert_like_reference(scores, values, torch.arange(50) < torch.tensor([[50], [23], [1]]))


@pytest.mark.parametrize("scale", [1.0, 20.0, 200.0])
def test_gradient_of_scores_does_not_cancel(scale):
    """Where one step takes nearly all the weight, its pull and that of the average are nearly equal and large."""
    scores = (torch.rand(3, 90, 1, generator=stream()) * 2 - 1) * scale
    values = torch.randn(3, 90, 5, generator=stream())
    pull = torch.linspace(-1, 1, values.numel()).reshape(values.shape)
    ours = with_gradients(causal_softmax_average, scores, values, pull)
    slow = with_gradients(lambda e, x: running_averages(e, x).mean(2), scores.double(), values.double(), pull.double())
    for a, b in zip(ours, slow, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("rise", [600.0, 640.0, 660.0, 700.0, 1e4])
def test_is_exact_where_a_normaliser_is_about_to_vanish_in_float64(rise):
    scores, values = torch.zeros(1, 60, 1), torch.randn(1, 60, 3, generator=stream())
    scores[:, 20] = rise
    assert_like_reference(scores, values)


def test_masked_steps_may_lie_anywhere_and_hold_anything():
    scores, values = draw(90, 1, batch=1)
    mask = torch.ones(1, 90, dtype=torch.bool)
    mask[:, :3] = mask[:, 45:60] = mask[:, 70] = False
    scores[:, 60] = 104.0  # what is carried over the gap nearly vanishes next to it
    assert_like_reference(scores, values, mask)
    hostile = values.masked_fill(~mask[..., None], torch.nan)
    assert torch.equal(causal_softmax_average(scores, hostile, mask), causal_softmax_average(scores, values, mask))


def test_derivative_is_right():
    scores, values = (group.double().requires_grad_() for group in draw(45, 2, 1, 2))
    assert torch.autograd.gradcheck(causal_softmax_average, (scores, values))


def test_gradient_is_computed_only_where_it_is_needed():
    scores, values = draw(5)
    causal_softmax_average(scores, values.requires_grad_()).sum().backward()
    assert scores.grad is None
    torch.testing.assert_close(values.grad.sum(1), torch.full((2, 3), 5.0))  # the weights of each step sum to one


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(half):
    scores, values = (group.to(half) for group in draw(50))
    result = causal_softmax_average(scores, values)
    assert result.dtype == half
    assert torch.equal(result, causal_softmax_average(scores.float(), values.float()).to(half))


def test_autocast_changes_nothing():
    scores, values = draw(50)
    pull = torch.ones_like(values)
    plain = with_gradients(causal_softmax_average, scores, values, pull)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = with_gradients(causal_softmax_average, scores, values, pull)
    assert all(torch.equal(a, b) for a, b in zip(plain, cast, strict=True))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(time=st.integers(1, 90), hops=st.integers(1, 4), scale=st.sampled_from([0.0, 1.0, 30.0, 300.0]))
def test_laws(time, hops, scale):
    scores, values = draw(time, hops)
    scores = scores * scale
    average = causal_softmax_average(scores, values)
    ones = causal_softmax_average(scores, torch.ones_like(values))
    torch.testing.assert_close(ones, torch.ones_like(values))  # weights sum to one
    torch.testing.assert_close(causal_softmax_average(scores + 7, values), average, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(causal_softmax_average(scores.flip(2), values), average, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(average[:, 0], values[:, 0])
    if scale == 0:
        steps = torch.arange(1, time + 1)[:, None]
        torch.testing.assert_close(average, values.cumsum(1) / steps, atol=1e-5, rtol=1e-5)
    longer = causal_softmax_average(*(torch.cat([group, group], 1) for group in (scores, values)))
    torch.testing.assert_close(longer[:, :time], average, atol=1e-5, rtol=1e-5)  # the future does not matter
