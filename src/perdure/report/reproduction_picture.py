"""What the page of a reproduction shows, as plain data read from JSON and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from perdure.core.registry import folder_name
from perdure.core.verdict import Number, Verdict, read_number, read_verdict
from perdure.report.names import under, written
from perdure.report.scan import Scan

__all__ = ["MethodRuns", "ReproductionPicture", "TrainedRun", "read_reproduction"]


@dataclass(frozen=True)
class TrainedRun:
    """One training and how well its model predicts."""

    name: str
    accuracy: Number


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
    scan: Scan | None = None
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
    agreements: tuple[tuple[str, Number], ...]
    alike: Number
    alike_pairs: Float[np.ndarray, "run run"] | None
    variance: tuple[tuple[str, float], ...]
    remedies: tuple[tuple[str, str, Number], ...]
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
        runs=tuple(TrainedRun(run["name"], read_number(run["accuracy"])) for run in record["runs"]),
        methods=tuple(_method(name, record, arrays) for name in record["methods"]),
        verdict=read_verdict(record["verdict"]),
        agreements=tuple((row["method"], read_number(row["number"])) for row in record["agreements"]),
        alike=read_number(record["alike"]),
        alike_pairs=arrays.get("alike"),
        variance=tuple((row["part"], row["share"]) for row in record.get("variance", ())),
        remedies=tuple((r["method"], r["remedy"], read_number(r["number"])) for r in record.get("remedies", ())),
        provenance=record["provenance"],
    )


def _method(name: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> MethodRuns:
    folder = folder_name(name)
    measures = [row["number"]["name"] for row in record["agreements"]]
    scan, types = record.get("clusters", {}).get(name), arrays.get(f"top_types/{folder}", ())
    return MethodRuns(
        name=name,
        pairs={written(measure, measures): one for measure, one in under(f"pairs/{folder}/", arrays).items()},
        points=arrays.get(f"points/{folder}"),
        clusters=arrays.get(f"cluster/{folder}"),
        scan=None if scan is None else _scan(scan),
        top=arrays.get(f"top/{folder}"),
        top_types=tuple(record["types"][int(i)] for i in types),
    )


def _scan(record: Mapping[str, Any]) -> Scan:
    counts, silhouettes, inertias = (tuple(record[name]) for name in ("counts", "silhouettes", "inertias"))
    return Scan(record["count"], record["reason"], counts, silhouettes, inertias)
