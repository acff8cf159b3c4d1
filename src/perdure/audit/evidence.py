"""Where the evidence lies in time, by the truth in the data or by what the model does without a stretch of it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from perdure.audit.explained import Explained
from perdure.audit.over_time import OverTime
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch
from perdure.core.estimate import Estimate
from perdure.core.metric import Measurement
from perdure.core.query import Query
from perdure.core.random import stream
from perdure.core.spec import strip_settings
from perdure.metrics.vanishing import Vanishing
from perdure.ops.bootstrap import bootstrap_interval

__all__ = ["WINDOWS", "over_time_evidence", "vanishing_of"]

WINDOWS = 20
"""Stretches of time that occlusion leaves out, one after the other, when the data has no truth."""

FLAT_REACH = 0.25
"""Share of attribution in the earliest quarter of a flat map."""


def over_time_evidence(found: Explained, occluded: Explained, batch: Batch, accuracy: Estimate, seed: int) -> OverTime:
    """Put the numbers of the verdict over time between null and evidence.

    Args:
        found: the explanation to judge, with its vanishing score.
        occluded: the model's maps by occlusion; not looked at when the batch has a truth.
        batch: the samples.
        accuracy: of the model.
        seed: of the bootstrap.

    Returns:
        What the verdict rests on.
    """
    evidence = vanishing_of(occluded.maps if batch.truth is None else batch.truth.float(), batch)
    index = replace(
        found.numbers["vanishing"],
        name="vanishing index",
        null=0.0,
        ceiling=evidence.values.mean().item(),
        higher_is_better=None,
    )
    values = found.scores["vanishing"].aux["reach"]
    low, high = bootstrap_interval(values, stream(seed, "bootstrap", "reach"))
    reach = Estimate(
        values.mean().item(),
        FLAT_REACH,
        evidence.aux["reach"].mean().item(),
        (low.item(), high.item()),
        len(values),
        "share in the earliest quarter",
    )
    known = next((number for name, number in found.numbers.items() if strip_settings(name) == "auroc"), None)
    return OverTime(accuracy, index, reach, "occlusion" if batch.truth is None else "truth", known)


def vanishing_of(maps: Tensor, batch: Batch) -> Measurement:
    """Profile any maps of a batch over time.

    Args:
        maps: shaped like the inputs.
        batch: the samples.

    Returns:
        Vanishing index, profile and reach of each sample.
    """
    query = Query(torch.nn.Identity(), batch.inputs, torch.Tensor.double, batch.mask)
    return Vanishing().measure(Attribution(maps.to(batch.inputs.device), source=query))
