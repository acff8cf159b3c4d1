"""Integrated gradients, with as many gradients as each sample needs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.check import check_choice, check_counts
from perdure.core.errors import CompletenessWarning, SettingError
from perdure.core.query import Query, part
from perdure.ops.baseline import Baseline, baseline_of
from perdure.ops.quadrature import gauss_legendre, neighbour_rule, spline_rule

__all__ = ["IntegratedGradients"]

FIRST_NODES = (0.0, 0.25, 0.5, 0.75, 1.0)
NEIGHBOURS = ((2, 0), (4, 0), (4, 1), (4, 2), (5, 0), (5, 1), (5, 2), (5, 3))
"""Nodes of the local polynomials, and how many of them lie left of their piece."""
SMOOTH_NODES = 14
"""Nodes up to which the spline is alone: it serves a smooth target best, and a choice by errors of its sums less."""
SHORTEST_PIECE = 1e-6
"""Pieces of the path that are not halved: below, two inputs in float32 are the same."""
JUMP = 10.0
"""Tolerances that short pieces may miss by the noise of rounding; beyond, the target jumps there."""


@dataclass(frozen=True)
class IntegratedGradients:
    r"""Average the gradient on the way from a baseline to the input, times the change.

    .. math:: a_i = (x_i - x'_i) \int_0^1 \frac{\partial S(x' + t (x - x'))}{\partial x_i} \, dt

    The map is complete: it sums to :math:`S(x) - S(x')`. Without a tolerance the integral takes `steps`
    Gauss-Legendre nodes. With one, each sample gets nodes until its completeness gap, and that of every piece of
    its path, is within it. The target is known at every node, so the gap of each piece is too: the worst piece
    is halved, and each takes the better of a cubic spline through all nodes and polynomials through the nearest,
    which need not look across a steep place. No gradient is wasted, and none is spent when all that is missing
    is a jump of the target narrower than two inputs can be told apart.

    Args:
        steps: gradients per sample when there is no tolerance.
        tolerance: largest completeness gap, in units of the target; None for a fixed number of steps.
        max_steps: most gradients per sample with a tolerance.
        baseline: where the path begins.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        sundararajan2017axiomatic

    Notes:
        With a tolerance all gradients of a sample are kept until it is done, on average 15 to 25 times the inputs.
    """

    steps: int = 50
    tolerance: float | None = None
    max_steps: int = 200
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(steps=self.steps)
        check_choice("baseline", self.baseline, get_args(Baseline))
        if self.max_steps < len(FIRST_NODES):
            raise SettingError(f"max_steps is {self.max_steps}", f"give at least {len(FIRST_NODES)}")
        if self.tolerance is not None and not self.tolerance > 0:
            raise SettingError(f"tolerance is {self.tolerance}", "give a number above 0, in units of the target")

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Integrate the gradient along the path.

        Args:
            query: the question.

        Returns:
            The integral times the change.

        Warns:
            CompletenessWarning: when samples are left above the tolerance, after `max_steps` gradients or at a jump.
        """
        start = baseline_of(self.baseline, query.x, query.mask, query.seeds)
        if self.tolerance is None:
            return (query.x - start) * _fixed(query, start, self.steps)
        mean, gap = _within(query, start, self.tolerance, self.max_steps)
        above = ~(gap <= self.tolerance)
        if above.any():
            warnings.warn(
                f"the completeness gap of {int(above.sum())} samples is above {self.tolerance:g} with at most "
                f"{self.max_steps} gradients, the largest is {float(gap.max()):.3g}. "
                "Give more max_steps or a larger tolerance; a target that jumps has no better integral.",
                CompletenessWarning,
                stacklevel=2,
            )
        return (query.x - start) * mean


def _fixed(query: Query, start: Tensor, steps: int) -> Tensor:
    """Average the gradient with one rule for all samples."""
    total = torch.zeros_like(query.x)
    nodes, weights = gauss_legendre(steps)
    copies = max(1, query.rows // len(query.x))
    for t, weight in zip(torch.split(nodes, copies), torch.split(weights, copies), strict=True):
        points = _points(query.x, start, t.expand(len(query.x), -1))
        total += torch.tensordot(weight.to(total), query.gradient(points), 1)
    return total


def _points(x: Tensor, start: Tensor, t: Float[Tensor, "batch node"]) -> Float[Tensor, "node batch *site"]:
    return start + t.T.to(x).reshape(*t.T.shape, *[1] * (x.ndim - 1)) * (x - start)


@dataclass(frozen=True, eq=False)
class _Line:
    """What is known along the paths of some samples; nodes stand in the order they were evaluated.

    Args:
        nodes: positions between baseline and input.
        values: the target there.
        slopes: its derivative along the path.
    """

    nodes: Float[Tensor, "batch node"]
    values: Float[Tensor, "batch node"]
    slopes: Float[Tensor, "batch node"]


def _within(query: Query, start: Tensor, tolerance: float, most: int) -> tuple[Tensor, Tensor]:
    """Average the gradient of each sample to a tolerance; give the means and the gaps that are left."""
    mean = torch.zeros_like(query.x)
    gaps = torch.zeros(len(query.x), dtype=torch.float64)
    members = torch.arange(len(query.x))
    fresh = torch.tensor(FIRST_NODES, dtype=torch.float64, device=query.x.device).expand(len(query.x), -1)
    line = _Line(fresh[:, :0], fresh[:, :0], fresh[:, :0])
    rounds: list[tuple[Tensor, Tensor]] = []
    while len(members):
        line, gradients = _extended(line, fresh, part(query, members), start[members])
        rounds.append((members, gradients))
        rule, errors = _best_rule(line)
        gap, done = _judged(line, errors, tolerance)
        gaps[members] = gap.cpu()
        done = done.cpu() | (line.nodes.shape[1] == most)
        mean[members[done]] = _weighted(rounds, members[done], rule[done].sum(1))
        members, errors = members[~done], errors[~done]
        line = _Line(line.nodes[~done], line.values[~done], line.slopes[~done])
        fresh = _halved(line.nodes, errors)
    return mean, gaps


def _extended(
    line: _Line, fresh: Tensor, query: Query, start: Tensor
) -> tuple[_Line, Float[Tensor, "node batch *site"]]:
    """Evaluate fresh nodes; give the longer line and the gradients at these nodes."""
    values, gradients = query.value_and_gradient(_points(query.x, start, fresh))
    slopes = (gradients * (query.x - start)).flatten(2).sum(2, dtype=torch.float64)
    longer = _Line(
        torch.cat([line.nodes, fresh], 1),
        torch.cat([line.values, values.T], 1),
        torch.cat([line.slopes, slopes.T], 1),
    )
    return longer, gradients


def _best_rule(line: _Line) -> tuple[Float[Tensor, "batch piece node"], Float[Tensor, "batch piece"]]:
    """Give each piece the rule that misses the change of the target over it least, and what that misses."""
    rule = spline_rule(line.nodes)
    errors = _errors(line, rule)
    for size, left in NEIGHBOURS if line.nodes.shape[1] > SMOOTH_NODES else ():
        other = neighbour_rule(line.nodes, size, left)
        missed = _errors(line, other)
        better = missed.abs() < errors.abs()
        errors = torch.where(better, missed, errors)
        rule = torch.where(better[..., None], other, rule)
    return rule, errors


def _errors(line: _Line, rule: Float[Tensor, "batch piece node"]) -> Float[Tensor, "batch piece"]:
    """Compare the integral over each piece of the path with the change of the target over it."""
    ascending = line.values.gather(1, line.nodes.argsort(1))
    return (rule @ line.slopes[..., None])[..., 0] - ascending.diff(dim=1)


def _judged(line: _Line, errors: Float[Tensor, "batch piece"], tolerance: float) -> tuple[Tensor, Tensor]:
    """Give the gap of each sample, and whether it is done: within the tolerance, or up to a jump of the target."""
    short = line.nodes.sort(1).values.diff(dim=1) < SHORTEST_PIECE
    rest = errors.masked_fill(short, 0.0)
    piece, gap, lost = rest.abs().amax(1), errors.sum(1).abs(), (errors - rest).sum(1).abs()
    jumps = (rest.sum(1).abs() <= tolerance) & (lost > JUMP * tolerance)
    return torch.maximum(piece, gap), (piece <= tolerance) & ((gap <= tolerance) | jumps)


def _halved(nodes: Tensor, errors: Float[Tensor, "batch piece"]) -> Float[Tensor, "batch 1"]:
    """Put a new node into the middle of the worst piece."""
    ascending = nodes.sort(1).values
    worst = errors.abs().masked_fill(ascending.diff(dim=1) < SHORTEST_PIECE, -1.0).argmax(1, keepdim=True)
    return (ascending.gather(1, worst) + ascending.gather(1, worst + 1)) / 2


def _weighted(rounds: list[tuple[Tensor, Tensor]], members: Tensor, weights: Float[Tensor, "batch node"]) -> Tensor:
    """Sum the gradients that some samples got in all rounds, with the weights of their nodes."""
    total, first = torch.zeros_like(rounds[0][1][0, members]), 0
    for asked, gradients in rounds:
        rows, last = torch.searchsorted(asked, members), first + len(gradients)
        total += torch.einsum("bk,kb...->b...", weights[:, first:last].to(gradients), gradients[:, rows])
        first = last
    return total
