"""The door of attribution: checks, seeds, counts and records around any method."""

from __future__ import annotations

import dataclasses
import platform
import warnings
from collections.abc import Callable
from functools import cache
from importlib import metadata
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.attribution import Attribution, Explained, Provenance, explained
from perdure.core.binding import bind_predicted, bind_target, outputs_at
from perdure.core.call import NO_SIDE, Side, call_in_parts, call_model, side_inputs, side_of
from perdure.core.check import all_finite, check_counts, check_inputs, check_lengths
from perdure.core.consistency import find_inconsistency, random_state, set_random_state
from perdure.core.digest import model_digest
from perdure.core.errors import (
    InconsistentOutputWarning,
    IndependentOutputError,
    NonFiniteError,
    PerdureError,
    ShapeError,
    UnsupportedError,
)
from perdure.core.evaluation import evaluation
from perdure.core.given import check_generator, check_made
from perdure.core.labels import as_target
from perdure.core.opening import Opening
from perdure.core.protocols import Method
from perdure.core.query import Passes, Query, part, row_limit
from perdure.core.random import sub_seeds
from perdure.core.registry import METHODS, name_of
from perdure.core.rows import check_rows
from perdure.core.target import AtStep, Logit, Target, label_target
from perdure.core.trial import Trial
from perdure.core.values import Values
from perdure.ops.baseline import check_at_baseline
from perdure.ops.sequence import length_mask, site_mask

__all__ = ["attribute"]

SAMPLES = 256
"""Most samples explained at once where no batch size is given."""

DIMS = {2: ("batch", "feature"), 3: ("batch", "time", "feature"), 4: ("batch", "channel", "row", "column")}


def attribute(
    model: Callable[..., Tensor],
    x: Float[Tensor, "batch *site"],
    method: Method | str,
    *,
    target: Target | Int[Tensor, " batch"] | int | Literal["predicted"],
    lengths: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
    opening: Opening | None = None,
) -> Attribution:
    """Attribute a model's output to its inputs.

    The model is asked in evaluation mode and left as it was; its weights, gradients, the inputs and the
    global random state are not changed. Each sample is explained on its own: batch size and batch mates do
    not matter, and padded steps get zero.

    Args:
        model: gives outputs (batch, classes) from x; called with `lengths=` when lengths are given.
        x: the inputs.
        method: a method or its registry name, also with settings: "integrated_gradients:steps=100".
        target: class numbers, one for all samples, or "predicted" for the class that the model gives to each; short
            for the logits of these classes. Or a function from the outputs to one scalar per sample; `AtStep` asks
            about one step of a model with an output at each.
        lengths: valid steps of each sample, for series with padding at the end.
        generator: the stream for methods that draw; a fresh one with seed 0 when None.
        batch_size: most rows in one call of the model, perturbed copies of samples included, which bounds memory; it
            does not change the map. None for a number that suits the size of a sample.
        opening: the first pass of x, from `opened`, where it was made to know what to ask for.

    Returns:
        The attribution; its tensor is `.values`, and `evaluate` judges its `.trial`.

    Raises:
        DataError: when x, the labels or the lengths are not usable; subclasses name the case.
        UnknownNameError: when no method has this name.
        UnsupportedError: when the model or target cannot be explained; `IndependentOutputError` when the
            output does not depend on x.

    Example:
        >>> model = torch.nn.Linear(2, 2, bias=False)
        >>> _ = torch.nn.init.constant_(model.weight, 3.0)
        >>> attribute(model, torch.ones(1, 2), "gradient", target=torch.tensor([0])).values.tolist()
        [[3.0, 3.0]]
    """
    check_inputs(x)
    x = x.clone() if x.is_inference() and not torch.is_inference_mode_enabled() else x.detach()
    made: Method = METHODS.make(method) if isinstance(method, str) else method
    _check_settings(made, generator, batch_size)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    seed = generator.initial_seed()
    asked = as_target(target, len(x))
    before = random_state(x.device)
    query = _query(model, x, asked, (lengths, batch_size), sub_seeds(generator, len(x)), opening)
    at_once = query.rows if batch_size is not None else min(query.rows, SAMPLES)
    inconsistent = _warn_if_inconsistent(query, lengths)
    found = [_explain(made, part(query, slice(i, i + at_once))) for i in range(0, len(x), at_once)]
    values = torch.cat([one.values for one in found])
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
    aux = {name: torch.cat([one.aux[name] for one in found]) for name in found[0].aux}
    trial = Trial(dataclasses.replace(query, passes=Passes(), opening=None), values, method=made)
    return Attribution(values, _dims(x), provenance, aux, trial)


def _dims(x: Tensor) -> tuple[str, ...]:
    return DIMS.get(x.ndim, ("batch", *(f"site{i}" for i in range(x.ndim - 1))))


def _check_settings(method: object, generator: object, batch_size: int | None) -> None:
    check_made(method, "scores", "method")
    check_generator(generator)
    check_counts(batch_size=1 if batch_size is None else batch_size)


def _query(
    model: Callable[..., Tensor],
    x: Tensor,
    target: Target | Tensor | Literal["predicted"],
    asking: tuple[Tensor | None, int | None],
    seeds: Tensor,
    opening: Opening | None,
) -> Query:
    """Check the question against its first pass, or one over a single sample."""
    mask, (lengths, batch_size), passes = None, asking, Passes()
    if lengths is not None:
        check_lengths(lengths, x)
        mask = length_mask(lengths.to(x.device), x.shape[1])
    _check_device(model, x)
    side, rows = side_inputs(model, x, lengths), row_limit(x) if batch_size is None else batch_size
    logits = _first_output(model, x, lengths, side) if opening is None else opening.outputs
    scaled = outputs_at(model, x, lengths, side, rows)
    if isinstance(target, str):
        outputs = _outputs(model, x, lengths, side, rows) if opening is None else logits
        passes.forward = len(x) if opening is None else 0
        bound: Target = bind_predicted(model, outputs, scaled)
    else:
        bound = bind_target(Logit(target) if isinstance(target, Tensor) else target, model, len(x), logits, scaled)
    if label_target(bound) is None and not isinstance(bound, AtStep):
        check_rows(bound, logits[:1].detach())
    return Query(model, x, bound, mask, seeds, batch_size, passes, opening, side)


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


def _check_device(model: Callable[..., Tensor], x: Tensor) -> None:
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if weight is not None and weight.device != x.device:
        raise UnsupportedError(
            f"the model lies on {weight.device}, the inputs on {x.device}",
            f"move one of them, for example x.to('{weight.device}')",
        )


def _first_output(model: Callable[..., Tensor], x: Tensor, lengths: Tensor | None, side: Side) -> Tensor:
    with evaluation(model), torch.no_grad():
        try:
            return call_model(model, x[:1], None if lengths is None else lengths[:1], side_of(side, slice(1)))
        except (TypeError, ValueError, RuntimeError) as error:
            known = _misfit(error, model, x) or _only_together(error, model, x, lengths, side)
            if known is None:
                raise
            raise known from error


def _only_together(
    error: Exception, model: Callable[..., Tensor], x: Tensor, lengths: Tensor | None, side: Side
) -> UnsupportedError | None:
    """Name a model that takes all samples, but no single one, as it holds something with a row for each."""
    try:
        call_model(model, x, lengths, side)
    except (IndexError, RuntimeError, TypeError, ValueError, PerdureError):
        return None
    return UnsupportedError(
        f"the model takes the {len(x)} samples together, but not the first one alone: {error}",
        "it holds something with one row for each sample: pass that as a second input, "
        "perdure.Adapted(model, given={name: rows}), whose rows go with their samples",
    )


def _outputs(model: Callable[..., Tensor], x: Tensor, lengths: Tensor | None, side: Side, rows: int) -> Tensor:
    """Compute the outputs of all samples, which give the predicted class of each."""
    with evaluation(model), torch.no_grad():
        return call_in_parts(model, x, lengths, side, rows)


def _misfit(error: Exception, model: Callable[..., Tensor], x: Tensor) -> UnsupportedError | None:
    """Name what does not fit between a model and how it is asked; a defect inside it is shown as it is."""
    said, own = str(error), f"{type(model).__name__}.forward() "
    if isinstance(error, TypeError) and "unexpected keyword argument 'lengths'" in said:
        return UnsupportedError(
            "lengths were given, but the model does not take them",
            "let forward accept lengths=, or wrap a model that takes a mask: perdure.Adapted(model); or leave lengths "
            "out and pass samples of one length",
        )
    if isinstance(error, TypeError) and said.startswith(own + "missing"):
        return UnsupportedError(
            f"the model reads more than one input: {said}",
            "perdure.Adapted(model, given={name: value}) fixes what is not explained, and tells of padding by "
            "mask, attention_mask and other usual names",
        )
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if weight is not None and weight.is_floating_point() and weight.dtype != x.dtype:
        return UnsupportedError(
            f"the weights of the model are {weight.dtype}, the inputs {x.dtype}: {said}",
            f"turn one into the other, for example x.to({weight.dtype})",
        )
    return None


def _explain(method: Method, query: Query) -> Explained:
    found = explained(method.scores(query))
    values = found.values.detach()
    if values.shape != query.x.shape:
        raise ShapeError(
            f"method '{name_of(method)}' returns {tuple(values.shape)} for inputs {tuple(query.x.shape)}",
            "let scores return one number per site",
        )
    return Explained(values.to(query.x.dtype), found.aux)


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
            else "look at the model's outputs for these samples; overflow in the model is the usual cause",
        )
    if values.sum() == 0 and not values.any() and _ignores_input(query):
        raise IndependentOutputError(
            "the output of the model does not change with its input",
            "check that the weights are loaded and that the model reads its argument",
        )


def _ignores_input(query: Query) -> bool:
    """Tell whether outputs stay the same under a large change of the input."""
    scale = query.x.abs().max() + 1
    return torch.equal(query.value(query.x), query.value(query.x.flip(1) + scale))


def _fields(method: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(method):
        return {}
    pairs = ((f.name, getattr(method, f.name)) for f in dataclasses.fields(method) if f.compare)
    return {name: _recorded(value) for name, value in pairs}


def _recorded(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _fields(value) | {"name": name_of(value)}
    return value.recorded() if isinstance(value, Values) else value


_version = cache(metadata.version)
"""The version of an installed package; looking it up takes as long as explaining a sentence."""


def _versions() -> dict[str, str]:
    return {"perdure": _version("perdure"), "torch": torch.__version__, "python": platform.python_version()}
