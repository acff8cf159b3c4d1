"""The annealed search: the information penalty grows during one search, and each sample gets a mask that suffices."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.attribution.iba.noise import Noise
from perdure.attribution.iba.retention import Retention
from perdure.attribution.iba.search import logit_slope, mask_shape, smooth_mask, target_gradient, valid_elements
from perdure.core.check import check_choice, check_counts
from perdure.core.errors import ConvergenceWarning, SettingError
from perdure.core.query import Query, slice_query
from perdure.ops.information import Mask, capacity, capacity_slope
from perdure.ops.position import Granularity, shared_axis

__all__ = ["Annealing", "MaskPath", "SufficientMask", "anneal_mask", "select_mask", "warn_unless_converged"]

Measure = Callable[[Tensor, Tensor, str], Tensor]
"""Fraction kept by masks at positions of the path, of some samples, under the noise of a stream."""

SERIES, IMAGES = (0.02, 10.0), (3.0, 1.0)
"""Penalty of all information at the first step, and of the information of one average position at the last step, in
multiples of the target drop."""

TRAVEL = 25.0
"""Sum of the learning rates of all steps where none is given: the distance in logits that Adam covers."""

LARGEST_LOGIT = 8.0
EMPTY = 4.0
"""Negative logit of a mask that lets hardly anything pass."""

COLLAPSED = 0.1
"""A mask that is smaller everywhere leaves the search, and counts for the steps that are left."""

DRAWS = 8
"""Draws of noise in each measurement of the fraction kept."""

CONFIRMATIONS = 4
"""Measurements with further noise that a mask has to pass on average, by more than their standard error."""


@dataclass(frozen=True)
class Annealing:
    """Settings of an annealed search.

    Args:
        steps: Steps of Adam.
        learning_rate: Learning rate of Adam for the logits; None for 25 divided by the number of steps.
        copies: Draws of noise for each sample in every step.
        start: Logit of the mask before the first step.
        smoothing: Standard deviation in pixels of the Gaussian that smooths the mask of images; 0 for none.
        granularity: Whether all numbers of one position have the same mask.
        keep: Fraction of the prediction that the mask has to keep.
        ends: Penalty of all information at the first step, and of the information of one average position at the last,
            in multiples of the target drop; None for those of series or images.

    Raises:
        SettingError: If a value is out of range.
    """

    steps: int = 50
    learning_rate: float | None = None
    copies: int = 4
    start: float = 4.0
    smoothing: float = 0.0
    granularity: Granularity = "position"
    keep: float = 0.9
    ends: tuple[float, float] | None = None

    @property
    def rate(self) -> float:
        """The learning rate."""
        return TRAVEL / self.steps if self.learning_rate is None else self.learning_rate

    @property
    def warm_up(self) -> int:
        """Number of steps after which an element that is not needed has a mask of 0.02."""
        return max(0, min(ceil((self.start + EMPTY) / self.rate), self.steps - 1))

    def __post_init__(self) -> None:
        check_counts(steps=self.steps, copies=self.copies)
        check_choice("granularity", self.granularity, ("position", "element"))
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise SettingError(f"learning_rate is {self.learning_rate}", "give a number above 0")
        if not self.smoothing >= 0:
            raise SettingError(f"smoothing is {self.smoothing}", "give a standard deviation in pixels of at least 0")
        if not 0 < self.keep < 1:
            raise SettingError(f"keep is {self.keep}", "give a fraction between 0 and 1")
        if not -LARGEST_LOGIT <= self.start <= LARGEST_LOGIT:
            raise SettingError(f"start is {self.start}", f"give a logit from -{LARGEST_LOGIT:g} to {LARGEST_LOGIT:g}")


@dataclass(frozen=True, eq=False)
class MaskPath:
    """All masks of an annealed search.

    Args:
        logits: Logits before each step and after the last, (step, batch, *element), in half precision.
        last: Position of the last mask of each sample.
        mean: Mean of the mask over all steps after the warm-up; it grows with the logarithm of the penalty at which an
            element is given up, from about 0 for elements that are not needed to 1 for those that are never given up.
        beta: Penalty of one nat at the first step, in units of the target.
        growth: Ratio of the penalties of two steps.
        diverged: True where the gradient was not finite.
    """

    logits: Float[Tensor, "step batch *site"]
    last: Int[Tensor, " batch"]
    mean: Float[Tensor, "batch *site"]
    beta: Float[Tensor, " batch"]
    growth: Float[Tensor, " batch"]
    diverged: Bool[Tensor, " batch"]

    def select(self, index: slice) -> MaskPath:
        """Select samples.

        Args:
            index: Positions.

        Returns:
            The masks of these samples.
        """
        rows = (self.last, self.mean, self.beta, self.growth, self.diverged)
        return MaskPath(self.logits[:, index], *(values[index] for values in rows))


@dataclass(frozen=True, eq=False)
class SufficientMask:
    """The mask with the fewest bits that keeps the prediction.

    Args:
        keep: Fraction of each element that is kept.
        nats: Information that passes at each element.
        kept: Fraction of the prediction that is kept, measured with noise that did not select the mask.
        converged: True where it is at least the required one and the search continued until more was lost.
        beta: Penalty of one nat at this mask, in units of the target.
    """

    keep: Float[Tensor, "batch *site"]
    nats: Float[Tensor, "batch *site"]
    kept: Float[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]
    beta: Float[Tensor, " batch"]


def anneal_mask(
    query: Query, noise: Noise, search: Annealing, drop: Float[Tensor, " batch"], name: str, prior: Mask | None = None
) -> MaskPath:
    r"""Optimise the mask of each sample while the penalty of information grows.

    .. math:: \min_\alpha \; -S(\lambda x + (1 - \lambda) \varepsilon) + \beta_t C, \quad \lambda = \sigma(\alpha),
              \quad \beta_t = f \, \frac{\Delta S}{C_0} \, g^t

    Here f is 0.02, or 3 for images, :math:`\Delta S` is the target drop and :math:`C_0` the information at the first
    mask, so neither the scale of the outputs nor the size of the input changes the result. Samples whose mask has
    collapsed leave the batch.

    Args:
        query: Query of the inputs.
        noise: Noise that replaces what is dropped.
        search: Settings.
        drop: Target drop of each sample.
        name: Name of the input or layer, for the noise streams and errors.
        prior: Mask of the elements that are cheap to keep, as in `capacity`; None for none.

    Returns:
        The masks of all steps.

    Raises:
        UnsupportedError: If the inputs do not influence the target.
    """
    count, x = len(query.x), (query.x - noise.mean) / noise.std
    logit = query.x.new_full((count, *mask_shape(query.x, search.granularity)), search.start)
    adam = torch.optim.Adam([logit], search.rate)
    logits = logit.new_empty((search.steps + 1, *logit.shape), dtype=torch.float16)
    nats = _nats(query, x, smooth_mask(logit, query.x, search.smoothing), noise, prior)
    first = _ends(query, search)[0] * drop.to(x) / nats.flatten(1).sum(1).clamp_min(torch.finfo(x.dtype).tiny)
    growth = _growth(query, search).to(first)
    active, mean = torch.arange(count), torch.zeros_like(query.x)
    last, diverged = torch.full((count,), search.steps), torch.zeros(count, dtype=torch.bool)
    for step in range(search.steps):
        logits[step] = logit
        mask = smooth_mask(logit[active], query.x[active], search.smoothing)
        mean[active] += mask.keep / (search.steps - search.warm_up) if step >= search.warm_up else 0.0
        beta = first[active] * growth[active] ** step
        slope = _slope(
            slice_query(query, active), noise, search, x[active], mask, _rows(prior, active), beta, name, step
        )
        slope = logit_slope(slope, logit[active], search.smoothing)
        finite = torch.isfinite(slope).flatten(1).all(1)
        logit.grad = torch.zeros_like(logit)
        logit.grad[active] = slope.where(finite.view(-1, *[1] * (slope.ndim - 1)), 0.0)
        adam.step()
        logit.clamp_(-LARGEST_LOGIT, LARGEST_LOGIT)
        finite, large = finite.cpu(), (logit[active].sigmoid().flatten(1).amax(1) > COLLAPSED).cpu()
        diverged[active] = ~finite
        last[active] = torch.where(finite, step + 1, step)
        logits[step + 1] = logit
        done, active = active[~(finite & large)], active[finite & large]
        frozen = smooth_mask(logits[last[done], done].to(logit), query.x[done], search.smoothing).keep
        mean[done] += frozen * ((search.steps - max(step + 1, search.warm_up)) / (search.steps - search.warm_up))
        if not len(active):
            break
    return MaskPath(logits, last, mean, first, growth, diverged)


def select_mask(
    query: Query,
    noise: Noise,
    search: Annealing,
    path: MaskPath,
    retention: Retention,
    name: str,
    prior: Mask | None = None,
) -> SufficientMask:
    """Select the last mask of each sample with which the prediction keeps the required fraction.

    It is found by bisection, with new noise in each round, and confirmed with further noise, by more than one standard
    error; a mask that fails is replaced by one that is 1, 2, 4, ... steps earlier. Where noise alone keeps the
    prediction, nothing passes.

    Args:
        query: Query of the inputs.
        noise: Noise that replaces what is dropped.
        search: Settings.
        path: Masks of the search.
        retention: Values between which the fraction kept is measured.
        name: Name of the noise streams.
        prior: Mask of the elements that are cheap to keep; None for none.

    Returns:
        The mask, and how far it was confirmed.
    """

    def measure(index: Tensor, members: Tensor, stream: str) -> Tensor:
        samples = slice_query(query, members)
        keep = _mask_at(samples.x, path, index, members, search.smoothing).keep
        drawn = noise.draw(samples, DRAWS, f"{name}-{stream}")
        return retention.kept((keep * samples.x + (1 - keep) * drawn) * noise.active, members)

    index = _bisect(measure, path.last, retention.of_noise, search.keep)
    index, kept, confirmed = _confirm(measure, index, search.keep)
    everyone = torch.arange(len(query.x))
    mask = _mask_at(query.x, path, index, everyone, search.smoothing)
    x = (query.x - noise.mean) / noise.std
    unfinished = (index == path.last) & (path.last == search.steps)
    beta = path.beta * path.growth ** torch.minimum(index, path.last).to(path.beta)
    nats = _nats(query, x, mask, noise, prior)
    return SufficientMask(mask.keep, nats, kept, confirmed & ~unfinished & ~path.diverged, beta)


def warn_unless_converged(result: SufficientMask, search: Annealing) -> None:
    """Warn of samples whose search did not converge.

    Args:
        result: Masks of the search.
        search: Settings.

    Warns:
        ConvergenceWarning: If there are such samples.
    """
    failed = ~result.converged
    if failed.any():
        warnings.warn(
            f"the search for the mask did not converge for {int(failed.sum())} of {len(failed)} samples: the masks "
            f"keep {float(result.kept[failed].min()):.2f} to {float(result.kept[failed].max()):.2f} of the prediction, "
            f"where {search.keep:g} is required with the fewest bits. Set more steps than {search.steps}, a start "
            f"above {search.start:g}, or a smaller keep; aux 'converged' marks the samples.",
            ConvergenceWarning,
            stacklevel=3,
        )


def _ends(query: Query, search: Annealing) -> tuple[float, float]:
    """Return the first and last penalty in multiples of the target drop."""
    return (IMAGES if query.x.ndim == 4 else SERIES) if search.ends is None else search.ends


def _growth(query: Query, search: Annealing) -> Tensor:
    """Compute the ratio of the penalties of two steps, by the number of positions that have their own mask."""
    valid = valid_elements(query)
    axis = shared_axis(query.x) if mask_shape(query.x, search.granularity) != query.x.shape[1:] else None
    positions = (valid if axis is None else valid.any(axis)).flatten(1).sum(1).double()
    first, last = _ends(query, search)
    return (positions * (last / first)) ** (1 / search.steps)


def _slope(
    query: Query,
    noise: Noise,
    search: Annealing,
    x: Tensor,
    mask: Mask,
    prior: Mask | None,
    beta: Tensor,
    name: str,
    step: int,
) -> Tensor:
    """Differentiate the loss with respect to the mask of each element."""
    drawn = noise.draw(query, search.copies, f"{name}-{step}")
    points = (mask.keep * query.x + mask.drop * drawn) * noise.active
    gain = (target_gradient(query, points, name, x) * (query.x - drawn)).mean(0) * noise.active
    penalty = beta.view(-1, *[1] * (x.ndim - 1)) * capacity_slope(mask, x, prior) * noise.active
    return (penalty - gain).masked_fill(~valid_elements(query), 0.0)


def _nats(query: Query, x: Tensor, mask: Mask, noise: Noise, prior: Mask | None) -> Tensor:
    """Compute the information that passes at each element; nothing passes at padding."""
    return (capacity(mask, x, prior) * noise.active).masked_fill(~valid_elements(query), 0.0)


def _rows(prior: Mask | None, members: Tensor) -> Mask | None:
    return None if prior is None else Mask(prior.keep[members], prior.drop[members])


def _mask_at(x: Tensor, path: MaskPath, index: Tensor, members: Tensor, smoothing: float) -> Mask:
    """Compute the masks of some samples at positions of the path; nothing passes beyond its end."""
    end = path.last[members]
    logit = path.logits[torch.minimum(index, end), members].to(x.dtype)
    passes = (index <= end).to(x).view(-1, *[1] * (x.ndim - 1))
    mask = smooth_mask(logit, x, smoothing)
    return Mask(mask.keep * passes, 1 - (1 - mask.drop) * passes)


def _bisect(measure: Measure, last: Tensor, of_noise: Tensor, keep: float) -> Tensor:
    """Find the last position of each sample that keeps enough; one after the last where noise alone does."""
    high = last + 1
    low = torch.where(of_noise >= keep, high, 0)
    turn = 0
    while len(members := (high - low > 1).nonzero()[:, 0]):
        middle = (low + high)[members] // 2
        enough = measure(middle, members, f"bisection-{turn}") >= keep
        low[members] = torch.where(enough, middle, low[members])
        high[members] = torch.where(enough, high[members], middle)
        turn += 1
    return low


def _confirm(measure: Measure, index: Tensor, keep: float) -> tuple[Tensor, Tensor, Tensor]:
    """Measure the masks with further noise, and step back where they may not keep enough, by one standard error."""
    index, kept, sure = index.clone(), *torch.zeros(2, len(index), dtype=torch.float64)
    members, back = torch.arange(len(index)), 1
    while len(members):
        draws = [measure(index[members], members, f"confirmation-{back}-{turn}") for turn in range(CONFIRMATIONS)]
        std, kept[members] = torch.std_mean(torch.stack(draws), 0)
        sure[members] = kept[members] - std / CONFIRMATIONS**0.5
        members = members[(sure[members] < keep) & (index[members] > 0)]
        index[members] = (index[members] - back).clamp_min(0)
        back *= 2
    return index, kept, kept >= keep
