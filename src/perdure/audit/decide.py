"""Verdicts on every method of a panel, from the same evidence about the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from perdure.attribution.input_iba import InputIBA
from perdure.audit.down_to_input import EvidenceDownToInput, decide_down_to_input, is_reference, place_reference
from perdure.audit.explain import AuditRequest, ExplainedModel, FailedMethod, explain_panel
from perdure.audit.information import COPIES, SAMPLES, estimate_information, measure_information
from perdure.audit.over_time import QUESTION, collect_evidence_over_time, decide_over_time
from perdure.audit.paired import combine_scores, estimate_paired, find_ties
from perdure.audit.panel import is_control, locate_evidence
from perdure.audit.result import AuditedMethod, Verdicts
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import EngineError, PartError, PerdureError, RunFolderError
from perdure.core.estimate import Estimate, Verdict
from perdure.core.spec import slug, strip_settings
from perdure.models._embed import embed_batch
from perdure.ops.position import Granularity
from perdure.ops.texture import is_constant_within_positions
from perdure.records.scores import Case
from perdure.stability.members import TrainedModel

__all__ = ["PanelEvidence", "collect_panel_evidence", "decide_methods"]

METRIC_OF = {
    "insertion": "insertion",
    "deletion": "deletion",
    "sensitivity": "sensitivity_n",
    "similarity": "parameter_randomisation",
}
"""The metric behind each estimate of the verdict down to the input."""

COMPARED = ("insertion", "deletion", "sensitivity_n")
"""Metrics by which methods are compared in pairs; similarity is no matter of degree."""

NAMES = {"sensitivity_n": "sensitivity-n", "parameter_randomisation": "similarity to maps of redrawn models"}


@dataclass(frozen=True, eq=False)
class PanelEvidence:
    """What is known of a model, whichever method explains it.

    Args:
        accuracy: Accuracy on all test samples.
        batch: Explained samples, texts embedded.
        locator: Maps of the occlusion that locates the evidence in time, or why there are none; None where the data
            has a truth or no order in time.
        information: Bits that the prediction needs and its probability with them; None where they were not found.
        granularity: Size of an element of the data.
        seed: Seed of all random draws.
    """

    accuracy: Estimate
    batch: Batch
    locator: ExplainedModel | FailedMethod | None
    information: tuple[Estimate, Estimate] | None
    granularity: Granularity
    seed: int


def collect_panel_evidence(
    trained: TrainedModel,
    panel: Sequence[ExplainedModel],
    request: AuditRequest,
    accuracy: Estimate,
    place: tuple[Case, Path],
) -> PanelEvidence:
    """Collect the evidence that all methods of a panel share.

    Args:
        trained: Explained model.
        panel: Methods that have maps.
        request: Samples and metrics.
        accuracy: Accuracy on all test samples.
        place: Names for the record, and the folder of the run.

    Returns:
        The evidence.
    """
    case, folder = place
    locator: ExplainedModel | FailedMethod | None = None
    if request.modality.in_time and request.batch.truth is None:
        name = locate_evidence([item.method for item in panel], request.batch.inputs.shape[1])
        locator = next((item for item in panel if item.method == name), None)
        bare = replace(request, metrics=(), faithfulness=())
        locator = locator or explain_panel(trained, (name,), bare, case=case, folder=folder)[0]
    batch = embed_batch(trained.model, request.batch)
    information = _measure_information(trained, request, place)
    return PanelEvidence(accuracy, batch, locator, information, request.modality.granularity, case.seed)


def _measure_information(
    trained: TrainedModel, request: AuditRequest, place: tuple[Case, Path]
) -> tuple[Estimate, Estimate] | None:
    """Estimate the bits that the predictions need; no answer depends on them, so a failure leaves them out."""
    case, folder = place
    method = InputIBA(granularity=request.modality.granularity, copies=COPIES, smoothing=0.0)
    few = slice_batch(request.batch, slice(0, min(SAMPLES, request.faithfulness_samples)))
    at = folder / "information" / slug(trained.name)
    try:
        score = measure_information(trained.model, few, request.training, method, case=case, folder=at)
    except (PartError, RunFolderError, EngineError):
        raise
    except PerdureError:
        return None
    return estimate_information(score, case.seed)


def decide_methods(
    panel: Sequence[ExplainedModel], evidence: PanelEvidence, across: Mapping[str, Verdict]
) -> tuple[AuditedMethod, ...]:
    """Answer every question for every method, and compare the methods in pairs.

    Args:
        panel: Maps and scores of the methods.
        evidence: Evidence that all of them share.
        across: Verdict across runs by method.

    Returns:
        Methods with verdicts, in the order of the panel.
    """
    combined = combine_scores({item.method: {name: item.find_score(name) for name in COMPARED} for item in panel})
    ties = find_ties(combined, evidence.seed)
    references = _find_references(panel, evidence)
    return tuple(
        AuditedMethod(
            item.method,
            (*item.estimates.values(), *item.faithfulness.values()),
            Verdicts(
                _decide_over_time(item, evidence),
                _name_method(
                    item.method, decide_down_to_input(_collect_evidence(item, evidence, references[item.method]))
                ),
                across[item.method],
            ),
            item.passes,
            item.seconds,
            estimate_paired(combined[item.method], evidence.seed),
            ties[item.method],
        )
        for item in panel
    )


def _decide_over_time(item: ExplainedModel, evidence: PanelEvidence) -> Verdict | None:
    """Decide on a map in time; None for data without an order in time."""
    if "vanishing" not in item.estimates:
        return None
    if isinstance(evidence.locator, FailedMethod):
        reason = f"Where the evidence lies is unknown, as occlusion failed: {evidence.locator.error}"
        return Verdict(QUESTION, "not tested", "none", reason)
    collected = collect_evidence_over_time(item, evidence.locator, evidence.batch, evidence.accuracy, evidence.seed)
    return _name_method(item.method, decide_over_time(collected))


def _name_method(method: str, verdict: Verdict) -> Verdict:
    """Name the method in the sentence: another method may be better on the same model."""
    if verdict.answer == "not learned":
        return verdict
    return replace(verdict, sentence=f"Explained by {method}: {verdict.sentence[0].lower()}{verdict.sentence[1:]}")


def _find_references(panel: Sequence[ExplainedModel], evidence: PanelEvidence) -> dict[str, list[float]]:
    """List for each method the sensitivities of its references: maps as fine, of whole steps or single numbers."""
    mask, in_elements = evidence.batch.mask, evidence.granularity == "element"
    is_coarse = {
        item.method: in_elements
        and bool(is_constant_within_positions(item.maps, None if mask is None else mask.to(item.maps.device)).all())
        for item in panel
    }
    values = {item.method: item.find_score("sensitivity_n").values.mean().item() for item in panel}
    scores = {item.method: {strip_settings(name): score for name, score in item.faithfulness.items()} for item in panel}
    passing = {
        name for name, of_method in scores.items() if is_reference(of_method["insertion"], of_method["deletion"])
    }
    return {
        method: [
            value
            for other, value in values.items()
            if other != method and other in passing and not is_control(other) and is_coarse[other] == is_coarse[method]
        ]
        for method in values
    }


def _collect_evidence(
    item: ExplainedModel, evidence: PanelEvidence, references: Sequence[float]
) -> EvidenceDownToInput:
    by_metric = {name.partition(":")[0]: number for name, number in item.faithfulness.items()}
    numbers = {field: replace(by_metric[metric], name=NAMES.get(metric, metric)) for field, metric in METRIC_OF.items()}
    numbers["sensitivity"] = place_reference(numbers["sensitivity"], references)
    bits, kept = evidence.information or (None, None)
    return EvidenceDownToInput(evidence.accuracy, bits=bits, kept=kept, **numbers)
