"""What the page of an audit shows, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from perdure.audit.explained import Explained
from perdure.core.batch import Batch
from perdure.core.random import stream
from perdure.metrics.vanishing import mass_by_distance
from perdure.ops.interval import bootstrap_interval
from perdure.ops.sequence import site_mask

__all__ = ["SHOWN", "arrays"]

SHOWN = 6
"""Samples whose maps the page shows."""


def arrays(found: Sequence[Explained], batch: Batch, seed: int) -> Mapping[str, np.ndarray]:
    """Collect the arrays of a page.

    Args:
        found: one explanation per model.
        batch: the samples that were explained.
        seed: of the bootstrap.

    Returns:
        Inputs and truth of the shown samples, and for each model its maps, mean map and profile.
    """
    shown = {"inputs": _padded(batch.inputs[:SHOWN], batch)}
    if batch.truth is not None:
        shown["truth"] = batch.truth[:SHOWN].numpy()
        shown["truth_profile"] = _profile(batch.truth.float(), batch).mean(0).numpy()
        if (batch.truth == batch.truth[:1]).all():
            shown["mean_truth"] = batch.truth[0].numpy()
    for one in found:
        shown[f"map/{one.model}"] = _padded(one.maps[:SHOWN], batch)
        shown[f"mean_map/{one.model}"] = one.maps.abs().mean(0).numpy()
        shown[f"profile/{one.model}"] = _band(_profile(one.maps, batch), seed)
    return shown


def _profile(maps: Tensor, batch: Batch) -> Tensor:
    return mass_by_distance(maps, site_mask(batch.mask, batch.inputs)[..., 0])


def _band(profile: Tensor, seed: int) -> np.ndarray:
    low, high = bootstrap_interval(profile, stream(seed, "bootstrap", "profile"))
    return np.stack([profile.mean(0).numpy(), low.numpy(), high.numpy()])


def _padded(values: Tensor, batch: Batch) -> np.ndarray:
    """Turn padded steps into NaN, which the page leaves blank."""
    mask = None if batch.mask is None else batch.mask[: len(values)]
    shown: np.ndarray = values.masked_fill(~site_mask(mask, values), float("nan")).numpy()
    return shown
