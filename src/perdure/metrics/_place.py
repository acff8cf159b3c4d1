"""Place the measurement of a map between its null and its ceiling."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.errors import ConstantScoreError, NonFiniteError, SettingError
from perdure.core.metric import Measurement, Metric, Score, SharesPasses
from perdure.core.spec import format_spec, name_of
from perdure.metrics._nulls import Null, choose_null, compare_with_null, draw_textured, draw_uniform
from perdure.ops.baseline import check_at_baseline

__all__ = ["measure_map", "place"]


def measure_map(attribution: Attribution, metric: Metric, values: Float[Tensor, "batch *site"]) -> Measurement:
    """Measure another map of the same inputs, which no method made.

    Args:
        attribution: Query and truth.
        metric: Metric to compute.
        values: The map.

    Returns:
        What the metric measures.
    """
    return metric.measure(dataclasses.replace(attribution, values=values, method=None))


def place(
    subject: Attribution,
    metric: Metric,
    draws: int,
    generator: torch.Generator,
    null: Null | None = None,
    uniform: Measurement | None = None,
) -> Score:
    """Measure a map and the maps of its null.

    Args:
        subject: Attribution that `prepare` returned.
        metric: Metric to compute.
        draws: Number of maps per sample for the null.
        generator: Random stream of these maps.
        null: Maps of the null; None for those that suit the metric and the data.
        uniform: Measurement of the uniform random map, where it is known and the null is another.

    Returns:
        The score of each sample.

    Raises:
        SettingError: If the number of draws or the null cannot be used.
    """
    if draws < 1:
        raise SettingError(f"draws={draws}", "pass one random map per sample or more; five are enough for a mean")
    null = choose_null(null, metric, subject)
    moved = null != "uniform"
    maps = draw_textured(subject, null, generator, draws) if moved else []
    if uniform is None or not moved:
        maps += draw_uniform(subject, generator, 1 if moved else draws)
    measured, *placed = _measure_all(subject, metric, maps)
    if moved:
        uniform = placed[draws] if uniform is None else uniform
        measured = dataclasses.replace(measured, aux={**measured.aux, "uniform": uniform.values})
        placed = [*placed[:draws], uniform]
    _check_changes(metric, measured, placed)
    nulls = torch.stack([item.values for item in placed[:draws]])
    ceiling = _ceiling(subject, metric, [measured, *placed])
    score = Score(format_spec(metric), measured.values, nulls.mean(0), ceiling, measured.curve, measured.aux, nulls)
    return dataclasses.replace(score, p=compare_with_null(score, metric))


def _measure_all(subject: Attribution, metric: Metric, maps: Sequence[Tensor]) -> list[Measurement]:
    """Measure the map itself, which must be finite, and other maps."""
    if isinstance(metric, SharesPasses):
        every = metric.measure_maps(subject, [subject.values, *maps])
        _check_finite(every[0], subject, metric)
        return every
    measured = metric.measure(subject)
    _check_finite(measured, subject, metric)
    return [measured, *(measure_map(subject, metric, values) for values in maps)]


def _check_finite(measured: Measurement, attribution: Attribution, metric: Metric) -> None:
    bad = ~measured.values.isfinite()
    if bad.any():
        check_at_baseline(metric, attribution.query)
        raise NonFiniteError(
            f"metric '{name_of(metric)}' is NaN or infinite for {int(bad.sum())} samples, the first at "
            f"{int(bad.nonzero()[0])}",
            "inspect the model's outputs for these samples and for changed ones; overflow and division by zero in the "
            "model are the usual causes",
        )


def _check_changes(metric: Metric, measured: Measurement, random: Sequence[Measurement]) -> None:
    """Reject a metric that gives all maps of all samples the same score."""
    if all(entry.fixed is not None and bool(entry.fixed.all()) for entry in (measured, *random)):
        raise ConstantScoreError(
            f"metric '{name_of(metric)}' gives every map the same score: what it follows does not change when parts of "
            "the input are replaced, or there is only one part to replace",
            "declare what the model returns where it is no classifier, perdure.Adapted(model, outputs='numbers') or "
            f"--outputs numbers; follow the output itself, '{name_of(metric)}:score=target', where a probability is "
            "saturated; or choose smaller parts, or another baseline",
        )


def _ceiling(attribution: Attribution, metric: Metric, every: Sequence[Measurement]) -> Tensor:
    measured = every[0]
    if measured.best is not None:
        best = torch.stack([entry.best for entry in every if entry.best is not None])
        return best.amax(0) if metric.higher_is_better else best.amin(0)
    if attribution.truth is None or not metric.needs_truth:
        return torch.full_like(measured.values, metric.best)
    return measure_map(attribution, metric, attribution.truth.to(attribution.values.dtype)).values
