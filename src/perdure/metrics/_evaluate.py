"""The door of judgement: any metric, always between its null and its ceiling."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor

from perdure.core.check import check_counts, check_inputs, check_truth
from perdure.core.errors import ConstantScoreError, NonFiniteError, SettingError, ShapeError, UnsupportedError
from perdure.core.given import check_generator, check_made, check_trial
from perdure.core.protocols import AsksAgain, Metric
from perdure.core.random import sub_seeds, uniform
from perdure.core.registry import METRICS, name_of
from perdure.core.trial import Measurement, Score, Trial
from perdure.core.written import written
from perdure.metrics._sites import check_both_kinds
from perdure.ops.baseline import check_at_baseline
from perdure.ops.sequence import site_mask

__all__ = ["evaluate"]


@overload
def evaluate(  # type: ignore[overload-overlap]  # a text is one name
    trial: Trial,
    metric: Metric | str,
    *,
    draws: int = 5,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
) -> Score: ...


@overload
def evaluate(
    trial: Trial,
    metric: Sequence[Metric | str],
    *,
    draws: int = 5,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
) -> dict[str, Score]: ...


def evaluate(
    trial: Trial,
    metric: Metric | str | Sequence[Metric | str],
    *,
    draws: int = 5,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
) -> Score | dict[str, Score]:
    """Judge a trial and place the result between null and ceiling.

    The null is the same metric on uniform random maps; the ceiling is the same metric on the truth, or the
    metric's best value where it needs no truth.

    Args:
        trial: the explanation to judge; that of an attribution is its `.trial`.
        metric: a metric or its registry name, also with settings: "auroc:absolute=false"; or a list of several.
        draws: random maps per sample for the null.
        generator: the stream of these maps, from which several metrics draw in turn; when None, each draws from a
            fresh one with seed 0.
        batch_size: most rows in one call of the model, perturbed copies of samples included, which bounds memory; it
            does not change the scores. None for that of the attribution.

    Returns:
        The score of each sample, with null and ceiling of that sample; for a list, the scores by the names of the
        metrics, with the settings that differ from their defaults.

    Raises:
        DataError: when the maps, the truth or the labels are not usable; for metrics that compare with the truth also
            when it marks none or all of a sample's valid sites.
        UnsupportedError: when the metric needs a truth or a method and the trial has none.
        ConstantScoreError: when every map of these samples has the same score.
        UnknownNameError: when no metric has this name.
        SettingError: when a setting of the metric, or the number of draws, cannot be used.

    Example:
        >>> from perdure.core.query import Query
        >>> x, truth = torch.rand(1, 4, 2), torch.tensor([[[1, 0]] * 4]).bool()
        >>> query = Query(lambda x: x.sum((1, 2)), x, lambda logits: logits[:, 0])
        >>> evaluate(Trial(query, truth.float(), truth), "auprc").values.item()
        1.0
    """
    if isinstance(metric, Sequence) and not isinstance(metric, str):
        found = [evaluate(trial, one, draws=draws, generator=generator, batch_size=batch_size) for one in metric]
        return {score.metric: score for score in found}
    if draws < 1:
        raise SettingError(f"draws={draws}", "give one random map per sample or more; five are enough for a mean")
    check_generator(generator)
    made: Metric = METRICS.make(metric) if isinstance(metric, str) else metric
    check_made(made, "measure", "metric")
    _check(trial, made)
    if batch_size is not None:
        check_counts(batch_size=batch_size)
        trial = dataclasses.replace(trial, query=dataclasses.replace(trial.query, batch_size=batch_size))
    trial = dataclasses.replace(trial, query=dataclasses.replace(trial.query, target=trial.query.bound))
    measured = made.measure(trial)
    _check_finite(measured, trial, made)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    seeds = [sub_seeds(generator, len(trial.attribution)) for _ in range(draws)]
    random = [_on(trial, made, _random_map(trial, some)) for some in seeds]
    _check_changes(made, measured, random)
    null, ceiling = torch.stack([some.values for some in random]).mean(0), _ceiling(trial, made, [measured, *random])
    return Score(written(made), measured.values, null, ceiling, measured.curve, measured.aux)


def _check(trial: Trial, metric: Metric) -> None:
    check_trial(trial)
    x = trial.query.x
    if trial.attribution.shape != x.shape:
        raise ShapeError(
            f"the map has shape {tuple(trial.attribution.shape)}, the inputs have {tuple(x.shape)}",
            "judge one number per site; reduce or spread the map first",
        )
    check_inputs(trial.attribution, "the map")
    if trial.truth is not None:
        check_truth(trial.truth, x)
        if metric.needs_truth:
            check_both_kinds(trial.truth, site_mask(trial.query.mask, x), "sites")
    elif metric.needs_truth:
        raise UnsupportedError(
            f"metric '{name_of(metric)}' compares with the truth, and the data has none",
            "use data with known truth such as 'boxes', or a metric that needs none such as 'vanishing'",
        )
    if isinstance(metric, AsksAgain) and metric.needs_method and trial.method is None:
        raise UnsupportedError(
            f"metric '{name_of(metric)}' explains again, and the trial does not say by which method",
            "give the method that made the map: Trial(query, values, method=...)",
        )


def _check_finite(measured: Measurement, trial: Trial, metric: Metric) -> None:
    bad = ~measured.values.isfinite()
    if bad.any():
        check_at_baseline(metric, trial.query)
        raise NonFiniteError(
            f"metric '{name_of(metric)}' is NaN or infinite for {int(bad.sum())} samples, the first at "
            f"{int(bad.nonzero()[0])}",
            "look at the model's outputs for these samples and for changed ones; overflow and division by zero in the "
            "model are the usual causes",
        )


def _on(trial: Trial, metric: Metric, values: Tensor) -> Measurement:
    return metric.measure(dataclasses.replace(trial, attribution=values, method=None))


def _random_map(trial: Trial, seeds: Tensor) -> Tensor:
    x = trial.query.x
    return uniform(seeds, tuple(x.shape[1:]), x) * site_mask(trial.query.mask, x)


def _check_changes(metric: Metric, measured: Measurement, random: Sequence[Measurement]) -> None:
    """Refuse a metric that gives all maps of all samples the same score."""
    if all(some.fixed is not None and bool(some.fixed.all()) for some in (measured, *random)):
        raise ConstantScoreError(
            f"metric '{name_of(metric)}' gives every map the same score: what it follows does not change when parts of "
            "the input are replaced, or there is only one part to replace",
            "declare what the model returns where it is no classifier, perdure.Adapted(model, outputs='numbers') or "
            f"--outputs numbers; follow the output itself, '{name_of(metric)}:score=target', where a probability is "
            "saturated; or choose smaller parts, or another baseline",
        )


def _ceiling(trial: Trial, metric: Metric, every: Sequence[Measurement]) -> Tensor:
    measured = every[0]
    if measured.best is not None:
        best = torch.stack([some.best for some in every if some.best is not None])
        return best.amax(0) if metric.higher_is_better else best.amin(0)
    if trial.truth is None or not metric.needs_truth:
        return torch.full_like(measured.values, metric.best)
    return _on(trial, metric, trial.truth.to(trial.attribution.dtype)).values
