"""Labels and targets as users pass them: class numbers, one for all samples, the predicted class, or a function."""

from __future__ import annotations

from numbers import Integral
from typing import Final, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.errors import LabelError
from perdure.core.target import Target

__all__ = ["PREDICTED", "as_labels", "as_target", "check_rows"]

PREDICTED: Final = "predicted"
"""Short for the class that the model predicts for each sample."""

LARGEST = 2**31
"""No class number is as large."""


def as_target(target: object, batch: int) -> Target | Int[Tensor, " batch"] | Literal["predicted"]:
    """Read what a user passes as a target.

    Args:
        target: a target, class numbers, one class number for all samples, or "predicted".
        batch: number of samples.

    Returns:
        The target as it is, or class numbers, not yet checked against the classes of a model.

    Raises:
        LabelError: for anything else.

    Example:
        >>> as_target(1, 3).tolist()
        [1, 1, 1]
    """
    if isinstance(target, Integral):
        return torch.full((batch,), _number(target))
    if isinstance(target, str) and target == PREDICTED:
        return PREDICTED
    if isinstance(target, Tensor):
        return target.expand(batch) if target.ndim == 0 else target
    if callable(target) and not isinstance(target, type):
        return target
    kind = (
        f"the class {target.__name__}"
        if isinstance(target, type)
        else f"{target!r:.40} of type {type(target).__name__}"
    )
    raise LabelError(
        f"the target is {kind}",
        "give class numbers, torch.as_tensor(labels), one number for all samples, 'predicted' for the class that the "
        "model gives to each, a target of class numbers such as perdure.Probability(labels), or a function from "
        "outputs to one scalar per sample",
    )


def as_labels(label: object, batch: int, name: str = "label") -> Int[Tensor, " batch"]:
    """Read class numbers of any integer type, or one for all samples.

    Args:
        label: as a user passes it.
        batch: number of samples.
        name: noun for a message.

    Returns:
        Class numbers, not yet checked against the classes of a model.

    Raises:
        LabelError: when they are not one whole number per sample.

    Example:
        >>> as_labels(torch.tensor([True, False]), 2).tolist(), as_labels(3, 2).tolist()
        ([1, 0], [3, 3])
    """
    if isinstance(label, Integral):
        return torch.full((batch,), _number(label))
    if not isinstance(label, Tensor):
        raise LabelError(f"{name}s are {type(label).__name__}", f"pass a tensor, torch.as_tensor({name}s)")
    label = label.expand(batch) if label.ndim == 0 else label
    if label.shape != (batch,) or label.is_floating_point() or label.is_complex():
        raise LabelError(
            f"{name}s have shape {tuple(label.shape)} and dtype {label.dtype} for {batch} samples",
            f"pass one {'class number' if name == 'label' else 'whole number'} per sample",
        )
    return label.long()


def _number(value: Integral) -> int:
    number = int(value)
    if abs(number) >= LARGEST:
        raise LabelError(f"the label is {number}", "give the number of a class")
    return number


def check_rows(target: Target, logits: Float[Tensor, "one classes"]) -> None:
    """Check that a target treats each sample by itself, as samples are also evaluated in other orders.

    Args:
        target: a function from outputs to one scalar per sample.
        logits: the outputs of one sample, from which others are derived.

    Raises:
        LabelError: when one of several samples has another value than alone, or none.

    Example:
        >>> labels = torch.tensor([0, 1, 1])
        >>> check_rows(lambda logits: logits[torch.arange(3), labels], torch.tensor([[3.0, 4.0]]))
        Traceback (most recent call last):
        perdure.core.errors.LabelError: the target does not give a sample alone the value that it has among others...
    """
    rows = torch.cat([logits, logits / 2, logits / 3])
    try:
        among, alone = target(rows), torch.cat([target(row) for row in rows.split(1)])
    except (RuntimeError, IndexError, ValueError):
        among, alone = rows, rows[:0]
    if among.shape != alone.shape or not torch.allclose(among, alone, rtol=1e-3, atol=1e-6, equal_nan=True):
        raise LabelError(
            "the target does not give a sample alone the value that it has among others",
            "let it treat each row by itself; a target of labels inherits from perdure.Logit and reads self.label",
        )
