"""The attribution: a map shaped like the input, with the record of how it was computed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.batch import Text
from perdure.core.errors import UnsupportedError
from perdure.core.method import Method
from perdure.core.query import Query
from perdure.core.short_repr import ShortRepr

if TYPE_CHECKING:
    import pandas
    import xarray

__all__ = ["UNKNOWN", "Attribution", "Provenance", "make_trial"]


@dataclass(frozen=True)
class Provenance:
    """How a map was computed: enough to compute it again.

    Args:
        method: Registry name of the method.
        fields: Its hyperparameters.
        target: Name of the target.
        seed: Initial seed of the generator.
        versions: Versions of perdure, torch and Python.
        model_digest: Hash of the names, shapes and values of the model's weights.
        forward: Number of samples in forward passes.
        backward: Number of samples in backward passes.
        device: Device of the inputs.
    """

    method: str
    fields: Mapping[str, Any]
    target: str
    seed: int
    versions: Mapping[str, str]
    model_digest: str
    forward: int
    backward: int
    device: str = "cpu"


UNKNOWN = Provenance("unknown", {}, "unknown", 0, {}, "unknown", 0, 0)
"""The provenance of a map that was made outside perdure."""


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(ShortRepr):
    """The importance of each element of the input for the target.

    Args:
        values: One number per element, shaped like the inputs; zero at padded steps.
        dims: Names of the axes.
        provenance: How the values were computed.
        aux: Further tensors of the method, one row per sample, by name.
        source: Model, inputs and target that the map explains, which `evaluate` and `show` need; None for maps that
            were stored or detached, and in pickled copies, which contain neither model nor inputs.
        method: The method, for metrics that explain again; None if only the map is known.
        truth: True at the elements known to matter, shaped like the inputs; None if unknown.
        text: The sentences behind token ids, one per sample; empty for other inputs.

    Example:
        >>> import torch
        >>> Attribution(torch.tensor([[1.0, -2.0]])).detach().values.tolist()
        [[1.0, -2.0]]
    """

    values: Float[Tensor, "batch *site"]
    dims: tuple[str, ...] = ()
    provenance: Provenance = UNKNOWN
    aux: Mapping[str, Tensor] = field(default_factory=dict)
    source: Query | None = field(default=None, repr=False)
    method: Method | None = field(default=None, repr=False)
    truth: Bool[Tensor, "batch *site"] | None = field(default=None, repr=False)
    text: tuple[Text, ...] = field(default=(), repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave model and inputs out of pickled copies."""
        return vars(self.detach())

    @property
    def query(self) -> Query:
        """Model, inputs and target that the map explains.

        Raises:
            UnsupportedError: If the map was stored or detached, so that they are not known.
        """
        if self.source is None:
            raise UnsupportedError(
                "the attribution has no model and inputs: it was stored, detached or pickled",
                "pass its tensor with them: perdure.evaluate(attribution.values, metric, model=..., x=..., target=...)",
            )
        return self.source

    def detach(self) -> Attribution:
        """Return the attribution without model, inputs and method, as it is stored.

        Returns:
            The same values and provenance.
        """
        return replace(self, source=None, method=None)

    def show(self, **settings: Any) -> Any:
        """Draw the samples and their map.

        Args:
            settings: As in `perdure.show`.

        Returns:
            A picture that draws itself in a notebook; its `html` is the page as text.
        """
        return import_module("perdure.report.show").show(self, **settings)

    def to_pandas(self, names: Mapping[str, Sequence[Any]] | None = None) -> pandas.DataFrame:
        """Convert the map to a long table: one row per element of a valid step.

        Args:
            names: Names of positions, by axis, such as {"feature": ["age", "height"]}; others are numbered.

        Returns:
            Columns "sample", one for each further axis, and "value".

        Raises:
            DependencyError: If pandas is not installed.
        """
        lengths = None if self.source is None else self.source.lengths
        table: pandas.DataFrame = import_module("perdure.interop.pandas").to_frame(self, names, lengths)
        return table

    def to_xarray(self, names: Mapping[str, Sequence[Any]] | None = None) -> xarray.DataArray:
        """Convert the map to an array with named axes, with its provenance as attributes.

        Args:
            names: Names of positions, by axis; others are numbered.

        Returns:
            The array.

        Raises:
            DependencyError: If xarray is not installed.
        """
        array: xarray.DataArray = import_module("perdure.interop.xarray").to_xarray(self, names)
        return array

    @property
    def trial(self) -> Attribution:
        """The attribution itself, which took the place of trials."""
        warnings.warn("pass the attribution itself instead of its .trial", DeprecationWarning, stacklevel=2)
        return self


def make_trial(
    query: Query,
    values: Float[Tensor, "batch *site"],
    truth: Bool[Tensor, "batch *site"] | None = None,
    method: Method | None = None,
) -> Attribution:
    """Return an attribution from the arguments of the former class Trial.

    Args:
        query: Model, inputs and target.
        values: The map.
        truth: True at the elements known to matter.
        method: The method that made the map.

    Returns:
        The attribution.
    """
    return Attribution(values, source=query, method=method, truth=truth)
