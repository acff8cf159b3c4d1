"""One method on one model: its maps and its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.audit.kind import Kind
from perdure.core.batch import Batch
from perdure.core.estimate import Estimate
from perdure.core.metric import Metric, Score
from perdure.core.registry import METHODS
from perdure.core.spec import slug
from perdure.engine.evaluate import EvaluateJob, evaluate_maps
from perdure.engine.explain import ExplainJob, explain, fit_method
from perdure.engine.summaries import score_numbers, stored_scores
from perdure.records.attributions import read_attributions
from perdure.records.scores import Case
from perdure.stability.members import TrainedModel

__all__ = ["Asked", "Explained", "explained"]

DRAWS = 1
"""Random maps per sample where a metric calls the model again: their mean over samples is what is shown."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What the models are asked.

    Args:
        batch: the samples to explain.
        seen: samples that a method may see before.
        kind: of the data.
        metrics: judges of all samples.
        faithfulness_samples: number of samples, the first, for metrics that call the model again.
    """

    batch: Batch
    seen: Batch
    kind: Kind
    metrics: tuple[Metric, ...]
    faithfulness_samples: int


@dataclass(frozen=True, eq=False)
class Explained:
    """The maps of one method for one model.

    Args:
        model: name of the model.
        method: the method as it was asked for.
        maps: one per sample, in the order of the batch.
        scores: by metric, per sample.
        numbers: by metric, averaged.
        close: by metric, averaged over the first samples.
    """

    model: str
    method: str
    maps: Float[Tensor, "batch *site"]
    scores: Mapping[str, Score]
    numbers: Mapping[str, Estimate]
    close: Mapping[str, Estimate]


def explained(
    candidate: TrainedModel,
    method: str,
    asked: Asked,
    *,
    case: Case,
    folder: Path,
    close: tuple[Metric, ...] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Explained:
    """Explain and evaluate what is not yet in the folder, then read all of it.

    Args:
        candidate: the model.
        method: registry name, with settings.
        asked: samples and judges.
        case: for the record.
        folder: of the run.
        close: judges of the first samples.
        progress: told after each shard.

    Returns:
        Maps and scores.
    """
    place = Path(slug(candidate.name)) / slug(method)
    maps, scores, close_scores = (folder / room / place for room in ("maps", "scores", "close"))
    model, batch, made = candidate.model, asked.batch, fit_method(METHODS.make(method), candidate.model, asked.seen)
    shard = asked.faithfulness_samples
    explain(ExplainJob(model, batch, made, maps, candidate.name, seed=case.seed, shard=shard), progress=progress)
    if asked.metrics:  # pictures without a truth have none
        evaluate_maps(EvaluateJob(model, batch, maps, asked.metrics, scores, case, made))
    if close:
        evaluate_maps(EvaluateJob(model, batch, maps, close, close_scores, case, made, DRAWS), first=1)
    found = stored_scores(scores) if asked.metrics else {}
    return Explained(
        candidate.name,
        method,
        torch.cat([part.attribution.values for part in read_attributions(maps)]),
        found,
        score_numbers(found, case.seed),
        score_numbers(stored_scores(close_scores), case.seed) if close else {},
    )
