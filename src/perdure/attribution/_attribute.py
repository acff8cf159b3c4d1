"""The entry point of attribution: checks, seeds, pass counts and provenance around any method."""

from __future__ import annotations

import dataclasses
import platform
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.attribution._category_columns import warn_of_categories
from perdure.core.attribution import Attribution, Provenance
from perdure.core.batch import Batch
from perdure.core.build_query import build_query
from perdure.core.check import all_finite, check_counts, check_generator, check_inputs, check_object
from perdure.core.consistency import find_inconsistency, random_state, set_random_state
from perdure.core.digest import model_digest
from perdure.core.errors import (
    InconsistentOutputWarning,
    IndependentOutputError,
    NonFiniteError,
    SettingError,
    ShapeError,
    UnsupportedError,
)
from perdure.core.exclusive import exclusive
from perdure.core.forward import NO_SIDE, CachedForward
from perdure.core.method import Method, MethodOutput, as_output
from perdure.core.query import PassCount, Query, slice_query
from perdure.core.random import sub_seeds
from perdure.core.registry import METHODS
from perdure.core.spec import name_of
from perdure.core.target import Target
from perdure.core.values import Values
from perdure.models._embed import embed_batch
from perdure.ops.baseline import check_at_baseline
from perdure.ops.sequence import site_mask

__all__ = ["attribute", "attribute_cached"]

SAMPLES = 256
"""Most samples explained at once where no batch size is given."""

DIMS = {2: ("batch", "feature"), 3: ("batch", "time", "feature"), 4: ("batch", "channel", "row", "column")}


def attribute(
    model: Callable[..., Tensor],
    x: Float[Tensor, "batch *site"] | Batch | Sequence[str],
    method: Method | str,
    *,
    target: Target | Int[Tensor, " batch"] | int | Literal["predicted"],
    lengths: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
) -> Attribution:
    """Attribute a model's output to its inputs.

    The model runs in evaluation mode and is left as it was; its weights, gradients, the inputs and the global random
    state do not change. Each sample is explained independently of the others and of the batch size, and padded steps
    get zero. Threads that call it at the same time, with one model or several, wait for each other.

    Args:
        model: Model that returns outputs (batch, classes) for x; called with `lengths=` when lengths are given.
        x: Inputs; or a `Batch`, whose mask, truth and texts are used as well, and whose token ids are embedded; or
            texts, for a model with a tokenizer, such as one of `perdure.load("hf:...")`.
        method: A method or its registry name, also with settings: "integrated_gradients:steps=100".
        target: Labels, one label for all samples, or "predicted" for the predicted class of each; short for the
            logits of these classes. Or a function from the outputs to one scalar per sample; `AtStep` selects one
            step of a model with an output at each step.
        lengths: Number of valid steps of each sample, for series with padding at the end.
        generator: Random stream of methods that draw; a new one with seed 0 if None.
        batch_size: Maximum number of rows in one call of the model, including perturbed copies of samples. It bounds
            memory and does not change the map. None for a number that suits the size of a sample.

    Returns:
        The attribution; its tensor is `.values`. Pass it to `evaluate` and `show`.

    Raises:
        DataError: If x, the labels or the lengths cannot be used; subclasses name the case.
        UnknownNameError: If no method has this name.
        UnsupportedError: If the model or target cannot be explained; `IndependentOutputError` if the output does not
            depend on x.

    Example:
        >>> model = torch.nn.Linear(2, 2, bias=False)
        >>> _ = torch.nn.init.constant_(model.weight, 3.0)
        >>> attribute(model, torch.ones(1, 2), "gradient", target=torch.tensor([0])).values.tolist()
        [[3.0, 3.0]]
    """
    with exclusive():
        inputs, steps, batch = _unpack(model, x, lengths)
        result = _attribute(model, inputs, method, target, steps, generator, batch_size, None)
    return result if batch is None else dataclasses.replace(result, truth=batch.truth, text=batch.text)


def attribute_cached(
    cached: CachedForward,
    model: Callable[..., Tensor],
    method: Method | str,
    *,
    target: Target | Int[Tensor, " batch"],
    lengths: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
) -> Attribution:
    """Attribute as `attribute` does, from a forward pass that was computed before.

    Args:
        cached: Inputs and outputs, from `forward_with_graph`.
        model: As in `attribute`.
        method: As in `attribute`.
        target: As in `attribute`.
        lengths: As in `attribute`.
        generator: As in `attribute`.
        batch_size: As in `attribute`.

    Returns:
        The attribution, equal to that of `attribute`.
    """
    with exclusive():
        return _attribute(model, cached.x.detach(), method, target, lengths, generator, batch_size, cached)


def _unpack(
    model: Callable[..., Tensor], x: Tensor | Batch | Sequence[str], lengths: Tensor | None
) -> tuple[Tensor, Tensor | None, Batch | None]:
    """Return inputs and lengths as tensors, with the batch that they are from."""
    if isinstance(x, str) or (isinstance(x, Sequence) and x and all(isinstance(text, str) for text in x)):
        reader = getattr(model, "reader", None)
        if reader is None:
            raise UnsupportedError(
                f"x consists of texts, and {type(model).__name__} has no tokenizer",
                "load a text classifier by perdure.load('hf:FOLDER'), or pass token ids as a Batch",
            )
        ids, mask, text = reader.tokenise([x] if isinstance(x, str) else x)
        x = Batch(ids, torch.zeros(len(ids), dtype=torch.int64), mask, text=text)
    if not isinstance(x, Batch):
        return x, lengths, None  # type: ignore[return-value]  # checked by check_inputs
    if lengths is not None:
        raise SettingError("x is a batch, which has its own lengths", "pass lengths= only with a tensor")
    batch = embed_batch(model, x)
    return batch.inputs, batch.lengths, batch


def _attribute(
    model: Callable[..., Tensor],
    x: Tensor,
    method: Method | str,
    target: Target | Tensor | int | Literal["predicted"],
    lengths: Tensor | None,
    generator: torch.Generator | None,
    batch_size: int | None,
    cached: CachedForward | None,
) -> Attribution:
    check_inputs(x)
    x = x.clone() if x.is_inference() and not torch.is_inference_mode_enabled() else x.detach()
    made: Method = METHODS.make(method) if isinstance(method, str) else method
    _check_settings(made, generator, batch_size)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    seed, before = generator.initial_seed(), random_state(x.device)
    seeds = sub_seeds(generator, len(x))
    query = build_query(
        model,
        x,
        target,
        lengths=lengths,
        batch_size=batch_size,
        seeds=seeds,
        cached=cached,
        keep_graph=len(x) <= SAMPLES and getattr(made, "differentiates_at_x", False),
    )
    at_once = query.rows if batch_size is not None else min(query.rows, SAMPLES)
    inconsistent = _warn_if_inconsistent(query, lengths)
    results = [_explain(made, slice_query(query, slice(i, i + at_once))) for i in range(0, len(x), at_once)]
    values = torch.cat([result.values for result in results])
    values = values if query.mask is None else values.masked_fill(~site_mask(query.mask, x), 0.0)
    _check_values(values, query, made)
    if inconsistent:
        set_random_state(before)  # a model that draws at random draws from the global stream
    provenance = Provenance(
        method=name_of(made),
        fields=_fields(made),
        target=name_of(query.target)
        if dataclasses.is_dataclass(query.target)
        else getattr(target, "__name__", "function"),
        seed=seed,
        versions=_versions(),
        model_digest=model_digest(model),
        forward=query.passes.forward,
        backward=query.passes.backward,
        device=str(x.device),
    )
    aux = {name: torch.cat([result.aux[name] for result in results]) for name in results[0].aux}
    source = dataclasses.replace(query, passes=PassCount(), cached=None)
    return Attribution(values, _dims(x), provenance, aux, source, made)


def _dims(x: Tensor) -> tuple[str, ...]:
    return DIMS.get(x.ndim, ("batch", *(f"site{i}" for i in range(x.ndim - 1))))


def _check_settings(method: object, generator: object, batch_size: int | None) -> None:
    check_object(method, "scores", "method")
    check_generator(generator)
    check_counts(batch_size=1 if batch_size is None else batch_size)


def _warn_if_inconsistent(query: Query, lengths: Tensor | None) -> bool:
    """Warn when the outputs for a sample change with more than the sample."""
    inconsistency = find_inconsistency(query.model, query.x, lengths, query.side or NO_SIDE, query.rows)
    if inconsistency is not None:
        warnings.warn(
            f"{type(query.model).__name__} returns other outputs for the same sample {inconsistency}. A map of it does "
            "not depend on the sample alone. Begin forward from a fresh state, pass training=self.training to "
            "F.dropout, and normalise by running statistics or each sample by itself.",
            InconsistentOutputWarning,
            stacklevel=3,
        )
    return inconsistency is not None


def _explain(method: Method, query: Query) -> MethodOutput:
    outcome = as_output(method.scores(query))
    values = outcome.values.detach()
    if values.shape != query.x.shape:
        raise ShapeError(
            f"method '{name_of(method)}' returns {tuple(values.shape)} for inputs {tuple(query.x.shape)}",
            "let scores return one number per site",
        )
    return MethodOutput(values.to(query.x.dtype), outcome.aux)


def _check_values(values: Tensor, query: Query, method: Method) -> None:
    if not all_finite(values):
        bad = (~torch.isfinite(values)).flatten(1).any(1)
        first = int(bad.nonzero()[0])
        check_at_baseline(method, query)
        finite = bool(query.value(query.x)[bad].isfinite().all())
        raise NonFiniteError(
            f"method '{name_of(method)}' gives NaN or infinity for {int(bad.sum())} samples, the first at {first}"
            + ("; the target is finite at these samples, but not at others near them" if finite else ""),
            "choose another method, or change what the model divides by or takes the root or logarithm of"
            if finite
            else "inspect the model's outputs for these samples; overflow in the model is the usual cause",
        )
    warn_of_categories(values, query, name_of(method))
    if values.sum() == 0 and not values.any() and _ignores_input(query):
        raise IndependentOutputError(
            "the output of the model does not change with its input",
            "check that the weights are loaded and that the model reads its argument",
        )


def _ignores_input(query: Query) -> bool:
    """Return whether outputs stay the same under a large change of the input."""
    scale = query.x.abs().max() + 1
    return torch.equal(query.value(query.x), query.value(query.x.flip(1) + scale))


def _fields(method: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(method):
        return {}
    pairs = ((f.name, getattr(method, f.name)) for f in dataclasses.fields(method) if f.compare)
    return {name: _to_record(value) for name, value in pairs}


def _to_record(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _fields(value) | {"name": name_of(value)}
    return value.to_record() if isinstance(value, Values) else value


_version = cache(metadata.version)
"""The version of an installed package; looking it up takes as long as explaining a sentence."""


def _versions() -> dict[str, str]:
    return {"perdure": _version("perdure"), "torch": torch.__version__, "python": platform.python_version()}
