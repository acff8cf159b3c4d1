"""The search for the mask that keeps the target and lets as little information pass as it can."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.check import check_choice, check_counts
from perdure.core.errors import IndependentOutputError, SettingError, UnsupportedError
from perdure.core.query import Query
from perdure.core.random import child_seeds, normal
from perdure.ops.information import Mask, capacity, capacity_slope, mask_from_logits
from perdure.ops.position import Granularity, position_shape, shared_axis
from perdure.ops.sequence import site_mask
from perdure.ops.smooth import smooth_images

__all__ = ["MaskResult", "MaskSearch", "Noise", "draw_noise", "optimise_mask"]

FAR = 20.0
"""Standard deviations from the samples that were seen, beyond which a model is often saturated."""

DROP_COPIES = 8
"""Draws of noise for the target drop."""


@dataclass(frozen=True)
class MaskSearch:
    """How the mask is searched.

    Args:
        beta: Information penalty of one nat per site, in nats of the target.
        steps: of Adam.
        learning_rate: of Adam, for the logits of the mask.
        copies: of each sample with noise of their own, in every step.
        start: logit of the mask before the first step.
        smoothing: deviation of the Gaussian that smooths the mask of an image, in pixels; 0 for none.
        granularity: whether the numbers of one position share their mask.
        paired: whether every second copy has the noise of the one before it, turned round.
        averaged: share of the steps, the last ones, whose masks are averaged; 0 takes the last mask alone.
        relative: whether beta is in multiples of the target drop of the sample: by how many nats its target
            differs between the input and noise, at least one. The scale of the outputs of a model then cancels.

    Raises:
        SettingError: for a value that cannot be used.
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
    relative: bool = False

    def __post_init__(self) -> None:
        check_counts(steps=self.steps, copies=self.copies)
        check_choice("granularity", self.granularity, ("position", "element"))
        for name in ("beta", "learning_rate"):
            if not getattr(self, name) > 0:
                raise SettingError(f"{name} is {getattr(self, name)}", "give a number above 0")
        if not 0 <= self.averaged <= 1:
            raise SettingError(f"averaged is {self.averaged}", "give a share of the steps, from 0 to 1")
        if not self.smoothing >= 0:
            raise SettingError(f"smoothing is {self.smoothing}", "give a deviation in pixels of at least 0")


@dataclass(frozen=True, eq=False)
class Noise:
    """The noise that replaces what is dropped.

    Args:
        mean: broadcasts with a sample.
        deviation: broadcasts with a sample; above 0.
        active: 1 at sites that take part, 0 at sites that are nearly always zero and stay so; broadcasts.
    """

    mean: Float[Tensor, "*site"]
    deviation: Float[Tensor, "*site"]
    active: Float[Tensor, "*site"]


@dataclass(frozen=True, eq=False)
class MaskResult:
    """What a search found.

    Args:
        logit: of the mask, before any smoothing, shaped like the sites.
        mask: the mask after the last step.
        nats: the information that it lets pass at each site.
    """

    logit: Float[Tensor, "batch *site"]
    mask: Mask
    nats: Float[Tensor, "batch *site"]


def optimise_mask(query: Query, noise: Noise, search: MaskSearch, name: str, prior: Mask | None = None) -> MaskResult:
    r"""Search the mask of each sample, all samples at once and none of them seeing the others.

    .. math:: \min_\alpha \; -S(\lambda x + (1 - \lambda) \varepsilon) + \beta \, \overline{C},
              \quad \lambda = \sigma(\alpha)

    The target :math:`S` is averaged over copies with their own noise, the information :math:`C` over valid sites.
    The gradient of the target comes from `query.gradient` at the noisy points, all else is in closed form.

    Args:
        query: about what is squeezed: the inputs, or what a layer gives for them. Its target is in nats.
        noise: what replaces the dropped share.
        search: how to search.
        name: of the noise streams.
        prior: what is cheap to keep, as in `capacity`; None for nothing.

    Returns:
        The mask of each sample.

    Raises:
        UnsupportedError: when what is squeezed does not influence the target.

    Reference:
        schulz2020restricting
    """
    valid = _valid(query)
    x = (query.x - noise.mean) / noise.deviation
    logit = query.x.new_full((len(query.x), *_mask_shape(query.x, search)), search.start)
    adam = torch.optim.Adam([logit], search.learning_rate)
    last = max(1, round(search.averaged * search.steps))
    kept = torch.zeros_like(logit)
    beta = search.beta * (_target_drop(query, noise, name) if search.relative else 1.0)
    for step in range(search.steps):
        mask = _smoothed(logit, query.x, search)
        drawn = noise.mean + noise.deviation * draw_noise(query, search.copies, f"{name}-{step}", search.paired)
        points = (mask.keep * query.x + mask.drop * drawn) * noise.active
        gain = (_gradient(query, points, name, x) * (query.x - drawn)).mean(0) * noise.active
        penalty = beta * capacity_slope(mask, x, prior) * noise.active / _count(valid)
        logit.grad = _to_logit((penalty - gain).masked_fill(~valid, 0.0), logit, search)
        adam.step()
        kept += logit.sigmoid() / last if step >= search.steps - last else 0.0
    logit = torch.logit(kept, eps=torch.finfo(kept.dtype).eps) if last > 1 else logit
    mask = _smoothed(logit, query.x, search)
    nats = (capacity(mask, x, prior) * noise.active).masked_fill(~valid, 0.0)
    return MaskResult(logit.expand_as(query.x), mask, nats)


def draw_noise(query: Query, copies: int, name: str, paired: bool) -> Float[Tensor, "copies batch *site"]:
    """Draw standard normal noise for each sample from its own seed; more steps leave the first ones as they are.

    Args:
        query: gives seeds and shape.
        copies: of each sample.
        name: of the stream.
        paired: whether every second copy is the one before it, turned round.

    Returns:
        The noise.
    """
    first, *rest = query.x.shape[1:]
    drawn = -(-copies // 2) if paired else copies
    noise = normal(child_seeds(query.seeds, name), (first, drawn, *rest), query.x).movedim(2, 0)
    return torch.stack([noise, -noise], 1).flatten(0, 1)[:copies] if paired else noise


def _mask_shape(x: Tensor, search: MaskSearch) -> tuple[int, ...]:
    return position_shape(x) if search.granularity == "position" and x.ndim <= 4 else tuple(x.shape[1:])


def _valid(query: Query) -> Bool[Tensor, "batch *site"]:
    """Mark the sites that are no padding; a layer that changes the number of steps has none."""
    has_steps = query.mask is not None and query.x.ndim == 3 and query.x.shape[1] == query.mask.shape[1]
    return site_mask(query.mask if has_steps else None, query.x)


def _count(valid: Bool[Tensor, "batch *site"]) -> Tensor:
    """Count the valid sites of each sample, shaped to divide."""
    return valid.flatten(1).sum(1).reshape(-1, *[1] * (valid.ndim - 1))


def _target_drop(query: Query, noise: Noise, name: str) -> Tensor:
    """Measure how far the target of each sample lies from that of noise, root mean square, shaped to multiply."""
    drawn = noise.mean + noise.deviation * draw_noise(query, DROP_COPIES, f"{name}-stake", paired=True)
    values = query.value(torch.cat([query.x[None], drawn]) * noise.active).cpu().double()
    drop = (values[0] - values[1:]).square().mean(0).sqrt().clamp_min(1.0)
    return drop.to(query.x).reshape(-1, *[1] * (query.x.ndim - 1))


def _smoothed(logit: Tensor, x: Tensor, search: MaskSearch) -> Mask:
    mask = mask_from_logits(logit)
    if x.ndim == 4 and search.smoothing:
        mask = Mask(*(smooth_images(some, search.smoothing) for some in (mask.keep, mask.drop)))
    return Mask(mask.keep.expand_as(x), mask.drop.expand_as(x))


def _to_logit(slope: Float[Tensor, "batch *site"], logit: Tensor, search: MaskSearch) -> Tensor:
    """Take a gradient with respect to the mask back to the logits: the adjoint of `_smoothed`."""
    axis = shared_axis(slope) if logit.shape != slope.shape else None
    if axis is not None:
        slope = slope.sum(axis, keepdim=True)
    if slope.ndim == 4 and search.smoothing:
        slope = smooth_images(slope, search.smoothing, adjoint=True)
    mask = mask_from_logits(logit)
    return slope * mask.keep * mask.drop


def _gradient(query: Query, points: Tensor, name: str, standard: Tensor) -> Tensor:
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
    """Tell whether the outputs of the model stay the same at another point."""
    size = replace(query, target=lambda outputs: outputs.double().norm(dim=1))
    return torch.equal(size.value(point), size.value(query.x))
