"""Mean and standard deviation of many activations, merged batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["Moments", "merge_moments", "moments_of"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and spread of the values at each site.

    Args:
        count: Number of values at each site.
        mean: Mean of the values.
        square: Sum of squared distances from the mean.
        nonzero: Number of values other than zero.
    """

    count: int
    mean: Float[Tensor, "*site"]
    square: Float[Tensor, "*site"]
    nonzero: Float[Tensor, "*site"]

    @property
    def std(self) -> Float[Tensor, "*site"]:
        """The standard deviation, with one degree of freedom removed."""
        return (self.square / (self.count - 1)).sqrt()

    @property
    def active(self) -> Float[Tensor, "*site"]:
        """The fraction of values that were not zero."""
        return self.nonzero / self.count


def moments_of(x: Float[Tensor, "batch *site"], valid: Bool[Tensor, "batch *site"] | None = None) -> Moments:
    """Compute the moments of a batch, in double precision.

    Args:
        x: Values; images keep a mean for every channel and position, series one for every feature, over all steps.
        valid: True at values that are no padding, for series; None when all are.

    Returns:
        The moments: (feature,) for series, the shape of a sample for all else.

    Example:
        >>> import torch
        >>> result = moments_of(torch.tensor([[[1.0], [3.0], [99.0]]]), torch.tensor([[[True], [True], [False]]]))
        >>> result.mean.item(), round(result.std.item(), 4)
        (2.0, 1.4142)
    """
    values = x.double()
    if x.ndim == 3:
        values = values.flatten(0, 1) if valid is None else values[valid[..., 0]]
    mean = values.mean(0)
    return Moments(len(values), mean, (values - mean).square().sum(0), (values != 0).sum(0).double())


def merge_moments(parts: list[Moments]) -> Moments:
    """Merge the moments of several batches; the result does not depend on how the samples were cut, up to rounding.

    Args:
        parts: Moments of equal shape.

    Returns:
        The moments of all values.

    Reference:
        chan1983algorithms

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0], [3.0], [0.0], [3.0], [3.0], [0.0], [0.0], [3.0], [0.0]])
        >>> both = merge_moments([moments_of(x[:2]), moments_of(x[2:])])
        >>> round(both.mean.item(), 6), round(both.std.item() ** 2, 6)
        (1.333333, 2.5)
    """
    return reduce(_merge, parts)


def _merge(a: Moments, b: Moments) -> Moments:
    count = a.count + b.count
    shift = b.mean - a.mean
    mean = a.mean + shift * (b.count / count)
    square = a.square + b.square + shift.square() * (a.count * b.count / count)
    return Moments(count, mean, square, a.nonzero + b.nonzero)
