"""The pages of the explorer: the table of samples, and one sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.core.spec import strip_settings
from perdure.report.numbers import format_number
from perdure.report.pages.page import Section, make_environment, render_style
from perdure.view.filters import ROWS, Choice
from perdure.view.index import Index

__all__ = ["Column", "Pages", "list_columns"]

TEMPLATES = Path(__file__).parent / "templates"

FEW = 6
"""Maximum number of models that are listed above their maps; more are listed below."""

HEADERS: Mapping[str, tuple[str, str]] = {
    "model": ("model", "Model or run"),
    "label": ("class", "Class of the data"),
    "prediction": ("predicted", "Class that the model predicts"),
    "correct": ("right", "Whether the prediction is the class"),
    "confidence": ("confidence", "Probability of the predicted class"),
    "methods_differ": ("methods differ", "1 - mean correlation of the absolute maps of all pairs of methods"),
    "runs_differ": ("runs differ", "1 - mean correlation of the absolute maps of all pairs of runs or models"),
}
"""Header and explanation of the columns that are not scores."""


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Args:
        name: Name in the index.
        header: Header.
        further: Second line of the header, such as the method of a score.
        title: Explanation.
    """

    name: str
    header: str
    further: str = ""
    title: str = ""


def list_columns(index: Index) -> tuple[Column, ...]:
    """List the columns that have values.

    Args:
        index: Index of a folder.

    Returns:
        Columns in the order of the table.
    """
    several = len(index.list_values("model", 2)) > 1
    columns = [
        Column(name, header, title=title)
        for name, (header, title) in HEADERS.items()
        if (several if name == "model" else index.has_values(name))
    ]
    scores = [
        Column(name, strip_settings(metric), method, f"{metric} of {method}")
        for name, (metric, method) in index.scores.items()
    ]
    return (*columns, *scores)


class Pages:
    """Renders the pages of a folder; every text is escaped.

    Args:
        index: Index of the folder.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._environment = make_environment(TEMPLATES)
        self._environment.globals |= {"folder": index.folder.name}

    def render_style(self) -> str:
        """Render the style sheet of all pages."""
        own: str = self._environment.get_template("view.css.j2").render()
        return render_style(self._environment) + own

    def render_table(self, choice: Choice, state: str, classes: Sequence[str]) -> str:
        """Render the table of samples.

        Args:
            choice: Filters, order and page.
            state: What is not finished; empty for nothing.
            classes: Names of the classes.

        Returns:
            HTML document.
        """
        index, selection = self._index, choice.selection
        count, first = index.count(selection), (choice.page - 1) * ROWS
        rows, columns = index.page(selection, first, ROWS), list_columns(index)
        page: str = self._environment.get_template("view_table.html.j2").render(
            choice=choice,
            state=state,
            damage=index.damage,
            columns=columns,
            ranges=[column for column in columns if column.name not in ("model", "label", "prediction", "correct")],
            rows=[
                (row["sample_id"], first + i, [_format(row, column.name, classes) for column in columns])
                for i, row in enumerate(rows)
            ],
            count=count,
            total=index.count(),
            first=first,
            pages=max(1, -(-count // ROWS)),
            models=[(name, name) for name in index.list_values("model")],
            labels=[(str(value), _name_class(value, classes)) for value in index.list_values("label")],
            predictions=[(str(value), _name_class(value, classes)) for value in index.list_values("prediction")],
        )
        return page

    def render_sample(
        self,
        choice: Choice,
        rows: Sequence[Mapping[str, Any]],
        sections: Sequence[Section],
        place: tuple[int | None, int],
        classes: Sequence[str],
        damage: Sequence[str],
    ) -> str:
        """Render the page of a sample.

        Args:
            choice: Filters and order, for the way back and to the next sample.
            rows: Rows of the sample, one for each model.
            sections: Maps, scores and curves.
            place: Position among the selected rows, None when unknown, and their number.
            classes: Names of the classes.
            damage: What could not be read.

        Returns:
            HTML document.
        """
        columns = [column for column in list_columns(self._index) if column.name in HEADERS]
        page: str = self._environment.get_template("view_sample.html.j2").render(
            choice=choice,
            name=rows[0]["sample_id"],
            columns=columns,
            rows=[
                [_format(row, column.name, classes) for column in columns]
                for row in sorted(rows, key=lambda row: str(row["model"]))
            ],
            sections=sections,
            few=FEW,
            at=place[0],
            count=place[1],
            damage=damage,
            state="",
        )
        return page

    def render_error(self, message: str) -> str:
        """Render the page of an error.

        Args:
            message: Cause and remedy.

        Returns:
            HTML document.
        """
        page: str = self._environment.get_template("view_error.html.j2").render(message=message, state="")
        return page


def _format(row: Mapping[str, Any], name: str, classes: Sequence[str]) -> str:
    value = row[name]
    if value is None:
        return ""
    if name in ("label", "prediction"):
        return _name_class(value, classes)
    if name == "correct":
        return "right" if value else "wrong"
    return format_number(value) if isinstance(value, float) else str(value)


def _name_class(value: int, classes: Sequence[str]) -> str:
    return classes[value] if 0 <= value < len(classes) else str(value)
