"""One method on one model: its maps and its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.audit.candidate import Candidate
from perdure.core.batch import Batch
from perdure.core.protocols import Metric
from perdure.core.registry import METHODS, folder_name
from perdure.core.trial import Score
from perdure.core.verdict import Number
from perdure.engine.explain import Explaining, explain
from perdure.engine.judge import Judging, judge
from perdure.engine.summaries import score_numbers, stored_scores
from perdure.records.attributions import read_attributions
from perdure.records.scores import Case

__all__ = ["Explained", "explained"]


@dataclass(frozen=True, eq=False)
class Explained:
    """The maps of one method for one model.

    Args:
        model: name of the model.
        method: the method as it was asked for.
        maps: one per sample, in the order of the batch.
        scores: by metric, per sample.
        numbers: by metric, averaged.
    """

    model: str
    method: str
    maps: Float[Tensor, "batch time feature"]
    scores: Mapping[str, Score]
    numbers: Mapping[str, Number]


def explained(
    candidate: Candidate,
    method: str,
    batch: Batch,
    metrics: tuple[Metric, ...],
    *,
    case: Case,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Explained:
    """Explain and judge what is not yet in the folder, then read all of it.

    Args:
        candidate: the model.
        method: registry name, with settings.
        batch: the samples.
        metrics: the judges.
        case: for the record.
        folder: of the run.
        progress: told after each shard.

    Returns:
        Maps and scores.
    """
    place = Path(folder_name(candidate.name)) / folder_name(method)
    maps, scores = folder / "maps" / place, folder / "scores" / place
    work = Explaining(candidate.model, batch, METHODS.make(method), maps, candidate.name, seed=case.seed)
    explain(work, progress=progress)
    judge(Judging(candidate.model, batch, maps, metrics, scores, case))
    found = stored_scores(scores)
    values = torch.cat([part.attribution.values for part in read_attributions(maps)])
    return Explained(candidate.name, method, values, found, score_numbers(found, case.seed))
