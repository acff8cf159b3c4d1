"""Error rates of an audit in words, on a page and as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perdure.audit.error_rates import ErrorRates, Rate, describe_error_rates
from perdure.audit.result import QUESTIONS
from perdure.report.charts.figure import to_png
from perdure.report.charts.study_charts import draw_intervals
from perdure.report.pages.page import Page, Section
from perdure.report.pieces import Prose, Table
from perdure.studies._calibration_table import count_answers, find_rates, list_rows
from perdure.studies._table import Cell, Row
from perdure.studies._verdict_cases import VerdictCase, decide_case

__all__ = ["compose_page", "draw_rates", "write_rates"]

HALVES = {
    "held out": "held out: networks on which no threshold was chosen",
    "development": "development: networks on which the thresholds were chosen",
}

Texts = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]


def write_rates(rates: Mapping[tuple[str, str], ErrorRates]) -> str:
    """Write the tables of all questions and halves as Markdown.

    Args:
        rates: Error rates by half and question.

    Returns:
        Markdown with one heading for each question and half.
    """
    parts = []
    for (half, question), of_half in _sort(rates):
        tables = "\n\n".join(_to_markdown(table) for table in (_tabulate(of_half), _list_errors(of_half)))
        parts.append(f"## {QUESTIONS[question]} ({half})\n\n{_describe(of_half)}\n\n{tables}\n")
    return "\n".join(parts)


def draw_rates(rows: Sequence[Row]) -> bytes:
    """Draw the fraction of each right answer that was given, with its interval.

    Args:
        rows: Rows of the study.

    Returns:
        Figure as PNG.
    """
    table: dict[str, list[float | str]] = {}
    for (half, question), rates in _sort(find_rates(rows)):
        for right in rates.right:
            rate = rates.find_called(right, right)
            group = f"{question.replace('_', ' ')}: {right}"
            row: dict[str, float | str] = {"group": group, "series": half, "null": 0.0, "ceiling": 1.0}
            row |= {"value": rate.value, "low": rate.low, "high": rate.high}
            for name, value in row.items():
                table.setdefault(name, []).append(value)
    return to_png(draw_intervals(table, "fraction of cases with the right answer"))


def compose_page(cases: Mapping[Cell, Sequence[VerdictCase]]) -> Page:
    """Compose the page: error rates by question and half, and the cases that were answered otherwise.

    Args:
        cases: Cases of each cell.

    Returns:
        The page.
    """
    rates = _sort(find_rates(list_rows(count_answers(cases))))
    sections = tuple(
        Section(f"{QUESTIONS[question]} {HALVES[half]}", (Prose((_describe(of_half),)), *_to_tables(of_half)))
        for (half, question), of_half in rates
    )
    held_out = [describe_error_rates(of_half) for (half, _), of_half in rates if half == "held out"]
    other = Section("Cases with another answer", (Table(OTHER, _list_other(cases)),))
    return Page("How often the audit is wrong", "verdict calibration", " ".join(held_out), (*sections, other))


OTHER = ("network or runs", "half", "seed", "map", "question", "right", "given", "why")


def _list_other(cases: Mapping[Cell, Sequence[VerdictCase]]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (cell.model, cell.dataset, str(cell.seed), case.name, case.question, case.right, given, case.why)
        for cell, of_cell in cases.items()
        for case in of_cell
        if (given := decide_case(case)) != case.right
    )


def _sort(rates: Mapping[tuple[str, str], ErrorRates]) -> list[tuple[tuple[str, str], ErrorRates]]:
    """Sort by question as on the page of an audit, the held-out half first."""
    questions, halves = list(QUESTIONS), list(HALVES)
    return sorted(rates.items(), key=lambda item: (questions.index(item[0][1]), halves.index(item[0][0])))


def _describe(rates: ErrorRates) -> str:
    text = f"{rates.total} cases of {rates.networks} networks. {describe_error_rates(rates)}"
    if not rates.abstained.total:
        return text
    return f'{text} No firm answer where "yes" or "no" is right: {_format(rates.abstained)}.'


def _tabulate(rates: ErrorRates) -> Texts:
    """Count the cases by right and given answer."""
    header = ("right answer", *(f"called {given}" for given in rates.given), "cases")
    rows = tuple(
        (right, *(str(row.get(given, 0)) for given in rates.given), str(sum(row.values())))
        for right, row in rates.counts.items()
    )
    return header, rows


def _list_errors(rates: ErrorRates) -> Texts:
    """List for each given answer how often it was wrong, and for how many of the other cases it was given."""
    header = ("given answer", "cases", "wrong", "of the cases with another right answer")
    rows = []
    for given in rates.given:
        wrong = rates.find_wrong(given)
        total = sum(sum(row.values()) for right, row in rates.counts.items() if right != given)
        rows.append((given, str(wrong.total), _format(wrong), _format(Rate(wrong.count, total))))
    return header, tuple(rows)


def _format(rate: Rate) -> str:
    return f"{rate.count} of {rate.total}, {100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f} %)"


def _to_tables(rates: ErrorRates) -> tuple[Table, Table]:
    return Table(*_tabulate(rates)), Table(*_list_errors(rates))


def _to_markdown(table: Texts) -> str:
    header, rows = table
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, ("---",) * len(header), *rows))
