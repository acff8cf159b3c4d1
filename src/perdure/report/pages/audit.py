"""The page of an audit: result, verdicts, maps and scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from perdure.audit.result import Audit, AuditedModel
from perdure.audit.table import COLUMNS, describe_cost, describe_paired, find_mark
from perdure.core.estimate import Estimate
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
from perdure.report.pages.error_rates import build_error_rates
from perdure.report.pages.page import Page, Section
from perdure.report.pages.samples import AXES, OUTLINE, build_samples
from perdure.report.pieces import (
    Card,
    Cards,
    Facts,
    Gallery,
    NumberGroup,
    Numbers,
    Piece,
    Prose,
    ScaleKey,
    VerdictRow,
    VerdictTable,
)

__all__ = ["build_audit_page"]

TABLE_NOTE = (
    "Point at an answer for its reasons. Faithfulness is the mean of insertion, deletion and sensitivity-n on the same "
    "samples, 0 for a random map and 1 for the best; methods marked as tied are not significantly different from the "
    "one to use (sign-flip tests of all pairs, corrected by Holm). Seconds and passes are those of the maps."
)

GUIDE = Prose(
    (
        "Every number is shown between its null, the score of a map or model without information on the same samples, "
        "and its ceiling, the score of the true map or a perfect model. The null is always on the left and the ceiling "
        "on the right, even if less is better. The bar is the interval of the number.",
        "Where inputs are inserted or deleted, the null is the map itself, shifted or mirrored: a map must be better "
        "than its own texture at other places, by a permutation test with one-sided p up to 0.025. The short mark is "
        "the score of a uniform random map.",
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


def build_audit_page(audit: Audit) -> Page:
    """Build the page of an audit.

    Args:
        audit: Result of an audit.

    Returns:
        Page for `render`.
    """
    sections = (
        Section("Methods", (_table(audit), *_notes(audit))),
        Section("Verdicts", _cards(audit.models)),
        *_distribution(audit),
        Section("Samples", (_samples(audit),)),
        Section("Scores", (_scores(audit.models),)),
        *build_error_rates(
            [verdict for model in audit.models for method in model.methods for verdict in method.verdicts]
        ),
        Section("How to read this page", (GUIDE, KEY)),
        Section("Provenance", (Facts(audit.provenance),)),
    )
    return Page(audit.title, audit.subtitle, audit.answer, sections)


def _table(audit: Audit) -> VerdictTable:
    """Build the table of methods and questions, one group of rows per model."""
    several = len(audit.models) > 1
    groups = tuple((model.name if several else "", "", _list_rows(model)) for model in audit.models)
    return VerdictTable(COLUMNS, groups, TABLE_NOTE)


def _list_rows(model: AuditedModel) -> tuple[VerdictRow, ...]:
    return tuple(
        VerdictRow(
            method.name,
            find_mark(method, model),
            (method.verdicts.over_time, method.verdicts.down_to_input, method.verdicts.across_runs),
            (describe_paired(method), *describe_cost(method)),
            method.failure or "",
        )
        for method in model.methods
    )


def _notes(audit: Audit) -> tuple[Prose, ...]:
    return (Prose(audit.notes),) if audit.notes else ()


def _cards(models: tuple[AuditedModel, ...]) -> tuple[Cards, ...]:
    """Group the verdicts on the shown method of all models by question."""
    questions: dict[str, list[Card]] = {}
    for model in models:
        for verdict in model.verdicts:
            questions.setdefault(verdict.question, []).append(Card(model.name, verdict, (model.accuracy,)))
    return tuple(Cards(tuple(cards)) for cards in questions.values())


def _distribution(audit: Audit) -> tuple[Section, ...]:
    """Show mean maps and profiles, if the samples have comparable positions."""
    mean_maps, profiles = (_select(name, audit) for name in ("mean_map", "profile"))
    pieces = (
        *((_mean_gallery(mean_maps, audit),) if mean_maps else ()),
        *((_curve(profiles, audit),) if profiles else ()),
    )
    return (Section("Distribution of the attribution", pieces),) if pieces else ()


def _samples(audit: Audit) -> Piece:
    arrays, maps = audit.arrays, _select("map", audit)
    return build_samples(arrays["inputs"], maps, arrays.get("truth"), audit.labels, audit.texts, audit.features)


def _mean_gallery(mean_maps: Mapping[str, np.ndarray], audit: Audit) -> Gallery:
    even = {name: relative_to_uniform(values[None])[0] for name, values in mean_maps.items()}
    span, truth = find_limits(even.values(), COVERED), audit.arrays.get("mean_truth")
    panels = tuple(
        add_labels(
            draw_panel(values, span, truth, name, f"mean map of {name} over time and features"),
            audit.features,
        )
        for name, values in even.items()
    )
    note = "Mean absolute map over all test samples. " + AXES + (OUTLINE if truth is not None else "")
    return Gallery((("", panels),), (draw_colour_scale(span, UNIFORM_UNIT),), note)


def _curve(profiles: Mapping[str, np.ndarray], audit: Audit) -> Any:
    return build_vanishing_plot(
        {name: Band(*rows) for name, rows in profiles.items()},
        audit.arrays.get("truth_profile"),
        alt="Fraction of the attribution at each distance from the end, for " + ", ".join(profiles),
        caption="Attribution of each step. The flat line at 1 is the null: all steps equal. A curve that falls towards "
        "the left has lost the early steps. Bands are bootstrap intervals over samples.",
    )


def _scores(models: tuple[AuditedModel, ...]) -> Numbers:
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for model in models:
        for method in model.methods:
            for number in method.scores:
                groups.setdefault(number.name, []).append((f"{model.name} · {method.name}", number))
    return Numbers(tuple(NumberGroup(name, tuple(members)) for name, members in groups.items()))


def _select(kind: str, audit: Audit) -> dict[str, np.ndarray]:
    """Select the arrays of a kind, named by their method, and also by their model where there are several."""
    several = len(audit.models) > 1
    names = {
        f"{model.name}/{method.name}": f"{model.name} · {method.name}" if several else method.name
        for model in audit.models
        for method in model.methods
    }
    keys = {key: key.removeprefix(f"{kind}/") for key in audit.arrays if key.startswith(f"{kind}/")}
    return {names.get(name, name): audit.arrays[key] for key, name in keys.items()}
