"""What the page of an audit shows, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from perdure.audit.explained import Explained
from perdure.audit.kind import Kind
from perdure.core.batch import Batch
from perdure.core.random import stream
from perdure.metrics.vanishing import mass_by_distance
from perdure.ops.bootstrap import bootstrap_interval
from perdure.ops.position import to_positions
from perdure.ops.sequence import site_mask

__all__ = ["SHOWN", "arrays"]

SHOWN = 6
"""Samples whose maps the page shows."""


def arrays(found: Sequence[Explained], batch: Batch, kind: Kind, seed: int) -> Mapping[str, np.ndarray]:
    """Collect the arrays of a page.

    Args:
        found: one explanation per model.
        batch: the samples that were explained.
        kind: of the data.
        seed: of the bootstrap.

    Returns:
        Inputs, truth and maps of the shown samples, words and pixels as a whole; for data in time also the profile
        of each model, and for series its mean map.
    """
    shown = {"inputs": _padded(batch.inputs[:SHOWN].float(), batch)}
    if batch.truth is not None:
        shown |= _of_truth(batch.truth, batch, kind)
    for one in found:
        shown[f"map/{one.model}"] = _padded(_wholes(one.maps[:SHOWN], kind), batch)
        if kind.in_time:
            shown[f"profile/{one.model}"] = _band(_profile(one.maps, batch), seed)
        if kind.in_time and kind.granularity == "element":
            shown[f"mean_map/{one.model}"] = one.maps.abs().mean(0).numpy()
    return shown


def _of_truth(truth: Tensor, batch: Batch, kind: Kind) -> dict[str, np.ndarray]:
    shown = {"truth": truth[:SHOWN].any(1).numpy() if truth.ndim == 4 else truth[:SHOWN].numpy()}
    if kind.in_time:
        steps = truth if truth.ndim == 3 else truth[..., None]
        shown["truth_profile"] = _profile(steps.float(), batch).mean(0).numpy()
    if truth.ndim == 3 and (truth == truth[:1]).all():
        shown["mean_truth"] = truth[0].numpy()
    return shown


def _wholes(maps: Tensor, kind: Kind) -> Tensor:
    return to_positions(maps) if kind.granularity == "position" else maps


def _profile(maps: Tensor, batch: Batch) -> Tensor:
    return mass_by_distance(maps, site_mask(batch.mask, maps)[..., 0])


def _band(profile: Tensor, seed: int) -> np.ndarray:
    low, high = bootstrap_interval(profile, stream(seed, "bootstrap", "profile"))
    return np.stack([profile.mean(0).numpy(), low.numpy(), high.numpy()])


def _padded(values: Tensor, batch: Batch) -> np.ndarray:
    """Turn padded steps into NaN, which the page leaves blank."""
    mask = None if batch.mask is None else batch.mask[: len(values)]
    shown: np.ndarray = values.masked_fill(~site_mask(mask, values), float("nan")).numpy()
    return shown
