"""Targets: what number of the model's output is explained, one per sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from perdure.core.brief import Brief
from perdure.core.errors import LabelError

__all__ = [
    "LABEL_TARGETS",
    "AtStep",
    "LogOdds",
    "LogProbability",
    "Logit",
    "Margin",
    "Probability",
    "Signed",
    "Target",
    "as_target",
    "in_nats",
    "label_of",
    "select_target",
]

Target = Callable[[Float[Tensor, "batch classes"]], Float[Tensor, " batch"]]
"""A function from the outputs of a batch to one scalar per sample, each from its own row alone: samples are also asked
about in smaller groups and other orders."""


@dataclass(frozen=True, eq=False, repr=False)
class _OfLabel(Brief):
    label: Int[Tensor, " batch"]

    def pick(self, values: Tensor) -> Tensor:
        return values.gather(-1, self.label.to(values.device)[:, None])[:, 0]


class Logit(_OfLabel):
    """The logit of a class, the default target.

    Example:
        >>> Logit(torch.tensor([1]))(torch.tensor([[0.5, 2.0]])).tolist()
        [2.0]
    """

    def __call__(self, logits: Tensor) -> Tensor:
        """Take the logits."""
        return self.pick(logits)


class Probability(_OfLabel):
    """The softmax probability of a class; a single output is the logit of a binary class, so its sigmoid.

    Example:
        >>> Probability(torch.tensor([1]))(torch.tensor([[3.0, 3.0]])).tolist()
        [0.5]
        >>> Probability(torch.tensor([0]))(torch.tensor([[0.0]])).tolist()
        [0.5]
    """

    def __call__(self, logits: Tensor) -> Tensor:
        """Take the probabilities."""
        return logits[:, 0].sigmoid() if logits.shape[-1] == 1 else self.pick(logits.softmax(-1))


class LogProbability(_OfLabel):
    """The log-probability of a class; of a single output as `Probability` says.

    Example:
        >>> LogProbability(torch.tensor([0]))(torch.tensor([[7.0, -100.0]])).tolist()
        [0.0]
    """

    def __call__(self, logits: Tensor) -> Tensor:
        """Take the log-probabilities."""
        return logsigmoid(logits[:, 0]) if logits.shape[-1] == 1 else self.pick(logits.log_softmax(-1))


class LogOdds(_OfLabel):
    """The log-odds of a class: unlike its log-probability they keep growing where the model is sure.

    Example:
        >>> LogOdds(torch.tensor([1]))(torch.tensor([[1.0, 4.0]])).tolist()
        [3.0]
    """

    def __call__(self, logits: Tensor) -> Tensor:
        """Take the log-odds; of a single output, itself."""
        others = logits.scatter(-1, self.label.to(logits.device)[:, None], -torch.inf)
        return self.pick(logits) - (others.logsumexp(-1) if logits.shape[-1] > 1 else 0.0)


class Margin(_OfLabel):
    """The logit of a class minus the largest other logit.

    Example:
        >>> Margin(torch.tensor([1]))(torch.tensor([[1.0, 4.0, 2.5]])).tolist()
        [1.5]
    """

    def __call__(self, logits: Tensor) -> Tensor:
        """Take the margins."""
        others = logits.scatter(-1, self.label.to(logits.device)[:, None], -torch.inf)
        return self.pick(logits) - others.amax(-1)


@dataclass(frozen=True, eq=False, repr=False)
class AtStep(Brief):
    """A target of one step, for models with an output at every step.

    Args:
        step: the step of each sample to look at, or one for all; negative ones count from the end of the padded series.
        target: of the outputs there.

    Example:
        >>> target = AtStep(torch.tensor([1]), Logit(torch.tensor([0])))
        >>> target(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
        [3.0]
    """

    step: Int[Tensor, " batch"] | int
    target: Target

    def __call__(self, logits: Float[Tensor, "batch time classes"]) -> Float[Tensor, " batch"]:
        """Look at the steps."""
        if isinstance(self.step, int):
            return self.target(logits[:, self.step])
        step = self.step.to(logits.device)
        return self.target(logits[torch.arange(len(logits), device=logits.device), step])


@dataclass(frozen=True, eq=False, repr=False)
class Signed(Brief):
    """A target that speaks for some samples and against others.

    Args:
        target: of all samples.
        sign: 1 or -1 for each sample.

    Example:
        >>> target = Signed(Logit(torch.tensor([1, 1])), torch.tensor([1.0, -1.0]))
        >>> target(torch.tensor([[0.5, 2.0], [0.5, 2.0]])).tolist()
        [2.0, -2.0]
    """

    target: Target
    sign: Float[Tensor, " batch"]

    def __call__(self, logits: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
        """Turn the target of some samples round."""
        values = self.target(logits)
        return values * self.sign.to(values)


LABEL_TARGETS: dict[str, Callable[[Tensor], Target]] = {
    "logit": Logit,
    "probability": Probability,
    "log_probability": LogProbability,
    "log_odds": LogOdds,
    "margin": Margin,
}
"""What makes a target of labels, by name."""


PREDICTED: Final = "predicted"
"""Short for the class that the model gives to each sample."""


def as_target(asked: object, batch: int) -> Target | Int[Tensor, " batch"] | Literal["predicted"]:
    """Take what a user asks for as a target.

    Args:
        asked: a target, class numbers, one class number for all samples, or "predicted".
        batch: the number of samples.

    Returns:
        The target as it is, or class numbers, not yet checked against the classes of a model.

    Raises:
        LabelError: for anything else.

    Example:
        >>> as_target(1, 3).tolist()
        [1, 1, 1]
    """
    if isinstance(asked, int):
        return torch.full((batch,), asked)
    if isinstance(asked, str) and asked == PREDICTED:
        return PREDICTED
    if isinstance(asked, Tensor) or (callable(asked) and not isinstance(asked, type)):
        return asked
    kind = f"the class {asked.__name__}" if isinstance(asked, type) else f"{asked!r:.40} of type {type(asked).__name__}"
    raise LabelError(
        f"the target is {kind}",
        "give class numbers, torch.as_tensor(labels), one number for all samples, 'predicted' for the class that the "
        "model gives to each, a target of class numbers such as perdure.Probability(labels), or a function from "
        "outputs to one scalar per sample",
    )


def label_of(target: Target) -> Int[Tensor, " batch"] | None:
    """Tell which classes a target is about.

    Args:
        target: one of this module's targets, or a function.

    Returns:
        The class of each sample; None for a function, and for a target of one step, whose outputs are others.
    """
    return target.label if isinstance(target, _OfLabel) else None


def in_nats(target: Target, *, odds: bool = False) -> Target:
    """Measure a target of labels in nats, so that it can be weighed against information.

    Args:
        target: one of this module's targets, or a function.
        odds: whether to take log-odds.

    Returns:
        For a logit or probability the log-probability of the label, or its log-odds; what is in nats already, and
        a function, stays as it is.

    Example:
        >>> in_nats(Logit(torch.tensor([0])), odds=True)(torch.tensor([[7.0, 4.0]])).tolist()
        [3.0]
    """
    if isinstance(target, AtStep):
        return AtStep(target.step, in_nats(target.target, odds=odds))
    if not isinstance(target, Logit | Probability):
        return target
    return LogOdds(target.label) if odds else LogProbability(target.label)


def select_target(target: Target, index: slice | Tensor) -> Target:
    """Restrict a target to some samples of its batch.

    Args:
        target: one of this module's targets, or a function that treats every sample alike.
        index: which samples: a slice, or positions.

    Returns:
        The target of these samples.
    """
    if isinstance(target, AtStep):
        step = target.step if isinstance(target.step, int) else target.step[index]
        return AtStep(step, select_target(target.target, index))
    if isinstance(target, Signed):
        return Signed(select_target(target.target, index), target.sign[index])
    return type(target)(target.label[index]) if isinstance(target, _OfLabel) else target


def followed(target: Target) -> Target:
    """Choose what a curve of perturbations follows: a number in [0, 1] where the target has a class.

    Args:
        target: what was explained.

    Returns:
        The probability of the class for a target of this module, whether that is its logit, probability,
        log-probability or margin; any other function itself.

    Example:
        >>> followed(Logit(torch.tensor([1])))(torch.tensor([[3.0, 3.0]])).tolist()
        [0.5]
    """
    if isinstance(target, AtStep):
        return AtStep(target.step, followed(target.target))
    return Probability(target.label) if isinstance(target, _OfLabel) else target
