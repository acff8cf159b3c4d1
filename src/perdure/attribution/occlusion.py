"""Occlusion: what is lost when a window of the input is hidden."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.errors import SettingError
from perdure.core.precision import full_precision, widen
from perdure.core.query import Query
from perdure.ops.baseline import Baseline, baseline_of, set_baseline
from perdure.ops.perturb import occlude, window_count, window_cover

__all__ = ["Occlusion"]

RESUMED_ROWS = 64
"""Rows of one call that resumes from a state: fewer waste calls, more repeat steps before their windows."""


IMAGE_WINDOWS = 16
"""Default number of windows along the shorter side of an image."""


@dataclass(frozen=True)
class Occlusion:
    r"""Hide one window after the other and record how much the target drops.

    .. math:: a_i = \operatorname{mean}_{w \ni i} \; S(x) - S(x \text{ with window } w \text{ at the baseline})

    One forward pass per window and one for x. For a causal recurrent model a window costs only the steps from
    itself on: the model resumes from its state before the window.

    Args:
        window: size of a window. One number is steps of a series, with all features; features of a table; or the side
            of a square in an image, over all channels. Several are elements along each axis after the batch, and axes
            that are left out are covered whole: (1, 1) is one feature at one step, (1, 4, 4) a square in one channel.
            None is one step, one feature, or a square of a sixteenth of the shorter side, about 256 per image.
        stride: elements from one window to the next, given like `window`; None for windows side by side.
        baseline: Value in the window.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        zeiler2014visualizing

    Notes:
        Windows end at the end of each sample: the last one may be cut off, and padding adds none.
    """

    window: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        set_baseline(self)
        windows = _as_tuple(1 if self.window is None else self.window)
        strides = windows if self.stride is None else _as_tuple(self.stride)
        alike = len(strides) == len(windows)
        above = alike and any(s > w for s, w in zip(strides, windows, strict=True))
        if min(*windows, *strides, 1) < 1 or len(strides) > len(windows) or above:
            raise SettingError(
                f"window is {self.window} and stride {self.stride}",
                "give whole numbers of at least 1, and no stride beyond its window",
            )

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Hide all windows.

        Args:
            query: the question.

        Returns:
            The mean drop over the windows that cover a site.

        Raises:
            SettingError: when the window does not fit the inputs.
        """
        windows, strides = self._along(tuple(query.x.shape[1:]))
        sizes = query.x.shape[1:]
        covers = [window_cover(*axis) for axis in zip(sizes, windows, strides, strict=True)]
        lengths = torch.full((len(query.x),), sizes[0]) if query.lengths is None else query.lengths.cpu()
        counts = window_count(lengths, windows[0], strides[0])
        covers[0] = covers[0][: int(counts.max())]
        values = _values(query, baseline_of(self.baseline, query), covers)
        drops = (query.value(query.x) - values).T.reshape(len(query.x), *(len(cover) for cover in covers))
        return _mean_over_windows(drops, covers, counts)

    def _along(self, sizes: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Complete window and stride to all axes."""
        window = _default_window(sizes) if self.window is None else self.window
        windows = _complete(window, sizes)
        strides = windows if self.stride is None else _complete(self.stride, windows)
        if len(windows) > len(sizes) or any(w > size for w, size in zip(windows, sizes, strict=False)):
            raise SettingError(
                f"window is {window} for inputs with axes {sizes}",
                "give one number for steps, features of a table or the side of a square in an image, or at most one "
                "number per axis, none beyond the size of its axis",
            )
        if any(s > w for s, w in zip(strides, windows, strict=True)):
            raise SettingError(f"stride is {self.stride} for windows {windows}", "give no stride beyond its window")
        return windows, strides


def _default_window(sizes: tuple[int, ...]) -> int:
    """Return one step or feature, or the side of a square: a window per pixel of a photo would take 50,000 passes."""
    return -(-min(sizes[1:]) // IMAGE_WINDOWS) if len(sizes) == 3 else 1


def _as_tuple(given: int | tuple[int, ...]) -> tuple[int, ...]:
    return (given,) if isinstance(given, int) else tuple(given)


def _complete(given: int | tuple[int, ...], whole: tuple[int, ...]) -> tuple[int, ...]:
    """Complete numbers to all axes: one number is a square over all channels of an image, and the first axis else."""
    if isinstance(given, int) and len(whole) == 3:
        return (whole[0], given, given)
    return (*_as_tuple(given), *whole[len(_as_tuple(given)) :])


def _values(query: Query, baseline: Tensor, covers: list[Bool[Tensor, "window site"]]) -> Float[Tensor, "window batch"]:
    """Evaluate the target with each window hidden, the windows of the first axis in the outer loop."""
    index = torch.cartesian_prod(*(torch.arange(len(cover)) for cover in covers)).reshape(-1, len(covers))
    rows = min(query.rows, RESUMED_ROWS) if query.resumable else query.rows
    groups = torch.split(index, max(1, rows // len(query.x)))
    first_site = covers[0].int().argmax(1)
    begins = [int(first_site[group[0, 0]]) if query.resumable else 0 for group in groups]
    states = query.states(begins) if query.resumable else [None] * len(groups)
    values = []
    for group, begin, state in zip(groups, begins, states, strict=True):
        hidden = [cover[window] for cover, window in zip(covers, group.T, strict=True)]
        hidden[0] = hidden[0][:, begin:]
        points = occlude(query.x[:, begin:], baseline[:, begin:], hidden)
        values.append(query.value(points) if state is None else query.value_from(state, points))
    return torch.cat(values)


@full_precision
def _mean_over_windows(drops: Tensor, covers: list[Tensor], counts: Tensor) -> Tensor:
    """Give each site the mean drop over the windows of its sample that cover it, one axis after the other."""
    drops = widen(drops)
    exists = torch.arange(len(covers[0])) < counts[:, None]
    covered = [covers[0] & exists[..., None], *(cover.expand(len(drops), -1, -1) for cover in covers[1:])]
    for fraction in covered:
        weights = fraction.to(drops)
        weights /= weights.sum(1, keepdim=True).clamp_min(1)
        drops = torch.einsum("bk...,bkt->b...t", drops, weights)
    return drops
