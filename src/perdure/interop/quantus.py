"""Methods as `explain_func` of Quantus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.core.method import Method
from perdure.core.registry import METHODS
from perdure.core.target import Logit, Target

__all__ = ["QuantusExplainer", "as_explain_func"]


def as_explain_func(method: Method | str, seed: int = 0) -> QuantusExplainer:
    """Wrap a method as `explain_func` of Quantus.

    Args:
        method: Method or its registry name, optionally with settings.
        seed: Seed for all random draws; each call draws the same numbers.

    Returns:
        Function for the argument `explain_func=`; Quantus need not be installed.

    Raises:
        UnknownNameError: when no method has this name.

    Example:
        >>> model = nn.Linear(2, 2, bias=False)
        >>> _ = nn.init.constant_(model.weight, 3.0)
        >>> explain = as_explain_func("input_x_gradient")
        >>> explain(model, np.array([[1.0, 2.0]], dtype=np.float32), np.array([1])).tolist()
        [[3.0, 6.0]]
    """
    chosen: Method = METHODS.make(method) if isinstance(method, str) else method
    return QuantusExplainer(chosen, seed)


@dataclass(frozen=True)
class QuantusExplainer:
    """A method as `explain_func(model, inputs, targets)`.

    Args:
        method: Method that computes the maps.
        seed: Seed for all random draws.
        target: Function that returns the target for labels.
    """

    method: Method
    seed: int = 0
    target: Callable[[Tensor], Target] = Logit

    def __call__(self, model: nn.Module, inputs: Any, targets: Any, **_: object) -> np.ndarray:
        """Explain arrays.

        Args:
            model: Model to explain.
            inputs: Array or tensor (batch, ...).
            targets: Class of each sample.

        Returns:
            Map, shaped like the inputs. Other arguments of Quantus, such as a device, are ignored.
        """
        like = next(model.parameters(), torch.zeros(()))
        x = torch.as_tensor(inputs).to(like)
        label = torch.as_tensor(targets).long().reshape(-1).expand(len(x)).to(x.device)
        generator = torch.Generator().manual_seed(self.seed)
        result = attribute(model, x, self.method, target=self.target(label), generator=generator)
        return result.values.cpu().numpy()
