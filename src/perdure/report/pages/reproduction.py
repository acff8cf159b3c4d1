"""The page of a reproduction: would a model that is trained again be explained the same way?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from perdure.core.estimate import Estimate, read_estimate
from perdure.core.registry import folder_name
from perdure.core.verdict import Verdict, read_verdict
from perdure.report.charts.clusters import ClusterScan, compute_moved_fraction, draw_cluster_panels, draw_cluster_scan
from perdure.report.charts.figure import draw_picture
from perdure.report.charts.heatmap import draw_colour_scale
from perdure.report.charts.matrix import Matrices, draw_agreement_matrix, find_agreement_limits, order_by_similarity
from perdure.report.charts.palette import SERIES
from perdure.report.charts.violin import draw_violins
from perdure.report.names import find_original_name, select_prefix, shorten_names
from perdure.report.numbers import format_number
from perdure.report.pages.audit import KEY
from perdure.report.pages.page import Page, Section
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

__all__ = ["MethodRuns", "ReproductionPicture", "TrainedRun", "build_reproduction_page", "read_reproduction"]

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


def build_reproduction_page(picture: ReproductionPicture) -> Page:
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
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for method, number in picture.agreements:
        groups.setdefault(number.name, []).append((method, number))
    return _numbers(groups, "method")


def _numbers(groups: dict[str, list[tuple[str, Estimate]]], owner: str) -> tuple[Piece, ...]:
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
        "One cell for each two runs: its colour above the diagonal, its digits below; the diagonal names the run. "
        "Runs that agree stand side by side, in one order and on one scale for all matrices: blocks of strong colour "
        "are families of runs."
    )
    return (Matrices(drawings, draw_colour_scale(scale, "agreement of two runs"), note),)


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
    chart = draw_picture(
        partial(draw_cluster_scan, scans), "Silhouette and inertia over the number of clusters", caption
    )
    return (*((Folds(drawings, note),) if drawings else ()), chart)


def _scatter(method: str, points: np.ndarray, clusters: np.ndarray, names: list[str]) -> Picture:
    shares = compute_moved_fraction(clusters)[1:]
    least, most = _percent(shares.min()), _percent(shares.max())
    caption = f"{most if least == most else f'From {least} to {most}'} of the samples change their cluster."
    alt = f"Clusters of the explanations by {method}, one panel for each of {len(names)} runs. {caption}"
    return draw_picture(partial(draw_cluster_panels, points, clusters, names), alt, caption)


def _percent(share: float) -> str:
    return format_number(100 * float(share), "%")


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
    return draw_picture(partial(draw_violins, values, types, colour, f"value by {method}"), alt)


def _variance(picture: ReproductionPicture) -> tuple[Piece, ...]:
    parts = tuple((part, share, SERIES[i % len(SERIES)]) for i, (part, share) in enumerate(picture.variance))
    note = (
        "Shares of the variance of the ranks of types. What all methods and runs agree on is the first part; what a "
        "new training changes for all methods belongs to the model, the rest to single methods and chance."
    )
    return (Shares(parts, note),) if parts else ()


def _remedies(picture: ReproductionPicture) -> tuple[Piece, ...]:
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for method, remedy, number in picture.remedies:
        groups.setdefault(f"{method} · {number.name}", []).append((remedy, number))
    return _numbers(groups, "remedy")


def _accuracies(picture: ReproductionPicture) -> tuple[Piece, ...]:
    short = shorten_names([run.name for run in picture.runs])
    rows = tuple(
        (run.name if run.name.endswith(sign) else f"{sign} · {run.name}", run.accuracy)
        for sign, run in zip(short, picture.runs, strict=True)
    )
    return (Numbers((NumberGroup(rows[0][1].name, rows),), "run"),) if rows else ()


@dataclass(frozen=True)
class TrainedRun:
    """One training and how well its model predicts."""

    name: str
    accuracy: Estimate


@dataclass(frozen=True, eq=False)
class MethodRuns:
    """What one method says of all runs.

    Args:
        name: of the method.
        pairs: the agreement of every two runs, by measure; NaN on the diagonal.
        points: the samples on the first two principal axes of the vectors of the first run; None when unknown.
        clusters: of the samples in each run, matched to those of the first.
        scan: how the number of clusters was chosen.
        top: values of the most important types in each run; NaN where absent.
        top_types: their names.
    """

    name: str
    pairs: Mapping[str, Float[np.ndarray, "run run"]]
    points: Float[np.ndarray, "sample 2"] | None = None
    clusters: Int[np.ndarray, "run sample"] | None = None
    scan: ClusterScan | None = None
    top: Float[np.ndarray, "run sample type"] | None = None
    top_types: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ReproductionPicture:
    """All that the page of a reproduction shows, as plain data.

    Args:
        title: the main heading.
        subtitle: model, data and number of runs.
        answer: in one sentence.
        runs: in the order of all arrays.
        methods: in the order of the page.
        verdict: the third verdict, of the first method.
        agreements: method and number; the number's name is the measure.
        alike: the share of samples that two runs predict alike.
        alike_pairs: the same for every pair.
        variance: what the ranks depend on, by part; empty with one method.
        remedies: method, remedy and the agreement it reaches.
        provenance: how it came about; may be nested.
    """

    title: str
    subtitle: str
    answer: str
    runs: tuple[TrainedRun, ...]
    methods: tuple[MethodRuns, ...]
    verdict: Verdict
    agreements: tuple[tuple[str, Estimate], ...]
    alike: Estimate
    alike_pairs: Float[np.ndarray, "run run"] | None
    variance: tuple[tuple[str, float], ...]
    remedies: tuple[tuple[str, str, Estimate], ...]
    provenance: Mapping[str, Any]


def read_reproduction(record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ReproductionPicture:
    """Join what a reproduction wrote as JSON with what it wrote as arrays.

    Args:
        record: title, subtitle, answer, runs (name, accuracy), methods, verdict, agreements (method, number), alike,
            clusters by method, variance (part, share), remedies (method, remedy, number), types and provenance.
        arrays: `alike`, and for each method `pairs/METHOD/MEASURE`, `points/METHOD`, `cluster/METHOD`, `top/METHOD`
            and `top_types/METHOD`.

    Returns:
        The picture.
    """
    return ReproductionPicture(
        title=record["title"],
        subtitle=record["subtitle"],
        answer=record["answer"],
        runs=tuple(TrainedRun(run["name"], read_estimate(run["accuracy"])) for run in record["runs"]),
        methods=tuple(_method(name, record, arrays) for name in record["methods"]),
        verdict=read_verdict(record["verdict"]),
        agreements=tuple((row["method"], read_estimate(row["number"])) for row in record["agreements"]),
        alike=read_estimate(record["alike"]),
        alike_pairs=arrays.get("alike"),
        variance=tuple((row["part"], row["share"]) for row in record.get("variance", ())),
        remedies=tuple((r["method"], r["remedy"], read_estimate(r["number"])) for r in record.get("remedies", ())),
        provenance=record["provenance"],
    )


def _method(name: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> MethodRuns:
    folder = folder_name(name)
    measures = [row["number"]["name"] for row in record["agreements"]]
    scan, types = record.get("clusters", {}).get(name), arrays.get(f"top_types/{folder}", ())
    return MethodRuns(
        name=name,
        pairs={
            find_original_name(measure, measures): one
            for measure, one in select_prefix(f"pairs/{folder}/", arrays).items()
        },
        points=arrays.get(f"points/{folder}"),
        clusters=arrays.get(f"cluster/{folder}"),
        scan=None if scan is None else _scan(scan),
        top=arrays.get(f"top/{folder}"),
        top_types=tuple(record["types"][int(i)] for i in types),
    )


def _scan(record: Mapping[str, Any]) -> ClusterScan:
    counts, silhouettes, inertias = (tuple(record[name]) for name in ("counts", "silhouettes", "inertias"))
    return ClusterScan(record["count"], record["reason"], counts, silhouettes, inertias)
