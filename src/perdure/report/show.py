"""Show samples and their maps, in a notebook or as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_counts, check_inputs
from perdure.core.errors import SettingError, ShapeError
from perdure.core.target import label_target
from perdure.ops.position import to_positions
from perdure.ops.sequence import site_mask
from perdure.report.pages.page import Page, Section, render
from perdure.report.pages.samples import build_samples

__all__ = ["Rendering", "show"]

HEIGHT = "38rem"
"""Height of the scrolling frame in a notebook."""

NAMED = 4
"""Maximum number of maps named in the title; more are counted."""


@dataclass(frozen=True, repr=False)
class Rendering:
    """Self-contained HTML that a notebook displays and that can be written to a file."""

    html: str

    def __repr__(self) -> str:
        """Describe the HTML and how to save it."""
        return (
            f"Rendering({len(self.html) // 1024} KiB of HTML; save it by Path('maps.html').write_text(rendering.html))"
        )

    def _repr_html_(self) -> str:
        """Return a frame, so that the styles of the page and of the notebook do not interfere."""
        return f'<iframe srcdoc="{escape(self.html)}" style="width: 100%; height: {HEIGHT}; border: 0"></iframe>'


def show(
    maps: Attribution | Tensor | Mapping[str, Attribution | Tensor],
    batch: Batch | None = None,
    *,
    classes: tuple[str, ...] = (),
    features: tuple[str, ...] = (),
    limit: int = 6,
) -> Rendering:
    """Draw samples and their maps: series, images or texts.

    All maps have one colour scale, relative to a uniform map, so that methods can be compared.

    Args:
        maps: Map of these samples as an attribution or a tensor, or several maps by name.
        batch: Explained samples, with their truth if it is known; None for those of the first attribution.
        classes: Names of the classes for the titles; a class without a name is shown by its number.
        features: Names of the features of series.
        limit: Maximum number of samples to draw.

    Returns:
        Rendering of the first samples.

    Raises:
        ShapeError: when a map does not match the samples, or contains no real numbers.
        NonFiniteError: when a map contains NaN or infinity.
        SettingError: without a map, for a limit below 1, or when the samples are not a batch.

    Example:
        >>> import torch
        >>> import perdure
        >>> batch = Batch(torch.tensor([[[1.0, 2.0]]]), torch.tensor([0]))
        >>> attribution = perdure.attribute(lambda x: x.sum(1), batch.inputs, "gradient", target=batch.label)
        >>> "speed" in show(attribution, batch, features=("speed", "height")).html
        True
    """
    check_counts(limit=limit)
    named = _name_maps(maps)
    if not named:
        raise SettingError("there is no map to show", "pass one map, or several by name")
    batch = _batch_of(maps) if batch is None else batch
    if not isinstance(batch, Batch):
        raise SettingError(f"the samples are {type(batch).__name__}", "pass a batch: perdure.Batch(x, labels)")
    for name, values in named.items():
        if values.shape[: batch.inputs.ndim] != batch.inputs.shape:
            raise ShapeError(
                f"the map '{name}' has shape {tuple(values.shape)}, the samples have {tuple(batch.inputs.shape)}",
                "pass the explained samples in the same order",
            )
        check_inputs(values, f"the map '{name}'")
    few = slice_batch(batch, slice(0, limit))
    piece = build_samples(
        _blank_padding(few.inputs, few),
        {name: _blank_padding(_sum_positions(values[:limit], few), few) for name, values in named.items()},
        None if few.truth is None else _sum_positions(few.truth[:limit].float(), few).cpu().numpy() > 0,
        tuple(f"{name}, class {_class_name(int(n), classes)}" for name, n in zip(few.id, few.label, strict=True)),
        few.text,
        features,
    )
    title = ", ".join(named) if len(named) <= NAMED else f"{len(named)} maps"
    page = Page(title, f"{len(few)} of {len(batch)} samples", "", (Section("Samples", (piece,)),))
    return Rendering(render(page))


def _name_maps(
    maps: Attribution | Tensor | Mapping[str, Attribution | Tensor],
) -> dict[str, Float[Tensor, "batch *position"]]:
    """Return the values of each map by its name."""
    if isinstance(maps, Attribution):
        maps = {maps.provenance.method: maps}
    elif isinstance(maps, Tensor):
        maps = {"map": maps}
    if not isinstance(maps, Mapping):
        raise SettingError(f"the maps are {type(maps).__name__}", "pass an attribution, a tensor, or several by name")
    odd = [type(item).__name__ for item in maps.values() if not isinstance(item, Attribution | Tensor)]
    if odd:
        raise SettingError(
            f"a map is {odd[0]}", "pass the result of perdure.attribute, or a tensor shaped like the samples"
        )
    return {str(name): item if isinstance(item, Tensor) else item.values for name, item in maps.items()}


def _batch_of(maps: Attribution | Tensor | Mapping[str, Attribution | Tensor]) -> Batch:
    """Return the samples of the first attribution; without labels, the title of each is class 0."""
    candidates = maps.values() if isinstance(maps, Mapping) else [maps]
    source = next((item for item in candidates if isinstance(item, Attribution) and item.source is not None), None)
    if source is None:
        raise SettingError(
            "the samples of the map are unknown: it is a tensor, or it was stored or detached",
            "pass them as the second argument: perdure.show(maps, perdure.Batch(x, labels))",
        )
    query = source.query
    target = label_target(query.target)
    label = torch.zeros(len(query.x), dtype=torch.int64) if target is None else target.label
    return Batch(query.x, label, query.mask, source.truth, text=source.text)


def _class_name(label: int, classes: tuple[str, ...]) -> str:
    return classes[label] if label < len(classes) else str(label)


def _sum_positions(values: Tensor, batch: Batch) -> Float[Tensor, "sample *position"]:
    """Sum the elements of a word or pixel; elements of series stay separate."""
    return to_positions(values) if values.ndim == 4 or (batch.text and values.ndim == 3) else values


def _blank_padding(values: Tensor, batch: Batch) -> np.ndarray:
    """Set padded steps to NaN, which is transparent."""
    on_cpu = values.detach().cpu().float()
    mask = None if batch.mask is None else batch.mask.cpu()
    blank: np.ndarray = on_cpu.masked_fill(~site_mask(mask, on_cpu), float("nan")).numpy()
    return blank
