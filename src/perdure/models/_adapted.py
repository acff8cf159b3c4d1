"""Adapt models of any calling convention: inputs and lengths in, logits out."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.abilities import HasAttention, HasEmbedding, Resumable
from perdure.core.check import check_choice
from perdure.core.errors import PaddingWarning, PerdureError, SettingError, ShapeError, UnsupportedError
from perdure.core.forward import call_model, side_inputs
from perdure.core.outputs import ONE, Outputs, as_classes, check_outputs
from perdure.ops.sequence import last_valid, length_mask

__all__ = ["Adapted", "Layout", "OneOutput", "adapt", "unwrap"]

Layout = Literal["channels_last", "channels_first"]

OneOutput = Literal["logit", "probability"]
"""Kind of the one output of a classifier of two classes, for the second class."""

PADDING_ARGUMENTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "lengths": lambda lengths, _: lengths,
    "mask": lambda _, mask: mask,
    "attention_mask": lambda _, mask: mask.long(),
    "key_padding_mask": lambda _, mask: ~mask,
    "src_key_padding_mask": lambda _, mask: ~mask,
}
"""Arguments that mark padding, computed from lengths and the mask of valid steps."""


MISFITS = (AssertionError, IndexError, RuntimeError, TypeError, ValueError)
"""Errors of torch and models where shapes do not fit."""

EPSILON = 1e-6
"""Distance from 0 and 1 to which probabilities are limited; closer ones have no finite logit in single precision."""


class Adapted(nn.Module):
    """A model of another calling convention, as a module from inputs (batch, time, feature) to logits (batch, classes).

    Arguments of its `forward` named `lengths`, `mask` (true at valid steps), `attention_mask` (1 at valid steps),
    `key_padding_mask` or `src_key_padding_mask` (true at padding) are passed to it. Logits are the output if that is a
    tensor, its `logits` if it has some, or the one tensor (batch, classes) in it.

    Args:
        model: Model; kept, not copied.
        output: Name or position of the logits in an output that holds several tensors; None finds them.
        layout: "channels_first" for a model that reads series as (batch, feature, time).
        step: Step to select, of a model with an output for every step: a number, negative from the end of the padded
            series, or "last", the last valid step.
        given: Further arguments of `forward` by name, which are not explained. A tensor with one row for each of the
            samples that are explained is split with its samples in every method and metric; one whose first axis is
            1 is repeated for each sample; anything else is passed as it is, the same for all samples.
        outputs: Kind of the outputs: "logits" or "probabilities" (they sum to one) of classes that exclude each
            other; one output for two classes, the "logit" or "probability" of the second; "independent_logits" or
            "independent_probabilities" of labels that do not exclude each other; "numbers" of a regression or
            forecast. One output for two classes becomes two: half of the logit with either sign, whose softmax is its
            sigmoid, or 1 - p and p. None detects it from the outputs.
        binary: Older form of `outputs` for a model with one output, which makes two logits of a "logit" and of a
            "probability".

    Raises:
        UnsupportedError: When `forward` requires other arguments.
        SettingError: For an unknown layout or kind of outputs, or when `outputs` and `binary` are both given.

    Example:
        >>> class Model(nn.Module):
        ...     def forward(self, x, age):
        ...         return {"logits": x.sum(1) + age, "hidden": x}
        >>> Adapted(Model(), given={"age": torch.tensor([[5.0]])})(torch.ones(2, 3, 1)).tolist()
        [[8.0], [8.0]]
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        output: str | int | None = None,
        layout: Layout = "channels_last",
        step: int | Literal["last"] | None = None,
        given: Mapping[str, Any] | None = None,
        outputs: Outputs | None = None,
        binary: OneOutput | None = None,
    ) -> None:
        super().__init__()
        check_choice("layout", layout, get_args(Layout))
        check_choice("outputs", outputs, (None, *get_args(Outputs)))
        check_choice("binary", binary, (None, *get_args(OneOutput)))
        if outputs is not None and binary is not None:
            raise SettingError("outputs and binary are both given", "leave binary out")
        self.declared = outputs
        self.model, self.output, self.layout, self.step, self.binary = model, output, layout, step, binary
        self.given = dict(given or {})
        self._rows: dict[int, frozenset[str]] = {}
        self._by_step: dict[int, frozenset[str]] = {}
        self._finds_padding: bool | None = None
        self.padding_arguments = _padding_arguments(model, self.given)

    def forward(
        self, x: Float[Tensor, "batch *site"], lengths: Int[Tensor, " batch"] | None = None, **side: Tensor
    ) -> Float[Tensor, "batch classes"]:
        """Call the model.

        Args:
            x: Inputs, series as (batch, time, feature).
            lengths: Valid steps of each sample; None when all are.
            side: Given arguments with one row for each row of x, by name.

        Returns:
            Logits.

        Raises:
            UnsupportedError: When its output has no logits, or several tensors that may be logits.
            ShapeError: When a step is selected, but there is no output for every step; or when a binary model has more
                than one output; or when a given tensor has neither one row nor one per sample.
        """
        result = self._outputs(self._read(x), {**self._padding(x, lengths), **self._expand_given(x, side)}, side)
        logits = _select_logits(result, self.output)
        chosen = logits if self.step is None else self._at_step(logits, lengths)
        if self.declared in ONE:
            column = _one_column(chosen)
            check_outputs(column.detach(), self.declared)
            return as_classes(column, self.declared)[0]
        return chosen if self.binary is None else _two_logits(chosen, self.binary)

    @property
    def outputs(self) -> Outputs | None:
        """The kind of outputs of `forward`, if it is declared."""
        pairs: dict[str, Outputs] = {"logit": "logits", "probability": "probabilities"}
        if self.binary is not None:
            return "logits"
        return None if self.declared is None else pairs.get(self.declared, self.declared)

    def _padding(self, x: Tensor, lengths: Tensor | None) -> dict[str, Tensor]:
        """Make the arguments that mark padding; without padding, only those that the model requires."""
        if not self.padding_arguments and not self._finds_padding and lengths is not None and _pads(lengths, x):
            warnings.warn(
                f"{type(self.model).__name__} takes neither lengths nor mask, so it processes padding as data",
                PaddingWarning,
                stacklevel=2,
            )
        names = {name for name, needed in self.padding_arguments.items() if needed or lengths is not None}
        if not names:
            return {}
        lengths = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
        lengths = lengths.to(x.device)
        mask = length_mask(lengths, x.shape[1])
        return {name: PADDING_ARGUMENTS[name](lengths, mask) for name in names}

    def side_inputs(self, x: Tensor, lengths: Tensor | None = None) -> Mapping[str, Tensor]:
        """Find the given arguments that have one row per sample.

        Args:
            x: All samples that are explained.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            Their rows, by name.

        Raises:
            UnsupportedError: When a tensor with as many rows as there are samples may also be the same for all.
        """
        rows = {
            name: value.to(x.device)
            for name, value in self.given.items()
            if isinstance(value, Tensor) and value.ndim and len(value) == len(x) > 1
        }
        if rows and len(x) not in self._rows:
            self._rows[len(x)] = frozenset(name for name in rows if self._goes_by_rows(name, rows, x, lengths))
        own = {name: value for name, value in rows.items() if name in self._rows[len(x)]}
        if self.given and lengths is not None and x.shape[1] > 1 and x.shape[1] not in self._by_step:
            named = {name for name, value in self.given.items() if _steps(value) == x.shape[1]}
            first = {name: value[:1] for name, value in own.items()}
            self._by_step[x.shape[1]] = frozenset(name for name in named if self._goes_by_steps(name, x[:1], first))
        return {**side_inputs(self.model, self._read(x), lengths), **own}

    def _goes_by_rows(self, name: str, rows: Mapping[str, Tensor], x: Tensor, lengths: Tensor | None) -> bool:
        """Check on the first sample whether the rows of a given tensor are those of the samples."""
        first, length = x[:1], None if lengths is None else lengths[:1]
        single = {key: value[:1] for key, value in rows.items()}
        by_row = _outputs_or_none(lambda: call_model(self, first, length, single))
        whole = _outputs_or_none(lambda: call_model(self, first, length, {**single, name: rows[name]}))
        if by_row is None or whole is None or whole.shape != by_row.shape:
            return by_row is not None or whole is None
        if torch.allclose(by_row, whole):
            return True
        raise UnsupportedError(
            f"'{name}' has {len(x)} rows for {len(x)} samples, and {type(self.model).__name__} takes it both whole and "
            "row by row, with other outputs",
            "give a value that is the same for all samples a first axis of 1, or keep it in the model as a buffer",
        )

    def _goes_by_steps(self, name: str, x: Tensor, side: Mapping[str, Tensor]) -> bool:
        """Check whether a series of fewer steps needs fewer steps of a given tensor."""
        steps = x.shape[1]
        length = torch.tensor([steps - 1])
        whole = _outputs_or_none(lambda: call_model(self, x[:, : steps - 1], length, side))
        self._by_step[steps] = frozenset((name,))
        cut = _outputs_or_none(lambda: call_model(self, x[:, : steps - 1], length, side))
        del self._by_step[steps]
        return whole is None and cut is not None

    def _read(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2) if self.layout == "channels_first" and x.ndim == 3 else x

    def _outputs(self, x: Tensor, named: Mapping[str, Any], side: Mapping[str, Tensor]) -> Any:
        """Call the model; an error with a given tensor of another number of rows is attributed to its rows."""
        odd = [name for name in self.given if name not in side and _rows(self.given[name]) not in (1, len(x))]
        if not odd:
            return self.model(x, **named)
        subject = f"'{odd[0]}' has {_rows(self.given[odd[0]])} rows for {len(x)} samples"
        remedy = (
            "give one row for each sample that is explained; or, where it is the same for all, a first axis of 1, "
            "or keep it in the model as a buffer"
        )
        try:
            result = self.model(x, **named)
        except MISFITS as error:
            raise ShapeError(f"{subject}: {error}", remedy) from error
        if isinstance(result, Tensor) and result.ndim and len(result) != len(x):
            raise ShapeError(f"{subject}, and the model returns {len(result)} rows", remedy)
        return result

    def _expand_given(self, x: Tensor, side: Mapping[str, Tensor]) -> dict[str, Any]:
        given = {
            name: value.to(x.device).expand(len(x), *value.shape[1:])
            if isinstance(value, Tensor) and value.ndim and len(value) == 1
            else value
            for name, value in self.given.items()
        }
        named = {**given, **side}
        for steps in self._by_step:
            cut = self._by_step[steps] if x.ndim > 1 and x.shape[1] < steps else ()
            named |= {name: named[name][:, : x.shape[1]] for name in cut if _steps(named[name]) == steps}
        return named

    def _at_step(self, logits: Tensor, lengths: Tensor | None) -> Tensor:
        if logits.ndim != 3:
            raise ShapeError(
                f"{type(self.model).__name__} returns shape {tuple(logits.shape)}, which has no output for every step",
                "leave step= out",
            )
        if isinstance(self.step, int):
            return logits[:, self.step]
        return last_valid(logits, None if lengths is None else length_mask(lengths.to(logits.device), logits.shape[1]))


def adapt(model: nn.Module) -> nn.Module:
    """Adapt a model, unless it is adapted already or has one of the protocols.

    Args:
        model: Model.

    Returns:
        The model, or the model adapt by what its `forward` takes.
    """
    return model if isinstance(model, Adapted | HasEmbedding | HasAttention | Resumable) else Adapted(model)


def unwrap(model: nn.Module) -> nn.Module:
    """Remove the adapter, so that weights have their original names.

    Args:
        model: Model, adapted or not.

    Returns:
        The original model.
    """
    return unwrap(model.model) if isinstance(model, Adapted) else model


def _pads(lengths: Tensor, x: Tensor) -> bool:
    return x.ndim > 1 and bool((lengths < x.shape[1]).any())


def _rows(value: Any) -> int:
    """Count the rows of a tensor; anything else has one, the same for all."""
    return len(value) if isinstance(value, Tensor) and value.ndim else 1


def _steps(value: Any) -> int:
    return value.shape[1] if isinstance(value, Tensor) and value.ndim > 1 else 0


def _outputs_or_none(call: Callable[[], Tensor]) -> Tensor | None:
    try:
        return call()
    except (*MISFITS, PerdureError):
        return None


def _two_logits(output: Tensor, binary: OneOutput) -> Tensor:
    """Make the two logits of which one output is the difference, or the softmax."""
    column = _one_column(output)
    if binary == "logit":
        return torch.cat([-column, column], 1) / 2
    if bool(((column < 0) | (column > 1)).any()):
        raise UnsupportedError("the model returns numbers outside [0, 1], which are no probabilities", "binary='logit'")
    return torch.cat([-column.logit(EPSILON), column.logit(EPSILON)], 1) / 2


def _one_column(output: Tensor) -> Tensor:
    column = output[:, None] if output.ndim == 1 else output
    if column.ndim != 2 or column.shape[1] != 1:
        raise ShapeError(
            f"the model returns shape {tuple(output.shape)}, which is not one output",
            "leave outputs= out, on the command line --outputs",
        )
    return column


def _padding_arguments(model: nn.Module, given: Mapping[str, Any]) -> dict[str, bool]:
    """Find the arguments that mark padding, and whether the model requires them.

    Raises:
        UnsupportedError: When it requires other arguments.
    """
    _, *further = inspect.signature(model.forward if isinstance(model, nn.Module) else model).parameters.values()
    named = [p for p in further if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    more = [p.name for p in named if p.default is p.empty and p.name not in {*given, *PADDING_ARGUMENTS}]
    if more:
        raise UnsupportedError(
            f"{type(model).__name__} has more than one input: it requires {', '.join(more)}",
            f"fix what is not to be explained: perdure.Adapted(model, given={{{more[0]!r}: ...}})",
        )
    return {p.name: p.default is p.empty for p in named if p.name in PADDING_ARGUMENTS and p.name not in given}


def _select_logits(result: Any, output: str | int | None) -> Tensor:
    """Select the logits in the output of a model."""
    parts = _parts(result)
    if output is None:
        output = "logits" if "logits" in parts else _only(parts, result)
    if output not in parts or not isinstance(parts[output], Tensor):
        raise UnsupportedError(
            f"the model returns no tensor {output!r} but {_describe(parts)}", "name another with output="
        )
    logits: Tensor = parts[output]
    return logits


def _parts(result: Any) -> dict[str | int, Any]:
    """Name everything in an output, a tensor alone by 0."""
    if isinstance(result, Mapping):
        return dict(result)
    if isinstance(result, tuple | list):
        return {**getattr(result, "_asdict", dict)(), **dict(enumerate(result))}
    return {"logits": result.logits} if hasattr(result, "logits") else {0: result}


def _only(parts: Mapping[str | int, Any], result: Any) -> str | int:
    tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
    likely = [name for name, part in tensors.items() if part.ndim == 2 and part.is_floating_point()]
    names = likely if len(tensors) > 1 else list(tensors)
    if len(names) == 1:
        return names[0]
    raise UnsupportedError(
        f"the model returns a {type(result).__name__} with several possible logits: it holds {_describe(parts)}",
        "name them: perdure.Adapted(model, output=...), or return the logits alone",
    )


def _describe(parts: Mapping[str | int, Any]) -> str:
    shown = (f"{name!r} {_kind(part)}" for name, part in parts.items())
    return ", ".join(shown) or "nothing"


def _kind(part: Any) -> str:
    return f"of shape {tuple(part.shape)}" if isinstance(part, Tensor) else f"({type(part).__name__})"
