"""Maps and scores of one method for one model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.audit.modality import Modality
from perdure.core.batch import Batch
from perdure.core.errors import (
    EngineError,
    PartError,
    PerdureError,
    RunFolderError,
    UnsupportedError,
    user_code_errors,
)
from perdure.core.estimate import Estimate
from perdure.core.metric import Metric, NeedsMethod, Score
from perdure.core.registry import METHODS
from perdure.core.spec import slug, strip_settings
from perdure.engine.evaluate import EvaluateJob, evaluate_maps
from perdure.engine.explain import ExplainJob, explain, fit_method
from perdure.engine.pool import Progress
from perdure.engine.summaries import score_numbers, stored_scores
from perdure.records.attributions import read_attributions
from perdure.records.scores import Case
from perdure.records.times import read_times, write_times
from perdure.stability.members import TrainedModel

__all__ = ["AuditRequest", "ExplainedModel", "FailedMethod", "explain_model", "explain_panel"]

DRAWS = 1
"""Random maps per sample for metrics with many forward passes, as only their mean over samples is shown."""

SANITY = 10
"""Maximum number of samples whose maps are compared with those of redrawn models, each of which costs a map."""


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
    faithfulness: tuple[Metric, ...]
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
        few: Scores of each of these samples by metric.
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
    few: Mapping[str, Score] = field(default_factory=dict)

    def find_score(self, metric: str) -> Score:
        """Find the scores of the first samples by the registry name of a metric, whatever its settings."""
        return next(score for name, score in self.few.items() if strip_settings(name) == metric)


@dataclass(frozen=True)
class FailedMethod:
    """A method that cannot explain a model, or whose maps cannot be evaluated.

    Args:
        method: Registry name of the method, with settings.
        error: Error with cause and remedy.
    """

    method: str
    error: PerdureError


def explain_panel(
    trained: TrainedModel,
    methods: Sequence[str],
    request: AuditRequest,
    *,
    case: Case,
    folder: Path,
    progress: Progress | None = None,
) -> list[ExplainedModel | FailedMethod]:
    """Explain a model by all methods of a panel; a method that fails does not stop the others.

    Args:
        trained: Model to explain.
        methods: Registry names, with settings.
        request: Samples and metrics.
        case: Names for the record.
        folder: Folder of the run.
        progress: Callback after each shard.

    Returns:
        Maps and scores, or the failure, of each method.
    """
    result: list[ExplainedModel | FailedMethod] = []
    for method in methods:
        try:
            with user_code_errors(UnsupportedError, f"method '{method}'", "use another method for this model"):
                of_method = replace(case, method=method)
                result.append(explain_model(trained, method, request, case=of_method, folder=folder, progress=progress))
        except (PartError, RunFolderError, EngineError):
            raise
        except PerdureError as error:
            result.append(FailedMethod(method, error))
    return result


def explain_model(
    trained: TrainedModel,
    method: str,
    request: AuditRequest,
    *,
    case: Case,
    folder: Path,
    progress: Progress | None = None,
) -> ExplainedModel:
    """Explain and evaluate what is not yet in the folder, then read all of it.

    Args:
        trained: Model to explain.
        method: Registry name, with settings.
        request: Samples and metrics.
        case: Names for the record.
        folder: Folder of the run.
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
    first = _evaluate_first(EvaluateJob(model, batch, maps, request.faithfulness, few, case, fitted, DRAWS), folder)
    stored = stored_scores(scores) if request.metrics else {}
    parts = [part.attribution for part in read_attributions(maps)]
    return ExplainedModel(
        trained.name,
        method,
        torch.cat([part.values for part in parts]),
        stored,
        score_numbers(stored, case.seed),
        score_numbers(first, case.seed),
        sum(part.provenance.forward + part.provenance.backward for part in parts),
        seconds,
        first,
    )


def _evaluate_first(job: EvaluateJob, folder: Path) -> Mapping[str, Score]:
    """Evaluate the first part: curves on all its samples, and metrics that explain again on few of them."""
    again = tuple(metric for metric in job.metrics if isinstance(metric, NeedsMethod) and metric.needs_method)
    place = job.folder.relative_to(folder / "close")
    shared = folder / "uniform" / place.parts[0]
    jobs = (
        replace(job, metrics=tuple(metric for metric in job.metrics if metric not in again), shared=shared),
        replace(job, metrics=again, folder=folder / "sanity" / place, limit=SANITY),
    )
    scores: dict[str, Score] = {}
    for part in jobs:
        if part.metrics:
            evaluate_maps(part, first=1)
            scores |= stored_scores(part.folder)
    return scores


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
