"""The interface of attribution methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.query import Query
from perdure.core.short_repr import ShortRepr

__all__ = ["Method", "MethodOutput", "NeedsFit", "as_output"]


@dataclass(frozen=True, eq=False, repr=False)
class MethodOutput(ShortRepr):
    """A map with further results of the method.

    Args:
        values: The map, shaped like the inputs.
        aux: Further tensors, one row per sample, by name.
    """

    values: Float[Tensor, "batch *site"]
    aux: Mapping[str, Tensor]


def as_output(output: Tensor | MethodOutput) -> MethodOutput:
    """Convert the result of a method to one type.

    Args:
        output: A map, alone or with further results.

    Returns:
        The map with its further results.
    """
    return MethodOutput(output, {}) if isinstance(output, Tensor) else output


@runtime_checkable
class Method(Protocol):
    """A frozen dataclass of hyperparameters with a `scores` method.

    A method that computes `query.gradient(query.x)` may set the class variable `differentiates_at_x`; a forward pass
    of x that is needed before, for checks or for the predicted class, is then computed once.
    """

    def scores(self, query: Query) -> Float[Tensor, "batch *site"] | MethodOutput:
        """Attribute the target of a query to its inputs.

        Args:
            query: Model, inputs and target; `query.gradient` and `query.value` are the only access to the model.

        Returns:
            Importance, shaped like `query.x`; values at padded steps are ignored. A method with further results
            returns a `MethodOutput`.
        """
        ...


@runtime_checkable
class NeedsFit(Protocol):
    """A method that must process data of a model before it can explain it."""

    @property
    def is_fitted(self) -> bool:
        """Whether the method is fitted."""
        ...

    def fit(self, model: nn.Module, batch: Batch) -> Method:
        """Fit the method to samples.

        Args:
            model: The model that will be explained.
            batch: Samples like those that will be explained, but none of these.

        Returns:
            A new method for this model.
        """
        ...
