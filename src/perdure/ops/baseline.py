"""Baselines: reference inputs of methods, and values of removed elements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.errors import IndependentOutputError, NonFiniteError, SettingError, ShapeError
from perdure.core.precision import full_precision
from perdure.core.query import Query
from perdure.core.random import child_seeds, normal
from perdure.core.spec import AnyForm, name_of
from perdure.core.values import Values, read_values
from perdure.ops.position import shared_axis
from perdure.ops.sequence import site_mask

__all__ = [
    "NAMES",
    "Baseline",
    "BaselineName",
    "baseline_of",
    "check_at_baseline",
    "nan_errors",
    "seeds_or_fixed",
    "set_baseline",
]

BaselineName = Literal["zero", "mean", "blur", "noise"]

NAMES: tuple[BaselineName, ...] = get_args(BaselineName)

Baseline = Annotated[BaselineName | float | str | Path | Values | Tensor | Batch, AnyForm()]
"""A name, a number, a tensor, the path of a file with one, or a batch whose mean is taken; see `baseline_of`."""

BLUR_WIDTH = 5.0
"""Standard deviation of the blur in positions, that of the insertion curve in its paper."""

BLUR_REACH = 15
"""Positions on either side at which the blur is cut off, three standard deviations."""


def set_baseline(settings: Any, names: tuple[BaselineName, ...] = NAMES) -> None:
    """Read the field `baseline` of a frozen object of settings, in place, while the object is made.

    Args:
        settings: Object with a field `baseline` in any form.
        names: Allowed names.

    Raises:
        SettingError: For a baseline that cannot be read.
    """
    given = settings.baseline
    if isinstance(given, str) and given in names:
        return
    if isinstance(given, Batch):
        given = Values(_mean_of(given))
    try:
        value = read_values(given, "baseline")
    except SettingError as error:
        if not isinstance(given, str):
            raise
        raise SettingError(error.cause, f"give {' or '.join(map(repr, names))}; or {error.remedy}") from error
    object.__setattr__(settings, "baseline", value)


def baseline_of(baseline: Baseline, query: Query) -> Float[Tensor, "batch *site"]:
    """Make the baseline of each sample.

    Args:
        baseline: Baseline: "zero"; "mean", the mean of each feature over the valid steps of the sample, of each
            channel over the positions of the image; "blur", along steps or along rows and columns, by a Gaussian of 5
            positions; "noise", normal with the mean and standard deviation of each feature or channel of the sample.
            Or a number; or
            values: a vector with one number per feature or channel, a tensor that broadcasts to a sample, or one row
            per sample.
        query: Query; its seeds determine the noise, which is the same for all samples without seeds.

    Returns:
        The baseline, shaped like the inputs and equal to them at padded steps.

    Raises:
        SettingError: For the mean, blur or noise of a table, whose features have no steps and different units.
        ShapeError: For values that do not fit the inputs.

    Example:
        >>> x = torch.tensor([[[1.0, 10.0], [3.0, 30.0], [9.0, 9.0]]])
        >>> query = Query(lambda x: x.sum(1), x, lambda logits: logits[:, 0], torch.tensor([[True, True, False]]))
        >>> baseline_of("mean", query).tolist()
        [[[2.0, 20.0], [2.0, 20.0], [9.0, 9.0]]]
    """
    x, valid = query.x, site_mask(query.mask, query.x)
    if isinstance(baseline, str):
        made = _NAMED[baseline](x, valid, seeds_or_fixed(query.seeds, len(x)))  # type: ignore[index]
    else:
        made = torch.full_like(x, baseline) if isinstance(baseline, int | float) else _fit_shape(baseline, query)
    return torch.where(valid, made, x)


def check_at_baseline(settings: object, query: Query) -> None:
    """Check, where a result is not finite, that the model is finite at the baseline.

    Args:
        settings: Method or metric; one without a baseline passes.
        query: Query that the method or metric evaluates.

    Raises:
        NonFiniteError: When the target is finite at the inputs, and NaN or infinite at the baseline.
    """
    baseline = getattr(settings, "baseline", None)
    if baseline is None:
        return
    bad, what = _bad_at(baseline, query) & query.value(query.x).isfinite(), "returns NaN or infinity"
    if not bad.any() and query.passes.backward:
        bad, what = _bad_gradient_at(baseline, query), "has a gradient that is NaN or infinite"
    if bad.any():
        works = [name for name in NAMES if name != baseline and _is_finite_at(name, query)]
        other = f"baseline={works[0]}" if works else "the mean of training samples or another vector"
        raise NonFiniteError(
            f"the model {what} at the baseline '{baseline}' of '{name_of(settings)}', first for sample "
            f"{int(query.positions[0][bad.cpu()][0])}; at the inputs themselves it is finite",
            f"choose another baseline, for example {other}; or let the model add a small number to what it divides by",
        )


@contextmanager
def nan_errors(settings: object, query: Query) -> Iterator[None]:
    """Name the cause of an error about NaN from a library that fits a linear model to the target.

    Args:
        settings: Attribution method.
        query: Query that the method or metric evaluates.

    Yields:
        Nothing.

    Raises:
        NonFiniteError: When the target is NaN or infinite at the baseline, or between it and the inputs.
    """
    try:
        yield
    except ValueError as error:
        if not re.search(r"\bNaN\b|infinity", str(error)):
            raise
        check_at_baseline(settings, query)
        raise NonFiniteError(
            f"the target is NaN or infinite where '{name_of(settings)}' replaces some elements by the baseline",
            "choose another baseline, or check the model's outputs; overflow and division by zero are usual causes",
        ) from error


def seeds_or_fixed(seeds: Int[Tensor, " given"] | None, batch: int) -> Int[Tensor, " batch"]:
    """Return the seeds of the samples, or seed 0 for all where there are none.

    Args:
        seeds: Seed of each sample; None or empty for none.
        batch: Number of samples.

    Returns:
        One seed per sample.

    Example:
        >>> seeds_or_fixed(torch.zeros(0, dtype=torch.long), 2).tolist()
        [0, 0]
    """
    return torch.zeros(batch, dtype=torch.int64) if seeds is None or not len(seeds) else seeds


def _bad_at(baseline: Baseline, query: Query) -> Tensor:
    return ~query.value(baseline_of(baseline, query)).isfinite()


def _bad_gradient_at(baseline: Baseline, query: Query) -> Tensor:
    try:
        at_baseline, at_input = (query.gradient(points) for points in (baseline_of(baseline, query), query.x))
    except IndependentOutputError:
        return torch.zeros(len(query.x), dtype=torch.bool)
    return ~at_baseline.flatten(1).isfinite().all(1) & at_input.flatten(1).isfinite().all(1)


def _is_finite_at(name: BaselineName, query: Query) -> bool:
    try:
        bad = _bad_at(name, query) | (_bad_gradient_at(name, query) if query.passes.backward else False)
        return not bool(bad.any())
    except (SettingError, ShapeError):
        return False


def _fit_shape(values: Any, query: Query) -> Tensor:
    """Bring values to the shape of the inputs: one row per sample, or the same for all of them."""
    tensor, x = values.tensor, query.x
    steps = tensor.ndim - x.ndim + 1
    if query.mask is not None and steps >= 0 and tensor.shape[steps] > x.shape[1]:
        tensor = tensor.narrow(steps, 0, x.shape[1])  # samples are cut to their valid steps
    positions, count = query.positions
    if tensor.ndim == x.ndim and len(tensor) == count:
        tensor = tensor[positions]
    elif tensor.ndim == 1 and x.ndim > 1 and (shared := shared_axis(x)) is not None:
        tensor = tensor.reshape(-1, *[1] * (x.ndim - 1 - shared)) if len(tensor) in (1, x.shape[shared]) else tensor[:0]
    elif tensor.ndim == x.ndim and len(tensor) != 1:
        tensor = tensor[:0]
    try:
        return tensor.to(x).expand(x.shape)
    except RuntimeError:
        raise ShapeError(
            f"the baseline has shape {tuple(values.tensor.shape)} for {count} samples of shape {tuple(x.shape[1:])}",
            "give one number per feature or channel, a tensor that broadcasts to a sample, or one row per sample",
        ) from None


def _mean_of(batch: Batch) -> Tensor:
    """Average each feature over samples and valid steps, each channel over samples and positions."""
    x = batch.inputs
    if not x.is_floating_point():
        raise SettingError(
            "baseline is a batch of token ids, which have no mean",
            "give a batch of embeddings, perdure.models.embed_batch(model, batch), or a vector",
        )
    valid, shared = site_mask(batch.mask, x), shared_axis(x)
    axes = tuple(i for i in range(x.ndim) if i != (1 if shared is None else shared))
    return x.double().masked_fill(~valid, 0.0).sum(axes) / valid.expand_as(x).sum(axes).clamp_min(1)


def _own_axes(x: Tensor, name: str) -> tuple[int, ...]:
    """Return the axes of steps, or of rows and columns: along them all numbers have one unit."""
    shared = shared_axis(x)
    if shared is None:
        raise SettingError(
            f"a table (batch, feature) has one number of each feature, so a sample has no {name}",
            "give the mean of training samples, baseline=perdure.Batch(x, labels), or a vector; on the command line "
            "baseline=zero, a number, or a file baseline=mean.npy",
        )
    return tuple(axis for axis in range(1, x.ndim) if axis != shared)


def _zero(x: Tensor, _: Tensor, __: Tensor) -> Tensor:
    return torch.zeros_like(x)


def _mean(x: Tensor, valid: Tensor, _: Tensor) -> Tensor:
    return _average(x.double(), valid, _own_axes(x, "mean")).to(x).expand_as(x)


def _average(x: Tensor, valid: Tensor, axes: tuple[int, ...]) -> Tensor:
    return x.masked_fill(~valid, 0.0).sum(axes, keepdim=True) / valid.expand_as(x).sum(axes, keepdim=True).clamp_min(1)


def _blur(x: Tensor, valid: Tensor, _: Tensor) -> Tensor:
    """Average over valid neighbours only, so that neither padding nor a border darkens the blur."""
    wide = torch.promote_types(x.dtype, torch.float32)
    total, weight = x.masked_fill(~valid, 0.0).to(wide), valid.to(x.device, wide).expand(x.shape)
    for axis in _own_axes(x, "blur"):
        total, weight = _smooth(total, axis), _smooth(weight, axis)
    return (total / weight.clamp_min(torch.finfo(wide).tiny)).to(x.dtype)


@full_precision
def _smooth(x: Tensor, axis: int) -> Tensor:
    place = torch.arange(x.shape[axis], dtype=torch.float64, device=x.device)
    distance = (place - place[:, None]).abs()
    weights = torch.exp(-((distance / BLUR_WIDTH) ** 2) / 2) * (distance <= BLUR_REACH)
    weights = weights / weights.sum(1, keepdim=True)
    return (x.transpose(axis, -1) @ weights.to(x).T).transpose(axis, -1)


def _noise(x: Tensor, valid: Tensor, seeds: Tensor) -> Tensor:
    wide, axes = x.double(), _own_axes(x, "noise")
    mean = _average(wide, valid, axes)
    standard_deviation = _average((wide - mean) ** 2, valid, axes).sqrt()
    draws = normal(child_seeds(seeds, "baseline"), tuple(x.shape[1:]), wide)
    return (mean + standard_deviation * draws).to(x.dtype)


_NAMED: dict[BaselineName, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "zero": _zero,
    "mean": _mean,
    "blur": _blur,
    "noise": _noise,
}
"""Functions that compute each baseline from the inputs, their valid elements and their seeds."""
