"""Quadrature on the unit interval: fixed nodes, or nodes placed where they are needed."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["gauss_legendre", "neighbour_rules", "spline_rule"]


def gauss_legendre(count: int) -> tuple[Float[Tensor, " node"], Float[Tensor, " node"]]:
    """Return the Gauss-Legendre rule on [0, 1], exact for polynomials up to degree 2 * count - 1.

    Args:
        count: Number of nodes.

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
    cubics, and a node can be added anywhere without wasting the others.

    Args:
        nodes: At least five distinct positions on each line, in any order, float64; nan where a line has fewer.

    Returns:
        Weights: row k integrates the values at the nodes, in the order given, over the k-th piece from the left;
        zero for pieces that a line does not have.

    Reference:
        deboor1978practical

    Example:
        >>> nodes = torch.tensor([[0.0, 1.0, 0.5, 0.25, 0.75, 0.125]], dtype=torch.float64)
        >>> pieces = (spline_rule(nodes) @ nodes.pow(3)[..., None])[0, :, 0]
        >>> [round(piece * 4096, 6) for piece in pieces.tolist()]
        [0.25, 3.75, 60.0, 260.0, 700.0]
    """
    ascending, order = nodes.sort(1)
    real = ~ascending[:, 1:].isnan()
    h = ascending.diff(dim=1).where(real, 1.0)
    identity = torch.eye(nodes.shape[1], dtype=nodes.dtype, device=nodes.device).expand(len(nodes), -1, -1)
    last = real.sum(1)
    bend = _solve(_spline_equations(h, last), _bends(h, identity, last))
    pairs, bends = identity[:, :-1] + identity[:, 1:], bend[:, :-1] + bend[:, 1:]
    rule = (h[..., None] * pairs / 2 - h[..., None].pow(3) * bends / 24).where(real[..., None], 0.0)
    return torch.zeros_like(rule).scatter(2, order[:, None].expand_as(rule), rule)


def neighbour_rules(
    nodes: Float[Tensor, "line node"], size: int
) -> tuple[Float[Tensor, "line rule piece near"], Int[Tensor, "line rule piece near"]]:
    r"""Integrate, over each piece, the polynomials through neighbouring nodes, on either side of it.

    .. math:: w_{kj} = \int_{t_k}^{t_{k+1}} \prod_{i \ne j} \frac{t - t_i}{t_j - t_i} \, dt

    Where a function has a kink, a polynomial through nodes on one side only is not affected by it: this is the choice
    of stencils of essentially non-oscillatory schemes. The rules are exact to degree size - 1.

    Args:
        nodes: At least `size` distinct positions on each line, in any order, float64; nan where a line has fewer.
        size: Nodes of a polynomial, 2 to 6.

    Returns:
        Weights and the nodes that they are for: rule r of row k integrates over the k-th piece from the left with r
        nodes left of the piece's own two, fewer or more at the ends; zero for pieces that a line does not have.

    Reference:
        harten1987uniformly

    Example:
        >>> nodes = torch.tensor([[0.0, 1.0, 0.25]], dtype=torch.float64)
        >>> weights, near = neighbour_rules(nodes, 2)
        >>> [[round(weight, 6) for weight in piece] for piece in weights[0, 0].tolist()], near[0, 0].tolist()
        ([[0.125, 0.125], [0.375, 0.375]], [[0, 2], [2, 1]])
    """
    ascending, order = nodes.sort(1)
    real = ~ascending[:, 1:].isnan()
    steps = [torch.arange(count, device=nodes.device) for count in (size - 1, real.shape[1], size)]
    most = (real.sum(1) + 1 - size)[:, None, None]
    first = (steps[1] - steps[0][:, None]).clamp(min=0).minimum(most)
    places = first[..., None] + steps[2]
    around, near = (values.gather(1, places.flatten(1)).view_as(places) for values in (ascending, order))
    weights = _lagrange_weights(around, ascending[:, None, :-1], ascending[:, None, 1:])
    return weights.where(real[:, None, :, None], 0.0), near


THREE = gauss_legendre(3)
"""Exact to degree 5."""


def _lagrange_weights(near: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Integrate each Lagrange polynomial of some nodes from start to end by a Gauss-Legendre rule that is exact."""
    inner, weight = (values.to(near) for values in THREE)
    points = start[..., None] + (end - start)[..., None] * inner
    itself = torch.eye(near.shape[-1], dtype=torch.bool, device=near.device)
    between = (near[..., :, None] - near[..., None, :]).masked_fill(itself, 1.0)
    to = points[..., None] - near[..., None, :]
    to = to[..., None, :].expand(*to.shape[:-1], *itself.shape)
    # The factor of a node with itself is left out of the product by setting it to one, above and below.
    basis = to.masked_fill(itself, 1.0).div(between[..., None, :, :]).prod(-1)
    return (end - start)[..., None] * torch.einsum("...gj,g->...j", basis, weight)


def _solve(equations: Tensor, right: Tensor) -> Tensor:
    """Solve on the host: the batched solver of torch fails on some hundred nodes that are very close together."""
    solution = np.linalg.solve(equations.cpu().numpy(), right.cpu().numpy())
    return torch.from_numpy(solution).to(right.device)


def _spline_equations(h: Tensor, last: Tensor) -> Tensor:
    """Return the matrix whose product with the second derivatives is `_bends`; padding enters no column of a node."""
    # Row k: continuity of the first derivative at node k, divided by the sum of the two adjacent steps.
    fraction = h[:, :-1] / (h[:, :-1] + h[:, 1:])
    lines, ends = torch.arange(len(h), device=h.device), fraction.gather(1, last[:, None] - 2)[:, 0]
    inner = torch.diag_embed(2 * torch.ones_like(fraction))
    inner = torch.nn.functional.pad(inner, (1, 1))
    inner += torch.nn.functional.pad(torch.diag_embed(fraction), (0, 2))
    inner += torch.nn.functional.pad(torch.diag_embed(1 - fraction), (2, 0))
    equations = torch.nn.functional.pad(inner, (0, 0, 1, 1))
    unit = torch.ones_like(ends)
    # "Not a knot": the third derivative is continuous at the second node from either end.
    equations[:, 0, :3] = torch.stack([1 - fraction[:, 0], -unit, fraction[:, 0]], 1)
    equations[:, -1, -1] = 1.0
    equations[lines, last] = 0.0
    equations[lines[:, None], last[:, None], last[:, None] - torch.tensor([2, 1, 0], device=h.device)] = torch.stack(
        [1 - ends, -unit, ends], 1
    )
    return equations


def _bends(h: Tensor, values: Tensor, last: Tensor) -> Tensor:
    """Return six times the second divided differences, zero at both ends."""
    slopes = values.diff(dim=1) / h[..., None]
    inner = 6 * slopes.diff(dim=1) / (h[:, :-1] + h[:, 1:])[..., None]
    bends = torch.nn.functional.pad(inner, (0, 0, 1, 1))
    bends[torch.arange(len(h), device=h.device), last] = 0.0
    return bends
