"""The typed result of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from perdure.audit.panel import is_control
from perdure.audit.recommend import choose_hint, choose_method, describe_recommendation
from perdure.audit.schema import SCHEMA, VERSION
from perdure.core.batch import Text
from perdure.core.estimate import Estimate, Verdict, read_estimate, read_verdict, write_estimate, write_verdict
from perdure.records.place import place
from perdure.records.record import write_record
from perdure.records.times import write_times

__all__ = ["QUESTIONS", "Audit", "AuditedMethod", "AuditedModel", "Result", "Verdicts"]

QUESTIONS: Mapping[str, str] = {
    "over_time": "Does the explanation reach back in time?",
    "down_to_input": "Does the map show what the prediction needs, down to the input?",
    "across_runs": "Would a retrained model be explained the same way?",
}
"""The question of each verdict."""


class Result:
    """A result that writes itself as JSON, arrays and a page."""

    kind: ClassVar[Literal["audit", "reproduce", "path"]]
    arrays: Mapping[str, np.ndarray]

    answer: str

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data, as the JSON file contains it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the kind of result with its answer."""
        return f"{type(self).__name__}({self.answer!r})"

    @property
    def html(self) -> str:
        """The page as self-contained HTML."""
        from perdure.report.pages.write import render_result

        return render_result(self)

    def save(self, folder: Path | str) -> Path:
        """Write the record, its arrays and the page.

        Args:
            folder: Folder for `KIND.json`, `KIND.npz` and `report.html`, where KIND is audit, reproduce or path.

        Returns:
            The path of the page.

        Raises:
            RunFolderError: When the system cannot write.
        """
        from perdure.report.pages.write import write_page

        folder = place(folder)
        self.store(folder)
        return write_page(folder, self)

    def store(self, folder: Path) -> None:
        """Write the record and its arrays, without the page.

        Args:
            folder: Folder as in `save`.
        """
        write_record(folder, self.kind, self.to_dict(), self.arrays)

    def _repr_html_(self) -> str:
        """Draw the page in a notebook, in a frame of its style."""
        from perdure.report.show import Rendering

        return Rendering(self.html)._repr_html_()


@dataclass(frozen=True)
class Verdicts:
    """The answers to the three questions; None where a question was not tested for a method.

    Args:
        over_time: Whether the explanation reaches back in time; None for data without an order in time.
        down_to_input: Whether the map shows what the prediction needs.
        across_runs: Whether a retrained model would be explained the same way.
    """

    over_time: Verdict | None = None
    down_to_input: Verdict | None = None
    across_runs: Verdict | None = None

    def __iter__(self) -> Any:
        """Iterate over the verdicts that exist, in the order of the page."""
        return (verdict for verdict in (self.over_time, self.down_to_input, self.across_runs) if verdict is not None)


@dataclass(frozen=True)
class AuditedMethod:
    """The scores of one method on one model.

    Args:
        name: Registry name of the method, with settings.
        scores: Means over the samples; the name of each is its metric.
        verdicts: Verdicts on the maps of the method; none for a method that failed.
        passes: Samples sent forward and backward through the model for the maps; None in records of 0.1.
        seconds: Wall time of the maps; None where it is unknown, as times are in a separate file.
        paired: Mean of insertion, deletion and sensitivity-n between a random map and the best map of the panel, for
            comparisons with the other methods on the same samples.
        tied: Methods whose `paired` is not significantly different.
        failure: Reason why the method has no maps or scores; None for a method that has.
    """

    name: str
    scores: tuple[Estimate, ...]
    verdicts: Verdicts = Verdicts()
    passes: int | None = None
    seconds: float | None = None
    paired: Estimate | None = None
    tied: tuple[str, ...] = ()
    failure: str | None = None

    @property
    def is_trustworthy(self) -> bool:
        """Whether the map shows what the prediction needs, and no other verdict is bad; false for random maps."""
        down = self.verdicts.down_to_input
        shows = down is not None and down.answer == "yes" and not is_control(self.name)
        return shows and all(verdict.level != "bad" for verdict in self.verdicts)


@dataclass(frozen=True)
class AuditedModel:
    """A model with its accuracy and methods.

    Args:
        name: Name of the model.
        accuracy: Accuracy on all test samples.
        methods: Methods in the order of the settings.
        outputs: Declaration of the outputs of the model, such as "logits"; None in records of 0.1.
    """

    name: str
    accuracy: Estimate
    methods: tuple[AuditedMethod, ...]
    outputs: str | None = None

    @property
    def shown(self) -> AuditedMethod | None:
        """The recommended method; without one the method that comes nearest, or the first with verdicts."""
        first = next((method for method in self.methods if list(method.verdicts)), None)
        return choose_method(self.methods) or choose_hint(self.methods) or first

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on the `shown` method, in the order of the page."""
        return () if self.shown is None else tuple(self.shown.verdicts)

    @property
    def recommended(self) -> str | None:
        """Name of the method to use: the best of those whose map shows what the prediction needs, or None.

        No other verdict on it is bad. Among methods that cannot be distinguished it is the one with the fewest passes.
        """
        method = choose_method(self.methods)
        return None if method is None else method.name


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Result):
    """The result of an audit: verdicts and scores of the methods on each model.

    Args:
        title: Names of the models.
        subtitle: Data, method and number of samples.
        answer: Result in one sentence per model.
        models: Models in the order of the page.
        labels: Title of each shown sample.
        provenance: Settings and versions, possibly nested.
        arrays: `inputs` of the shown samples, and when known `truth`, `truth_profile` and `mean_truth`; for each
            method of each model `map/NAME`, and for data in time `profile/NAME` (mean, low, high) and `mean_map/NAME`.
            NAME is "MODEL/METHOD", or that of the model for a single method.
        features: Names of the features of series; empty for none.
        texts: Texts of the token ids.
        notes: What limits the verdicts, such as too few samples.
    """

    kind: ClassVar[Literal["audit"]] = "audit"

    title: str
    subtitle: str
    answer: str
    models: tuple[AuditedModel, ...]
    labels: tuple[str, ...]
    provenance: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    features: tuple[str, ...] = ()
    texts: tuple[Text, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as plain data.

        Returns:
            Version, title, subtitle, answer, models (name, accuracy, recommended, methods with their
            verdicts, and `verdicts`, those of the recommended or nearest method),
            scores by model and method, and what the page shows of the samples; `audit.schema.json` describes it.
        """
        return {
            "version": VERSION,
            "schema": SCHEMA,
            "title": self.title,
            "subtitle": self.subtitle,
            "answer": self.answer,
            "notes": list(self.notes),
            "models": [_write_model(model) for model in self.models],
            "scores": [
                {"model": model.name, "method": method.name, "number": write_estimate(number)}
                for model in self.models
                for method in model.methods
                for number in method.scores
            ],
            "labels": list(self.labels),
            "features": list(self.features),
            "texts": [asdict(text) for text in self.texts],
            "provenance": dict(self.provenance),
        }

    def store(self, folder: Path) -> None:
        """Write the record, and the seconds in `times.json`, so that two runs have the same bytes."""
        write_times(folder, methods={m.name: {item.name: item.seconds for item in m.methods} for m in self.models})
        super().store(folder)

    def to_timed_dict(self) -> dict[str, Any]:
        """Return the audit as plain data with the seconds of each method, which the stored record does not contain."""
        record = self.to_dict()
        for row, model in zip(record["models"], self.models, strict=True):
            row["methods"] = [
                {"name": item["name"], "seconds": method.seconds, **item}
                for item, method in zip(row["methods"], model.methods, strict=True)
            ]
        return record

    def add_times(self, times: Mapping[str, Any]) -> Audit:
        """Add the seconds of the methods to an audit that was read from a record.

        Args:
            times: Content of `times.json`; methods without a time keep theirs.

        Returns:
            The audit with seconds.
        """
        seconds = times.get("methods", {})
        models = tuple(
            replace(
                model,
                methods=tuple(
                    replace(item, seconds=seconds.get(model.name, {}).get(item.name, item.seconds))
                    for item in model.methods
                ),
            )
            for model in self.models
        )
        return replace(self, models=models)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Audit:
        """Read an audit from what `to_dict` wrote, or perdure 0.1.

        Args:
            record: Plain data of `audit.json`.
            arrays: Arrays of `audit.npz`.

        Returns:
            The audit.
        """
        return cls(
            title=record["title"],
            subtitle=record["subtitle"],
            answer=record["answer"],
            models=tuple(_read_model(model, record["scores"]) for model in record["models"]),
            labels=tuple(record["labels"]),
            provenance=record["provenance"],
            arrays=arrays,
            features=tuple(record.get("features", ())),
            texts=tuple(
                Text(text["text"], tuple(map(tuple, text["spans"])), text["pieces"]) for text in record.get("texts", ())
            ),
            notes=tuple(record.get("notes", ())),
        )


def _write_model(model: AuditedModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "outputs": model.outputs,
        "accuracy": write_estimate(model.accuracy),
        "recommended": model.recommended,
        "answer": describe_recommendation(model),
        "verdicts": [write_verdict(verdict) for verdict in model.verdicts],
        "methods": [
            {
                "name": method.name,
                "passes": method.passes,
                "verdicts": {
                    name: None if verdict is None else write_verdict(verdict)
                    for name, verdict in vars(method.verdicts).items()
                },
                "paired": None if method.paired is None else write_estimate(method.paired),
                "tied": list(method.tied),
                "failure": method.failure,
            }
            for method in model.methods
        ],
    }


def _read_model(record: Mapping[str, Any], scores: list[Mapping[str, Any]]) -> AuditedModel:
    rows: dict[str, list[Estimate]] = {}
    for row in scores:
        if row["model"] == record["name"]:
            rows.setdefault(row["method"], []).append(read_estimate(row["number"]))
    methods = record.get("methods")
    if methods is None:  # perdure 0.1 stored the verdicts on the first method only
        first = next(iter(rows), "")
        verdicts = _sort_verdicts([read_verdict(verdict) for verdict in record["verdicts"]])
        methods = [{"name": name, "verdicts": verdicts if name == first else Verdicts()} for name in rows or (first,)]
    return AuditedModel(
        record["name"],
        read_estimate(record["accuracy"]),
        tuple(_read_method(method, tuple(rows.get(method["name"], ()))) for method in methods),
        record.get("outputs"),
    )


def _read_method(record: Mapping[str, Any], scores: tuple[Estimate, ...]) -> AuditedMethod:
    verdicts = record["verdicts"]
    if not isinstance(verdicts, Verdicts):
        verdicts = Verdicts(**{name: value and read_verdict(value) for name, value in verdicts.items()})
    paired = record.get("paired")
    return AuditedMethod(
        record["name"],
        scores,
        verdicts,
        record.get("passes"),
        record.get("seconds"),
        paired and read_estimate(paired),
        tuple(record.get("tied", ())),
        record.get("failure"),
    )


def _sort_verdicts(verdicts: list[Verdict]) -> Verdicts:
    """Find the fields of the verdicts of perdure 0.1, which are a list."""
    fields = {question: name for name, question in QUESTIONS.items()}
    return Verdicts(**{fields[verdict.question]: verdict for verdict in verdicts})
