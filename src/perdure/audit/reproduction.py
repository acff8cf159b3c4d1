"""The typed result of a comparison of training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int

from perdure.audit.result import Result
from perdure.core.estimate import Estimate, Verdict, read_estimate, read_verdict
from perdure.core.spec import slug

__all__ = ["ClusterChoice", "ComparedMethod", "ComparedRun", "Reproduction", "name_arrays"]


@dataclass(frozen=True)
class ComparedRun:
    """A training run with the accuracy of its model."""

    name: str
    accuracy: Estimate


@dataclass(frozen=True)
class ClusterChoice:
    """The choice of the number of clusters of explanations.

    Args:
        count: Chosen number of clusters.
        reason: Reason for the choice.
        counts: Tried numbers.
        silhouettes: Mean silhouette for each tried number.
        inertias: Inertia for each tried number.
    """

    count: int
    reason: str
    counts: tuple[int, ...]
    silhouettes: tuple[float, ...]
    inertias: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ComparedMethod:
    """The explanations of all runs by one method.

    Args:
        name: Registry name of the method, with settings.
        agreements: Agreement of the runs by each measure; the name of the number is the measure.
        pairs: Agreement of each pair of runs, by measure; NaN on the diagonal.
        points: Samples on the first two principal axes of the vectors of the first run; None when unknown.
        clusters: Clusters of the samples in each run, matched to those of the first run.
        scan: Choice of the number of clusters.
        top: Values of the most important types in each run; NaN where absent.
        top_types: Names of the most important types.
    """

    name: str
    agreements: tuple[Estimate, ...]
    pairs: Mapping[str, Float[np.ndarray, "run run"]]
    points: Float[np.ndarray, "sample 2"] | None = None
    clusters: Int[np.ndarray, "run sample"] | None = None
    scan: ClusterChoice | None = None
    top: Float[np.ndarray, "run sample type"] | None = None
    top_types: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Reproduction(Result):
    """The agreement of the explanations of several training runs.

    Args:
        title: Main heading.
        subtitle: Number of runs, methods and number of samples.
        answer: Result in one sentence.
        runs: Runs in the order of all arrays.
        methods: Methods in the order of the page.
        verdict: Verdict across runs of the first method.
        alike: Fraction of samples for which two runs predict the same class.
        alike_pairs: Fraction of equal predictions of each pair.
        variance: Fraction of the variance of ranks by part; empty with one method.
        remedies: Method, remedy and resulting agreement.
        provenance: Settings and versions, possibly nested.
        arrays: All arrays as they are stored.
        record: Plain data as they are stored.
    """

    kind: ClassVar[Literal["reproduce"]] = "reproduce"

    title: str
    subtitle: str
    answer: str
    runs: tuple[ComparedRun, ...]
    methods: tuple[ComparedMethod, ...]
    verdict: Verdict
    alike: Estimate
    alike_pairs: Float[np.ndarray, "run run"] | None
    variance: tuple[tuple[str, float], ...]
    remedies: tuple[tuple[str, str, Estimate], ...]
    provenance: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    record: Mapping[str, Any]

    @property
    def agreements(self) -> tuple[tuple[str, Estimate], ...]:
        """Name of the method and agreement, for all methods and measures."""
        return tuple((method.name, number) for method in self.methods for number in method.agreements)

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data of `reproduce.json`."""
        return dict(self.record)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Reproduction:
        """Read a reproduction.

        Args:
            record: Plain data of `reproduce.json`: title, subtitle, answer, runs (name, accuracy), methods, verdict,
                agreements (method, number), alike, clusters by method, variance (part, share), remedies (method,
                remedy, number), types and provenance.
            arrays: Arrays of `reproduce.npz`: `alike`, and for each method `pairs/METHOD/MEASURE`, `points/METHOD`,
                `cluster/METHOD`, `top/METHOD` and `top_types/METHOD`.

        Returns:
            The reproduction.
        """
        return cls(
            title=record["title"],
            subtitle=record["subtitle"],
            answer=record["answer"],
            runs=tuple(ComparedRun(run["name"], read_estimate(run["accuracy"])) for run in record["runs"]),
            methods=tuple(_read_method(name, record, arrays) for name in record["methods"]),
            verdict=read_verdict(record["verdict"]),
            alike=read_estimate(record["alike"]),
            alike_pairs=arrays.get("alike"),
            variance=tuple((row["part"], row["share"]) for row in record.get("variance", ())),
            remedies=tuple((r["method"], r["remedy"], read_estimate(r["number"])) for r in record.get("remedies", ())),
            provenance=record["provenance"],
            arrays=arrays,
            record=record,
        )


def _read_method(name: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ComparedMethod:
    folder = slug(name)
    measures = [row["number"]["name"] for row in record["agreements"]]
    scan, types = record.get("clusters", {}).get(name), arrays.get(f"top_types/{folder}", ())
    return ComparedMethod(
        name=name,
        agreements=tuple(read_estimate(row["number"]) for row in record["agreements"] if row["method"] == name),
        pairs=name_arrays(f"pairs/{folder}/", arrays, measures),
        points=arrays.get(f"points/{folder}"),
        clusters=arrays.get(f"cluster/{folder}"),
        scan=None if scan is None else _read_scan(scan),
        top=arrays.get(f"top/{folder}"),
        top_types=tuple(record["types"][int(i)] for i in types),
    )


def _read_scan(record: Mapping[str, Any]) -> ClusterChoice:
    counts, silhouettes, inertias = (tuple(record[name]) for name in ("counts", "silhouettes", "inertias"))
    return ClusterChoice(record["count"], record["reason"], counts, silhouettes, inertias)


def name_arrays(prefix: str, arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Select the arrays with a prefix, under the names that their folders were derived from.

    Args:
        prefix: Prefix of the arrays.
        arrays: Arrays by name.
        names: Candidate names.

    Returns:
        Selected arrays by original name, or by the rest of the name where no candidate matches.

    Example:
        >>> list(name_arrays("pairs/gradient/", {"pairs/gradient/top-3-Jaccard": np.ones(2)}, ["top-3 Jaccard"]))
        ['top-3 Jaccard']
    """
    rest = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    return {next((n for n in names if folder in (n, slug(n))), folder): value for folder, value in rest.items()}
