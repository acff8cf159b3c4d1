"""The page of paths: what happens to loss and explanations on the way from one training to another?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from perdure.core.estimate import Estimate, read_estimate
from perdure.core.registry import folder_name
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
        "Two trainings of one model are two points among all its possible weights. A path joins them; its barrier is "
        "how far the loss on it rises above a straight line between the losses of both ends.",
        "Two things are asked of a barrier. Is it lower than its null, that of the straight line between the weights? "
        "And can the samples tell it from none, its ceiling? They cannot where it is no higher than their noise: both "
        "trainings then lie in one valley. A pass is one minibatch forward; backward counts as two.",
        "All pictures are taken at equal distances along the path. If explanations change where the loss does not, "
        "many models of equal worth explain themselves differently: the explanation is then no property of the data.",
    )
)

NULL = ", which is the null"
"""Said of the straight line, whose barrier can be no better than itself."""


def build_paths_page(picture: PathPicture) -> Page:
    """Lay out the page of paths.

    Args:
        picture: what to show.

    Returns:
        The page, for `render`.
    """
    sections = (
        Section("Is there a way without a barrier?", _kinds(picture)),
        Section("Loss along the way", _losses(picture)),
        Section("Explanations along the way", (*_agreements(picture), *_drifts(picture))),
        Section("Who changes cluster on the way", _flows(picture)),
        Section("The most important types along the way", _types(picture)),
        Section("How to read this page", (GUIDE, KEY)),
        Section("Provenance", (Facts(picture.provenance),)),
    )
    return Page(picture.title, picture.subtitle, picture.answer, tuple(s for s in sections if s.pieces))


def _kinds(picture: PathPicture) -> tuple[Piece, ...]:
    if not picture.kinds:
        return ()
    rows = tuple((f"{kind.name}{NULL if kind.name == 'linear' else ''}", kind.barrier) for kind in picture.kinds)
    header = ("path", "loss increase", "noise", "told from no barrier", "length", "passes", "seconds", "ended")
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
    return (Numbers((NumberGroup(rows[0][1].name, rows),), "path"), Table(header, costs), *_aligned(picture))


def _aligned(picture: PathPicture) -> tuple[Piece, ...]:
    if picture.aligned is None:
        return (Prose((f"{picture.remark[:1].upper()}{picture.remark[1:]}.",)),) if picture.remark else ()
    before, after = (format_number(value) for value in picture.aligned)
    text = f"The units of both trainings were matched first: their distance fell from {before} to {after}."
    return (Prose((f"{text} Neither model computes anything else than before.",)),)


def _losses(picture: PathPicture) -> tuple[Piece, ...]:
    loss = _curves(picture, "loss")
    if not loss:
        return ()
    noise = max(kind.noise for kind in picture.kinds)
    caption = (
        "Every path as a whole, and close to the ends. One that rises above the grey band has a barrier that the "
        "samples can tell from none."
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
    return f"share of the way from {picture.ends[0]} to {picture.ends[1]}"


def _curves(picture: PathPicture, key: str) -> dict[str, Curve]:
    return {kind: Curve(picture.ways[kind], values) for kind, values in picture.curves[key].items()}


def _agreements(picture: PathPicture) -> tuple[Piece, ...]:
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for kind, method, number in picture.agreements:
        groups.setdefault(f"{method} · {number.name} with {picture.ends[0]}", []).append((kind, number))
    made = tuple(NumberGroup(name, tuple(rows)) for name, rows in groups.items())
    return (Numbers(made, "path"),) if made else ()


def _drifts(picture: PathPicture) -> tuple[Piece, ...]:
    """Draw every measure of agreement: a row for each method, with either end and with the point before."""
    measures = list(dict.fromkeys(name for view in picture.views.values() for name in view.drift))
    drawings: list[tuple[str, Piece]] = [
        (name, _drift(picture, partial(_agreement, measure=name))) for name in measures
    ]
    if any(view.ari is not None for view in picture.views.values()):
        drawings.append(("ARI of the clusters", _drift(picture, lambda view: view.ari)))
    note = (
        "One row for each method. An explanation that belongs to the data stays high all along; one that belongs to "
        "its training falls in the first column and rises in the second. A dip in the last column is a sudden change "
        "from one point to the next."
    )
    return (Folds(tuple(drawings), note),) if drawings else ()


def _agreement(view: PathViews, measure: str) -> np.ndarray | None:
    if measure not in view.drift:
        return None
    drift = view.drift[measure]
    beside = view.neighbour.get(measure, np.full(len(drift), np.nan))
    return np.column_stack([drift, beside])


def _drift(picture: PathPicture, take: Callable[[PathViews], np.ndarray | None]) -> SmallCharts:
    charts = [
        Chart(f"{method}, with {against}", _column(picture, method, take, column))
        for method in picture.methods
        for column, against in enumerate((*picture.ends, "the point before"))
    ]
    return draw_small_charts(charts, 3, picture.ends)


def _column(
    picture: PathPicture, method: str, take: Callable[[PathViews], np.ndarray | None], column: int
) -> dict[str, Curve]:
    found = {kind: take(picture.views[kind, method]) for kind in picture.ways}
    return {kind: Curve(picture.ways[kind], some[:, column]) for kind, some in found.items() if some is not None}


def _flows(picture: PathPicture) -> tuple[Piece, ...]:
    flows = {method: _flow(picture, method) for method in picture.methods}
    drawings = tuple((method, _streams(method, some, _way(picture))) for method, some in flows.items() if some)
    note = (
        "The samples of each cluster of explanations flow from left to right; a stream that changes its cluster is "
        "drawn in strong colour."
    )
    return (Folds(drawings, note),) if drawings else ()


def _flow(picture: PathPicture, method: str) -> dict[str, np.ndarray]:
    found = {kind.name: picture.views[kind.name, method].flow for kind in picture.kinds}
    return {kind: flow for kind, flow in found.items() if flow is not None}


def _streams(method: str, flows: Mapping[str, np.ndarray], way: str) -> Picture:
    shares = ", ".join(
        f"{kind} {format_number(100 * compute_leaving_fraction(flow), '%')}" for kind, flow in flows.items()
    )
    return draw_picture(
        partial(draw_flow, flows, way), f"Samples that leave their cluster, explained by {method}: {shares}"
    )


def _types(picture: PathPicture) -> tuple[Piece, ...]:
    drawings: list[tuple[str, Piece]] = []
    for method, types in picture.top_types.items():
        charts = [Chart(name, _column(picture, method, lambda view: view.top, i)) for i, name in enumerate(types)]
        if any(chart.curves for chart in charts):
            drawings.append((method, draw_small_charts(charts, 4, picture.ends)))
    note = "The mean value of each type over all samples; flat lines are types that both trainings value alike."
    return (Folds(tuple(drawings), note),) if drawings else ()


@dataclass(frozen=True)
class PathKind:
    """One way between two trainings and what it took to find.

    Args:
        name: of the kind, for example "valley".
        barrier: height above the straight line between the losses of both ends; the null is that of the straight
            line between the weights, the ceiling 0.
        increase: the allowed loss increase that the path needs.
        noise: how far chance alone lifts a barrier.
        inside_noise: whether the samples cannot tell the barrier from none.
        seconds: wall time of the search.
        passes: minibatch passes of the search; forward 1, backward 2.
        ended: why the search ended.
        length: of the path through the weights.
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
    """What one method says along one path.

    Args:
        drift: agreement with the first and the second end, by measure.
        neighbour: agreement with the point before, by measure; NaN first.
        ari: of the clusters to the first end, the second end and the point before.
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
    """All that the page of paths shows, as plain data.

    Args:
        title: the main heading.
        subtitle: model, data and method.
        answer: in one sentence.
        ends: the names of the two trainings.
        aligned: distance of the ends before and after their units were matched; None when they were not.
        remark: why they were not, although that was asked for; may be empty.
        methods: in the order of the page.
        kinds: in the order of the page.
        agreements: kind, method and the mean agreement with the first end along the path.
        ways: shares of the way at which all else was measured, by kind.
        curves: "loss", "accuracy" and "f1" along the way, by kind.
        views: by kind and method.
        top_types: names of the most important types, by method.
        provenance: how it came about; may be nested.
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
    """Join what the search of paths wrote as JSON with what it wrote as arrays.

    Args:
        record: title, subtitle, answer, ends, aligned, remark, methods, kinds, agreements (kind, method, number), types
            and provenance.
        arrays: for each kind `t/KIND`, `loss/KIND`, `accuracy/KIND` and `f1/KIND`; for each kind and method
            `drift/KIND/METHOD/MEASURE`, `neighbour/KIND/METHOD/MEASURE`, `ari/KIND/METHOD`, `flow/KIND/METHOD` and
            `top/KIND/METHOD`; `top_types/METHOD`.

    Returns:
        The picture.
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
    return {kind: arrays[f"{what}/{folder_name(kind)}"] for kind in kinds if f"{what}/{folder_name(kind)}" in arrays}


def _views(kind: str, method: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> PathViews:
    place = f"{folder_name(kind)}/{folder_name(method)}"
    measures = [row["number"]["name"] for row in record["agreements"]]
    drift, neighbour = (
        {find_original_name(name, measures): one for name, one in select_prefix(f"{what}/{place}/", arrays).items()}
        for what in ("drift", "neighbour")
    )
    return PathViews(drift, neighbour, *(arrays.get(f"{what}/{place}") for what in ("ari", "flow", "top")))


def _type_names(method: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    return tuple(record["types"][int(i)] for i in arrays.get(f"top_types/{folder_name(method)}", ()))
