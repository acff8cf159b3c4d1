"""What a reader of the table chose: filters, order and page, from the address of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from perdure.core.errors import SettingError
from perdure.view.index import Index, Selection

__all__ = ["ROWS", "SORTED", "Choice", "read_choice"]

ROWS = 50
"""Rows of a page."""

SORTED = ("sample_id", "model", "label", "prediction", "correct", "confidence", "methods_differ", "runs_differ")
"""Columns to sort by, in addition to the scores."""

NAMES = ("id", "model", "label", "prediction", "correct", "by", "low", "high", "sort", "way")
"""Names in the address that filter and sort."""


@dataclass(frozen=True)
class Choice:
    """Filters, order and page of the table.

    Args:
        given: Filters and order by their names in the address.
        selection: The same for the index.
        page: Page from 1.
    """

    given: Mapping[str, str]
    selection: Selection
    page: int

    def address(self, **changes: Any) -> str:
        """Write the choice with changes as the query of an address.

        Args:
            **changes: New values by name; None leaves one out.

        Returns:
            Query without its question mark.
        """
        merged = {**self.given, **changes}
        return urlencode({name: value for name, value in merged.items() if value not in (None, "")})

    def sort_by(self, column: str) -> str:
        """Write the query that sorts by a column, first in descending order, then in ascending order."""
        same = self.given.get("sort") == column and self.given.get("way") == "down"
        return self.address(sort=column, way="up" if same else "down")


def read_choice(parameters: Mapping[str, str], index: Index) -> Choice:
    """Read filters, order and page; nothing of a reader becomes SQL.

    Args:
        parameters: Parameters of the address.
        index: Index of the folder.

    Returns:
        The choice.

    Raises:
        SettingError: For a value that cannot be used.
    """
    given = {name: parameters[name] for name in NAMES if parameters.get(name)}
    clauses: list[str] = []
    values: list[Any] = []
    for name, column in (("label", "label"), ("prediction", "prediction")):
        if name in given:
            clauses.append(f"{column} = ?")
            values.append(_whole(name, given[name]))
    if "model" in given:
        clauses.append("model = ?")
        values.append(given["model"])
    if "id" in given:
        clauses.append("contains(sample_id, ?)")
        values.append(given["id"])
    if "correct" in given:
        clauses.append(
            "correct" if _one_of("correct", given["correct"], ("right", "wrong")) == "right" else "NOT correct"
        )
    if "by" in given:
        column = _one_of("by", given["by"], ("confidence", "methods_differ", "runs_differ", *index.scores))
        for name, sign in (("low", ">="), ("high", "<=")):
            if name in given:
                clauses.append(f"{column} {sign} ?")
                values.append(_number(name, given[name]))
    order = _one_of("sort", given["sort"], (*SORTED, *index.scores)) if "sort" in given else None
    way = _one_of("way", given.get("way", "down"), ("up", "down"))
    selection = Selection(" AND ".join(clauses) or "true", tuple(values), order, way == "down")
    page = _whole("page", parameters.get("page") or "1")
    if page < 1:
        raise SettingError(f"page is {page}", "choose a page from 1")
    return Choice(given, selection, page)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise SettingError(f"{name} is '{value}', which is none of {', '.join(known)}", "choose one of these")
    return value


def _whole(name: str, value: str) -> int:
    try:
        number = int(value)
    except ValueError:
        number = 2**63
    if not -(2**63) <= number < 2**63:
        raise SettingError(f"{name} is '{value}', which is no whole number", "give a whole number")
    return number


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise SettingError(f"{name} is '{value}', which is no number", "give a number")
    return number
