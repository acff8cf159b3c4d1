"""The causal softmax scan behind input-cell attention: a running softmax average in linear time."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["causal_softmax_average", "scan_adjoint", "scan_forward"]

CHUNK = 40
"""Steps that are multiplied as one matrix; the carry between chunks is a sequential scan."""


def causal_softmax_average(
    scores: Float[Tensor, "batch time hop"],
    values: Float[Tensor, "batch time feature"],
    mask: Bool[Tensor, "batch time"] | None = None,
) -> Float[Tensor, "batch time feature"]:
    r"""Average the values seen so far with softmax weights, mean over hops.

    .. math:: M_t = \frac1r \sum_h \sum_{i \le t} \frac{\exp e_{ih}}{\sum_{j \le t} \exp e_{jh}} \, x_i

    The score of a step does not depend on :math:`t`, so this is a causal linear attention with rank
    :math:`r`: chunks are multiplied as matrices and a rescaled state is carried between them, as in
    an online softmax. Time and memory are linear in the number of steps. If a chunk holds scores so
    far apart that its normaliser would vanish, the same scan runs in float64, and if even that range
    is left, with chunks of one step, which is exact at any. Half precision is computed in float32.

    Args:
        scores: Score of each step and hop, any finite value.
        values: Series that is averaged.
        mask: True where a step is valid; a masked step is neither read nor counted.

    Returns:
        The averages, zero at steps that are masked or have no valid step before them. Differentiable
        once in scores and values.

    Reference:
        ismail2019inputcell

    Example:
        >>> scores, values = torch.zeros(1, 3, 1), torch.tensor([[[1.0], [2.0], [6.0]]])
        >>> causal_softmax_average(scores, values).flatten().tolist()
        [1.0, 1.5, 3.0]
    """
    if mask is not None:
        scores = scores.masked_fill(~mask[..., None], -torch.inf)
        values = values.masked_fill(~mask[..., None], 0.0)
    exact = torch.promote_types(torch.promote_types(scores.dtype, values.dtype), torch.float32)
    with torch.autocast(values.device.type, enabled=False):
        average: Tensor = _CausalSoftmaxAverage.apply(scores.to(exact), values.to(exact)).to(values.dtype)
    return average if mask is None else average.masked_fill(~mask[..., None], 0.0)


def scan_forward(
    scores: Float[Tensor, "batch time hop"], values: Float[Tensor, "batch time feature"]
) -> tuple[Float[Tensor, "batch time feature"], tuple[Tensor, ...]]:
    """Average as `causal_softmax_average` does, outside autograd.

    Letters: b batch, k chunk, c step in chunk, r hop, n feature.

    Args:
        scores: Score of each step and hop; minus infinity at a masked step.
        values: Series that is averaged, in the same precision.

    Returns:
        The averages, and what `scan_adjoint` needs.
    """
    _, steps, hops = scores.shape
    for dtype, chunk in ((scores.dtype, _even(steps)), (torch.float64, _even(steps)), (torch.float64, 1)):
        x, e = _chunks(values.to(dtype), chunk, 0.0), _chunks(scores.to(dtype), chunk, -torch.inf)
        keys, decay = _keys(e)  # b k c r, b k r
        normaliser = _normaliser(keys, decay)
        # A vanished normaliser lost its digits: recompute in double precision, then step by step, exact at any range.
        if chunk == 1 or _is_safe(normaliser, e):
            break
    queries = torch.where(normaliser >= _safe(dtype), 1.0 / (normaliser * hops), 0.0)
    state = _state(keys, x, decay)  # b k r n
    average = _two_products(_weights(queries, keys), x, queries, state)
    return _steps(average, steps).to(values.dtype), (x, keys, queries, decay, state)


def scan_adjoint(
    grad: Float[Tensor, "batch time feature"], saved: tuple[Tensor, ...], needs: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Backpropagate the gradient of the averages, in separate buffers.

    Args:
        grad: Gradient of the averages.
        saved: Tensors that `scan_forward` saved.
        needs: Whether the gradients of scores and of values are needed.

    Returns:
        Gradients of scores and values, None where not needed.
    """
    x, keys, queries, decay, _ = saved
    steps, chunk = grad.shape[1], keys.shape[2]
    g = _chunks(grad.to(x.dtype), chunk, 0.0)
    later = _later(queries, g, decay)  # gradient of each chunk's sum, b k r n
    grad_scores = grad_values = None
    if needs[0]:
        grad_scores = _steps(_pulled_scores(g, saved, later), steps).to(grad.dtype)
    if needs[1]:
        grad_values = _two_products(_weights(queries, keys).mT, g, keys, later)
        grad_values = _steps(grad_values, steps).to(grad.dtype)
    return grad_scores, grad_values


class _CausalSoftmaxAverage(torch.autograd.Function):
    """The scan with its adjoint written out."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, values: Tensor) -> Tensor:
        average, saved = scan_forward(scores, values)
        ctx.save_for_backward(*saved)
        return average

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        with torch.autocast(grad.device.type, enabled=False):
            return scan_adjoint(grad, ctx.saved_tensors, ctx.needs_input_grad)


def _pulled_scores(g: Tensor, saved: tuple[Tensor, ...], later: Tensor) -> Tensor:
    """Return the gradient of the scores, with time unfolded."""
    x, keys, queries, decay, state = saved
    chunk, hops = keys.shape[2:]
    pairs = (g @ x.mT).tril_()  # gradient of the weight of step i at step t
    grad_queries = _two_products(pairs, keys, g, state.mT).view_as(keys)
    pulls = grad_queries.mul_(queries)  # of each hop's average; a squared query could overflow
    lost = (pulls * queries).mul_(hops)
    before = _carry_back(lost.sum(2).roll(-1, 1), decay)
    centre = pulls.sum(3, keepdim=True)  # taken from both sides of a difference that would else cancel
    lost.addcmul_(centre, queries, value=-1.0)[:, :, -1] += before
    grad_keys = _two_products(pairs.sub_(centre).tril_().mT, queries, x, later.mT)
    upper = torch.ones_like(pairs[0, 0]).triu_().expand(grad_keys.shape[0] * pairs.shape[1], -1, -1)
    grad_keys.view(-1, chunk, hops).baddbmm_(upper, lost.flatten(0, 1), alpha=-1.0)
    return grad_keys.mul_(keys.flatten(1, 2))


def _weights(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the weight of each step of a chunk for each later one; cheaper to multiply again than to keep."""
    return (queries @ keys.mT).tril_()  # b k c c


def _two_products(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Add two products of chunks, a @ b + c @ d, in one buffer; give it with time unfolded, (b, k c, n).

    The buffer is no view, so that autograd may add another gradient to it in place.
    """
    total = a.new_empty(a.shape[0], a.shape[1] * a.shape[2], b.shape[3])
    chunks = total.view(-1, a.shape[2], b.shape[3])
    torch.bmm(a.flatten(0, 1), b.flatten(0, 1), out=chunks)
    chunks.baddbmm_(c.flatten(0, 1), d.flatten(0, 1))
    return total


def _steps(x: Tensor, steps: int) -> Tensor:
    """Cut off what filled up the last chunk."""
    return x if x.shape[1] == steps else x[:, :steps]


def _even(steps: int) -> int:
    """Return a chunk length up to `CHUNK`: one that divides the steps, or else leaves the last chunk nearly full."""
    divisors = (chunk for chunk in range(CHUNK, CHUNK // 2, -1) if steps % chunk == 0)
    return next(divisors, -(-steps // -(-steps // CHUNK)))


def _chunks(x: Tensor, chunk: int, fill: float) -> Tensor:
    """Fold time into chunks, filling up the last one."""
    missing = -x.shape[1] % chunk
    if missing:
        x = torch.cat([x, x.new_full((x.shape[0], missing, x.shape[2]), fill)], dim=1)
    return x.contiguous().unflatten(1, (-1, chunk))  # a gradient may be one number spread out, copied by each product


def _keys(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Exponentiate the scores below the running maximum; decay brings a state to the next reference."""
    floor = torch.finfo(scores.dtype).min / 4
    reference = scores.amax(2).cummax(1).values.clamp_min(floor)  # b k r
    before = torch.cat([torch.full_like(reference[:, :1], floor), reference[:, :-1]], dim=1)
    return (scores - reference[:, :, None]).exp_(), (before - reference).exp()


def _safe(dtype: torch.dtype) -> float:
    """Return the smallest normaliser that a chunk may have: what is lost below is under 1e-18 of the result."""
    return torch.finfo(dtype).tiny * 1e18


def _is_safe(normaliser: Tensor, scores: Tensor) -> bool:
    """Return whether no valid step lost its normaliser because of a later, larger score in its chunk."""
    least = _safe(scores.dtype)
    return bool(normaliser.amin() >= least) or bool(((normaliser >= least) | (scores == -torch.inf)).all())


def _normaliser(keys: Tensor, decay: Tensor) -> Tensor:
    """Sum the keys of all steps so far."""
    total = keys.cumsum(2)
    before = torch.empty_like(decay)
    before[:, 1:] = total[:, :-1, -1]
    return total.add_(_carry(before, decay)[:, :, None])


def _state(keys: Tensor, x: Tensor, decay: Tensor) -> Tensor:
    """Sum keys times values over all earlier chunks."""
    state = x.new_empty(*decay.shape, x.shape[3])
    torch.bmm(keys.flatten(0, 1)[:-1].mT, x.flatten(0, 1)[:-1], out=state.flatten(0, 1)[1:])
    return _carry(state, decay)


def _later(queries: Tensor, g: Tensor, decay: Tensor) -> Tensor:
    """Run the adjoint of `_state`."""
    later = g.new_empty(*decay.shape, g.shape[3])
    torch.bmm(queries.flatten(0, 1)[1:].mT, g.flatten(0, 1)[1:], out=later.flatten(0, 1)[:-1])
    return _carry_back(later, decay)


def _carry(state: Tensor, decay: Tensor) -> Tensor:
    """Sum in place what all earlier chunks hold, in the reference of each; state k begins as the sum of chunk k - 1."""
    decay = decay.reshape(*decay.shape, *[1] * (state.ndim - decay.ndim))
    state[:, 0] = 0.0
    for k in range(1, state.shape[1]):
        state[:, k].add_(state[:, k - 1]).mul_(decay[:, k])
    return state


def _carry_back(state: Tensor, decay: Tensor) -> Tensor:
    """Run the adjoint of `_carry` in place; state k begins as the sum of chunk k + 1."""
    decay = decay.reshape(*decay.shape, *[1] * (state.ndim - decay.ndim))
    state[:, -1] = 0.0
    for k in range(state.shape[1] - 2, -1, -1):
        state[:, k].add_(state[:, k + 1]).mul_(decay[:, k + 1])
    return state
