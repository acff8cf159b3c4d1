"""The page of paths: loss and explanations along paths between two runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from perdure.core.estimate import Estimate, read_estimate
from perdure.core.spec import slug
from perdure.report.charts.figure import draw_picture
from perdure.report.charts.flow import compute_leaving_fraction, draw_flow
from perdure.report.charts.path_curves import Chart, Curve, SmallCharts, draw_loss, draw_small_charts
from perdure.report.names import find_original_name, select_prefix
from perdure.report.numbers import format_number
from perdure.report.pages.audit import KEY
from perdure.report.pages.page import Page, Section
from perdure.report.pieces import Facts, Folds, NumberGroup, Numbers, Picture, Piece, Prose, Table

__all__ = ["PathKind", "PathPicture", "PathViews", "build_paths_page", "read_paths"]

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

NULL = ", which is the null"
"""Suffix of the straight line, whose barrier is the null."""


def build_paths_page(picture: PathPicture) -> Page:
    """Build the page of paths.

    Args:
        picture: Data of the page.

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


def _kinds(picture: PathPicture) -> tuple[Piece, ...]:
    if not picture.kinds:
        return ()
    rows = tuple((f"{kind.name}{NULL if kind.name == 'linear' else ''}", kind.barrier) for kind in picture.kinds)
    header = ("path", "loss increase", "noise", "significant barrier", "length", "passes", "seconds", "ended")
    costs = tuple(
        (
            kind.name,
            format_number(kind.increase),
            format_number(kind.noise),
            "no, within the noise" if kind.inside_noise else "yes, above the noise",
            *(format_number(value) for value in (kind.length, kind.passes, kind.seconds)),
            kind.ended,
        )
        for kind in picture.kinds
    )
    return (Numbers((NumberGroup(rows[0][1].name, rows),), "path"), Table(header, costs), *_describe_alignment(picture))


def _describe_alignment(picture: PathPicture) -> tuple[Piece, ...]:
    if picture.aligned is None:
        return (Prose((f"{picture.remark[:1].upper()}{picture.remark[1:]}.",)),) if picture.remark else ()
    before, after = (format_number(value) for value in picture.aligned)
    text = f"The units of both runs were matched first: the distance decreased from {before} to {after}."
    return (Prose((f"{text} Both models compute the same function as before.",)),)


def _losses(picture: PathPicture) -> tuple[Piece, ...]:
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


def _way(picture: PathPicture) -> str:
    return f"position along the path from {picture.ends[0]} to {picture.ends[1]}"


def _curves(picture: PathPicture, key: str) -> dict[str, Curve]:
    return {kind: Curve(picture.ways[kind], values) for kind, values in picture.curves[key].items()}


def _agreements(picture: PathPicture) -> tuple[Piece, ...]:
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for kind, method, number in picture.agreements:
        groups.setdefault(f"{method} · {number.name} with {picture.ends[0]}", []).append((kind, number))
    made = tuple(NumberGroup(name, tuple(rows)) for name, rows in groups.items())
    return (Numbers(made, "path"),) if made else ()


def _drifts(picture: PathPicture) -> tuple[Piece, ...]:
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


def _agreement(view: PathViews, measure: str) -> np.ndarray | None:
    if measure not in view.drift:
        return None
    drift = view.drift[measure]
    neighbour = view.neighbour.get(measure, np.full(len(drift), np.nan))
    return np.column_stack([drift, neighbour])


def _drift(picture: PathPicture, take: Callable[[PathViews], np.ndarray | None]) -> SmallCharts:
    charts = [
        Chart(f"{method}, with {against}", _column(picture, method, take, column))
        for method in picture.methods
        for column, against in enumerate((*picture.ends, "the previous point"))
    ]
    return draw_small_charts(charts, 3, picture.ends)


def _column(
    picture: PathPicture, method: str, take: Callable[[PathViews], np.ndarray | None], column: int
) -> dict[str, Curve]:
    tables = {kind: take(picture.views[kind, method]) for kind in picture.ways}
    return {kind: Curve(picture.ways[kind], table[:, column]) for kind, table in tables.items() if table is not None}


def _flows(picture: PathPicture) -> tuple[Piece, ...]:
    flows = {method: _flow(picture, method) for method in picture.methods}
    drawings = tuple((method, _streams(method, flow, _way(picture))) for method, flow in flows.items() if flow)
    note = (
        "Samples in each cluster of explanations along the path, from left to right; streams between clusters are "
        "drawn in full colour."
    )
    return (Folds(drawings, note),) if drawings else ()


def _flow(picture: PathPicture, method: str) -> dict[str, np.ndarray]:
    flows = {kind.name: picture.views[kind.name, method].flow for kind in picture.kinds}
    return {kind: flow for kind, flow in flows.items() if flow is not None}


def _streams(method: str, flows: Mapping[str, np.ndarray], way: str) -> Picture:
    fractions = ", ".join(
        f"{kind} {format_number(100 * compute_leaving_fraction(flow), '%')}" for kind, flow in flows.items()
    )
    return draw_picture(
        partial(draw_flow, flows, way), f"Samples that leave their cluster, explained by {method}: {fractions}"
    )


def _types(picture: PathPicture) -> tuple[Piece, ...]:
    drawings: list[tuple[str, Piece]] = []
    for method, types in picture.top_types.items():
        charts = [Chart(name, _column(picture, method, lambda view: view.top, i)) for i, name in enumerate(types)]
        if any(chart.curves for chart in charts):
            drawings.append((method, draw_small_charts(charts, 4, picture.ends)))
    note = "Mean value of each type over all samples; flat lines are types with equal values in both runs."
    return (Folds(tuple(drawings), note),) if drawings else ()


@dataclass(frozen=True)
class PathKind:
    """A path between two runs and the cost of its search.

    Args:
        name: Kind of path, for example "valley".
        barrier: Height above the straight line between the losses of both ends; the null is that of the straight line
            between the weights, the ceiling 0.
        increase: Allowed loss increase that the path needs.
        noise: Barrier that is due to chance alone.
        inside_noise: Whether the barrier is not significantly different from zero.
        seconds: Wall time of the search.
        passes: Minibatch passes of the search; forward 1, backward 2.
        ended: Reason for the end of the search.
        length: Length of the path in weight space.
    """

    name: str
    barrier: Estimate
    increase: float
    noise: float
    inside_noise: bool
    seconds: float
    passes: float
    ended: str
    length: float


@dataclass(frozen=True, eq=False)
class PathViews:
    """The explanations of one method along one path.

    Args:
        drift: agreement with the first and the second end, by measure.
        neighbour: agreement with the point before, by measure; NaN first.
        ari: ARI of the clusters with the first end, the second end and the previous point.
        flow: cluster of each sample at each point, matched along the path.
        top: mean value of each of the most important types.
    """

    drift: Mapping[str, Float[np.ndarray, "point 2"]]
    neighbour: Mapping[str, Float[np.ndarray, " point"]]
    ari: Float[np.ndarray, "point 3"] | None = None
    flow: Int[np.ndarray, "point sample"] | None = None
    top: Float[np.ndarray, "point type"] | None = None


@dataclass(frozen=True, eq=False)
class PathPicture:
    """The data of the page of paths.

    Args:
        title: Main heading.
        subtitle: Model, data and method.
        answer: Result in one sentence.
        ends: Names of the two runs.
        aligned: Distance of the ends before and after their units were matched; None when they were not.
        remark: Reason why the requested matching was not possible; may be empty.
        methods: Methods in the order of the page.
        kinds: Kinds of paths in the order of the page.
        agreements: Kind, method and mean agreement with the first end along the path.
        ways: Positions along the path of all measurements, by kind.
        curves: Curves "loss", "accuracy" and "f1" along the path, by kind.
        views: Explanations by kind and method.
        top_types: Names of the most important types, by method.
        provenance: Provenance, possibly nested.
    """

    title: str
    subtitle: str
    answer: str
    ends: tuple[str, str]
    aligned: tuple[float, float] | None
    remark: str
    methods: tuple[str, ...]
    kinds: tuple[PathKind, ...]
    agreements: tuple[tuple[str, str, Estimate], ...]
    ways: Mapping[str, Float[np.ndarray, " point"]]
    curves: Mapping[str, Mapping[str, Float[np.ndarray, " point"]]]
    views: Mapping[tuple[str, str], PathViews]
    top_types: Mapping[str, tuple[str, ...]]
    provenance: Mapping[str, Any]


def read_paths(record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> PathPicture:
    """Read the data of a page from the JSON record and the arrays of a search of paths.

    Args:
        record: Title, subtitle, answer, ends, aligned, remark, methods, kinds, agreements (kind, method, number), types
            and provenance.
        arrays: Arrays of each kind, `t/KIND`, `loss/KIND`, `accuracy/KIND` and `f1/KIND`; for each kind and method
            `drift/KIND/METHOD/MEASURE`, `neighbour/KIND/METHOD/MEASURE`, `ari/KIND/METHOD`, `flow/KIND/METHOD` and
            `top/KIND/METHOD`; `top_types/METHOD`.

    Returns:
        All data of the page.
    """
    kinds, methods = tuple(_kind(row) for row in record["kinds"]), tuple(record["methods"])
    names, aligned = [kind.name for kind in kinds], record.get("aligned")
    return PathPicture(
        title=record["title"],
        subtitle=record["subtitle"],
        answer=record["answer"],
        ends=(record["ends"][0], record["ends"][1]),
        aligned=None if aligned is None else (aligned["before"], aligned["after"]),
        remark=record.get("remark", ""),
        methods=methods,
        kinds=kinds,
        agreements=tuple((row["kind"], row["method"], read_estimate(row["number"])) for row in record["agreements"]),
        ways=_by_kind("t", names, arrays),
        curves={name: _by_kind(name, names, arrays) for name in ("loss", "accuracy", "f1")},
        views={(kind, method): _views(kind, method, record, arrays) for kind in names for method in methods},
        top_types={method: _type_names(method, record, arrays) for method in methods},
        provenance=record["provenance"],
    )


def _kind(row: Mapping[str, Any]) -> PathKind:
    rest = {name: row[name] for name in ("increase", "noise", "inside_noise", "seconds", "passes", "ended", "length")}
    return PathKind(row["kind"], read_estimate(row["barrier"]), **rest)


def _by_kind(what: str, kinds: list[str], arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {kind: arrays[f"{what}/{slug(kind)}"] for kind in kinds if f"{what}/{slug(kind)}" in arrays}


def _views(kind: str, method: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> PathViews:
    place = f"{slug(kind)}/{slug(method)}"
    measures = [row["number"]["name"] for row in record["agreements"]]
    drift, neighbour = (
        {
            find_original_name(name, measures): values
            for name, values in select_prefix(f"{what}/{place}/", arrays).items()
        }
        for what in ("drift", "neighbour")
    )
    return PathViews(drift, neighbour, *(arrays.get(f"{what}/{place}") for what in ("ari", "flow", "top")))


def _type_names(method: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    return tuple(record["types"][int(i)] for i in arrays.get(f"top_types/{slug(method)}", ()))
