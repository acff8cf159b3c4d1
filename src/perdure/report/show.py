"""The door of pictures: maps beside their samples, in a notebook or as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.batch import Batch, select
from perdure.core.check import check_counts, check_inputs
from perdure.core.errors import SettingError, ShapeError
from perdure.ops.position import to_positions
from perdure.ops.sequence import site_mask
from perdure.report.pages.page import Page, Section, render
from perdure.report.pages.samples import build_samples

__all__ = ["Rendering", "show"]

HEIGHT = "38rem"
"""Of the frame in a notebook, which scrolls."""

NAMED = 4
"""Maps that are named in the title; more are counted."""


@dataclass(frozen=True, repr=False)
class Rendering:
    """A picture as self-contained HTML; a notebook draws it, and its `html` can be written to a file."""

    html: str

    def __repr__(self) -> str:
        """Say what to do with it where nothing can be drawn."""
        return f"Shown({len(self.html) // 1024} KiB of HTML; Path('maps.html').write_text(shown.html) keeps it)"

    def _repr_html_(self) -> str:
        """Draw it in a frame of its own, so that its style and that of the notebook do not mix."""
        return f'<iframe srcdoc="{escape(self.html)}" style="width: 100%; height: {HEIGHT}; border: 0"></iframe>'


def show(
    found: Attribution | Tensor | Mapping[str, Attribution | Tensor],
    batch: Batch,
    *,
    classes: tuple[str, ...] = (),
    features: tuple[str, ...] = (),
    limit: int = 6,
) -> Rendering:
    """Draw samples beside the maps that explain them: series, images and texts, each in its own form.

    All maps share one scale of colours, in multiples of an even share, so that methods can be compared.

    Args:
        found: maps of these samples, as `perdure.attribute` returns them or as tensors; several by name.
        batch: the samples that were explained, with their truth where it is known.
        classes: the names of classes, for the titles; a class without a name is shown by its number.
        features: the names of the features of series.
        limit: samples to draw, at most, the first.

    Returns:
        The picture.

    Raises:
        ShapeError: when a map is of other samples, or holds no real numbers.
        NonFiniteError: when a map holds NaN or infinity.
        SettingError: without a map, for a limit below 1, or when the samples are no batch.

    Example:
        >>> import torch
        >>> import perdure
        >>> batch = Batch(torch.tensor([[[1.0, 2.0]]]), torch.tensor([0]))
        >>> found = perdure.attribute(lambda x: x.sum(1), batch.inputs, "gradient", target=batch.label)
        >>> "speed" in show(found, batch, features=("speed", "height")).html
        True
    """
    if not isinstance(batch, Batch):
        raise SettingError(f"the samples are {type(batch).__name__}", "give a batch: perdure.Batch(x, labels)")
    check_counts(limit=limit)
    maps = _by_name(found)
    if not maps:
        raise SettingError("there is no map to show", "give one, or several by name")
    for name, one in maps.items():
        if one.shape[: batch.inputs.ndim] != batch.inputs.shape:
            raise ShapeError(
                f"the map '{name}' has shape {tuple(one.shape)}, the samples have {tuple(batch.inputs.shape)}",
                "give the samples that were explained, in their order",
            )
        check_inputs(one, f"the map '{name}'")
    few = select(batch, slice(0, limit))
    piece = build_samples(
        _drawn(few.inputs, few),
        {name: _drawn(_wholes(one[:limit], few), few) for name, one in maps.items()},
        None if few.truth is None else _wholes(few.truth[:limit].float(), few).cpu().numpy() > 0,
        tuple(f"{name}, class {_named(int(label), classes)}" for name, label in zip(few.id, few.label, strict=True)),
        few.text,
        features,
    )
    title = ", ".join(maps) if len(maps) <= NAMED else f"{len(maps)} maps"
    page = Page(title, f"{len(few)} of {len(batch)} samples", "", (Section("Samples", (piece,)),))
    return Rendering(render(page))


def _by_name(
    found: Attribution | Tensor | Mapping[str, Attribution | Tensor],
) -> dict[str, Float[Tensor, "batch *position"]]:
    """Give the values of each map by its name."""
    if isinstance(found, Attribution):
        found = {found.provenance.method: found}
    elif isinstance(found, Tensor):
        found = {"map": found}
    if not isinstance(found, Mapping):
        raise SettingError(f"the maps are {type(found).__name__}", "give an attribution, a tensor, or several by name")
    odd = [type(item).__name__ for item in found.values() if not isinstance(item, Attribution | Tensor)]
    if odd:
        raise SettingError(
            f"a map is {odd[0]}", "give what perdure.attribute returns, or a tensor shaped like the samples"
        )
    return {str(name): item if isinstance(item, Tensor) else item.values for name, item in found.items()}


def _named(label: int, classes: tuple[str, ...]) -> str:
    return classes[label] if label < len(classes) else str(label)


def _wholes(values: Tensor, batch: Batch) -> Float[Tensor, "sample *position"]:
    """Sum the sites of a word or pixel; those of series stand alone."""
    return to_positions(values) if values.ndim == 4 or (batch.text and values.ndim == 3) else values


def _drawn(values: Tensor, batch: Batch) -> np.ndarray:
    """Turn padded steps into NaN, which pictures leave blank."""
    here = values.detach().cpu().float()
    mask = None if batch.mask is None else batch.mask.cpu()
    drawn: np.ndarray = here.masked_fill(~site_mask(mask, here), float("nan")).numpy()
    return drawn
