"""TIMING: integrated gradients with segments of the series kept at their values, which differ along the path."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.attribution._prefixes import require_series
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.method import MethodOutput
from perdure.core.precision import widen
from perdure.core.query import Query
from perdure.core.random import child_seeds, uniform
from perdure.ops.baseline import Baseline, baseline_of, seeds_or_fixed, set_baseline
from perdure.ops.quadrature import gauss_legendre

__all__ = ["TIMING"]

SEGMENTS = (1.0, 4.0)
"""Fewest and most segments of a feature where no length is given."""
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class TIMING:
    r"""Average gradients on a path along which segments of each feature stay at their values.

    .. math:: a_{t,d} = (x_{t,d} - x'_{t,d}) \; \frac{\sum_k w_k f_{k,t,d} \, \partial S(z_k) / \partial x_{t,d}}
        {\sum_k w_k f_{k,t,d}}, \quad
        z_k = f_k \odot (x' + \alpha_k (x - x')) + (1 - f_k) \odot x

    The nodes and weights are those of Gauss-Legendre quadrature, and f is 1 where a cell is free to move. With all
    cells free the map is that of integrated gradients. Within a feature the free and the kept cells alternate in
    segments, whose length and position are drawn for each sample and feature and shift from node to node by the steps
    of a lattice: every cell, the first and the last included, is free at the requested fraction of the nodes, up to
    one node. One gradient per node and sample, and two forward passes for the gap.

    Args:
        steps: Nodes on the path.
        free: Fraction of the nodes at which each cell is free.
        length: Fewest and most steps of a kept segment; None for one to four segments in each feature.
        baseline: Start of the path.

    Raises:
        SettingError: For a value that cannot be used, and for segments longer than a series.
        UnsupportedError: For inputs that are no series.

    Reference:
        jang2025timing

    Notes:
        The published code draws segments that never free the first step of a single feature and nearly always free
        the last one. The map does not sum to the change of the target: `aux["completeness_gap"]` is what it misses,
        and `aux["free"]` the fraction of the nodes at which each cell was free.

    Example:
        >>> query = Query(lambda x: 3 * x.sum(1), torch.ones(1, 4, 1), lambda outputs: outputs[:, 0])
        >>> TIMING().scores(query).values.round(decimals=4).flatten().tolist()
        [3.0, 3.0, 3.0, 3.0]
    """

    steps: int = 50
    free: float = 0.4
    length: tuple[int, int] | None = None
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(steps=self.steps)
        set_baseline(self)
        if not 0 < self.free <= 1 or self.free * self.steps < 1:
            raise SettingError(
                f"free is {self.free} with {self.steps} steps",
                "give a fraction of at most 1, so that free times steps is at least 1",
            )
        if self.length is not None and not 1 <= self.length[0] <= self.length[1]:
            raise SettingError(f"length is {self.length}", "give the fewest and the most steps of a segment")

    def scores(self, query: Query) -> MethodOutput:
        """Average the gradients of the free cells.

        Args:
            query: Query to explain; its seeds draw the segments.

        Returns:
            The map, with the fraction of nodes at which each cell was free, and the completeness gap.
        """
        require_series(query, "timing")
        start, phase = baseline_of(self.baseline, query), self._phases(query)
        total, weight = torch.zeros_like(widen(query.x)), torch.zeros_like(widen(query.x))
        count = torch.zeros_like(weight)
        nodes, weights = gauss_legendre(self.steps)
        for index in torch.arange(self.steps).split(max(1, query.rows // len(query.x))):
            free = self._free(phase, index)
            moved = start + nodes[index].to(query.x).reshape(-1, 1, 1, 1) * (query.x - start)
            gradients = query.gradient(torch.where(free, moved, query.x))
            part = weights[index].to(total).reshape(-1, 1, 1, 1) * free
            total += (part * widen(gradients)).sum(0)
            weight += part.sum(0)
            count += free.sum(0)
        values = (query.x - start) * total / weight
        gap = query.value(query.x) - query.value(start) - values.flatten(1).sum(1)
        return MethodOutput(values, {"free": count / self.steps, "completeness_gap": gap})

    def _phases(self, query: Query) -> Float[Tensor, "batch time feature"]:
        """Draw the phase of each cell: it grows by one from one free segment of its feature to the next."""
        batch, steps, features = query.x.shape
        lengths = torch.full((batch,), steps) if query.lengths is None else query.lengths.cpu()
        draws = uniform(
            child_seeds(seeds_or_fixed(query.seeds, batch), "segments"), (2, features), torch.zeros(()).double()
        )
        valid = lengths.double()[:, None]
        if self.length is None:
            segments = SEGMENTS[0] + draws[:, 0] * (SEGMENTS[1] - SEGMENTS[0])
        else:
            self._check_length(int(lengths.min()))
            longest = self.length[0] + draws[:, 0] * (self.length[1] - self.length[0])
            segments = (1 - self.free) * valid / longest
        time = torch.arange(steps, dtype=torch.float64)[:, None]
        return (draws[:, 1, None] + (segments / valid)[:, None] * time).to(query.x.device)

    def _check_length(self, shortest: int) -> None:
        if self.length is not None and self.length[1] > shortest:
            raise SettingError(
                f"length is {self.length} for a series of {shortest} steps",
                "give segments no longer than the shortest series, or leave length out",
            )

    def _free(self, phase: Tensor, index: Tensor) -> Bool[Tensor, "node batch time feature"]:
        """Mark the free cells at some nodes: over all nodes the shifts are an even grid."""
        shift = (index * _stride(self.steps) % self.steps).to(phase) / self.steps
        return (phase + shift.reshape(-1, 1, 1, 1)) % 1 < self.free


def _stride(count: int) -> int:
    """Return a number without a common divisor with the count, near the golden section, so that shifts spread early."""
    middle = round(GOLDEN * count)
    return min((k for k in range(1, count + 1) if gcd(k, count) == 1), key=lambda k: abs(k - middle))
