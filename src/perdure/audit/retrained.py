"""The verdict across runs on one model, from the trained runs of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from perdure.audit.across_runs import AcrossRuns, across_runs, not_asked
from perdure.core.batch import slice_batch
from perdure.core.errors import EmptyDataError
from perdure.core.estimate import Estimate, Verdict
from perdure.data._splits import Splits
from perdure.ops.similarity import SIMILARITIES
from perdure.stability.checks import check_comparable
from perdure.stability.explain_runs import ExplainRunsJob, count_types, explain_runs, find_noisy_methods, name_types
from perdure.stability.measures import compare_samples, estimate_equal_predictions
from perdure.stability.members import Ensemble, EnsembleMember, load_members, select_learned

__all__ = ["HOW", "compare_retrained", "weigh_agreement"]

HOW = "One training run cannot tell. To ask, let the model be trained more than once: perdure audit ... --runs 5."


def compare_retrained(
    ensemble: Ensemble | str, splits: Splits, samples: int, method: str, place: Path, seed: int
) -> Verdict:
    """Ask whether a model would be explained the same way after another training.

    Args:
        ensemble: its runs, or why there are none.
        splits: the data.
        samples: test samples to explain, at most.
        method: the method, with settings.
        place: the folder for the maps.
        seed: of noise, null and bootstrap.

    Returns:
        The verdict; "not asked" without two runs, or without samples that can be compared.
    """
    if isinstance(ensemble, str):
        return not_asked(ensemble)
    try:
        every = load_members(ensemble, splits, seed)
        some = select_learned(every)
        batch, types = slice_batch(splits.test, slice(0, samples)), name_types(splits)
        again = find_noisy_methods(some[0].model, (method,), splits.train)
        places = tuple((one.name, one.folder) for one in some)
        how = ensemble.config, ensemble.device
        work = ExplainRunsJob(places, (method,), again, batch, splits.train, place, seed, *how)
        told = explain_runs(work, count_types(splits), ensemble.workers)
        check_comparable(told, [one.name for one in some], splits, types)
        agreement = compare_samples(told[method], SIMILARITIES["Spearman"], seed).estimate
        alike = estimate_equal_predictions(told[method], seed).estimate
    except EmptyDataError as error:
        return not_asked(f"It cannot be told: {error}")
    return weigh_agreement(some, every, (agreement, alike), method)


def weigh_agreement(
    some: Sequence[EnsembleMember], every: Sequence[EnsembleMember], found: tuple[Estimate, Estimate], method: str
) -> Verdict:
    """Weigh how well the runs of an ensemble agree.

    Args:
        some: the runs that are compared.
        every: those and the runs that are left out.
        found: their rank correlation, and the share of samples they predict alike.
        method: whose maps were compared.

    Returns:
        The verdict.
    """
    worst = min((one.accuracy for one in some), key=lambda accuracy: accuracy.low - accuracy.null)
    left = tuple(one.name for one in every if one not in some)
    return across_runs(AcrossRuns(worst, *found, len(some), method, left))
