"""The page of paths: what happens to loss and explanations on the way from one training to another?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from perdure.core.verdict import Number
from perdure.report.audit import KEY
from perdure.report.drawn import drawn
from perdure.report.flow import ever_moved, flow_chart
from perdure.report.loss import loss_chart
from perdure.report.multiples import Chart, Charts, Curve, multiples
from perdure.report.page import Page, Section
from perdure.report.path_picture import PathPicture, PathViews, read_paths
from perdure.report.pieces import Facts, Folds, NumberGroup, Numbers, Picture, Piece, Prose, Table
from perdure.report.table import digits

__all__ = ["PathPicture", "paths_page", "read_paths"]

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


def paths_page(picture: PathPicture) -> Page:
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
            digits(kind.increase),
            digits(kind.noise),
            "no, within the noise" if kind.inside_noise else "yes, above the noise",
            *(digits(value) for value in (kind.length, kind.passes, kind.seconds)),
            kind.ended,
        )
        for kind in picture.kinds
    )
    return (Numbers((NumberGroup(rows[0][1].name, rows),), "path"), Table(header, costs), *_aligned(picture))


def _aligned(picture: PathPicture) -> tuple[Piece, ...]:
    if picture.aligned is None:
        return (Prose((f"{picture.remark[:1].upper()}{picture.remark[1:]}.",)),) if picture.remark else ()
    before, after = (digits(value) for value in picture.aligned)
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
        drawn(partial(loss_chart, loss, noise, _way(picture)), "Loss along " + ", ".join(loss), caption)
    ]
    charts = [Chart(name, _curves(picture, key)) for name, key in (("accuracy", "accuracy"), ("F1", "f1"))]
    charts = [chart for chart in charts if chart.curves]
    if charts:
        pieces.append(multiples(charts, 2, picture.ends))
    return tuple(pieces)


def _way(picture: PathPicture) -> str:
    return f"share of the way from {picture.ends[0]} to {picture.ends[1]}"


def _curves(picture: PathPicture, key: str) -> dict[str, Curve]:
    return {kind: Curve(picture.ways[kind], values) for kind, values in picture.curves[key].items()}


def _agreements(picture: PathPicture) -> tuple[Piece, ...]:
    groups: dict[str, list[tuple[str, Number]]] = {}
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


def _drift(picture: PathPicture, take: Callable[[PathViews], np.ndarray | None]) -> Charts:
    charts = [
        Chart(f"{method}, with {against}", _column(picture, method, take, column))
        for method in picture.methods
        for column, against in enumerate((*picture.ends, "the point before"))
    ]
    return multiples(charts, 3, picture.ends)


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
    shares = ", ".join(f"{kind} {digits(100 * ever_moved(flow), '%')}" for kind, flow in flows.items())
    return drawn(partial(flow_chart, flows, way), f"Samples that leave their cluster, explained by {method}: {shares}")


def _types(picture: PathPicture) -> tuple[Piece, ...]:
    drawings: list[tuple[str, Piece]] = []
    for method, types in picture.top_types.items():
        charts = [Chart(name, _column(picture, method, lambda view: view.top, i)) for i, name in enumerate(types)]
        if any(chart.curves for chart in charts):
            drawings.append((method, multiples(charts, 4, picture.ends)))
    note = "The mean value of each type over all samples; flat lines are types that both trainings value alike."
    return (Folds(tuple(drawings), note),) if drawings else ()
