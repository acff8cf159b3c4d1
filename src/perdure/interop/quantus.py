"""Ours as what Quantus calls to explain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from perdure.attribution.attribute import attribute
from perdure.core.protocols import Method
from perdure.core.registry import METHODS
from perdure.core.target import Logit, Target

__all__ = ["QuantusExplainer", "as_explain_func"]


def as_explain_func(method: Method | str, seed: int = 0) -> QuantusExplainer:
    """Make a method what Quantus calls to explain.

    Args:
        method: a method or its registry name, also with settings.
        seed: of the stream for methods that draw; each call draws the same.

    Returns:
        To be given as `explain_func=`; Quantus itself is not needed for this.

    Raises:
        UnknownNameError: when no method has this name.

    Example:
        >>> model = nn.Linear(2, 2, bias=False)
        >>> _ = nn.init.constant_(model.weight, 3.0)
        >>> explain = as_explain_func("input_x_gradient")
        >>> explain(model, np.array([[1.0, 2.0]], dtype=np.float32), np.array([1])).tolist()
        [[3.0, 6.0]]
    """
    made: Method = METHODS.make(method) if isinstance(method, str) else method
    return QuantusExplainer(made, seed)


@dataclass(frozen=True)
class QuantusExplainer:
    """A method as `explain_func(model, inputs, targets)`.

    Args:
        method: the method.
        seed: of the stream for methods that draw.
        target: makes the target of the classes.
    """

    method: Method
    seed: int = 0
    target: Callable[[Tensor], Target] = Logit

    def __call__(self, model: nn.Module, inputs: Any, targets: Any, **_: object) -> np.ndarray:
        """Explain arrays.

        Args:
            model: the model.
            inputs: (batch, ...), an array or a tensor.
            targets: a class for each sample.

        Returns:
            The map, shaped like the inputs. What else Quantus passes, such as a device, is not needed.
        """
        like = next(model.parameters(), torch.zeros(()))
        x = torch.as_tensor(inputs).to(like)
        label = torch.as_tensor(targets).long().reshape(-1).expand(len(x)).to(x.device)
        generator = torch.Generator().manual_seed(self.seed)
        found = attribute(model, x, self.method, target=self.target(label), generator=generator)
        return found.values.cpu().numpy()
