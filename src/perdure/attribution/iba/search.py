"""The search for the mask that keeps the target and lets as little information pass as it can."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.attribution.iba.noise import Noise
from perdure.core.check import check_choice, check_counts
from perdure.core.errors import IndependentOutputError, SettingError, UnsupportedError
from perdure.core.query import Query
from perdure.ops.information import Mask, capacity, capacity_slope, mask_from_logits
from perdure.ops.position import Granularity, position_shape, shared_axis
from perdure.ops.sequence import site_mask
from perdure.ops.smooth import smooth_images

__all__ = [
    "MaskResult",
    "MaskSearch",
    "logit_slope",
    "mask_shape",
    "optimise_mask",
    "smooth_mask",
    "target_gradient",
    "valid_elements",
]

FAR = 20.0
"""Standard deviations from the samples that were seen, beyond which a model is often saturated."""


@dataclass(frozen=True)
class MaskSearch:
    """Settings of a search with a fixed penalty.

    Args:
        beta: Information penalty of one nat per site, in nats of the target.
        steps: Steps of Adam.
        learning_rate: Learning rate of Adam for the logits of the mask.
        copies: Draws of noise for each sample in every step.
        start: Logit of the mask before the first step.
        smoothing: Standard deviation of the Gaussian that smooths the mask of images, in pixels; 0 for none.
        granularity: Whether all numbers of one position have the same mask.
        paired: Whether every second copy has the noise of the one before it, negated.
        averaged: Fraction of the steps, the last ones, whose masks are averaged; 0 takes the last mask alone.

    Raises:
        SettingError: If a value is out of range.
    """

    beta: float
    steps: int
    learning_rate: float
    copies: int = 10
    start: float = 5.0
    smoothing: float = 0.0
    granularity: Granularity = "element"
    paired: bool = True
    averaged: float = 0.0

    def __post_init__(self) -> None:
        check_counts(steps=self.steps, copies=self.copies)
        check_choice("granularity", self.granularity, ("position", "element"))
        for name in ("beta", "learning_rate"):
            if not getattr(self, name) > 0:
                raise SettingError(f"{name} is {getattr(self, name)}", "give a number above 0")
        if not 0 <= self.averaged <= 1:
            raise SettingError(f"averaged is {self.averaged}", "give a fraction of the steps, from 0 to 1")
        if not self.smoothing >= 0:
            raise SettingError(f"smoothing is {self.smoothing}", "give a standard deviation in pixels of at least 0")


@dataclass(frozen=True, eq=False)
class MaskResult:
    """Result of a search.

    Args:
        logit: Logit of the mask, before any smoothing, shaped like the elements.
        mask: Mask after the last step.
        nats: Information that passes at each element.
    """

    logit: Float[Tensor, "batch *site"]
    mask: Mask
    nats: Float[Tensor, "batch *site"]


def optimise_mask(query: Query, noise: Noise, search: MaskSearch, name: str, prior: Mask | None = None) -> MaskResult:
    r"""Optimise the mask of each sample, many at once and each independent of the others.

    .. math:: \min_\alpha \; -S(\lambda x + (1 - \lambda) \varepsilon) + \beta \, \overline{C},
              \quad \lambda = \sigma(\alpha)

    The target :math:`S` is averaged over copies with their own noise, the information :math:`C` over valid sites.
    The gradient of the target comes from `query.gradient` at the noisy points, all else is in closed form.

    Args:
        query: Query of the inputs, or of the output of a layer. Its target is in nats.
        noise: Noise that replaces what is dropped.
        search: Settings.
        name: Name of the noise streams.
        prior: Mask of the elements that are cheap to keep, as in `capacity`; None for none.

    Returns:
        The mask of each sample.

    Raises:
        UnsupportedError: If the masked values do not influence the target.

    Reference:
        schulz2020restricting
    """
    valid = valid_elements(query)
    x = (query.x - noise.mean) / noise.std
    logit = query.x.new_full((len(query.x), *mask_shape(query.x, search.granularity)), search.start)
    adam = torch.optim.Adam([logit], search.learning_rate)
    last = max(1, round(search.averaged * search.steps))
    kept = torch.zeros_like(logit)
    for step in range(search.steps):
        mask = smooth_mask(logit, query.x, search.smoothing)
        drawn = noise.draw(query, search.copies, f"{name}-{step}", paired=search.paired)
        points = (mask.keep * query.x + mask.drop * drawn) * noise.active
        gain = (target_gradient(query, points, name, x) * (query.x - drawn)).mean(0) * noise.active
        penalty = search.beta * capacity_slope(mask, x, prior) * noise.active / _count(valid)
        logit.grad = logit_slope((penalty - gain).masked_fill(~valid, 0.0), logit, search.smoothing)
        adam.step()
        kept += logit.sigmoid() / last if step >= search.steps - last else 0.0
    logit = torch.logit(kept, eps=torch.finfo(kept.dtype).eps) if last > 1 else logit
    mask = smooth_mask(logit, query.x, search.smoothing)
    nats = (capacity(mask, x, prior) * noise.active).masked_fill(~valid, 0.0)
    return MaskResult(logit.expand_as(query.x), mask, nats)


def mask_shape(x: Float[Tensor, "batch *site"], granularity: Granularity) -> tuple[int, ...]:
    """Return the shape of the mask of one sample.

    Args:
        x: Inputs, or the output of a layer.
        granularity: Whether all numbers of one position have the same mask.

    Returns:
        The shape, which broadcasts with a sample.
    """
    return position_shape(x) if granularity == "position" and x.ndim <= 4 else tuple(x.shape[1:])


def valid_elements(query: Query) -> Bool[Tensor, "batch *site"]:
    """Mark the elements that are not padding; a layer that changes the number of steps has none."""
    has_steps = query.mask is not None and query.x.ndim == 3 and query.x.shape[1] == query.mask.shape[1]
    return site_mask(query.mask if has_steps else None, query.x)


def _count(valid: Bool[Tensor, "batch *site"]) -> Tensor:
    """Count the valid sites of each sample, shaped to divide."""
    return valid.flatten(1).sum(1).reshape(-1, *[1] * (valid.ndim - 1))


def smooth_mask(logit: Tensor, x: Float[Tensor, "batch *site"], smoothing: float) -> Mask:
    """Compute the mask of logits, smoothed for images.

    Args:
        logit: Logits of the mask, which broadcast with x.
        x: Inputs.
        smoothing: Standard deviation of the Gaussian window in pixels; 0 for none.

    Returns:
        The mask of each element.
    """
    mask = mask_from_logits(logit)
    if x.ndim == 4 and smoothing:
        mask = Mask(*(smooth_images(part, smoothing) for part in (mask.keep, mask.drop)))
    return Mask(mask.keep.expand_as(x), mask.drop.expand_as(x))


def logit_slope(slope: Float[Tensor, "batch *site"], logit: Tensor, smoothing: float) -> Tensor:
    """Multiply a gradient with respect to the mask by the derivative of `smooth_mask`.

    Args:
        slope: Gradient with respect to the mask of each element.
        logit: Logits of the mask.
        smoothing: Standard deviation of the Gaussian window in pixels; 0 for none.

    Returns:
        The gradient with respect to the logits.
    """
    axis = shared_axis(slope) if logit.shape != slope.shape else None
    if axis is not None:
        slope = slope.sum(axis, keepdim=True)
    if slope.ndim == 4 and smoothing:
        slope = smooth_images(slope, smoothing, adjoint=True)
    mask = mask_from_logits(logit)
    return slope * mask.keep * mask.drop


def target_gradient(query: Query, points: Tensor, name: str, standard: Tensor) -> Tensor:
    """Differentiate the target; a gradient of zero is an answer where the target is at its end, else an error."""
    try:
        gradient = query.gradient(points)
    except IndependentOutputError:
        gradient = torch.zeros_like(points)
    if not gradient.any() and _ignores(query, points[0]):
        raise UnsupportedError(
            f"{name} does not influence the prediction: no gradient comes back to it",
            _remedy(float(standard.abs().max())),
        )
    return gradient


def _remedy(distance: float) -> str:
    if distance > FAR:
        return (
            f"scale the samples as those that the method was fitted to, from which they differ by up to {distance:.0f} "
            "standard deviations: the model is probably saturated"
        )
    return "name another layer; the model may read something else of this one, such as its cell state"


def _ignores(query: Query, point: Tensor) -> bool:
    """Whether the outputs of the model are the same at another point."""
    size = replace(query, target=lambda outputs: outputs.double().norm(dim=1))
    return torch.equal(size.value(point), size.value(query.x))
