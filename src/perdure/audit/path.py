"""Connect two trained models by paths in weight space, and compare explanations along them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int
from torch import nn

from perdure.audit.inputs import DATA, check_splits, name_models, open_folder
from perdure.audit.reproduction import name_arrays
from perdure.audit.result import Result
from perdure.core.batch import Batch
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.estimate import Estimate, read_estimate
from perdure.core.spec import slug
from perdure.data._digest import digest_splits
from perdure.data._splits import Splits
from perdure.landscape.ends import PathEnds, load_ends, make_ends
from perdure.records.place import is_path, place
from perdure.records.record import read_record
from perdure.records.run import RunFolder
from perdure.records.times import read_times
from perdure.stability.checks import check_methods
from perdure.stability.path_record import PathSettings
from perdure.stability.paths import PathBudget, find_paths

__all__ = ["MeasuredPath", "PathExplanations", "PathReport", "choose_path_methods", "path", "run_paths"]


@dataclass(frozen=True)
class MeasuredPath:
    """A path between two runs and the cost of its search.

    Args:
        name: Kind of path, for example "valley".
        barrier: Height above the straight line between the losses of both ends; the null is that of the straight line
            between the weights, the ceiling 0.
        increase: Allowed loss increase that the path needs.
        noise: Barrier that is due to chance alone.
        inside_noise: Whether the barrier is not significantly different from zero.
        seconds: Wall time of the search; None when read from a record, as times are in separate files.
        passes: Minibatch passes of the search; forward 1, backward 2.
        ended: Reason for the end of the search.
        length: Length of the path in weight space.
    """

    name: str
    barrier: Estimate
    increase: float
    noise: float
    inside_noise: bool
    passes: float
    ended: str
    length: float
    seconds: float | None = None


@dataclass(frozen=True, eq=False)
class PathExplanations:
    """The explanations of one method along one path.

    Args:
        drift: Agreement with the first and the second end, by measure.
        neighbour: Agreement with the previous point, by measure; NaN first.
        ari: ARI of the clusters with the first end, the second end and the previous point.
        flow: Cluster of each sample at each point, matched along the path.
        top: Mean value of each of the most important types.
        top_values: Value of these types in each sample, NaN where a type is absent; None in records of 0.1.
    """

    drift: Mapping[str, Float[np.ndarray, "point 2"]]
    neighbour: Mapping[str, Float[np.ndarray, " point"]]
    ari: Float[np.ndarray, "point 3"] | None = None
    flow: Int[np.ndarray, "point sample"] | None = None
    top: Float[np.ndarray, "point type"] | None = None
    top_values: Float[np.ndarray, "point sample type"] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class PathReport(Result):
    """Paths between two trained models: loss and explanations along them.

    Args:
        title: Names of the models.
        subtitle: Data, methods and numbers of samples and points.
        answer: Result in one sentence.
        ends: Names of the two models.
        aligned: Distance of the ends before and after their units were matched; None when they were not.
        remark: Reason why the requested matching was not possible; may be empty.
        methods: Methods in the order of the page.
        kinds: Paths in the order of the page.
        agreements: Kind, method and mean agreement with the first end along the path.
        ways: Positions along the path of all measurements, by kind.
        curves: Curves "loss", "accuracy" and "f1" along the path, by kind.
        views: Explanations by kind and method.
        top_types: Names of the most important types, by method.
        provenance: Settings and versions, possibly nested.
        arrays: All arrays as they are stored.
        record: Plain data as they are stored.
    """

    kind: ClassVar[Literal["path"]] = "path"

    title: str
    subtitle: str
    answer: str
    ends: tuple[str, str]
    aligned: tuple[float, float] | None
    remark: str
    methods: tuple[str, ...]
    kinds: tuple[MeasuredPath, ...]
    agreements: tuple[tuple[str, str, Estimate], ...]
    ways: Mapping[str, Float[np.ndarray, " point"]]
    curves: Mapping[str, Mapping[str, Float[np.ndarray, " point"]]]
    views: Mapping[tuple[str, str], PathExplanations]
    top_types: Mapping[str, tuple[str, ...]]
    provenance: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    record: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data of `path.json`."""
        return dict(self.record)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> PathReport:
        """Read a report on paths.

        Args:
            record: Plain data of `path.json`: title, subtitle, answer, ends, aligned, remark, methods, kinds,
                agreements (kind, method, number), types and provenance.
            arrays: Arrays of `path.npz`: of each kind `t/KIND`, `loss/KIND`, `accuracy/KIND` and `f1/KIND`; for each
                kind and method `drift/KIND/METHOD/MEASURE`, `neighbour/KIND/METHOD/MEASURE`, `ari/KIND/METHOD`,
                `flow/KIND/METHOD`, `top/KIND/METHOD` and `top_values/KIND/METHOD`; `top_types/METHOD`.

        Returns:
            The report.
        """
        kinds, methods = tuple(_read_kind(row) for row in record["kinds"]), tuple(record["methods"])
        names, aligned = [kind.name for kind in kinds], record.get("aligned")
        rows = record["agreements"]
        return cls(
            title=record["title"],
            subtitle=record["subtitle"],
            answer=record["answer"],
            ends=(record["ends"][0], record["ends"][1]),
            aligned=None if aligned is None else (aligned["before"], aligned["after"]),
            remark=record.get("remark", ""),
            methods=methods,
            kinds=kinds,
            agreements=tuple((row["kind"], row["method"], read_estimate(row["number"])) for row in rows),
            ways=_select_kinds("t", names, arrays),
            curves={name: _select_kinds(name, names, arrays) for name in ("loss", "accuracy", "f1")},
            views={(kind, method): _read_views(kind, method, record, arrays) for kind in names for method in methods},
            top_types={method: _read_types(method, record, arrays) for method in methods},
            provenance=record["provenance"],
            arrays=arrays,
            record=record,
        )


def path(
    first: nn.Module | Path | str,
    second: nn.Module | Path | str,
    splits: Splits,
    *,
    settings: PathSettings | None = None,
    folder: Path | str | None = None,
    seconds: float = float("inf"),
    progress: Callable[[str], None] | None = None,
) -> PathReport:
    """Connect two trained models by paths, and measure loss and explanations along them.

    Args:
        first: Trained model, or the folder of a run of `perdure train`.
        second: Another one of the same architecture, given in the same form.
        splits: Data of both; the loss is that of the training samples, accuracy and explanations are those of test
            samples.
        settings: Kinds of paths, methods and points; None for the defaults, with attention where the model has it and
            gradients elsewhere.
        folder: Folder for all results and the page; the same call resumes an interrupted search there. None for a
            temporary folder, and no page until `PathReport.save`.
        seconds: Time limit for each tracked path over all calls.
        progress: Callback that gets the progress as text.

    Returns:
        Barriers, curves and explanations along each path.

    Raises:
        SettingError: For unusable settings, models or splits.
        CheckpointError: If the models have different tensors or the same weights, or a folder has no checkpoint.
        UnsupportedError: If a method cannot explain the model.
        RunFolderError: When the folder contains another search.
    """
    check_splits(splits)
    ends = _make_ends(first, second, splits)
    settings = settings or PathSettings(methods=choose_path_methods(ends.model, splits.train))
    config = {
        "ends": ends.names,
        "model": type(ends.model).__qualname__,
        "digests": ends.digests,
        "data": DATA,
        "data_digest": digest_splits(splits),
        **asdict(settings),
    }
    budget = PathBudget(seconds) if progress is None else PathBudget(seconds, progress)
    with open_folder(folder, config) as run:
        result = run_paths(ends, splits, settings, run, budget)
        if folder is not None:
            result.save(run.path)
    return result


def _make_ends(first: nn.Module | Path | str, second: nn.Module | Path | str, splits: Splits) -> PathEnds:
    if is_path(first) and is_path(second):
        return load_ends(place(first), place(second), splits)
    if not (isinstance(first, nn.Module) and isinstance(second, nn.Module)):
        raise SettingError(
            f"the ends are {type(first).__name__} and {type(second).__name__}",
            "pass two torch.nn.Modules, or two folders of trained runs",
        )
    name_models({"first": first, "second": second})
    return make_ends(copy.deepcopy(first).eval(), copy.deepcopy(second).eval())


def choose_path_methods(model: nn.Module, batch: Batch) -> tuple[str, ...]:
    """Choose attention where the model has it, else gradients.

    Args:
        model: Model of one end.
        batch: Samples of the data.

    Returns:
        Registry name of one method.
    """
    try:
        check_methods(model, ("attention",), batch)
    except UnsupportedError:
        return ("gradient",)
    return ("attention",)


def run_paths(ends: PathEnds, splits: Splits, settings: PathSettings, run: RunFolder, budget: PathBudget) -> PathReport:
    """Find paths in a run folder.

    Args:
        ends: Trained models.
        splits: Data, as in `path`.
        settings: Kinds of paths, methods and points.
        run: Open run with the name of its data in the configuration; stored paths are loaded.
        budget: Time limit, callback and workers.

    Returns:
        The report, also stored as `path.json` and `path.npz`.
    """
    find_paths(ends, splits, settings, run, budget)
    report = PathReport.from_dict(*read_record(run.path, "path"))
    seconds = {kind.name: read_times(run.path / "paths" / kind.name).get("seconds") for kind in report.kinds}
    return replace(report, kinds=tuple(replace(kind, seconds=seconds[kind.name]) for kind in report.kinds))


def _read_kind(row: Mapping[str, Any]) -> MeasuredPath:
    rest = {name: row[name] for name in ("increase", "noise", "inside_noise", "passes", "ended", "length")}
    return MeasuredPath(row["kind"], read_estimate(row["barrier"]), **rest, seconds=row.get("seconds"))


def _select_kinds(what: str, kinds: list[str], arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {kind: arrays[f"{what}/{slug(kind)}"] for kind in kinds if f"{what}/{slug(kind)}" in arrays}


def _read_views(
    kind: str, method: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> PathExplanations:
    place = f"{slug(kind)}/{slug(method)}"
    measures = [row["number"]["name"] for row in record["agreements"]]
    drift, neighbour = (name_arrays(f"{what}/{place}/", arrays, measures) for what in ("drift", "neighbour"))
    return PathExplanations(
        drift, neighbour, *(arrays.get(f"{what}/{place}") for what in ("ari", "flow", "top", "top_values"))
    )


def _read_types(method: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    return tuple(record["types"][int(i)] for i in arrays.get(f"top_types/{slug(method)}", ()))
