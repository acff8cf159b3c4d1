"""Quadrature on the unit interval: fixed nodes, or nodes placed where they are needed."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["gauss_legendre", "neighbour_rule", "spline_rule"]


def gauss_legendre(count: int) -> tuple[Float[Tensor, " node"], Float[Tensor, " node"]]:
    """Give the Gauss-Legendre rule on [0, 1], exact for polynomials up to degree 2 * count - 1.

    Args:
        count: the number of nodes.

    Returns:
        Nodes and weights, float64.

    Example:
        >>> nodes, weights = gauss_legendre(3)
        >>> round(float(weights @ nodes**5), 12) == round(1 / 6, 12)
        True
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)


def spline_rule(nodes: Float[Tensor, "line node"]) -> Float[Tensor, "line piece node"]:
    r"""Integrate the cubic spline through values at any nodes, piece by piece.

    With pieces of length :math:`h_k` and second derivatives :math:`m` at the nodes, the integral over a piece is
    :math:`h_k (g_k + g_{k+1}) / 2 - h_k^3 (m_k + m_{k+1}) / 24`; :math:`m` solves the spline equations, whose
    third derivative is continuous at the second node from either end ("not a knot"). So the rule is exact for
    cubics, and a node can be added anywhere while all others keep their use.

    Args:
        nodes: five or more distinct positions on each line, in any order, float64.

    Returns:
        Weights: row k integrates the values at the nodes, in the order given, over the k-th piece from the left.

    Reference:
        deboor1978practical

    Example:
        >>> nodes = torch.tensor([[0.0, 1.0, 0.5, 0.25, 0.75, 0.125]], dtype=torch.float64)
        >>> pieces = (spline_rule(nodes) @ nodes.pow(3)[..., None])[0, :, 0]
        >>> [round(piece * 4096, 6) for piece in pieces.tolist()]
        [0.25, 3.75, 60.0, 260.0, 700.0]
    """
    ascending, order = nodes.sort(1)
    h = ascending.diff(dim=1)
    identity = torch.eye(nodes.shape[1], dtype=nodes.dtype, device=nodes.device).expand(len(nodes), -1, -1)
    bend = _solved(_spline_equations(h), _bends(h, identity))
    pairs, bends = identity[:, :-1] + identity[:, 1:], bend[:, :-1] + bend[:, 1:]
    rule = h[..., None] * pairs / 2 - h[..., None].pow(3) * bends / 24
    return torch.zeros_like(rule).scatter(2, order[:, None].expand_as(rule), rule)


def neighbour_rule(nodes: Float[Tensor, "line node"], size: int, left: int) -> Float[Tensor, "line piece node"]:
    r"""Integrate, over each piece, the polynomial through a few neighbouring nodes.

    .. math:: w_{kj} = \int_{t_k}^{t_{k+1}} \prod_{i \ne j} \frac{t - t_i}{t_j - t_i} \, dt

    Where a function turns sharply, a polynomial that looks to one side only does not see the turn: this is the
    choice of stencils of essentially non-oscillatory schemes. The rule is exact to degree size - 1.

    Args:
        nodes: `size` or more distinct positions on each line, in any order, float64.
        size: nodes of a polynomial, 2 to 6.
        left: how many of them lie left of the piece's own left end; fewer or more at the ends of a line.

    Returns:
        Weights: row k integrates the values at the nodes, in the order given, over the k-th piece from the left.

    Reference:
        harten1987uniformly

    Example:
        >>> nodes = torch.tensor([[0.0, 1.0, 0.25]], dtype=torch.float64)
        >>> trapezoids = neighbour_rule(nodes, 2, 0)[0]
        >>> [[round(weight, 6) for weight in piece] for piece in trapezoids.tolist()]
        [[0.125, 0.0, 0.125], [0.0, 0.375, 0.375]]
    """
    ascending, order = nodes.sort(1)
    count = nodes.shape[1]
    first = (torch.arange(count - 1, device=nodes.device) - left).clamp(0, count - size)
    near = first[:, None] + torch.arange(size, device=nodes.device)
    weights = _lagrange_weights(ascending[:, near], ascending[:, :-1], ascending[:, 1:])
    rule = weights.new_zeros(len(nodes), count - 1, count)
    return rule.scatter(2, order[:, near], weights)


def _lagrange_weights(near: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Integrate each Lagrange polynomial of some nodes from start to end by a Gauss-Legendre rule that is exact."""
    inner, share = (some.to(near) for some in gauss_legendre(3))
    points = start[..., None] + (end - start)[..., None] * inner
    itself = torch.eye(near.shape[-1], dtype=torch.bool, device=near.device)
    between = (near[..., :, None] - near[..., None, :]).masked_fill(itself, 1.0)
    to = (points[..., None] - near[..., None, :])[..., None, :].expand(*points.shape, *itself.shape)
    basis = to.masked_fill(itself, 1.0).div(between[..., None, :, :]).prod(-1)
    return (end - start)[..., None] * torch.einsum("...gj,g->...j", basis, share)


def _solved(equations: Tensor, right: Tensor) -> Tensor:
    """Solve on the host: torch's batched solver gives up on some hundred nodes that stand very close together."""
    solution = np.linalg.solve(equations.cpu().numpy(), right.cpu().numpy())
    return torch.from_numpy(solution).to(right.device)


def _spline_equations(h: Tensor) -> Tensor:
    """Give the matrix whose product with the second derivatives is `_bends`."""
    left, right = h[:, :-1], h[:, 1:]
    share = left / (left + right)
    inner = torch.diag_embed(2 * torch.ones_like(h[:, 1:]))
    inner = torch.nn.functional.pad(inner, (1, 1))
    inner += torch.nn.functional.pad(torch.diag_embed(share), (0, 2))
    inner += torch.nn.functional.pad(torch.diag_embed(1 - share), (2, 0))
    first, last = torch.zeros_like(inner[:, :1]), torch.zeros_like(inner[:, :1])
    first[:, 0, :3] = torch.stack([1 - share[:, 0], -torch.ones_like(share[:, 0]), share[:, 0]], 1)
    last[:, 0, -3:] = torch.stack([1 - share[:, -1], -torch.ones_like(share[:, 0]), share[:, -1]], 1)
    return torch.cat([first, inner, last], 1)


def _bends(h: Tensor, values: Tensor) -> Tensor:
    """Give six times the second divided differences, zero at both ends."""
    slopes = values.diff(dim=1) / h[..., None]
    inner = 6 * slopes.diff(dim=1) / (h[:, :-1] + h[:, 1:])[..., None]
    return torch.nn.functional.pad(inner, (0, 0, 1, 1))
