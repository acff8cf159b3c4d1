"""Integrated gradients, with as many gradients as each sample needs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import CompletenessWarning, SettingError
from perdure.core.precision import full_precision, widen
from perdure.core.query import Query, slice_query
from perdure.ops.baseline import Baseline, baseline_of, set_baseline
from perdure.ops.quadrature import gauss_legendre, neighbour_rules, spline_rule

__all__ = ["IntegratedGradients"]

FIRST_NODES = (0.0, 0.25, 0.5, 0.75, 1.0)
NEIGHBOURS = 5
"""Nodes of the local polynomials, as many as the first round has."""
SHORTEST_PIECE = 1e-6
"""Pieces of the path that are not halved: below, two inputs in float32 are the same."""
FRACTION_OF_WORST = 0.25
"""Smaller gaps wait: they often come from the steep place of the worst piece, and go with it."""


@dataclass(frozen=True)
class IntegratedGradients:
    r"""Average the gradient on the way from a baseline to the input, times the change.

    .. math:: a_i = (x_i - x'_i) \int_0^1 \frac{\partial S(x' + t (x - x'))}{\partial x_i} \, dt

    The map is complete: it sums to :math:`S(x) - S(x')`. Without a tolerance the integral takes `steps`
    Gauss-Legendre nodes. With one, each sample gets nodes until its completeness gap, and that of every piece of
    its path, is within it. The target is known at every node, so the gap of each piece is too: the worst pieces
    above the tolerance are halved, all of a sample in one pass. A cubic spline through all nodes is tried first;
    where it does not do, each piece takes the best of it and polynomials through the nearest nodes, which need not
    look across a steep place. No gradient is wasted, and none is spent when all that is missing is a jump of the
    target narrower than two inputs can be distinguished.

    Args:
        steps: gradients per sample when there is no tolerance.
        tolerance: largest completeness gap, in units of the target; None for a fixed number of steps.
        max_steps: most gradients per sample with a tolerance.
        baseline: Start of the path.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        sundararajan2017axiomatic

    Notes:
        With a tolerance all gradients are kept until the last sample is done, 14 to 45 times the inputs.
    """

    steps: int = 50
    tolerance: float | None = None
    max_steps: int = 200
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(steps=self.steps)
        set_baseline(self)
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
        start = baseline_of(self.baseline, query)
        if self.tolerance is None:
            return (query.x - start) * _fixed_rule(query, start, self.steps)
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


def _fixed_rule(query: Query, start: Tensor, steps: int) -> Tensor:
    """Average the gradient with one rule for all samples."""
    total = torch.zeros_like(widen(query.x))
    nodes, weights = gauss_legendre(steps)
    copies = max(1, query.rows // len(query.x))
    for t, weight in zip(torch.split(nodes, copies), torch.split(weights, copies), strict=True):
        points = _points(query.x, start, t.expand(len(query.x), -1))
        total += _sum(query.gradient(points), weight)
    return total


def _points(x: Tensor, start: Tensor, t: Float[Tensor, "batch node"]) -> Float[Tensor, "node batch *site"]:
    return start + t.T.to(x).reshape(*t.T.shape, *[1] * (x.ndim - 1)) * (x - start)


@dataclass(frozen=True, eq=False)
class _Lines:
    """What is known along the paths of some samples, from baseline to input; rows end in nan where others have more.

    Args:
        nodes: positions between baseline and input.
        values: the target there.
        slopes: its derivative along the path.
        places: Index of the gradient there among all; -1 for none.
    """

    nodes: Float[Tensor, "line node"]
    values: Float[Tensor, "line node"]
    slopes: Float[Tensor, "line node"]
    places: Int[Tensor, "line node"]


def _within(query: Query, start: Tensor, tolerance: float, most: int) -> tuple[Tensor, Tensor]:
    """Average the gradient of each sample to a tolerance; give the means and the gaps that are left."""
    mean = torch.zeros_like(widen(query.x))
    gaps = torch.zeros(len(query.x), dtype=torch.float64)
    members = torch.arange(len(query.x))
    fresh = torch.tensor(FIRST_NODES, dtype=torch.float64).expand(len(query.x), -1)
    lines = _Lines(fresh[:, :0], fresh[:, :0], fresh[:, :0], fresh[:, :0].long())
    gradients: list[Tensor] = []
    while len(members):
        lines = _merge_lines(lines, _evaluate_nodes(query, start, members, fresh, gradients))
        rule, errors = _best_rule(lines, tolerance)
        gaps[members] = _gap(errors)
        fresh = _halve_pieces(lines.nodes, errors, tolerance, most)
        done = fresh.isnan().all(1)
        for sample, weights, places in zip(members[done], rule[done].sum(1), lines.places[done], strict=True):
            mean[sample] = _weigh(gradients, places, weights)
        members, fresh = members[~done], fresh[~done]
        lines = _Lines(lines.nodes[~done], lines.values[~done], lines.slopes[~done], lines.places[~done])
    return mean, gaps


def _evaluate_nodes(query: Query, start: Tensor, members: Tensor, nodes: Tensor, gradients: list[Tensor]) -> _Lines:
    """Evaluate nodes on the paths of some samples, and append the gradients there to those known."""
    line, column = (~nodes.isnan()).nonzero(as_tuple=True)
    values, slopes = torch.zeros_like(nodes), torch.zeros_like(nodes)
    places = torch.full_like(nodes, -1, dtype=torch.long)
    places[line, column] = torch.arange(len(gradients), len(gradients) + len(line))
    for row, at in zip(torch.split(line, query.rows), torch.split(column, query.rows), strict=True):
        part, origin = slice_query(query, members[row]), start[members[row]]
        way = part.x - origin
        fraction = nodes[row, at].to(way).reshape(-1, *[1] * (way.ndim - 1))
        value, gradient = part.value_and_gradient(torch.addcmul(origin, fraction, way))
        values[row, at] = value.double().cpu()
        slopes[row, at] = (gradient * way).flatten(1).sum(1, dtype=torch.float64).cpu()
        gradients.extend(gradient)
    return _Lines(nodes, values, slopes, places)


def _merge_lines(lines: _Lines, fresh: _Lines) -> _Lines:
    """Sort what is new into the lines."""
    nodes, order = torch.cat([lines.nodes, fresh.nodes], 1).sort(1)
    order = order[:, : int((~nodes.isnan()).sum(1).max())]
    known = zip(vars(lines).values(), vars(fresh).values(), strict=True)
    return _Lines(*(torch.cat(item, 1).gather(1, order) for item in known))


def _best_rule(lines: _Lines, tolerance: float) -> tuple[Float[Tensor, "line piece node"], Float[Tensor, "line piece"]]:
    """Return the spline, or to each piece the rule that misses the change over it least, and what is missed."""
    change = lines.values.diff(dim=1).where(~lines.nodes[:, 1:].isnan(), 0.0)
    rule = spline_rule(lines.nodes)
    errors = (rule @ lines.slopes[..., None])[..., 0] - change
    left = (~(_gap(errors) <= tolerance)).nonzero()[:, 0]
    if len(left):
        other, missed = _local_rule(lines.nodes[left], lines.slopes[left], change[left])
        line, piece = (missed.abs() < errors[left].abs()).nonzero(as_tuple=True)
        errors[left[line], piece] = missed[line, piece]
        rule[left[line], piece] = other[line, piece]
    return rule, errors


def _local_rule(nodes: Tensor, slopes: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each piece the polynomial through neighbours that misses the change over it least, and its error."""
    weights, near = neighbour_rules(nodes, NEIGHBOURS)
    missed = (weights * slopes.gather(1, near.flatten(1)).view_as(near)).sum(3) - change[:, None]
    best = missed.abs().argmin(1, keepdim=True)
    weights, near = (item.take_along_dim(best[..., None], 1)[:, 0] for item in (weights, near))
    rule = weights.new_zeros(*change.shape, nodes.shape[1]).scatter(2, near, weights)
    return rule, missed.take_along_dim(best, 1)[:, 0]


def _gap(errors: Float[Tensor, "line piece"]) -> Float[Tensor, " line"]:
    """Return the gap of each path or of its worst piece, whichever is larger."""
    return torch.maximum(errors.abs().amax(1), errors.sum(1).abs())


def _halve_pieces(
    nodes: Float[Tensor, "line node"], errors: Float[Tensor, "line piece"], tolerance: float, most: int
) -> Float[Tensor, "line fresh"]:
    """Halve the worst piece and those above the tolerance that come near it; none where no node would help."""
    # A jump cannot be resolved: its piece is halved down to SHORTEST_PIECE, and its error is lost for good.
    long = nodes.diff(dim=1) >= SHORTEST_PIECE
    rest = errors.where(long, 0.0)
    large = (FRACTION_OF_WORST * rest.abs().amax(1, keepdim=True)).clamp(min=tolerance)
    whole, mendable, lost = (item.sum(1).abs() for item in (errors, rest, errors - rest))
    # Errors of opposite sign cancel in the sum, so the worst piece must be small too. Where the sum stays large, more
    # nodes do not help if the pieces that can be halved contribute little, or the lost ones alone exceed the tolerance.
    in_vain = (mendable <= tolerance) | (lost > tolerance)
    done = (rest.abs().amax(1) <= tolerance) & ((whole <= tolerance) | in_vain)
    rank = rest.abs().argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    budget = most - (~nodes.isnan()).sum(1, keepdim=True)
    split = ((rest.abs() > large) | (rank == 0)) & long & (rank < budget) & ~done[:, None]
    middles = (nodes[:, :-1] + nodes[:, 1:]).div(2).where(split, torch.nan)
    return middles.sort(1).values[:, : int(split.sum(1).max())]


def _weigh(gradients: list[Tensor], places: Int[Tensor, " node"], weights: Float[Tensor, " node"]) -> Tensor:
    """Sum the gradients at the places of a path with their weights."""
    chosen = torch.stack([gradients[place] for place in places.tolist() if place >= 0])
    return _sum(chosen, weights[: len(chosen)])


@full_precision
def _sum(gradients: Tensor, weights: Float[Tensor, " node"]) -> Tensor:
    """Sum gradients along their first axis with weights, in at least single precision."""
    wide = widen(gradients)
    total: Tensor = torch.tensordot(weights.to(wide), wide, 1)
    return total
