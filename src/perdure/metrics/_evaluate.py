"""The entry point of metrics: any score between its null and its ceiling."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, overload

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.build_query import build_query
from perdure.core.check import check_counts, check_generator, check_inputs, check_object, check_truth
from perdure.core.errors import (
    LabelError,
    LengthError,
    SettingError,
    ShapeError,
    UnsupportedError,
)
from perdure.core.exclusive import exclusive
from perdure.core.metric import Metric, NeedsMethod, Score
from perdure.core.registry import METRICS
from perdure.core.spec import name_of
from perdure.core.target import Target
from perdure.metrics._nulls import Null
from perdure.metrics._place import place
from perdure.metrics._sites import check_both_kinds
from perdure.ops.sequence import site_mask

__all__ = ["evaluate", "prepare"]


@overload
def evaluate(  # type: ignore[overload-overlap]  # a text is a sequence of texts
    attribution: Attribution | Float[Tensor, "batch *site"],
    metric: Metric | str,
    *,
    truth: Bool[Tensor, "batch *site"] | None = None,
    model: Callable[..., Tensor] | None = None,
    x: Float[Tensor, "batch *site"] | None = None,
    target: Target | Int[Tensor, " batch"] | int | Literal["predicted"] | None = None,
    lengths: Int[Tensor, " batch"] | None = None,
    draws: int = 5,
    null: Null | None = None,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
) -> Score: ...


@overload
def evaluate(
    attribution: Attribution | Float[Tensor, "batch *site"],
    metric: Sequence[Metric | str],
    *,
    truth: Bool[Tensor, "batch *site"] | None = None,
    model: Callable[..., Tensor] | None = None,
    x: Float[Tensor, "batch *site"] | None = None,
    target: Target | Int[Tensor, " batch"] | int | Literal["predicted"] | None = None,
    lengths: Int[Tensor, " batch"] | None = None,
    draws: int = 5,
    null: Null | None = None,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
) -> dict[str, Score]: ...


def evaluate(
    attribution: Attribution | Float[Tensor, "batch *site"],
    metric: Metric | str | Sequence[Metric | str],
    *,
    truth: Bool[Tensor, "batch *site"] | None = None,
    model: Callable[..., Tensor] | None = None,
    x: Float[Tensor, "batch *site"] | None = None,
    target: Target | Int[Tensor, " batch"] | int | Literal["predicted"] | None = None,
    lengths: Int[Tensor, " batch"] | None = None,
    draws: int = 5,
    null: Null | None = None,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
) -> Score | dict[str, Score]:
    """Evaluate a map by a metric and place the score between null and ceiling.

    The null is the score of maps without information; the ceiling is the score of the truth, or the best value of the
    metric where it needs no truth.

    For metrics that compare with a truth, and others that only read the map, the maps of the null are uniformly random.
    Metrics that perturb the input depend on the texture of a map, whatever it marks: whether it is smooth, or constant
    over a step. The maps of their null are therefore made from the map itself, and a permutation test over samples
    gives the probability `p` of a mean at least as good by chance; `aux["uniform"]` is the score of a uniform random
    map.

    Args:
        attribution: Result of `attribute`; or a map from another source, shaped like the inputs, with `model`, `x` and
            `target`.
        metric: A metric or its registry name, also with settings: "auroc:absolute=false"; or a list of several.
        truth: True at the elements known to matter, shaped like the inputs; None for that of the attribution.
        model: The model that a tensor explains.
        x: The inputs that a tensor explains.
        target: The target that a tensor explains, as in `attribute`.
        lengths: Number of valid steps of the samples that a tensor explains.
        draws: Number of maps per sample for the null.
        null: Maps of the null: "shift", the map shifted in a circle or mirrored, over valid steps, rows and columns;
            "permutation", its positions in random order where it is constant within them, else its elements; "others",
            maps of other samples of the explained class; "uniform", random numbers. None for the one that suits the
            metric and the data: for metrics that perturb the input "shift", or "permutation" for a table.
        generator: Random stream of these maps, from which several metrics draw in turn; if None, each metric draws
            from a new one with seed 0.
        batch_size: Maximum number of rows in one call of the model, including perturbed copies of samples. It bounds
            memory and does not change the scores. None for that of the attribution.

    Returns:
        The score of each sample, with null and ceiling of that sample; for a list, the scores by the names of the
        metrics, with the settings that differ from their defaults.

    Raises:
        DataError: If the map, the truth or the labels cannot be used; for metrics that compare with the truth also if
            it marks none or all of a sample's valid elements.
        UnsupportedError: If the metric needs a truth or a method and there is none.
        ConstantScoreError: If every map of these samples has the same score.
        UnknownNameError: If no metric has this name.
        SettingError: If a setting of the metric or the number of draws cannot be used, if a tensor comes without
            model, x or target, or an attribution with them.

    Example:
        >>> x, truth = torch.rand(1, 4, 2), torch.tensor([[[1, 0]] * 4]).bool()
        >>> evaluate(truth.float(), "auprc", truth=truth, model=lambda x: x.sum(1), x=x, target=0).values.item()
        1.0
    """
    if isinstance(metric, Sequence) and not isinstance(metric, str):
        source = _with_source(attribution, model, x, target, lengths)
        scores = [
            evaluate(source, item, truth=truth, draws=draws, null=null, generator=generator, batch_size=batch_size)
            for item in metric
        ]
        return {score.metric: score for score in scores}
    check_generator(generator)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    with exclusive():
        source = _with_source(attribution, model, x, target, lengths)
        source = source if truth is None else dataclasses.replace(source, truth=truth)
        subject, made = prepare(source, metric, batch_size)
        return place(subject, made, draws, generator, null)


def prepare(
    attribution: Attribution, metric: Metric | str, batch_size: int | None = None
) -> tuple[Attribution, Metric]:
    """Check an attribution and a metric, and bind the target to the outputs of the model.

    Args:
        attribution: Attribution to evaluate.
        metric: Metric or its registry name.
        batch_size: Maximum number of rows in one call of the model; None for that of the attribution.

    Returns:
        The attribution with its target bound, and the metric.
    """
    made: Metric = METRICS.make(metric) if isinstance(metric, str) else metric
    check_object(made, "measure", "metric")
    _check(attribution, made)
    check_counts(batch_size=1 if batch_size is None else batch_size)
    query = attribution.query
    query = query if batch_size is None else dataclasses.replace(query, batch_size=batch_size)
    return dataclasses.replace(attribution, source=dataclasses.replace(query, target=query.bound)), made


def _with_source(
    attribution: Attribution | Tensor,
    model: Callable[..., Tensor] | None,
    x: Tensor | None,
    target: Target | Tensor | int | Literal["predicted"] | None,
    lengths: Tensor | None,
) -> Attribution:
    """Return the attribution, made from a tensor with the model, inputs and target that it explains."""
    given = {"model": model, "x": x, "target": target}
    if not isinstance(attribution, Tensor):
        mixed = [name for name, value in {**given, "lengths": lengths}.items() if value is not None]
        if mixed:
            raise SettingError(
                f"an attribution is evaluated together with {', '.join(mixed)}=",
                "pass either an attribution, which contains its model, inputs and target, or a tensor with model=, x= "
                "and target=",
            )
        return attribution
    if model is None or x is None or target is None:
        missing = [name for name, value in given.items() if value is None]
        raise SettingError(
            f"the map is a tensor, and {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            "pass the model, inputs and target that the map explains: evaluate(values, metric, model=..., x=..., "
            "target=...)",
        )
    check_inputs(x)
    return Attribution(attribution, source=build_query(model, x.detach(), target, lengths=lengths))


def _check(attribution: Attribution, metric: Metric) -> None:
    _check_attribution(attribution)
    x = attribution.query.x
    if attribution.values.shape != x.shape:
        raise ShapeError(
            f"the map has shape {tuple(attribution.values.shape)}, the inputs have {tuple(x.shape)}",
            "pass one number per element of the input",
        )
    check_inputs(attribution.values, "the map")
    if attribution.truth is not None:
        check_truth(attribution.truth, x)
        if metric.needs_truth:
            check_both_kinds(attribution.truth, site_mask(attribution.query.mask, x), "sites")
    elif metric.needs_truth:
        raise UnsupportedError(
            f"metric '{name_of(metric)}' compares with the truth, and the data has none",
            "use data with known truth such as 'boxes', or a metric that needs none such as 'vanishing'",
        )
    if isinstance(metric, NeedsMethod) and metric.needs_method and attribution.method is None:
        raise UnsupportedError(
            f"metric '{name_of(metric)}' computes further maps, and the method of the attribution is unknown",
            "pass the result of perdure.attribute, which contains its method",
        )


def _check_attribution(attribution: object) -> None:
    """Check the parts of an attribution that a metric reads; the shape of the map is checked by `evaluate`.

    Args:
        attribution: The attribution.

    Raises:
        SettingError: If it is not an attribution, or its method is a name.
        ShapeError: If its map or inputs are not floating point tensors.
        LabelError: If its target is not a function of the outputs.
        LengthError: If its mask does not fit the steps of its inputs.
    """
    if not isinstance(attribution, Attribution):
        raise SettingError(
            f"{type(attribution).__name__} is not an attribution",
            "pass the result of perdure.attribute, or a map shaped like the inputs with model=, x= and target=",
        )
    query, values = attribution.query, attribution.values
    if not isinstance(values, Tensor):
        raise ShapeError(
            f"the map is {type(values).__name__}", "pass the tensor; that of an attribution is its .values"
        )
    check_inputs(query.x, "x of the query")
    if not callable(query.target):
        raise LabelError(
            f"the target of the query is {type(query.target).__name__}",
            "pass a function of the outputs, such as perdure.Logit(labels)",
        )
    if query.mask is not None and (query.mask.shape != query.x.shape[:2] or query.mask.dtype != torch.bool):
        raise LengthError(
            f"the mask of the query has shape {tuple(query.mask.shape)} and dtype {query.mask.dtype} for inputs "
            f"{tuple(query.x.shape)}",
            "pass (batch, time), true at valid steps: torch.arange(time) < lengths[:, None]",
        )
    if isinstance(attribution.method, str):
        raise SettingError(
            f"the method of the attribution is the name '{attribution.method}'",
            f"pass the method itself: perdure.METHODS.make('{attribution.method}')",
        )
