"""The page of an audit: result, verdicts, maps and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from perdure.core.batch import Text
from perdure.core.estimate import Estimate, Verdict, read_estimate, read_verdict
from perdure.report.charts.heatmap import (
    COVERED,
    UNIFORM_UNIT,
    add_labels,
    draw_colour_scale,
    draw_panel,
    find_limits,
    relative_to_uniform,
)
from perdure.report.charts.vanishing import Band, build_vanishing_plot
from perdure.report.pages.page import Page, Section
from perdure.report.pages.samples import AXES, OUTLINE, build_samples
from perdure.report.pieces import Card, Cards, Facts, Gallery, NumberGroup, Numbers, Piece, Prose, ScaleKey

__all__ = ["AuditPicture", "AuditedModel", "ScoreRow", "build_audit_page", "read_audit"]

GUIDE = Prose(
    (
        "Every number is shown between its null, the score of a random map or an uninformed model on the same samples, "
        "and its ceiling, the score of the true map or a perfect model. The null is always on the left and the ceiling "
        "on the right, even if less is better. The bar is the interval of the number.",
        "Colours of maps are relative to a uniform map: the value is 1 where all elements are equally important. "
        "The few values beyond the end of a scale have the colour of the end.",
        "An explanation can only be as good as its model: check the accuracy first.",
    )
)


def _example(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, 0.0, 1.0, (low, high), name="example", higher_is_better=True)


KEY = ScaleKey(
    (
        ("better than the null", _example(0.6, 0.5, 0.7)),
        ("like the null: the interval contains it", _example(0.02, -0.08, 0.12)),
        ("worse than the null", _example(-0.2, -0.29, -0.12)),
    )
)


@dataclass(frozen=True)
class AuditedModel:
    """A model with its accuracy and verdicts."""

    name: str
    accuracy: Estimate
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class ScoreRow:
    """The score of the maps of one model and method; the name of the number is the metric."""

    model: str
    method: str
    number: Estimate


@dataclass(frozen=True, eq=False)
class AuditPicture:
    """The data of the page of an audit.

    Args:
        title: Main heading.
        subtitle: Data, method and number of samples.
        answer: Result of the audit in one sentence.
        models: Models in the order of the page.
        scores: Rows of the table; rows of one metric are grouped.
        provenance: Provenance, possibly nested.
        profiles: Attribution against distance from the end, by model or method.
        mean_maps: Mean absolute map over the test samples, by model or method.
        inputs: Samples to show: series, images (sample, channel, row, column), or token ids (sample, time).
        labels: Title of each sample.
        maps: Attributions by model or method, one number per pixel or token; NaN at padded steps.
        texts: Texts of the token ids.
        truth: Relevant elements of these samples, shaped like the maps.
        truth_profile: Fraction of relevant elements at each distance from the end.
        mean_truth: Relevant elements of all samples, for the mean maps.
        features: Names of the features of series; empty for none.
    """

    title: str
    subtitle: str
    answer: str
    models: tuple[AuditedModel, ...]
    scores: tuple[ScoreRow, ...]
    provenance: Mapping[str, Any]
    profiles: Mapping[str, Band]
    mean_maps: Mapping[str, Float[np.ndarray, "time feature"]]
    inputs: Float[np.ndarray, "sample *site"]
    labels: tuple[str, ...]
    maps: Mapping[str, Float[np.ndarray, "sample *position"]]
    texts: tuple[Text, ...] = ()
    truth: Bool[np.ndarray, "sample *position"] | None = None
    truth_profile: Float[np.ndarray, " distance"] | None = None
    mean_truth: Bool[np.ndarray, "time feature"] | None = None
    features: tuple[str, ...] = ()


def read_audit(record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> AuditPicture:
    """Read the data of a page from the JSON record and the arrays of an audit.

    Args:
        record: Title, subtitle, answer, models (name, accuracy, verdicts), scores (model, method, number),
            labels, provenance, and optionally the texts of token ids and the names of features.
        arrays: Array `inputs`, and when known `truth`, `truth_profile` and `mean_truth`; for each name
            `profile/NAME` (mean, low, high), `mean_map/NAME` and `map/NAME`.

    Returns:
        All data of the page.
    """
    return AuditPicture(
        title=record["title"],
        subtitle=record["subtitle"],
        answer=record["answer"],
        models=tuple(
            AuditedModel(m["name"], read_estimate(m["accuracy"]), tuple(read_verdict(v) for v in m["verdicts"]))
            for m in record["models"]
        ),
        scores=tuple(ScoreRow(s["model"], s["method"], read_estimate(s["number"])) for s in record["scores"]),
        provenance=record["provenance"],
        profiles={name: Band(*rows) for name, rows in _under("profile/", arrays).items()},
        mean_maps=_under("mean_map/", arrays),
        inputs=arrays["inputs"],
        labels=tuple(record["labels"]),
        maps=_under("map/", arrays),
        texts=tuple(
            Text(text["text"], tuple(map(tuple, text["spans"])), text["pieces"]) for text in record.get("texts", ())
        ),
        truth=arrays.get("truth"),
        truth_profile=arrays.get("truth_profile"),
        mean_truth=arrays.get("mean_truth"),
        features=tuple(record.get("features", ())),
    )


def build_audit_page(audit: AuditPicture) -> Page:
    """Build the page of an audit.

    Args:
        audit: Data of the page.

    Returns:
        Page for `render`.
    """
    sections = (
        Section("Verdicts", _cards(audit.models)),
        *_distribution(audit),
        Section("Samples", (_samples(audit),)),
        Section("Scores", (_scores(audit.scores),)),
        Section("How to read this page", (GUIDE, KEY)),
        Section("Provenance", (Facts(audit.provenance),)),
    )
    return Page(audit.title, audit.subtitle, audit.answer, sections)


def _cards(models: tuple[AuditedModel, ...]) -> tuple[Cards, ...]:
    """Group the verdicts of all models by question."""
    questions: dict[str, list[Card]] = {}
    for model in models:
        for verdict in model.verdicts:
            questions.setdefault(verdict.question, []).append(Card(model.name, verdict, (model.accuracy,)))
    return tuple(Cards(tuple(cards)) for cards in questions.values())


def _distribution(audit: AuditPicture) -> tuple[Section, ...]:
    """Show mean maps and profiles, if the samples have comparable positions."""
    pieces = (*((_mean_gallery(audit),) if audit.mean_maps else ()), *((_curve(audit),) if audit.profiles else ()))
    return (Section("Distribution of the attribution", pieces),) if pieces else ()


def _samples(audit: AuditPicture) -> Piece:
    return build_samples(audit.inputs, audit.maps, audit.truth, audit.labels, audit.texts, audit.features)


def _mean_gallery(audit: AuditPicture) -> Gallery:
    names = list(audit.mean_maps)
    even = {name: relative_to_uniform(audit.mean_maps[name][None])[0] for name in names}
    span = find_limits(even.values(), COVERED)
    panels = tuple(
        add_labels(
            draw_panel(even[name], span, audit.mean_truth, name, f"mean map of {name} over time and features"),
            audit.features,
        )
        for name in names
    )
    note = "Mean absolute map over all test samples. " + AXES + (OUTLINE if audit.mean_truth is not None else "")
    return Gallery((("", panels),), (draw_colour_scale(span, UNIFORM_UNIT),), note)


def _curve(audit: AuditPicture) -> Any:
    return build_vanishing_plot(
        audit.profiles,
        audit.truth_profile,
        alt="Fraction of the attribution at each distance from the end, for " + ", ".join(audit.profiles),
        caption="Attribution of each step. The flat line at 1 is the null: all steps equal. A curve that falls towards "
        "the left has lost the early steps. Bands are bootstrap intervals over samples.",
    )


def _scores(rows: tuple[ScoreRow, ...]) -> Numbers:
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for row in rows:
        groups.setdefault(row.number.name, []).append((f"{row.model} · {row.method}", row.number))
    return Numbers(tuple(NumberGroup(name, tuple(members)) for name, members in groups.items()))


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
