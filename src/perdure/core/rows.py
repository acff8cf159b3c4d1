"""Whether a target treats each sample by itself."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import LabelError
from perdure.core.target import Target

__all__ = ["check_rows"]


def check_rows(target: Target, logits: Float[Tensor, "one classes"]) -> None:
    """Refuse a function that does not treat each sample by itself, as samples are asked about in other orders too.

    Args:
        target: a function from outputs to one scalar per sample.
        logits: the outputs of one sample, of which others are made up.

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
            "let it treat each row by itself; one that knows labels inherits from perdure.Logit and reads self.label",
        )
