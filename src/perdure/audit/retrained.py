"""The verdict across runs on one model, from the trained runs of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from perdure.audit.across_runs import AcrossRuns, across_runs, not_asked
from perdure.core.batch import select
from perdure.core.errors import EmptyDataError
from perdure.core.estimate import Estimate
from perdure.core.verdict import Verdict
from perdure.data.splits import Splits
from perdure.ops.similarity import SIMILARITIES
from perdure.stability.checks import check_comparable
from perdure.stability.explain_runs import Telling, noisy, tell, type_count, type_names
from perdure.stability.measures import alike_number, of_samples
from perdure.stability.members import Ensemble, Member, learned, members

__all__ = ["HOW", "retrained", "weighed"]

HOW = "One training run cannot tell. To ask, let the model be trained more than once: perdure audit ... --runs 5."


def retrained(ensemble: Ensemble | str, splits: Splits, samples: int, method: str, place: Path, seed: int) -> Verdict:
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
        every = members(ensemble, splits, seed)
        some = learned(every)
        batch, types = select(splits.test, slice(0, samples)), type_names(splits)
        again = noisy(some[0].model, (method,), splits.train)
        places = tuple((one.name, one.folder) for one in some)
        how = ensemble.config, ensemble.device
        work = Telling(places, (method,), again, batch, splits.train, place, seed, *how)
        told = tell(work, type_count(splits), ensemble.workers)
        check_comparable(told, [one.name for one in some], splits, types)
        agreement = of_samples(told[method], SIMILARITIES["Spearman"], seed).estimate
        alike = alike_number(told[method], seed).estimate
    except EmptyDataError as error:
        return not_asked(f"It cannot be told: {error}")
    return weighed(some, every, (agreement, alike), method)


def weighed(some: Sequence[Member], every: Sequence[Member], found: tuple[Estimate, Estimate], method: str) -> Verdict:
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
