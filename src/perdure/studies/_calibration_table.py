"""Answers of an audit on cases with known answers, counted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perdure.audit import across_runs, down_to_input, over_time
from perdure.audit.error_rates import ErrorRates
from perdure.studies._table import Cell, Row
from perdure.studies._verdict_cases import VerdictCase, decide_case

__all__ = ["Count", "count_answers", "find_rates", "list_constants", "list_rows", "write_record"]

ORDER = ("yes", "partly", "unclear", "no", "reaches back", "falls short", "fades", "vanishes", "lies too early")
"""Answers in the order of tables; others follow."""


@dataclass(frozen=True)
class Count:
    """Number of cases with a right and a given answer; `networks` are those of the half and question."""

    half: str
    question: str
    right: str
    given: str
    cases: int
    networks: int


def count_answers(cases: Mapping[Cell, Sequence[VerdictCase]]) -> list[Count]:
    """Decide all cases by the present rules, and count the answers.

    Args:
        cases: Cases of each cell.

    Returns:
        Counts, in the order of tables.
    """
    counts: dict[tuple[str, str, str, str], int] = {}
    networks: dict[tuple[str, str], set[str]] = {}
    for cell, of_cell in cases.items():
        for case in of_cell:
            key = cell.dataset, case.question, case.right, decide_case(case)
            counts[key] = counts.get(key, 0) + 1
            networks.setdefault(key[:2], set()).add(cell.model)
    keys = sorted(counts, key=lambda key: (key[0], key[1], _place(key[2]), _place(key[3])))
    return [Count(*key, counts[key], len(networks[key[:2]])) for key in keys]


def _place(answer: str) -> int:
    return ORDER.index(answer) if answer in ORDER else len(ORDER)


def list_rows(counts: Sequence[Count]) -> list[Row]:
    """List the counts as rows of a study: question as method, right answer as model, given answer as metric.

    Args:
        counts: Counts.

    Returns:
        Rows; the ceiling is the number of cases with the right answer, the null the number of networks.
    """
    totals: dict[tuple[str, str, str], int] = {}
    for count in counts:
        key = count.half, count.question, count.right
        totals[key] = totals.get(key, 0) + count.cases
    return [
        Row(
            count.half,
            count.right,
            count.question,
            count.given,
            "all",
            count.cases,
            null=0.0,
            ceiling=totals[count.half, count.question, count.right],
            kind="cases",
            comparison=str(count.networks),
        )
        for count in counts
    ]


def find_rates(rows: Sequence[Row]) -> dict[tuple[str, str], ErrorRates]:
    """Find the error rates in the rows of the study.

    Args:
        rows: Rows from `list_rows`.

    Returns:
        Error rates by half and question.
    """
    tables: dict[tuple[str, str], dict[str, dict[str, int]]] = {}
    networks: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.kind == "cases":
            key = row.dataset, row.method
            tables.setdefault(key, {}).setdefault(row.model, {})[row.metric] = int(row.value)
            networks[key] = int(row.comparison)
    return {key: ErrorRates(key[1], table, networks[key]) for key, table in tables.items()}


def list_constants() -> dict[str, dict[str, float]]:
    """List the constants of the rules whose error rates are measured.

    Returns:
        Constants by question and name.
    """
    return {
        "over_time": {"vanishes": over_time.VANISHES, "fades": over_time.FADES},
        "down_to_input": down_to_input.list_constants(),
        "across_runs": {
            "same": across_runs.SAME,
            "other": across_runs.OTHER,
            "alike": across_runs.ALIKE,
            "resolution": across_runs.RESOLUTION,
        },
    }


def write_record(counts: Sequence[Count], settings: Mapping[str, Any]) -> str:
    """Write the counts as the JSON that the package contains.

    Args:
        counts: Counts.
        settings: Settings of the study.

    Returns:
        JSON.
    """
    questions: dict[str, Any] = {}
    for count in counts:
        halves = questions.setdefault(count.question, {})
        half = halves.setdefault(count.half, {"networks": count.networks, "counts": {}})
        half["counts"].setdefault(count.right, {})[count.given] = count.cases
    record = {
        "study": "verdict_calibration",
        "settings": dict(settings),
        "constants": list_constants(),
        "questions": questions,
    }
    return json.dumps(record, indent=1) + "\n"
