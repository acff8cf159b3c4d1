"""Dynamask: the smallest mask of cells that keeps the target where it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution._prefixes import require_series
from perdure.attribution._valid_steps import explain_by_length
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.precision import in_single
from perdure.core.query import Query, slice_query
from perdure.ops.baseline import Baseline, baseline_of, set_baseline

__all__ = ["Dynamask"]

RATE, MOMENTUM = 0.1, 0.9
FIRST_PENALTY, DILATION = 0.5, 100.0
"""Weight of the area at the first step, and its growth until the last."""
MASKS = 256
"""Masks that are optimised at once."""


@dataclass(frozen=True)
class Dynamask:
    r"""Optimise a mask of cells for each of some areas, and take the smallest area that keeps the target.

    .. math:: \min_m \; \frac{(S(z) - S(x))^2}{(S(x) - S(x'))^2} + \lambda \operatorname{mean} (\operatorname{sort}(m)
        - r_a)^2 + \mu \operatorname{mean} |m_t - m_{t-1}|, \quad z = m \odot x + (1 - m) \odot x'

    :math:`r_a` holds zeros and then a fraction a of ones; lambda grows by a factor of 100. The map is the mask of the
    smallest area whose error is at most the tolerance, or of the smallest error. One forward and one backward pass per
    area and step for each sample, and two forward passes.

    Args:
        areas: Fractions of the cells that are kept, ascending.
        steps: Steps of the optimisation.
        smoothness: Weight mu of the changes of the mask over time.
        tolerance: Largest error of a mask that keeps the target, as a fraction of the error without any cell.
        baseline: Value where the mask is 0.

    Raises:
        SettingError: For a value that cannot be used.
        UnsupportedError: For inputs that are no series.

    Reference:
        crabbe2021explaining

    Notes:
        The error is measured on the target and in units of its change, so that no setting depends on these. A map in
        [0, 1] that is nearly binary ranks the cells of one area above all others, and not those within it.

    Example:
        >>> x = torch.ones(1, 4, 2)
        >>> query = Query(lambda x: x[:, 2, :1], x, lambda outputs: outputs[:, 0])
        >>> Dynamask(areas=(0.125,)).scores(query).round().nonzero().tolist()
        [[0, 2, 0]]
    """

    areas: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3)
    steps: int = 200
    smoothness: float = 0.0
    tolerance: float = 0.1
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(steps=self.steps)
        set_baseline(self)
        if not self.areas or list(self.areas) != sorted(self.areas) or not 0 < self.areas[0] <= self.areas[-1] < 1:
            raise SettingError(f"areas is {self.areas}", "give ascending fractions between 0 and 1")
        if not self.smoothness >= 0 or not self.tolerance >= 0:
            raise SettingError(
                f"smoothness is {self.smoothness} and tolerance {self.tolerance}", "give numbers of at least 0"
            )

    def scores(self, query: Query) -> Float[Tensor, "batch time feature"]:
        """Optimise one mask for each area.

        Args:
            query: Query to explain.

        Returns:
            The mask of each sample, from 0 to 1.
        """
        require_series(query, "dynamask")
        return explain_by_length(in_single(query), self._in_parts)

    def _in_parts(self, query: Query) -> Tensor:
        samples = max(1, MASKS // len(self.areas))
        parts = (slice_query(query, slice(i, i + samples)) for i in range(0, len(query.x), samples))
        return torch.cat([self._map(part) for part in parts])

    def _map(self, query: Query) -> Tensor:
        start = baseline_of(self.baseline, query)
        whole = query.value(query.x)
        unit = (whole - query.value(start)).abs().clamp_min(torch.finfo(whole.dtype).tiny ** 0.25)
        masks = torch.full((len(self.areas), *query.x.shape), 0.5).to(query.x)
        velocity, goal = torch.zeros_like(masks), _sorted_masks(self.areas, query.x)
        for step in range(self.steps):
            penalty = FIRST_PENALTY * DILATION ** (step / max(1, self.steps - 1))
            slope = self._slope(masks, goal, penalty)
            value, gradient = query.value_and_gradient(start + masks * (query.x - start))
            difference = ((value - whole) / unit**2)[..., None, None]
            velocity = MOMENTUM * velocity - RATE * (2 * difference * gradient * (query.x - start) + slope)
            masks = (masks + velocity).clamp(0, 1)
        return self._choose(masks, ((query.value(start + masks * (query.x - start)) - whole) / unit) ** 2)

    def _slope(self, masks: Tensor, goal: Tensor, penalty: float) -> Tensor:
        """Differentiate the penalties of area and change."""
        with torch.enable_grad():
            leaf = masks.detach().requires_grad_()
            area = (leaf.flatten(2).sort(dim=2).values - goal).square().mean(2)
            change = leaf.diff(dim=2).abs().flatten(2).mean(2) if leaf.shape[2] > 1 else torch.zeros_like(area)
            return torch.autograd.grad((penalty * area + self.smoothness * change).sum(), leaf)[0]

    def _choose(self, masks: Tensor, errors: Float[Tensor, "area batch"]) -> Tensor:
        keeps = errors <= self.tolerance
        chosen = torch.where(keeps.any(0), keeps.int().argmax(0), errors.argmin(0))
        return masks[chosen, torch.arange(masks.shape[1], device=masks.device)]


def _sorted_masks(areas: tuple[float, ...], x: Tensor) -> Float[Tensor, "area 1 cell"]:
    cells = x[0].numel()
    kept = torch.tensor([max(1, round(area * cells)) for area in areas])
    return (torch.arange(cells) >= cells - kept[:, None])[:, None].to(x)
