"""The attribution: a map shaped like the input, with the record of how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from perdure.core.brief import Brief

if TYPE_CHECKING:
    from perdure.core.trial import Trial

__all__ = ["Attribution", "Explained", "Provenance", "explained"]


@dataclass(frozen=True, eq=False, repr=False)
class Explained(Brief):
    """What a method gives that has more to tell than a map.

    Args:
        values: the map, shaped like the inputs.
        aux: further tensors, one row per sample, by name.
    """

    values: Float[Tensor, "batch *site"]
    aux: Mapping[str, Tensor]


def explained(found: Tensor | Explained) -> Explained:
    """Make one form of what methods give.

    Args:
        found: a map alone, or with more.

    Returns:
        The map with what else there is.
    """
    return Explained(found, {}) if isinstance(found, Tensor) else found


@dataclass(frozen=True)
class Provenance:
    """How a map came about: enough to make it again.

    Args:
        method: registry name of the method.
        fields: its hyper-parameters.
        target: name of the target.
        seed: first seed of the generator, None when nothing was drawn.
        versions: versions of perdure, torch and Python.
        model_digest: hash of the names, shapes and values of the model's weights.
        forward: samples sent forward through the model.
        backward: samples sent backward.
        device: where the model lay.
    """

    method: str
    fields: Mapping[str, Any]
    target: str
    seed: int | None
    versions: Mapping[str, str]
    model_digest: str
    forward: int
    backward: int
    device: str = "cpu"


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(Brief):
    """The importance of each site for the target.

    Args:
        values: one number per site, shaped like the inputs; zero at padded steps.
        dims: the names of the axes.
        provenance: how the values came about.
        aux: further tensors per sample that a method offers, by name.
        trial: the values before a judge, with the question they answer: `evaluate(found.trial, "insertion")`. Give it
            the truth by `dataclasses.replace(found.trial, truth=truth)`. None for maps that were stored,
            and in copies, pickled ones too, which take neither model nor inputs along.
    """

    values: Float[Tensor, "batch *site"]
    dims: tuple[str, ...]
    provenance: Provenance
    aux: Mapping[str, Tensor] = field(default_factory=dict)
    trial: Trial | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the question behind, and with it the model."""
        return {**self.__dict__, "trial": None}
