"""The page of a reproduction: would a model that is trained again be explained the same way?"""

from __future__ import annotations

from functools import partial

import numpy as np

from perdure.core.verdict import Number
from perdure.report.audit import KEY
from perdure.report.drawn import drawn
from perdure.report.heatmap import colour_scale
from perdure.report.matrix import Matrices, agreement_limits, agreement_matrix, by_likeness
from perdure.report.names import short_names
from perdure.report.page import Page, Section
from perdure.report.palette import SERIES
from perdure.report.pieces import (
    Card,
    Cards,
    Facts,
    Folds,
    NumberGroup,
    Numbers,
    Picture,
    Piece,
    Prose,
    Shares,
)
from perdure.report.reproduction_picture import ReproductionPicture, read_reproduction
from perdure.report.scan import scan_chart
from perdure.report.scatter import cluster_panels, moved
from perdure.report.table import digits
from perdure.report.violin import violins

__all__ = ["ReproductionPicture", "read_reproduction", "reproduction_page"]

GUIDE = Prose(
    (
        "One model was trained several times, from different seeds, and each training was explained by the same "
        "methods on the same samples. The numbers say how far two trainings explain a sample alike.",
        "Every number stands between its null, what shuffled explanations of the same runs score, and its ceiling, "
        "what a run scores beside itself. Two runs are only compared on samples that both predict alike: else they "
        "have different things to explain.",
        "The bar is an interval over runs, not over samples: it says what other seeds may show. Where an explanation "
        "is like the null, one training tells nothing about the next.",
    )
)


def reproduction_page(picture: ReproductionPicture) -> Page:
    """Lay out the page of a reproduction.

    Args:
        picture: what to show.

    Returns:
        The page, for `render`.
    """
    sections = (
        Section("Verdict", _verdict(picture)),
        Section("How far the runs agree", _agreements(picture)),
        Section("Run by run", _matrices(picture)),
        Section("Who changes cluster", _clusters(picture)),
        Section("The most important types", _types(picture)),
        Section("What an explanation depends on", _variance(picture)),
        Section("What remedies buy", _remedies(picture)),
        Section("Runs", _accuracies(picture)),
        Section("How to read this page", (GUIDE, KEY)),
        Section("Provenance", (Facts(picture.provenance),)),
    )
    return Page(picture.title, picture.subtitle, picture.answer, tuple(s for s in sections if s.pieces))


def _verdict(picture: ReproductionPicture) -> tuple[Piece, ...]:
    subject = picture.methods[0].name if picture.methods else ""
    return (Cards((Card(subject, picture.verdict),)),)


def _agreements(picture: ReproductionPicture) -> tuple[Piece, ...]:
    """Put the methods beneath each other, measure by measure."""
    groups: dict[str, list[tuple[str, Number]]] = {}
    for method, number in picture.agreements:
        groups.setdefault(number.name, []).append((method, number))
    return _numbers(groups, "method")


def _numbers(groups: dict[str, list[tuple[str, Number]]], owner: str) -> tuple[Piece, ...]:
    made = tuple(NumberGroup(name, tuple(rows)) for name, rows in groups.items())
    return (Numbers(made, owner),) if made else ()


def _matrices(picture: ReproductionPicture) -> tuple[Piece, ...]:
    """Draw every measure of every method, and who predicts alike, in one order under one colour scale."""
    rows: dict[str, list[tuple[str, np.ndarray]]] = {}
    for method in picture.methods:
        for measure, values in method.pairs.items():
            rows.setdefault(measure, []).append((method.name, values))
    if not rows:
        return ()
    if picture.alike_pairs is not None:
        rows["predicted alike"] = [("predictions", picture.alike_pairs)]
    scale = agreement_limits([values for row in rows.values() for _, values in row])
    order = by_likeness(next(iter(rows.values()))[0][1])
    names = tuple(picture.runs[i].name for i in order)
    less = {number.name for _, number in picture.agreements if number.higher_is_better is False}
    drawings = tuple(
        (
            f"{measure} (less is better)" if measure in less else measure,
            tuple(agreement_matrix(values[np.ix_(order, order)], scale, names, name) for name, values in row),
        )
        for measure, row in rows.items()
    )
    note = (
        "One cell for each two runs: its colour above the diagonal, its digits below; the diagonal names the run. "
        "Runs that agree stand side by side, in one order and on one scale for all matrices: blocks of strong colour "
        "are families of runs."
    )
    return (Matrices(drawings, colour_scale(scale, "agreement of two runs"), note),)


def _clusters(picture: ReproductionPicture) -> tuple[Piece, ...]:
    names = [run.name for run in picture.runs]
    drawings = tuple(
        (one.name, _scatter(one.name, one.points, one.clusters, names))
        for one in picture.methods
        if one.points is not None and one.clusters is not None
    )
    note = (
        "Each dot is a sample, placed by its explanation in the first run (two principal axes) and left there; its "
        "colour and form are its cluster in the run above it. Outlined dots are in another cluster than in the first "
        "run. Of many samples only some are drawn; the shares count all."
    )
    scans = {one.name: one.scan for one in picture.methods if one.scan is not None}
    if not scans:
        return (Folds(drawings, note),) if drawings else ()
    caption = "How many clusters: the ring is the number taken. " + " ".join(
        f"{name}: {scan.count}, {scan.reason.rstrip('.')}." for name, scan in scans.items()
    )
    chart = drawn(partial(scan_chart, scans), "Silhouette and inertia over the number of clusters", caption)
    return (*((Folds(drawings, note),) if drawings else ()), chart)


def _scatter(method: str, points: np.ndarray, clusters: np.ndarray, names: list[str]) -> Picture:
    shares = moved(clusters)[1:]
    least, most = _percent(shares.min()), _percent(shares.max())
    caption = f"{most if least == most else f'From {least} to {most}'} of the samples change their cluster."
    alt = f"Clusters of the explanations by {method}, one panel for each of {len(names)} runs. {caption}"
    return drawn(partial(cluster_panels, points, clusters, names), alt, caption)


def _percent(share: float) -> str:
    return digits(100 * float(share), "%")


def _types(picture: ReproductionPicture) -> tuple[Piece, ...]:
    drawings = tuple(
        (one.name, _violins(one.name, one.top, one.top_types, SERIES[i % len(SERIES)]))
        for i, one in enumerate(picture.methods)
        if one.top is not None and np.isfinite(one.top).any()
    )
    note = (
        "Violins show how the value of a type differs from sample to sample, all runs together; a mark beneath is the "
        "median of one run. Marks close together: the runs agree on the type. Marks as far apart as the violin is "
        "wide: the seed decides."
    )
    return (Folds(drawings, note),) if drawings else ()


def _violins(method: str, values: np.ndarray, types: tuple[str, ...], colour: str) -> Picture:
    alt = f"Values by {method} of " + ", ".join(types)
    return drawn(partial(violins, values, types, colour, f"value by {method}"), alt)


def _variance(picture: ReproductionPicture) -> tuple[Piece, ...]:
    parts = tuple((part, share, SERIES[i % len(SERIES)]) for i, (part, share) in enumerate(picture.variance))
    note = (
        "Shares of the variance of the ranks of types. What all methods and runs agree on is the first part; what a "
        "new training changes for all methods belongs to the model, the rest to single methods and chance."
    )
    return (Shares(parts, note),) if parts else ()


def _remedies(picture: ReproductionPicture) -> tuple[Piece, ...]:
    groups: dict[str, list[tuple[str, Number]]] = {}
    for method, remedy, number in picture.remedies:
        groups.setdefault(f"{method} · {number.name}", []).append((remedy, number))
    return _numbers(groups, "remedy")


def _accuracies(picture: ReproductionPicture) -> tuple[Piece, ...]:
    short = short_names([run.name for run in picture.runs])
    rows = tuple(
        (run.name if run.name.endswith(sign) else f"{sign} · {run.name}", run.accuracy)
        for sign, run in zip(short, picture.runs, strict=True)
    )
    return (Numbers((NumberGroup(rows[0][1].name, rows),), "run"),) if rows else ()
