"""The table of an audit: methods in rows, questions in columns."""

from __future__ import annotations

import math

from perdure.audit.result import AuditedMethod, AuditedModel
from perdure.core.estimate import Verdict

__all__ = ["COLUMNS", "describe_cost", "describe_paired", "find_mark", "list_rows"]

COLUMNS = ("method", "over time", "down to input", "across runs", "faithfulness", "seconds", "passes")
"""Heads of the columns; faithfulness is that of the comparison in pairs."""


def list_rows(model: AuditedModel) -> list[tuple[str, ...]]:
    """List the methods of a model as rows of text.

    Args:
        model: Audited model.

    Returns:
        Cells by `COLUMNS`; the method to use is marked, and those that cannot be distinguished from it.
    """
    return [_list_cells(method, model) for method in model.methods]


def _list_cells(method: AuditedMethod, model: AuditedModel) -> tuple[str, ...]:
    name = f"{method.name} ({mark})" if (mark := find_mark(method, model)) else method.name
    if method.failure is not None:
        return name, "failed", "failed", "failed", "", "", ""
    verdicts = method.verdicts
    answers = map(_answer, (verdicts.over_time, verdicts.down_to_input, verdicts.across_runs))
    return name, *answers, describe_paired(method), *describe_cost(method)


def _answer(verdict: Verdict | None) -> str:
    return "" if verdict is None else verdict.answer


def find_mark(method: AuditedMethod, model: AuditedModel) -> str:
    """Find the mark of a method in the table of its model.

    Args:
        method: Method of the model.
        model: Model.

    Returns:
        "use" for the recommended method, "tied" for trustworthy ones tied with it, else nothing.
    """
    if method.name == model.recommended:
        return "use"
    return "tied" if method.is_trustworthy and model.recommended in method.tied else ""


def describe_paired(method: AuditedMethod) -> str:
    """Describe the faithfulness of a method that is compared in pairs.

    Args:
        method: Method.

    Returns:
        Value and interval; empty where it was not measured.
    """
    if method.paired is None:
        return ""
    return f"{method.paired.value:.2f} ({method.paired.low:.2f} to {method.paired.high:.2f})"


def describe_cost(method: AuditedMethod) -> tuple[str, str]:
    """Describe the time and the number of passes of the maps of a method.

    Args:
        method: Method.

    Returns:
        Seconds as an order of magnitude, so that the pages of two runs are the same, and passes; empty where unknown.

    Example:
        >>> describe_cost(AuditedMethod("saliency", (), passes=2048, seconds=12.3))
        ('10 to 100', '2,048')
    """
    return _describe_seconds(method.seconds), "" if method.passes is None else f"{method.passes:,}"


def _describe_seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 1:
        return "below 1"
    low = 10 ** int(math.log10(seconds))
    return f"{low:,} to {10 * low:,}"
