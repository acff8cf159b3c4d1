"""Targets: what number of the model's output is explained, one per sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.outputs import Outputs, as_classes, log_odds, log_probability, margins, probability
from perdure.core.short_repr import ShortRepr

__all__ = [
    "LABEL_TARGETS",
    "AtStep",
    "LogOdds",
    "LogProbability",
    "Logit",
    "Margin",
    "OfLabel",
    "Probability",
    "Signed",
    "Target",
    "copy_target",
    "curve_target",
    "in_nats",
    "label_target",
    "select_target",
    "with_label_target",
]

Target = Callable[[Float[Tensor, "batch classes"]], Float[Tensor, " batch"]]
"""A function from the outputs of a batch to one scalar per sample, each from its own row alone: samples are also
evaluated in smaller groups and other orders."""


@dataclass(frozen=True, eq=False, repr=False)
class OfLabel(ShortRepr, ABC):
    """A target of one class of each sample.

    Args:
        label: class of each sample, or one number for all.
        outputs: Kind of outputs of the model; None for logits, of which a single one is that of class 1 of two. A query
            finds it from the outputs of its model.
    """

    label: Int[Tensor, " batch"]
    outputs: Outputs | None = None

    @abstractmethod
    def __call__(self, outputs: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
        """Evaluate the target."""

    def kind(self, outputs: Tensor) -> Outputs:
        """Give the kind of some outputs.

        Args:
            outputs: Outputs of a model.

        Returns:
            The kind that is set, or logits.
        """
        return self.outputs or ("logits" if outputs.shape[-1] > 1 else "independent_logits")

    def labels(self, outputs: Tensor) -> Int[Tensor, " batch"]:
        """Give the class of each sample on the device of its outputs.

        Args:
            outputs: Outputs of a model.

        Returns:
            Class numbers.
        """
        return torch.as_tensor(self.label, device=outputs.device).long().expand(len(outputs))

    def pick(self, values: Tensor) -> Tensor:
        """Pick the value of the class of each sample.

        Args:
            values: one of each class.

        Returns:
            One per sample.
        """
        return values.gather(-1, self.labels(values)[:, None])[:, 0]


class Logit(OfLabel):
    """The output of a class as the model returns it, the default target: its logit where the model returns logits.

    Example:
        >>> Logit(torch.tensor([1]))(torch.tensor([[0.5, 2.0]])).tolist()
        [2.0]
    """

    def __call__(self, outputs: Tensor) -> Tensor:
        """Take the outputs; of one output for two classes those of `as_classes`."""
        return self.pick(as_classes(outputs, self.kind(outputs))[0])


class Probability(OfLabel):
    """The probability of a class: the softmax or sigmoid of logits, and probabilities as they are.

    Example:
        >>> Probability(torch.tensor([1]))(torch.tensor([[3.0, 3.0]])).tolist()
        [0.5]
        >>> Probability(torch.tensor([0]))(torch.tensor([[0.0]])).tolist()
        [0.5]
        >>> Probability(torch.tensor([0]), "probabilities")(torch.tensor([[0.25, 0.75]])).tolist()
        [0.25]
    """

    def __call__(self, outputs: Tensor) -> Tensor:
        """Take the probabilities."""
        return self.pick(probability(outputs, self.kind(outputs)))


class LogProbability(OfLabel):
    """The log-probability of a class; of probabilities their logarithm, kept finite as in `log_probability`.

    Example:
        >>> LogProbability(torch.tensor([0]))(torch.tensor([[7.0, -100.0]])).tolist()
        [0.0]
    """

    def __call__(self, outputs: Tensor) -> Tensor:
        """Take the log-probabilities."""
        return self.pick(log_probability(outputs, self.kind(outputs)))


class LogOdds(OfLabel):
    """The log-odds of a class: unlike its log-probability they keep growing where the model is sure.

    Example:
        >>> LogOdds(torch.tensor([1]))(torch.tensor([[1.0, 4.0]])).tolist()
        [3.0]
    """

    def __call__(self, outputs: Tensor) -> Tensor:
        """Take the log-odds; of a single logit, itself."""
        return log_odds(outputs, self.kind(outputs), self.labels(outputs))


class Margin(OfLabel):
    """The logit of a class minus the largest other logit; logits of probabilities are their logarithms.

    Example:
        >>> Margin(torch.tensor([1]))(torch.tensor([[1.0, 4.0, 2.5]])).tolist()
        [1.5]
    """

    def __call__(self, outputs: Tensor) -> Tensor:
        """Take the margins."""
        return margins(outputs, self.kind(outputs), self.labels(outputs))


@dataclass(frozen=True, eq=False, repr=False)
class AtStep(ShortRepr):
    """A target of one step, for models with an output at every step.

    Args:
        step: one step for each sample, or one for all; negative ones count from the end of the padded series.
        target: function of the outputs there.

    Example:
        >>> target = AtStep(torch.tensor([1]), Logit(torch.tensor([0])))
        >>> target(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
        [3.0]
    """

    step: Int[Tensor, " batch"] | int
    target: Target

    def __call__(self, outputs: Float[Tensor, "batch time classes"]) -> Float[Tensor, " batch"]:
        """Evaluate the target at the steps."""
        return self.target(self.at_step(outputs))

    def at_step(self, outputs: Float[Tensor, "batch time classes"]) -> Float[Tensor, "batch classes"]:
        """Take the outputs at the steps.

        Args:
            outputs: Outputs of a model, at every step.

        Returns:
            Those of one step of each sample.
        """
        if isinstance(self.step, int):
            return outputs[:, self.step]
        step = self.step.to(outputs.device)
        return outputs[torch.arange(len(outputs), device=outputs.device), step]


@dataclass(frozen=True, eq=False, repr=False)
class Signed(ShortRepr):
    """A target whose sign is reversed for some samples.

    Args:
        target: function of the outputs of all samples.
        sign: 1 or -1 for each sample.

    Example:
        >>> target = Signed(Logit(torch.tensor([1, 1])), torch.tensor([1.0, -1.0]))
        >>> target(torch.tensor([[0.5, 2.0], [0.5, 2.0]])).tolist()
        [2.0, -2.0]
    """

    target: Target
    sign: Float[Tensor, " batch"]

    def __call__(self, logits: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
        """Multiply the target by the signs."""
        values = self.target(logits)
        return values * self.sign.to(values)


LABEL_TARGETS: dict[str, type[OfLabel]] = {
    "logit": Logit,
    "probability": Probability,
    "log_probability": LogProbability,
    "log_odds": LogOdds,
    "margin": Margin,
}
"""What makes a target of labels, by name."""


def label_target(target: Target) -> OfLabel | None:
    """Find the target of labels inside a target of one step, or one whose sign is reversed.

    Args:
        target: one of this module's targets, or a function.

    Returns:
        The target of labels; None for a function.
    """
    while isinstance(target, AtStep | Signed):
        target = target.target
    return target if isinstance(target, OfLabel) else None


def with_label_target(target: Target, inner: OfLabel) -> Target:
    """Replace the target of labels that `label_target` finds.

    Args:
        target: Target that contains a target of labels.
        inner: the new one.

    Returns:
        The target around the new one.
    """
    if isinstance(target, AtStep | Signed):
        return replace(target, target=with_label_target(target.target, inner))
    return inner


def copy_target(target: OfLabel, **fields: Any) -> OfLabel:
    """Copy a target of labels, also one of a class that a user derived, with other fields.

    Args:
        target: Target to copy.
        fields: New values of fields, by name.

    Returns:
        A new target.
    """
    new = copy(target)
    for name, value in fields.items():
        object.__setattr__(new, name, value)
    return new


def in_nats(target: Target, *, odds: bool = False) -> Target:
    """Measure a target of labels in nats, so that it can be weighed against information.

    Args:
        target: one of this module's targets, or a function.
        odds: whether to take log-odds.

    Returns:
        For a logit or probability the log-probability of the label, or its log-odds; what is in nats already, the
        output of a model that returns numbers, and a function, stay as they are.

    Example:
        >>> in_nats(Logit(torch.tensor([0])), odds=True)(torch.tensor([[7.0, 4.0]])).tolist()
        [3.0]
    """
    if isinstance(target, AtStep):
        return AtStep(target.step, in_nats(target.target, odds=odds))
    if not isinstance(target, Logit | Probability) or target.outputs == "numbers":
        return target
    return LogOdds(target.label, target.outputs) if odds else LogProbability(target.label, target.outputs)


def select_target(target: Target, index: slice | Tensor) -> Target:
    """Restrict a target to some samples of its batch.

    Args:
        target: one of this module's targets, or a function that treats every sample alike.
        index: samples, as a slice or positions.

    Returns:
        The target of these samples.
    """
    if isinstance(target, AtStep):
        return AtStep(_select(target.step, index), select_target(target.target, index))
    if isinstance(target, Signed):
        return Signed(select_target(target.target, index), target.sign[index])
    return copy_target(target, label=_select(target.label, index)) if isinstance(target, OfLabel) else target


def curve_target(target: Target) -> Target:
    """Choose what a curve of perturbations follows.

    Args:
        target: Target that was explained.

    Returns:
        The probability of the class for a target of this module, whether that is its logit, probability,
        log-probability or margin; the output itself of a model that returns numbers; any other function itself.

    Example:
        >>> curve_target(Logit(torch.tensor([1])))(torch.tensor([[3.0, 3.0]])).tolist()
        [0.5]
    """
    if isinstance(target, AtStep):
        return AtStep(target.step, curve_target(target.target))
    if not isinstance(target, OfLabel) or target.outputs == "numbers":
        return target
    return Probability(target.label, target.outputs)


def _select(values: Any, index: slice | Tensor) -> Any:
    """Take the values of some samples; one for all stays."""
    return values[index] if isinstance(values, Tensor) and values.ndim else values
