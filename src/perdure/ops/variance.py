"""Components of variance of a full crossing of factors, such as methods by runs by samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import prod

from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import SettingError, ShapeError

__all__ = ["variance_components", "variance_fractions"]

Effect = tuple[str, ...]
"""The factors of an effect; those of an interaction in the order of the axes."""


def variance_components(values: Float[Tensor, "*level"], factors: Sequence[str]) -> dict[Effect, float]:
    r"""Estimate how much each factor and each interaction contributes to the variance, by mean squares.

    All factors are random and each combination of levels has one value. With mean squares :math:`M_B` and
    :math:`n_c` levels of factor c,

    .. math:: \sigma^2_A = \sum_{B \supseteq A} (-1)^{|B \setminus A|} M_B \Big/ \prod_{c \notin A} n_c

    The interaction of all factors cannot be separated from noise. Estimates are unbiased, so those of small components
    may be negative.

    Args:
        values: Values with one axis for each factor.
        factors: Name of each axis.

    Returns:
        The components by the names of their factors, single factors first, in squared units of the values.

    Raises:
        ShapeError: When there is not one axis for each factor.
        SettingError: When a factor has a single level.

    Reference:
        cornfield1956average

    Example:
        >>> import torch
        >>> rows = torch.tensor([[1.0, 1.0], [3.0, 3.0]])  # rows differ, columns do not
        >>> variance_components(rows, ("row", "column"))
        {('row',): 2.0, ('column',): 0.0, ('row', 'column'): 0.0}
    """
    if values.ndim != len(factors) or len(set(factors)) != len(factors):
        raise ShapeError(
            f"values of shape {tuple(values.shape)} have factors {tuple(factors)}", "name each axis, by different names"
        )
    single = [name for name, levels in zip(factors, values.shape, strict=True) if levels < 2]
    if single:
        raise SettingError(f"there is one level of {' and '.join(single)}", "give each factor at least two levels")
    axes = range(values.ndim)
    squares = {group: _mean_square(values.double(), group) for group in _subsets(axes) if group}
    result = {}
    for group in squares:
        above = [other for other in squares if set(other) >= set(group)]
        total = sum((-1) ** (len(other) - len(group)) * squares[other] for other in above)
        remaining = prod(values.shape[axis] for axis in axes if axis not in group)
        result[tuple(factors[axis] for axis in group)] = total / remaining
    return result


def variance_fractions(components: dict[Effect, float]) -> dict[Effect, float]:
    """Return each component's fraction of their sum, negative estimates counted as zero.

    Args:
        components: Components of `variance_components`.

    Returns:
        Fractions that add up to 1; all zero when nothing varies.

    Example:
        >>> variance_fractions({("row",): 3.0, ("column",): 1.0, ("row", "column"): -0.5})
        {('row',): 0.75, ('column',): 0.25, ('row', 'column'): 0.0}
    """
    kept = {name: max(0.0, value) for name, value in components.items()}
    total = sum(kept.values())
    return {name: value / total if total else 0.0 for name, value in kept.items()}


def _mean_square(values: Tensor, group: tuple[int, ...]) -> float:
    """Return the mean square of an interaction: means over the other axes, less all effects of fewer factors."""
    rest = [axis for axis in range(values.ndim) if axis not in group]
    effect = values.mean(rest, keepdim=True) if rest else values
    for axis in group:
        effect = effect - effect.mean(axis, keepdim=True)
    repeats = prod(values.shape[axis] for axis in rest)
    return float(effect.square().sum()) * repeats / prod(values.shape[axis] - 1 for axis in group)


def _subsets(axes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for size in range(len(axes) + 1):
        yield from combinations(axes, size)
