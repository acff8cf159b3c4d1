"""The page of a reproduction: agreement of the explanations of retrained models."""

from __future__ import annotations

from functools import partial

import numpy as np

from perdure.audit.reproduction import Reproduction
from perdure.core.estimate import Estimate
from perdure.report.charts.clusters import ClusterScan, compute_moved_fraction, draw_cluster_panels, draw_cluster_scan
from perdure.report.charts.figure import draw_picture
from perdure.report.charts.heatmap import draw_colour_scale
from perdure.report.charts.matrix import Matrices, draw_agreement_matrix, find_agreement_limits, order_by_similarity
from perdure.report.charts.palette import SERIES
from perdure.report.charts.violin import draw_violins
from perdure.report.names import shorten_names
from perdure.report.numbers import format_number
from perdure.report.pages.audit import KEY
from perdure.report.pages.error_rates import build_error_rates
from perdure.report.pages.page import Page, Section
from perdure.report.pieces import (
    Card,
    Cards,
    Facts,
    Folds,
    Fractions,
    NumberGroup,
    Numbers,
    Picture,
    Piece,
    Prose,
)

__all__ = ["build_reproduction_page"]

GUIDE = Prose(
    (
        "One model was trained several times from different seeds, and each run was explained by the same methods on "
        "the same samples. The numbers measure the agreement of the explanations of two runs.",
        "Every number is shown between its null, the score of shuffled explanations of the same runs, and its ceiling, "
        "the score of a run compared with itself. Two runs are compared only on samples for which both predict the "
        "same class, because they explain different classes otherwise.",
        "The bar is an interval over runs, not over samples: it covers other seeds. If an explanation is like the "
        "null, one run does not predict the explanation of the next.",
    )
)


def build_reproduction_page(picture: Reproduction) -> Page:
    """Build the page of a reproduction.

    Args:
        picture: Comparison of training runs.

    Returns:
        Page for `render`.
    """
    sections = (
        Section("Verdict", _verdict(picture)),
        Section("Agreement of the runs", _agreements(picture)),
        Section("Agreement of each pair of runs", _matrices(picture)),
        Section("Cluster changes", _clusters(picture)),
        Section("The most important types", _types(picture)),
        Section("Sources of variance", _variance(picture)),
        Section("Remedies", _remedies(picture)),
        Section("Runs", _accuracies(picture)),
        *build_error_rates([picture.verdict]),
        Section("How to read this page", (GUIDE, KEY)),
        Section("Provenance", (Facts(picture.provenance),)),
    )
    return Page(picture.title, picture.subtitle, picture.answer, tuple(s for s in sections if s.pieces))


def _verdict(picture: Reproduction) -> tuple[Piece, ...]:
    subject = picture.methods[0].name if picture.methods else ""
    return (Cards((Card(subject, picture.verdict),)),)


def _agreements(picture: Reproduction) -> tuple[Piece, ...]:
    """Group the methods by measure."""
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for method, number in picture.agreements:
        groups.setdefault(number.name, []).append((method, number))
    return _numbers(groups, "method")


def _numbers(groups: dict[str, list[tuple[str, Estimate]]], owner: str) -> tuple[Piece, ...]:
    made = tuple(NumberGroup(name, tuple(rows)) for name, rows in groups.items())
    return (Numbers(made, owner),) if made else ()


def _matrices(picture: Reproduction) -> tuple[Piece, ...]:
    """Draw every measure of every method, and equal predictions, in one order with one colour scale."""
    rows: dict[str, list[tuple[str, np.ndarray]]] = {}
    for method in picture.methods:
        for measure, values in method.pairs.items():
            rows.setdefault(measure, []).append((method.name, values))
    if not rows:
        return ()
    if picture.alike_pairs is not None:
        rows["equal predictions"] = [("predictions", picture.alike_pairs)]
    scale = find_agreement_limits([values for row in rows.values() for _, values in row])
    order = order_by_similarity(next(iter(rows.values()))[0][1])
    names = tuple(picture.runs[i].name for i in order)
    less = {number.name for _, number in picture.agreements if number.higher_is_better is False}
    drawings = tuple(
        (
            f"{measure} (less is better)" if measure in less else measure,
            tuple(draw_agreement_matrix(values[np.ix_(order, order)], scale, names, name) for name, values in row),
        )
        for measure, row in rows.items()
    )
    note = (
        "One cell for each pair of runs: colour above the diagonal, digits below; the diagonal names the run. "
        "Similar runs are adjacent, in one order and on one scale for all matrices: blocks of strong colour are groups "
        "of similar runs."
    )
    return (Matrices(drawings, draw_colour_scale(scale, "agreement of two runs"), note),)


def _clusters(picture: Reproduction) -> tuple[Piece, ...]:
    names = [run.name for run in picture.runs]
    drawings = tuple(
        (method.name, _scatter(method.name, method.points, method.clusters, names))
        for method in picture.methods
        if method.points is not None and method.clusters is not None
    )
    note = (
        "Each dot is a sample; its position is that of its explanation in the first run (two principal axes), its "
        "colour and marker are its cluster in the run of the panel. Outlined dots are in another cluster than in "
        "the first run. Only a subset of many samples is drawn; the percentages count all."
    )
    scans = {method.name: ClusterScan(**vars(method.scan)) for method in picture.methods if method.scan is not None}
    if not scans:
        return (Folds(drawings, note),) if drawings else ()
    caption = "Number of clusters; the ring marks the chosen number. " + " ".join(
        f"{name}: {scan.count}, {scan.reason.rstrip('.')}." for name, scan in scans.items()
    )
    chart = draw_picture(
        partial(draw_cluster_scan, scans), "Silhouette and inertia over the number of clusters", caption
    )
    return (*((Folds(drawings, note),) if drawings else ()), chart)


def _scatter(method: str, points: np.ndarray, clusters: np.ndarray, names: list[str]) -> Picture:
    fractions = compute_moved_fraction(clusters)[1:]
    least, most = _percent(fractions.min()), _percent(fractions.max())
    caption = f"{most if least == most else f'From {least} to {most}'} of the samples change their cluster."
    alt = f"Clusters of the explanations by {method}, one panel for each of {len(names)} runs. {caption}"
    return draw_picture(partial(draw_cluster_panels, points, clusters, names), alt, caption)


def _percent(fraction: float) -> str:
    return format_number(100 * float(fraction), "%")


def _types(picture: Reproduction) -> tuple[Piece, ...]:
    drawings = tuple(
        (method.name, _violins(method.name, method.top, method.top_types, SERIES[i % len(SERIES)]))
        for i, method in enumerate(picture.methods)
        if method.top is not None and np.isfinite(method.top).any()
    )
    note = (
        "Violins show the distribution of the value of a type over the samples of all runs; a mark below is the median "
        "of one run. Marks close together: the runs agree on the type. Marks as far apart as the violin is wide: the "
        "value depends on the seed."
    )
    return (Folds(drawings, note),) if drawings else ()


def _violins(method: str, values: np.ndarray, types: tuple[str, ...], colour: str) -> Picture:
    alt = f"Values by {method} of " + ", ".join(types)
    return draw_picture(partial(draw_violins, values, types, colour, f"value by {method}"), alt)


def _variance(picture: Reproduction) -> tuple[Piece, ...]:
    parts = tuple((part, fraction, SERIES[i % len(SERIES)]) for i, (part, fraction) in enumerate(picture.variance))
    note = (
        "Fractions of the variance of the ranks of types. The first part is common to all methods and runs; the part "
        "of the run is common to all methods; the rest is due to single methods and chance."
    )

    return (Fractions(parts, note),) if parts else ()


def _remedies(picture: Reproduction) -> tuple[Piece, ...]:
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for method, remedy, number in picture.remedies:
        groups.setdefault(f"{method} · {number.name}", []).append((remedy, number))
    return _numbers(groups, "remedy")


def _accuracies(picture: Reproduction) -> tuple[Piece, ...]:
    short = shorten_names([run.name for run in picture.runs])
    rows = tuple(
        (run.name if run.name.endswith(suffix) else f"{suffix} · {run.name}", run.accuracy)
        for suffix, run in zip(short, picture.runs, strict=True)
    )
    return (Numbers((NumberGroup(rows[0][1].name, rows),), "run"),) if rows else ()
