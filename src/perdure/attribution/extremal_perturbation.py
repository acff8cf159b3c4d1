"""Extremal perturbations: the smooth region of a given area that keeps the target highest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution._valid_steps import explain_by_length
from perdure.core.check import check_counts
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.precision import full_precision, in_single
from perdure.core.query import Query, slice_query
from perdure.ops.baseline import Baseline, BaselineName, baseline_of, set_baseline
from perdure.ops.position import to_positions, to_sites
from perdure.ops.smooth import SmoothMask, smoothing_matrix

__all__ = ["ExtremalPerturbation"]

HIDDEN: tuple[BaselineName, ...] = ("blur", "zero", "mean")
"""Names of baselines; noise is none, as a region of it is not smooth."""

BLUR = 0.09
"""Standard deviation of the blur as a fraction of the longest axis: 20 pixels of 224, as in the paper."""

RATE, MOMENTUM = 0.05, 0.8
STRICTEST = 4.0
"""Weight of the area at the last step, where the target pushes each position by at most 1."""

MASKS = 256
"""Masks that are optimised at once."""


@dataclass(frozen=True)
class ExtremalPerturbation:
    r"""Search the smooth mask of a given area that keeps the target highest when all else is blurred.

    .. math:: m_a = \arg\max_m \; S(m \, x + (1 - m) \, x') - \lambda \, |\operatorname{sort}(m) - r_a|^2

    :math:`r_a` holds zeros and then a share a of ones, so the mask must become one of that area. The map is the mean
    of the masks over several areas: what is kept in the smallest of them counts most. One forward and one backward
    pass per area and step for each sample.

    Args:
        areas: Fractions of the positions that are kept.
        steps: Steps of the optimisation.
        smoothness: width of the kernel of a mask, as a fraction of the longest axis; 0 for none.
        cells: most cells of a mask along the longest axis; shorter inputs have one for each position.
        baseline: Value where the mask is 0.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        fong2019understanding

    Notes:
        The gradient of the target is scaled to a largest push of 1 in each step, so that no setting depends on the
        units of the target, and lambda grows linearly from 0, so that the target breaks the ties of the first
        mask. The paper fixes lambda and doubles it. The blur is one blur, not a pyramid.
    """

    areas: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4)
    steps: int = 100
    smoothness: float = 1 / 28
    cells: int = 28
    baseline: Baseline = "blur"

    def __post_init__(self) -> None:
        check_counts(steps=self.steps, cells=self.cells)
        set_baseline(self, HIDDEN)
        if not self.areas or not all(0 < area < 1 for area in self.areas) or not self.smoothness >= 0:
            raise SettingError(
                f"areas is {self.areas} and smoothness {self.smoothness}",
                "give shares between 0 and 1, and a smoothness of at least 0",
            )

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Optimise one mask for each area.

        Args:
            query: the question about series or images.

        Returns:
            The mean mask, from 0 to 1, the same for all numbers of a position.

        Raises:
            UnsupportedError: for a table, whose features lie in no order.
        """
        if query.x.ndim not in (3, 4):
            raise UnsupportedError(
                f"inputs have shape {tuple(query.x.shape)}, and a smooth region needs positions that lie side by side",
                "pass series (batch, time, feature) or images (batch, channel, row, column), or use 'occlusion'",
            )
        return explain_by_length(in_single(query), self._in_parts)

    def _in_parts(self, query: Query) -> Tensor:
        samples = max(1, MASKS // len(self.areas))
        parts = (slice_query(query, slice(i, i + samples)) for i in range(0, len(query.x), samples))
        return torch.cat([self._map(item) for item in parts])

    def _map(self, query: Query) -> Tensor:
        start = _hidden(self.baseline, query)
        shape = tuple(to_positions(query.x).shape[1:])
        family = self._family(shape)
        cells = torch.full((len(self.areas) * len(query.x), *family.cells), 0.5).to(query.x)
        velocity = torch.zeros_like(cells)
        for step in range(self.steps):
            cells = cells.detach().requires_grad_()
            with torch.enable_grad():
                masks = family(cells)
            now = masks.detach().reshape(len(self.areas), len(query.x), *shape)
            strictness = STRICTEST * step / max(1, self.steps - 1)
            push = _worth(query, start, now) + strictness * (_of_area(now, self.areas) - now)
            (ascent,) = torch.autograd.grad(masks, cells, push.reshape(masks.shape))
            velocity = MOMENTUM * velocity + ascent * (cells[0].numel() / masks[0].numel())
            cells = (cells.detach() + RATE * velocity).clamp(0, 1)
        result = family(cells).reshape(len(self.areas), len(query.x), *shape)
        return to_sites(result.mean(0), query.x)

    def _family(self, shape: tuple[int, ...]) -> SmoothMask:
        rows, columns = shape if len(shape) == 2 else (*shape, 1)
        fraction = min(1.0, self.cells / max(shape))
        cells = (-int(-rows * fraction // 1), -int(-columns * fraction // 1))
        return SmoothMask((rows, columns), cells, self.smoothness * max(cells))


def _hidden(baseline: Baseline, query: Query) -> Tensor:
    """Compute the input that replaces what is not kept."""
    if baseline != "blur":
        return baseline_of(baseline, query)
    sizes = query.x.shape[1:2] if query.x.ndim == 3 else query.x.shape[2:]
    return _blur(query.x, [smoothing_matrix(size, BLUR * max(sizes)).to(query.x) for size in sizes])


@full_precision
def _blur(x: Tensor, matrices: list[Tensor]) -> Tensor:
    return matrices[0] @ x if x.ndim == 3 else matrices[0] @ x @ matrices[1].T


def _worth(query: Query, start: Tensor, masks: Float[Tensor, "area batch *position"]) -> Tensor:
    """Differentiate the target by the mask at each position, scaled to at most 1."""
    change = query.x - start
    gradient = query.gradient(start + to_sites(masks, query.x) * change)
    worth = to_positions((gradient * change).flatten(0, 1))
    largest = worth.flatten(1).abs().amax(1).clamp_min(torch.finfo(worth.dtype).tiny)
    return (worth / largest.reshape(-1, *[1] * (worth.ndim - 1))).reshape(masks.shape)


def _of_area(masks: Float[Tensor, "area batch *position"], areas: tuple[float, ...]) -> Tensor:
    """Give the nearest mask that keeps exactly its area."""
    flat = masks.flatten(2)
    kept = torch.tensor([max(1, round(area * flat.shape[2])) for area in areas], device=masks.device)
    rank = flat.argsort(dim=2, descending=True, stable=True).argsort(dim=2)
    return (rank < kept[:, None, None]).to(masks).reshape(masks.shape)
