"""Maps without information, which give the null of a metric."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice
from perdure.core.metric import Metric, NeedsMethod, Perturbs, Score
from perdure.core.random import stream, sub_seeds, uniform
from perdure.core.target import label_target
from perdure.ops.permutation import permutation_p
from perdure.ops.sequence import site_mask
from perdure.ops.texture import exchange, move, permute

__all__ = ["Null", "choose_null", "compare_with_null", "draw_textured", "draw_uniform"]

Null = Literal["shift", "permutation", "others", "uniform"]
"""What the maps of a null have in common with the map: see `evaluate`."""


def choose_null(null: Null | None, metric: Metric, attribution: Attribution) -> Null:
    """Choose the null that suits a metric and the data.

    Args:
        null: Null to use; None for that of the metric.
        metric: Metric to compute.
        attribution: Attribution to measure.

    Returns:
        Where the metric perturbs the input, the map moved, or permutations for a table, whose columns have no
        order; else uniform random maps, always for metrics that explain again, as no method makes a moved map.

    Raises:
        SettingError: For another name.
    """
    check_choice("null", null, (*get_args(Null), None))
    if isinstance(metric, NeedsMethod) and metric.needs_method:
        return "uniform"
    if null is not None:
        return null
    if not (isinstance(metric, Perturbs) and metric.perturbs):
        return "uniform"
    return "permutation" if attribution.values.ndim == 2 else "shift"


def draw_uniform(attribution: Attribution, generator: torch.Generator, draws: int) -> list[Tensor]:
    """Draw uniform random maps.

    Args:
        attribution: Attribution whose inputs give the shape.
        generator: Random stream.
        draws: Number of maps per sample.

    Returns:
        Maps, zero at padded steps.
    """
    x = attribution.query.x
    valid = site_mask(attribution.query.mask, x)
    seeds = [sub_seeds(generator, len(x)) for _ in range(draws)]
    return [uniform(item, tuple(x.shape[1:]), x) * valid for item in seeds]


def draw_textured(attribution: Attribution, null: Null, generator: torch.Generator, draws: int) -> list[Tensor]:
    """Draw maps with the texture of the map.

    Args:
        attribution: Attribution whose map is moved.
        null: How to move it.
        generator: Random stream.
        draws: Number of maps per sample.

    Returns:
        Maps.
    """
    values, mask = attribution.values, attribution.query.mask
    seeds = sub_seeds(generator, len(values))
    if null == "others":
        return list(exchange(values, mask, _classes_of(attribution), seeds, draws))
    return list((move if null == "shift" else permute)(values, mask, seeds, draws))


def compare_with_null(score: Score, metric: Metric | type[Metric]) -> float | None:
    """Compute the probability of a mean at least as good by chance, if the map were one more draw of its null.

    Args:
        score: Score with the draws of its null.
        metric: Its metric, or the class of that.

    Returns:
        The p-value of a permutation test, paired over samples; None without draws, and where the metric neither
        compares with a truth nor has a null with the texture of the map, as a random map is then no competitor.
    """
    if score.nulls is None or not (metric.needs_truth or "uniform" in score.aux):
        return None
    sign = 1.0 if metric.higher_is_better else -1.0
    return permutation_p(sign * score.values, sign * score.nulls, stream(0, "permutation"))


def _classes_of(attribution: Attribution) -> Tensor:
    """Return the explained class of each sample; one group for a target that is no class."""
    labels = label_target(attribution.query.bound)
    size = len(attribution.values)
    return torch.zeros(size, dtype=torch.long) if labels is None else labels.label.expand(size).cpu()
