"""The recurrence of an LSTM, for inputs that are already projected to its gates."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["lstm_outputs"]


def lstm_outputs(
    projected: Float[Tensor, "time 4 hidden batch"], weight: Float[Tensor, "4*hidden hidden"]
) -> Float[Tensor, "time hidden batch"]:
    r"""Run an LSTM from a state of zeros.

    .. math:: (i, f, g, o)_t = p_t + W h_{t-1}, \quad c_t = \sigma(f_t) c_{t-1} + \sigma(i_t) \tanh(g_t), \quad
        h_t = \sigma(o_t) \tanh(c_t)

    On a CPU a narrow LSTM spends its time on starting operations. So a step has as few as possible, and with time
    first and the batch last each of them reads and writes a single piece of memory.

    Args:
        projected: inputs times input weights, plus all biases; the gates in the order of `torch.nn.LSTM`.
        weight: the recurrent weights, laid out as `weight_hh_l0` there.

    Returns:
        The outputs of all steps. Differentiable once.

    Example:
        >>> open_gates = torch.tensor([100.0, 100.0, 100.0, 100.0]).reshape(1, 4, 1, 1)
        >>> lstm_outputs(open_gates.expand(2, 4, 1, 1), torch.zeros(4, 1)).flatten().atanh().tolist()
        [1.0, 2.0]
    """
    outputs: Tensor = _Recurrence.apply(projected, weight)
    return outputs


class _Recurrence(torch.autograd.Function):
    """The loop over the steps with its adjoint written out."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor) -> Tensor:
        gates = projected.clone(memory_format=torch.contiguous_format)
        cells, squashed, outputs = (torch.empty_like(gates[:, 0]) for _ in range(3))
        cell = output = torch.zeros_like(cells[0])
        sums, gated = gates.flatten(1, 2), gates[:, :2]
        for s, d, i, f, g, o, c, q, h in _steps(sums, gated, *gates.unbind(1), cells, squashed, outputs):
            s.addmm_(weight, output)
            d.sigmoid_()
            g.tanh_()
            o.sigmoid_()
            cell = torch.mul(f, cell, out=c).addcmul_(i, g)
            output = torch.mul(o, torch.tanh(cell, out=q), out=h)
        ctx.save_for_backward(gates, cells, squashed, outputs, weight)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gates, cells, squashed, outputs, weight = ctx.saved_tensors
        grads, reach = _slopes(gates, cells, squashed)
        later, transposed = torch.zeros_like(grads[0]).flatten(0, 1), weight.T.contiguous()
        grad_output, grad_cell = torch.zeros_like(cells[0]), torch.zeros_like(cells[0])
        parts = grad.contiguous(), reach, gates[:, 1], grads.flatten(1, 2), grads[:, :3], grads[:, 3]
        for g, r, f, now, inner, o in reversed(_steps(*parts)):
            torch.addmm(g, transposed, later, out=grad_output)
            grad_cell.addcmul_(grad_output, r)
            inner.mul_(grad_cell)
            o.mul_(grad_output)
            grad_cell.mul_(f)
            later = now
        return grads, torch.bmm(grads.flatten(1, 2)[1:], outputs[:-1].mT).sum(0)


def _steps(*parts: Tensor) -> list[tuple[Tensor, ...]]:
    """Cut tensors into steps once; an index in the loop would cost as much as an operation."""
    return list(zip(*(part.unbind() for part in parts), strict=True))


def _slopes(gates: Tensor, cells: Tensor, squashed: Tensor) -> tuple[Tensor, Tensor]:
    """Differentiate each step on its own, all at once: the cell by i, f and g, the output by o and by the cell."""
    i, f, g, o = gates.unbind(1)
    slopes = torch.empty_like(gates)
    torch.mul(i * g, 1 - i, out=slopes[:, 0])
    torch.mul(f, 1 - f, out=slopes[:, 1])[1:].mul_(cells[:-1])
    slopes[0, 1] = 0.0
    torch.mul(i, 1 - g * g, out=slopes[:, 2])
    torch.mul(o * squashed, 1 - o, out=slopes[:, 3])
    return slopes, o * (1 - squashed * squashed)
