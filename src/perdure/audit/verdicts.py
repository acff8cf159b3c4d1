"""The verdicts on one model, from its explanations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from perdure.attribution.input_iba import InputIBA
from perdure.audit.down_to_input import DownToInput, down_to_input
from perdure.audit.evidence import over_time_evidence
from perdure.audit.explained import Asked, Explained
from perdure.audit.information import COPIES, SAMPLES, information, information_numbers
from perdure.audit.over_time import over_time
from perdure.core.batch import slice_batch
from perdure.core.estimate import Estimate, Verdict
from perdure.core.spec import slug, strip_settings
from perdure.models._embed import embed_batch
from perdure.records.scores import Case
from perdure.stability.members import TrainedModel

__all__ = ["plainly", "verdicts"]

CLOSE = {
    "insertion": "insertion",
    "deletion": "deletion",
    "sensitivity": "sensitivity_n",
    "similarity": "parameter_randomisation",
}
"""The judge behind each number of the verdict down to the input."""

NAMES = {"sensitivity_n": "sensitivity-n", "parameter_randomisation": "similarity to maps of redrawn models"}

SAID = {
    "yes": "shows what the prediction needs",
    "partly": "shows part of what the prediction needs",
    "no": "does not show what the prediction needs",
    "unclear": "passes one test and fails another",
}
"""The answers of the second verdict in the words of a summary."""

RETRAINED = {
    "yes": "another training run would show the same",
    "partly": "another training run would show part of the same",
    "no": "another training run would show something else",
    "unclear": "whether another training run would show the same stays open",
}
"""Those of the third; without one nothing is said."""


def verdicts(
    candidate: TrainedModel, found: Sequence[Explained], asked: Asked, accuracy: Estimate, place: tuple[Case, Path]
) -> tuple[Verdict, ...]:
    """Judge a model by the first of its explanations: over time, where there is time, and down to the input.

    Args:
        candidate: the model.
        found: its explanations; when the data has time and no truth, the last is by occlusion.
        asked: samples and judges.
        accuracy: of the model.
        place: what is judged, for the record, and the folder of the run.

    Returns:
        The verdicts in the order of the page; that across runs, which needs further models, comes after them.
    """
    answers = [down_to_input(_evidence(candidate, found[0], asked, accuracy, place))]
    if asked.kind.in_time:
        batch = embed_batch(candidate.model, asked.batch)
        answers.insert(0, over_time(over_time_evidence(found[0], found[-1], batch, accuracy, place[0].seed)))
    return tuple(_by(found[0].method, verdict) for verdict in answers)


def plainly(some: Sequence[Verdict]) -> str:
    """Put the verdicts on a model in one sentence.

    Args:
        some: verdicts, of which the last two are down to the input and across runs.

    Returns:
        The words that follow the name of the model.
    """
    *time, down, runs = some
    if down.answer == "not learned":
        return "has not learned the task"
    said = [f"the explanation {verdict.answer}" for verdict in time] + [f"the map {SAID[down.answer]}"]
    if runs.answer in RETRAINED:
        said.append(RETRAINED[runs.answer])
    return ", and ".join((", ".join(said[:-1]), said[-1])) if len(said) > 1 else said[0]


def _by(method: str, verdict: Verdict) -> Verdict:
    """Say whose map was judged: another method may do better on the same model."""
    if verdict.answer == "not learned":
        return verdict
    return replace(verdict, sentence=f"Explained by {method}: {verdict.sentence[0].lower()}{verdict.sentence[1:]}")


def _evidence(
    candidate: TrainedModel, found: Explained, asked: Asked, accuracy: Estimate, place: tuple[Case, Path]
) -> DownToInput:
    case, folder = place
    close = {strip_settings(name): number for name, number in found.close.items()}
    judged = {field: replace(close[metric], name=NAMES.get(metric, metric)) for field, metric in CLOSE.items()}
    method = InputIBA(granularity=asked.kind.granularity, copies=COPIES, smoothing=0.0)
    few = slice_batch(asked.batch, slice(0, min(SAMPLES, asked.faithfulness_samples)))
    place_of_bits = folder / "information" / slug(candidate.name)
    score = information(candidate.model, few, asked.seen, method, case=case, folder=place_of_bits)
    bits, kept = information_numbers(score, case.seed)
    return DownToInput(accuracy, bits=bits, kept=kept, **judged)
