"""Cases whose right verdict is known, and the evidence of an audit about each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from perdure.attribution._attribute import attribute
from perdure.audit.across_runs import OTHER, SAME, EvidenceAcrossRuns, decide_across_runs
from perdure.audit.down_to_input import EvidenceDownToInput, decide_down_to_input, is_reference, place_reference
from perdure.audit.explain import DRAWS, SANITY
from perdure.audit.modality import find_modality
from perdure.audit.over_time import (
    EvidenceOverTime,
    decide_over_time,
    find_answer,
    measure_vanishing,
)
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch, slice_batch
from perdure.core.estimate import Estimate, read_estimate, write_estimate
from perdure.core.method import Method
from perdure.core.metric import NeedsMethod
from perdure.core.query import slice_query
from perdure.core.random import stream
from perdure.core.spec import name_of
from perdure.metrics._evaluate import evaluate
from perdure.metrics._summarise import summarise
from perdure.models._embed import embed_batch
from perdure.ops.bootstrap import bootstrap_interval
from perdure.ops.correlation import pearson
from perdure.ops.position import to_positions
from perdure.ops.sequence import site_mask
from perdure.ops.similarity import SIMILARITIES
from perdure.ops.texture import is_constant_within_positions
from perdure.stability.agreement import RunExplanations
from perdure.stability.measures import compare_samples, estimate_equal_predictions
from perdure.stability.members import estimate_accuracy
from perdure.stability.vectors import Vectors
from perdure.studies._planted_maps import IN_TIME, MAPS, MEASURED, PlantedMap, Recipe
from perdure.studies._planted_runs import RUNS, PlantedRuns, find_truth, make_runs
from perdure.studies._planted_tasks import PlantedTask

__all__ = ["METHODS", "VerdictCase", "collect_map_cases", "collect_run_cases", "decide_case"]

METHODS = ("integrated_gradients:steps=32", "input_x_gradient", "occlusion", "gradient", "saliency")
"""Methods whose maps are further cases, and the references of the others."""

PERMUTED = ("exact", "magnitude", "random")
"""Maps that are also tested with permuted labels."""

YES, PARTLY, NO = 0.9, (0.35, 0.75), 0.2
"""Correlation with the exact contributions from which a map is right, between which it is partly right, and up to which
it is wrong; a map in between has no known answer."""

MARGIN = 0.06
"""Distance of a vanishing index, or agreement of runs, from a limit of its words within which no answer is known."""

SAMPLES = 48
"""Samples of each run of a set."""


@dataclass(frozen=True)
class VerdictCase:
    """A question about a map, or a set of runs, whose right answer is known.

    Args:
        question: Field of `Verdicts`.
        name: Name of the map or of the recipe of the runs.
        right: Right answer.
        why: Reason why it is right.
        evidence: Fields of the evidence as plain data.
    """

    question: str
    name: str
    right: str
    why: str
    evidence: Mapping[str, Any]


def decide_case(case: VerdictCase) -> str:
    """Answer the question by the rule of the audit.

    Args:
        case: Case with its evidence.

    Returns:
        The answer.
    """
    collected: dict[str, Any] = {
        name: read_estimate(value) if isinstance(value, dict) else value for name, value in case.evidence.items()
    }
    if case.question == "over_time":
        return decide_over_time(EvidenceOverTime(**collected)).answer
    if case.question == "down_to_input":
        return decide_down_to_input(EvidenceDownToInput(**collected)).answer
    return decide_across_runs(EvidenceAcrossRuns(**collected)).answer


def _write(evidence: EvidenceOverTime | EvidenceDownToInput | EvidenceAcrossRuns) -> dict[str, Any]:
    values = {field.name: getattr(evidence, field.name) for field in fields(evidence)}
    return {name: write_estimate(value) if isinstance(value, Estimate) else value for name, value in values.items()}


def collect_map_cases(task: PlantedTask, samples: int, seed: int, permuted: bool = False) -> Iterator[VerdictCase]:
    """Explain a task by maps with known answers, and collect the evidence of an audit.

    Args:
        task: Task.
        samples: Number of explained samples.
        seed: Seed of maps, nulls and bootstraps.
        permuted: Whether the network was trained after the labels were permuted, so that "not learned" is right for
            every map.

    Yields:
        Cases of the questions down to the input and, for data in time, over time.
    """
    panel = _Panel.explain(task, samples, seed, PERMUTED if permuted else tuple(MAPS))
    for name in panel.maps:
        right, why = _find_right(panel, name)
        if permuted or right is not None:
            evidence = _write(panel.collect_down_to_input(name))
            yield VerdictCase("down_to_input", name, "not learned" if permuted else str(right), why, evidence)
    if find_modality(task.splits.test).in_time:
        yield from _collect_over_time(panel, permuted)


@dataclass(frozen=True, eq=False)
class _Panel:
    """The maps of a task with their scores, and what all of them share."""

    task: PlantedTask
    batch: Batch
    maps: Mapping[str, Attribution]
    scores: Mapping[str, Mapping[str, Estimate]]
    accuracy: Estimate
    seed: int

    @classmethod
    def explain(cls, task: PlantedTask, samples: int, seed: int, names: tuple[str, ...]) -> _Panel:
        """Compute maps and scores."""
        batch = embed_batch(task.model, slice_batch(task.splits.test, slice(0, samples)))
        methods: dict[str, Method | str] = {
            **{name: PlantedMap(name, seed) for name in names},
            **{name: name for name in METHODS},
        }
        maps = {
            name: attribute(task.model, batch, method, target="predicted", generator=stream(seed, "maps", name))
            for name, method in methods.items()
        }
        scores = {name: _score(attribution, task, seed) for name, attribution in maps.items()}
        accuracy = estimate_accuracy(task.model, task.splits.test, seed)
        return cls(task, batch, maps, scores, accuracy, seed)

    def collect_down_to_input(self, name: str) -> EvidenceDownToInput:
        """Collect the evidence about one map; references are the methods whose maps are as fine."""
        own, coarse = self.scores[name], self.is_coarse(name)
        references = [
            self.scores[method]["sensitivity_n"].value
            for method in METHODS
            if method != name and self.is_coarse(method) == coarse and is_reference(*self._find_curves(method))
        ]
        return EvidenceDownToInput(
            self.accuracy,
            own["insertion"],
            own["deletion"],
            place_reference(own["sensitivity_n"], references),
            own["parameter_randomisation"],
        )

    def _find_curves(self, name: str) -> tuple[Estimate, Estimate]:
        return self.scores[name]["insertion"], self.scores[name]["deletion"]

    def is_coarse(self, name: str) -> bool:
        """Return whether the elements of the data are numbers, and a map has one value per step."""
        values, in_elements = self.maps[name].values, self.task.model.granularity == "element"
        return in_elements and bool(is_constant_within_positions(values, self.batch.mask).all())

    def correlate(self, name: str) -> float:
        """Correlate a map with the exact contributions, both summed as finely as the map is."""
        whole = self.task.model.granularity == "position" or self.is_coarse(name)
        pair = [self.maps[item].values.double() for item in (name, "exact")]
        valid = site_mask(self.batch.mask, pair[0]).double()
        rows = [(to_positions(item) if whole else item).flatten(1) for item in (*pair, valid)]
        present = (rows[2] > 0).double()
        count = present.sum(1, keepdim=True)
        centred = [(row - (row * present).sum(1, keepdim=True) / count) * present for row in rows[:2]]
        return pearson(*centred).mean().item()


def _score(attribution: Attribution, task: PlantedTask, seed: int) -> dict[str, Estimate]:
    """Score a map by the metrics of an audit, on as many samples and with as many draws."""
    scores = {}
    for metric in find_modality(task.splits.test).faithfulness:
        again = isinstance(metric, NeedsMethod)
        subject = _take(attribution, SANITY) if again else attribution
        name = name_of(metric)
        score = evaluate(subject, metric, draws=DRAWS, generator=stream(seed, "null", name))
        scores[name] = summarise(score, stream(seed, "bootstrap", name))
    return scores


def _take(attribution: Attribution, count: int) -> Attribution:
    """Take the first samples of an attribution."""
    first = slice(0, count)
    return replace(attribution, values=attribution.values[first], source=slice_query(attribution.query, first))


def _find_right(panel: _Panel, name: str) -> tuple[str | None, str]:
    """Find the right answer of a map; None where it is not known."""
    recipe = MAPS.get(
        name, Recipe(lambda query, _: query.x, MEASURED, "a method whose map can be compared with the exact one")
    )
    if recipe.right != MEASURED:
        return recipe.right, recipe.why
    value = panel.correlate(name)
    why = f"{recipe.why}; its correlation with the exact contributions is {value:.2f}"
    if value >= YES:
        return "yes", why
    if PARTLY[0] <= value <= PARTLY[1]:
        return "partly", why
    return ("no" if value <= NO else None), why


def _collect_over_time(panel: _Panel, permuted: bool) -> Iterator[VerdictCase]:
    """Compare the place of each map in time with that of the exact contributions, which the audit does not see."""
    batch, task = panel.batch, panel.task
    window = math.ceil(batch.inputs.shape[1] / 20)
    locator = attribute(task.model, batch, f"occlusion:window={window}", target="predicted").values
    evidence = measure_vanishing(locator, batch)
    exact = measure_vanishing(panel.maps["exact"].values, batch).values.mean().item()
    faded = {
        name: attribute(task.model, batch, PlantedMap(name, panel.seed), target="predicted")
        for name in ({} if permuted else IN_TIME)
    }
    for name, attribution in {**panel.maps, **faded}.items():
        measured = measure_vanishing(attribution.values, batch)
        index = _estimate(measured.values, evidence.values, 0.0, panel.seed)
        reach = _estimate(measured.aux["reach"], evidence.aux["reach"], 0.25, panel.seed)
        collected = EvidenceOverTime(panel.accuracy, index, reach, "occlusion")
        right = "not learned" if permuted else _find_place(index.value, exact)
        if right is not None:
            why = f"its vanishing index is {index.value:.2f}, that of the exact contributions {exact:.2f}"
            yield VerdictCase("over_time", name, right, why, _write(collected))


def _estimate(values: Tensor, ceiling: Tensor, null: float, seed: int) -> Estimate:
    low, high = bootstrap_interval(values, stream(seed, "bootstrap", "place"))
    return Estimate(values.mean().item(), null, ceiling.mean().item(), (low.item(), high.item()), len(values))


def _find_place(value: float, exact: float) -> str | None:
    """Name the place of a map by its index and that of the evidence; None near a limit."""
    answers = {
        find_answer(Estimate(value + change, 0.0, exact, (value + change, value + change)))[0]
        for change in (-MARGIN, 0.0, MARGIN)
    }
    return answers.pop() if len(answers) == 1 else None


def collect_run_cases(name: str, seed: int) -> Iterator[VerdictCase]:
    """Make the runs of a recipe, and collect the evidence of an audit about their agreement.

    Args:
        name: Name of the recipe in `RUNS`.
        seed: Seed of samples and weights.

    Yields:
        One case, or none where the true agreement is near a limit.
    """
    recipe = RUNS[name]
    agreement, alike = find_truth(recipe, stream(seed, "runs", name))
    right = "not learned" if recipe.permuted else _find_agreement(agreement, alike)
    if right is not None:
        runs = make_runs(recipe, SAMPLES, stream(seed, "runs", name))
        why = (
            f"maps of two runs correlate by {agreement:.2f} over many samples, of which {alike:.0%} are predicted alike"
        )
        yield VerdictCase("across_runs", name, right, why, _write(_compare_runs(runs, seed)))


def _find_agreement(agreement: float, alike: float) -> str | None:
    if agreement <= OTHER - MARGIN:
        return "no"
    if agreement >= SAME + MARGIN:
        return "yes" if alike >= 0.95 else None
    return "partly" if OTHER + MARGIN <= agreement <= SAME - MARGIN else None


def _compare_runs(runs: PlantedRuns, seed: int) -> EvidenceAcrossRuns:
    explanations = [
        RunExplanations(Vectors(maps, torch.ones_like(maps, dtype=torch.bool)), predicted)
        for maps, predicted in zip(runs.maps, runs.predicted, strict=True)
    ]
    agreement = compare_samples(explanations, SIMILARITIES["Spearman"], seed).estimate
    alike = estimate_equal_predictions(explanations, seed).estimate
    right = (runs.predicted == runs.label).double()
    worst = right[right.mean(1).argmin()]
    low, high = bootstrap_interval(worst, stream(seed, "bootstrap", "accuracy"))
    most = runs.label.bincount().max().item() / len(runs.label)
    accuracy = Estimate(worst.mean().item(), most, 1.0, (low.item(), high.item()), len(worst), "accuracy")
    return EvidenceAcrossRuns(accuracy, agreement, alike, len(explanations), "exact contributions")
