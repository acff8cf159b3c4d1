"""What the page of paths between two trainings shows, as plain data read from JSON and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from perdure.core.registry import folder_name
from perdure.core.verdict import Number, read_number
from perdure.report.names import under, written

__all__ = ["PathKind", "PathPicture", "PathViews", "read_paths"]


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
    barrier: Number
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
    agreements: tuple[tuple[str, str, Number], ...]
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
        agreements=tuple((row["kind"], row["method"], read_number(row["number"])) for row in record["agreements"]),
        ways=_by_kind("t", names, arrays),
        curves={name: _by_kind(name, names, arrays) for name in ("loss", "accuracy", "f1")},
        views={(kind, method): _views(kind, method, record, arrays) for kind in names for method in methods},
        top_types={method: _types(method, record, arrays) for method in methods},
        provenance=record["provenance"],
    )


def _kind(row: Mapping[str, Any]) -> PathKind:
    rest = {name: row[name] for name in ("increase", "noise", "inside_noise", "seconds", "passes", "ended", "length")}
    return PathKind(row["kind"], read_number(row["barrier"]), **rest)


def _by_kind(what: str, kinds: list[str], arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {kind: arrays[f"{what}/{folder_name(kind)}"] for kind in kinds if f"{what}/{folder_name(kind)}" in arrays}


def _views(kind: str, method: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> PathViews:
    place = f"{folder_name(kind)}/{folder_name(method)}"
    measures = [row["number"]["name"] for row in record["agreements"]]
    drift, neighbour = (
        {written(name, measures): one for name, one in under(f"{what}/{place}/", arrays).items()}
        for what in ("drift", "neighbour")
    )
    return PathViews(drift, neighbour, *(arrays.get(f"{what}/{place}") for what in ("ari", "flow", "top")))


def _types(method: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    return tuple(record["types"][int(i)] for i in arrays.get(f"top_types/{folder_name(method)}", ()))
