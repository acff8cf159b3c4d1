"""The verdict across runs: would a retrained model be explained the same way?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from perdure.audit.result import QUESTIONS
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import EmptyDataError, UnsupportedError
from perdure.core.estimate import Estimate, Level, Verdict
from perdure.data._splits import Splits
from perdure.ops.similarity import SIMILARITIES
from perdure.stability.agreement import FEW
from perdure.stability.checks import check_comparable
from perdure.stability.explain_runs import ExplainRunsJob, count_types, explain_runs, find_noisy_methods, name_types
from perdure.stability.measures import compare_samples, estimate_equal_predictions
from perdure.stability.members import Ensemble, EnsembleMember, has_learned, load_members, select_learned

__all__ = [
    "QUESTION",
    "RETRAIN",
    "SINGLE",
    "EvidenceAcrossRuns",
    "compare_runs",
    "compare_runs_by",
    "decide_across_runs",
    "skip_across_runs",
    "summarise_runs",
]

QUESTION = QUESTIONS["across_runs"]

Answer = Literal["yes", "partly", "no", "unclear"]

LEVELS: dict[Answer, Level] = {"yes": "good", "partly": "warning", "unclear": "warning", "no": "bad"}

SAME = 0.7
"""Fraction of the way from null to ceiling from which explanations are the same: as the square of a correlation is the
fraction of variance that two variables have in common, two runs then have at least half of the variance of ranks in
common."""

OTHER = 0.3
"""Fraction below which they are different: two runs then have less than a tenth of the variance in common."""

ALIKE = 0.9
"""Fraction of equal predictions below which a retrained model is another model, however it is explained."""

RESOLUTION = 0.1
"""Distance of null and ceiling below which the method itself cannot distinguish explanations."""

TAILS: dict[Answer, str] = {
    "yes": "What one run shows is what another would show.",
    "partly": "Part of what one run shows is of that run alone: show the mean of several.",
    "no": "What one run shows is of that run alone.",
    "unclear": "Where the agreement of further runs would lie stays open.",
}

RETRAIN = (
    "Train the model more than once: perdure audit ... --runs 5; in Python, pass the trained models to "
    "perdure.reproduce."
)

SINGLE = (
    f"One training run cannot answer this. {RETRAIN} Where that takes too long, add --nearby, or "
    "AuditSettings(nearby=True), which compares short retrainings."
)


@dataclass(frozen=True)
class EvidenceAcrossRuns:
    """Estimates behind the verdict across runs.

    Args:
        accuracy: Accuracy of the worst run that is compared.
        agreement: Mean rank correlation of the maps of two runs on samples with equal predictions; its null is that
            of shuffled maps, its ceiling that of a run with itself.
        alike: Fraction of equal predictions of two runs.
        runs: Number of compared runs.
        method: Attribution method of the maps.
        left: Names of the excluded runs, which have not learned the task.
    """

    accuracy: Estimate
    agreement: Estimate
    alike: Estimate
    runs: int
    method: str
    left: tuple[str, ...] = ()


def decide_across_runs(evidence: EvidenceAcrossRuns) -> Verdict:
    """Place the agreement of runs on the way from null to ceiling, with its interval over runs.

    The whole interval must lie in the range of the answer, and runs with different predictions are not the same: so
    few runs, whose interval is wide, give no firm answer.

    Args:
        evidence: Estimates of the runs.

    Returns:
        "not learned" when a compared run is no better than its null; else "yes", "partly", "no" or "unclear".

    Example:
        >>> accuracy, alike = (Estimate(0.98, 0.5, 1.0, (0.96, 0.99)) for _ in range(2))
        >>> agreement = Estimate(0.9, 0.0, 1.0, (0.85, 0.95))
        >>> decide_across_runs(EvidenceAcrossRuns(accuracy, agreement, alike, 8, "gradient")).answer
        'yes'
    """
    numbers = (evidence.agreement, evidence.alike)
    if not has_learned(evidence.accuracy):
        return Verdict(QUESTION, "not learned", "none", _describe_untrained(evidence), numbers)
    number = evidence.agreement
    if number.ceiling - number.null < RESOLUTION:
        return Verdict(QUESTION, "unclear", "warning", _describe_noise(evidence), numbers)
    answer = _find_answer(number)
    if answer == "yes" and evidence.alike.low < ALIKE:
        answer = "partly"
    sentences = (
        _describe_agreement(evidence),
        *_describe_excluded(evidence),
        *_describe_few(evidence),
        TAILS[answer],
    )
    return Verdict(QUESTION, answer, LEVELS[answer], " ".join(sentences), numbers)


def skip_across_runs(reason: str) -> Verdict:
    """Return the verdict of a question that was not tested.

    Args:
        reason: Reason, and how to test it.

    Returns:
        Verdict without numbers.
    """
    return Verdict(QUESTION, "not tested", "none", reason)


def _find_answer(number: Estimate) -> Answer:
    low, high = (number.rescale(end) for end in (number.low, number.high))
    if low >= SAME:
        return "yes"
    if low < OTHER and high >= SAME:
        return "unclear"
    return "no" if low <= 0 or high < OTHER else "partly"


def _describe_agreement(evidence: EvidenceAcrossRuns) -> str:
    number, null = evidence.agreement, round(evidence.agreement.null, 2) + 0.0  # not "-0.00"
    return (
        f"The maps of {evidence.method} by two of {evidence.runs} runs have a rank correlation of {number.value:.2f}, "
        f"{max(0.0, number.rescale(number.value)):.0%} of the way from shuffled maps ({null:.2f}) to a second "
        f"explanation of the same run ({number.ceiling:.2f}); {evidence.alike.value:.0%} of the samples are predicted "
        "alike."
    )


def _describe_untrained(evidence: EvidenceAcrossRuns) -> str:
    return (
        f"Fewer than two of {evidence.runs} runs are better than always naming the most frequent class "
        f"({evidence.accuracy.null:.0%}): there is nothing to compare yet."
    )


def _describe_excluded(evidence: EvidenceAcrossRuns) -> tuple[str, ...]:
    if not evidence.left:
        return ()
    have = "has" if len(evidence.left) == 1 else "have"
    return (f"Left out: {', '.join(evidence.left)}, which {have} not learned the task.",)


def _describe_few(evidence: EvidenceAcrossRuns) -> tuple[str, ...]:
    if evidence.runs == 2:
        return ("Two runs make a single pair, which does not show how far pairs differ.",)
    few = evidence.runs < FEW
    return (f"{evidence.runs} runs are few: the interval contains all pairs of them.",) if few else ()


def _describe_noise(evidence: EvidenceAcrossRuns) -> str:
    number = evidence.agreement
    return (
        f"A second explanation of the same run scores {number.ceiling:.2f} and shuffled maps score {number.null:.2f}: "
        f"the maps of {evidence.method} are constant or mostly noise, so that they cannot distinguish runs."
    )


def compare_runs(
    ensemble: Ensemble | str, splits: Splits, samples: int, method: str, place: Path, seed: int
) -> Verdict:
    """Test whether a model would be explained the same way after another training.

    Args:
        ensemble: Runs of the model, or the reason why there are none.
        splits: Data of all runs.
        samples: Maximum number of test samples to explain.
        method: Registry name, with settings.
        place: Folder for the maps.
        seed: Seed of noise, null and bootstrap.

    Returns:
        The verdict; "not tested" without two runs, or without comparable samples.
    """
    return compare_runs_by(ensemble, splits, samples, (method,), place, seed)[method]


def compare_runs_by(
    ensemble: Ensemble | str, splits: Splits, samples: int, methods: Sequence[str], place: Path, seed: int
) -> dict[str, Verdict]:
    """Test the same runs by several methods.

    Args:
        ensemble: As in `compare_runs`.
        splits: As in `compare_runs`.
        samples: As in `compare_runs`.
        methods: Registry names, with settings.
        place: As in `compare_runs`.
        seed: As in `compare_runs`.

    Returns:
        The verdict by method.
    """
    if isinstance(ensemble, str):
        return dict.fromkeys(methods, skip_across_runs(ensemble))
    try:
        every = load_members(ensemble, splits, seed)
    except EmptyDataError as error:
        return dict.fromkeys(methods, skip_across_runs(f"It cannot be tested: {error}"))
    batch = slice_batch(splits.test, slice(0, samples))
    return {method: _compare_members(every, ensemble, splits, batch, method, (place, seed)) for method in methods}


def _compare_members(
    every: tuple[EnsembleMember, ...],
    ensemble: Ensemble,
    splits: Splits,
    batch: Batch,
    method: str,
    where: tuple[Path, int],
) -> Verdict:
    """Explain the runs by one method and decide."""
    place, seed = where
    learned, types = select_learned(every), name_types(splits)
    runs = tuple((member.name, member.source) for member in learned)
    try:
        again = find_noisy_methods(learned[0].model, (method,), splits.train)
        job = ExplainRunsJob(runs, (method,), again, batch, splits.train, place, seed, ensemble.config, ensemble.device)
        explanations = explain_runs(job, count_types(splits), ensemble.workers)
        check_comparable(explanations, [member.name for member in learned], splits, types)
        agreement = compare_samples(explanations[method], SIMILARITIES["Spearman"], seed).estimate
        alike = estimate_equal_predictions(explanations[method], seed).estimate
    except (EmptyDataError, UnsupportedError) as error:
        return skip_across_runs(f"It cannot be tested: {error}")
    return summarise_runs(learned, every, (agreement, alike), method)


def summarise_runs(
    learned: Sequence[EnsembleMember],
    every: Sequence[EnsembleMember],
    estimates: tuple[Estimate, Estimate],
    method: str,
) -> Verdict:
    """Decide how well the runs of an ensemble agree.

    Args:
        learned: Compared runs.
        every: These and the excluded runs.
        estimates: Rank correlation, and fraction of equal predictions.
        method: Attribution method of the compared maps.

    Returns:
        The verdict.
    """
    worst = min((member.accuracy for member in learned), key=lambda accuracy: accuracy.low - accuracy.null)
    left = tuple(member.name for member in every if member not in learned)
    return decide_across_runs(EvidenceAcrossRuns(worst, *estimates, len(learned), method, left))
