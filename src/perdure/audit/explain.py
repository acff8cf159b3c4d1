"""Maps and scores of one method for one model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.audit.modality import Modality
from perdure.core.batch import Batch
from perdure.core.estimate import Estimate
from perdure.core.metric import Metric, Score
from perdure.core.registry import METHODS
from perdure.core.spec import slug
from perdure.engine.evaluate import EvaluateJob, evaluate_maps
from perdure.engine.explain import ExplainJob, explain, fit_method
from perdure.engine.pool import Progress
from perdure.engine.summaries import score_numbers, stored_scores
from perdure.records.attributions import read_attributions
from perdure.records.scores import Case
from perdure.records.times import read_times, write_times
from perdure.stability.members import TrainedModel

__all__ = ["AuditRequest", "ExplainedModel", "explain_model"]

DRAWS = 1
"""Random maps per sample for metrics with many forward passes, as only their mean over samples is shown."""


@dataclass(frozen=True, eq=False)
class AuditRequest:
    """Samples and metrics that all models and methods of an audit share.

    Args:
        batch: Samples to explain.
        training: Samples for methods that must be fitted.
        modality: Modality of the data.
        metrics: Metrics of all samples.
        faithfulness_samples: Number of samples, the first, for metrics with many forward passes.
    """

    batch: Batch
    training: Batch
    modality: Modality
    metrics: tuple[Metric, ...]
    faithfulness_samples: int


@dataclass(frozen=True, eq=False)
class ExplainedModel:
    """The maps of one method for one model.

    Args:
        model: Name of the model.
        method: Registry name of the method, with settings.
        maps: One map per sample, in the order of the batch.
        scores: Scores of each sample by metric.
        estimates: Means of these scores by metric.
        faithfulness: Means over the first samples by metric.
        passes: Samples sent forward and backward through the model for the maps.
        seconds: Wall time of the maps.
    """

    model: str
    method: str
    maps: Float[Tensor, "batch *site"]
    scores: Mapping[str, Score]
    estimates: Mapping[str, Estimate]
    faithfulness: Mapping[str, Estimate]
    passes: int = 0
    seconds: float | None = None


def explain_model(
    trained: TrainedModel,
    method: str,
    request: AuditRequest,
    *,
    case: Case,
    folder: Path,
    faithfulness: tuple[Metric, ...] = (),
    progress: Progress | None = None,
) -> ExplainedModel:
    """Explain and evaluate what is not yet in the folder, then read all of it.

    Args:
        trained: Model to explain.
        method: Registry name, with settings.
        request: Samples and metrics.
        case: Names for the record.
        folder: Folder of the run.
        faithfulness: Metrics of the first samples.
        progress: Callback after each shard.

    Returns:
        Maps and scores.
    """
    place = Path(slug(trained.name)) / slug(method)
    maps, scores, few = (folder / name / place for name in ("maps", "scores", "close"))
    model, batch = trained.model, request.batch
    fitted = fit_method(METHODS.make(method), model, request.training)
    shard = request.faithfulness_samples
    work = ExplainJob(model, batch, fitted, maps, trained.name, seed=case.seed, shard=shard)
    seconds = _explain_timed(work, progress)
    if request.metrics:  # images without a truth have none
        evaluate_maps(EvaluateJob(model, batch, maps, request.metrics, scores, case, fitted))
    if faithfulness:
        evaluate_maps(EvaluateJob(model, batch, maps, faithfulness, few, case, fitted, DRAWS), first=1)
    stored = stored_scores(scores) if request.metrics else {}
    parts = [part.attribution for part in read_attributions(maps)]
    return ExplainedModel(
        trained.name,
        method,
        torch.cat([part.values for part in parts]),
        stored,
        score_numbers(stored, case.seed),
        score_numbers(stored_scores(few), case.seed) if faithfulness else {},
        sum(part.provenance.forward + part.provenance.backward for part in parts),
        seconds,
    )


def _explain_timed(work: ExplainJob, progress: Progress | None) -> float:
    """Explain the unfinished shards and add their wall time to that of earlier calls."""
    earlier = float(read_times(work.folder).get("seconds", 0.0))
    computed = False

    def count(done: int, total: int) -> None:
        nonlocal computed
        computed = computed or done > 0
        if progress is not None:
            progress(done, total)

    start = time.perf_counter()
    explain(work, progress=count)
    if not computed:  # a repeated call keeps its record
        return earlier
    seconds = earlier + time.perf_counter() - start
    write_times(work.folder, seconds=seconds)
    return seconds
