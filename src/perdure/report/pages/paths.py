"""The page of paths: loss and explanations along paths between two runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from perdure.audit.path import PathExplanations, PathReport
from perdure.core.estimate import Estimate
from perdure.report.charts.figure import draw_picture
from perdure.report.charts.flow import compute_leaving_fraction, draw_flow
from perdure.report.charts.path_curves import Chart, Curve, SmallCharts, draw_loss, draw_small_charts
from perdure.report.charts.violin import draw_violins_along
from perdure.report.numbers import format_number
from perdure.report.pages.audit import KEY
from perdure.report.pages.page import Page, Section
from perdure.report.pieces import Facts, Folds, NumberGroup, Numbers, Picture, Piece, Prose, Table

__all__ = ["build_paths_page"]

GUIDE = Prose(
    (
        "Two runs of one model are two points in weight space. A path connects them; its barrier is the maximum rise "
        "of the loss above the straight line between the losses of both ends.",
        "A barrier is compared with two numbers: with its null, the barrier of the straight line between the weights, "
        "and with its ceiling, zero. A barrier within the noise of the samples is not significantly different from "
        "zero: both runs then lie in one valley. A forward pass of a minibatch counts as one pass, a backward pass as "
        "two.",
        "All quantities are measured at equal distances along the path. If explanations change where the loss does "
        "not, equally good models have different explanations: the explanation is then not a property of the data.",
    )
)

TYPES = 4
"""Maximum number of types whose distribution is drawn."""

VIOLINS = (
    "Violins show the distribution of the value of a type over the samples at each point of a path. A median that "
    "moves by more than the width of the violins depends on the run."
)

NULL = ", which is the null"
"""Suffix of the straight line, whose barrier is the null."""


def build_paths_page(picture: PathReport) -> Page:
    """Build the page of paths.

    Args:
        picture: Paths between two models.

    Returns:
        Page for `render`.
    """
    sections = (
        Section("Barriers of the paths", _kinds(picture)),
        Section("Loss along the path", _losses(picture)),
        Section("Explanations along the path", (*_agreements(picture), *_drifts(picture))),
        Section("Cluster changes along the path", _flows(picture)),
        Section("The most important types along the path", _types(picture)),
        Section("How to read this page", (GUIDE, KEY)),
        Section("Provenance", (Facts(picture.provenance),)),
    )
    return Page(picture.title, picture.subtitle, picture.answer, tuple(s for s in sections if s.pieces))


def _kinds(picture: PathReport) -> tuple[Piece, ...]:
    if not picture.kinds:
        return ()
    rows = tuple((f"{kind.name}{NULL if kind.name == 'linear' else ''}", kind.barrier) for kind in picture.kinds)
    header = ("path", "loss increase", "noise", "significant barrier", "length", "passes", "ended")
    costs = tuple(
        (
            kind.name,
            format_number(kind.increase),
            format_number(kind.noise),
            "no, within the noise" if kind.inside_noise else "yes, above the noise",
            *(format_number(value) for value in (kind.length, kind.passes)),
            kind.ended,
        )
        for kind in picture.kinds
    )
    return (Numbers((NumberGroup(rows[0][1].name, rows),), "path"), Table(header, costs), *_describe_alignment(picture))


def _describe_alignment(picture: PathReport) -> tuple[Piece, ...]:
    if picture.aligned is None:
        return (Prose((f"{picture.remark[:1].upper()}{picture.remark[1:]}.",)),) if picture.remark else ()
    before, after = (format_number(value) for value in picture.aligned)
    text = f"The units of both runs were matched first: the distance decreased from {before} to {after}."
    return (Prose((f"{text} Both models compute the same function as before.",)),)


def _losses(picture: PathReport) -> tuple[Piece, ...]:
    loss = _curves(picture, "loss")
    if not loss:
        return ()
    noise = max(kind.noise for kind in picture.kinds)
    caption = (
        "Each path completely, and close to the ends. A path that rises above the grey band has a significant barrier."
    )
    pieces: list[Piece] = [
        draw_picture(partial(draw_loss, loss, noise, _way(picture)), "Loss along " + ", ".join(loss), caption)
    ]
    charts = [Chart(name, _curves(picture, key)) for name, key in (("accuracy", "accuracy"), ("F1", "f1"))]
    charts = [chart for chart in charts if chart.curves]
    if charts:
        pieces.append(draw_small_charts(charts, 2, picture.ends))
    return tuple(pieces)


def _way(picture: PathReport) -> str:
    return f"position along the path from {picture.ends[0]} to {picture.ends[1]}"


def _curves(picture: PathReport, key: str) -> dict[str, Curve]:
    return {kind: Curve(picture.ways[kind], values) for kind, values in picture.curves[key].items()}


def _agreements(picture: PathReport) -> tuple[Piece, ...]:
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for kind, method, number in picture.agreements:
        groups.setdefault(f"{method} · {number.name} with {picture.ends[0]}", []).append((kind, number))
    made = tuple(NumberGroup(name, tuple(rows)) for name, rows in groups.items())
    return (Numbers(made, "path"),) if made else ()


def _drifts(picture: PathReport) -> tuple[Piece, ...]:
    """Draw every measure of agreement: a row for each method, with both ends and with the previous point."""
    measures = list(dict.fromkeys(name for view in picture.views.values() for name in view.drift))
    drawings: list[tuple[str, Piece]] = [
        (name, _drift(picture, partial(_agreement, measure=name))) for name in measures
    ]
    if any(view.ari is not None for view in picture.views.values()):
        drawings.append(("ARI of the clusters", _drift(picture, lambda view: view.ari)))
    note = (
        "One row for each method. An explanation that depends on the data alone stays high everywhere; one that "
        "depends on the run falls in the first column and rises in the second. A dip in the last column is a sudden "
        "change between adjacent points."
    )
    return (Folds(tuple(drawings), note),) if drawings else ()


def _agreement(view: PathExplanations, measure: str) -> np.ndarray | None:
    if measure not in view.drift:
        return None
    drift = view.drift[measure]
    neighbour = view.neighbour.get(measure, np.full(len(drift), np.nan))
    return np.column_stack([drift, neighbour])


def _drift(picture: PathReport, take: Callable[[PathExplanations], np.ndarray | None]) -> SmallCharts:
    charts = [
        Chart(f"{method}, with {against}", _column(picture, method, take, column))
        for method in picture.methods
        for column, against in enumerate((*picture.ends, "the previous point"))
    ]
    return draw_small_charts(charts, 3, picture.ends)


def _column(
    picture: PathReport, method: str, take: Callable[[PathExplanations], np.ndarray | None], column: int
) -> dict[str, Curve]:
    tables = {kind: take(picture.views[kind, method]) for kind in picture.ways}
    return {kind: Curve(picture.ways[kind], table[:, column]) for kind, table in tables.items() if table is not None}


def _flows(picture: PathReport) -> tuple[Piece, ...]:
    flows = {method: _flow(picture, method) for method in picture.methods}
    drawings = tuple((method, _streams(method, flow, _way(picture))) for method, flow in flows.items() if flow)
    note = (
        "Samples in each cluster of explanations along the path, from left to right; streams between clusters are "
        "drawn in full colour."
    )
    return (Folds(drawings, note),) if drawings else ()


def _flow(picture: PathReport, method: str) -> dict[str, np.ndarray]:
    flows = {kind.name: picture.views[kind.name, method].flow for kind in picture.kinds}
    return {kind: flow for kind, flow in flows.items() if flow is not None}


def _streams(method: str, flows: Mapping[str, np.ndarray], way: str) -> Picture:
    fractions = ", ".join(
        f"{kind} {format_number(100 * compute_leaving_fraction(flow), '%')}" for kind, flow in flows.items()
    )
    return draw_picture(
        partial(draw_flow, flows, way), f"Samples that leave their cluster, explained by {method}: {fractions}"
    )


def _types(picture: PathReport) -> tuple[Piece, ...]:
    drawings: list[tuple[str, Piece]] = []
    for method, types in picture.top_types.items():
        charts = [Chart(name, _column(picture, method, lambda view: view.top, i)) for i, name in enumerate(types)]
        if any(chart.curves for chart in charts):
            drawings.append((method, draw_small_charts(charts, 4, picture.ends)))
    note = "Mean value of each type over all samples; flat lines are types with equal values in both runs."
    means = (Folds(tuple(drawings), note),) if drawings else ()
    violins = tuple(
        (f"{method}, {kind.name}", _violins(picture, kind.name, method))
        for method in picture.methods
        for kind in picture.kinds
        if picture.views[kind.name, method].top_values is not None and picture.top_types[method]
    )
    return (*means, *((Folds(violins, VIOLINS),) if violins else ()))


def _violins(picture: PathReport, kind: str, method: str) -> Picture:
    values, types = picture.views[kind, method].top_values, picture.top_types[method][:TYPES]
    assert values is not None
    return draw_picture(
        partial(draw_violins_along, values[..., : len(types)], picture.ways[kind], types, _way(picture)),
        f"Values by {method} of {', '.join(types)} along the path {kind}",
    )
