"""Conclusions about retrained models in words; each sentence follows from intervals by a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from types import MappingProxyType

from perdure.studies._paths import KINDS
from perdure.studies._table import SINGLE, Kind, Row

__all__ = ["write_conclusion"]

Part = Callable[[Sequence[Row], Sequence[str]], Iterator[str]]
Words = tuple[str, str, str]
"""Words for an interval above zero, below zero, and around zero."""


def write_conclusion(rows: Sequence[Row], methods: Sequence[str]) -> str:
    """Answer the questions of the study.

    A difference or correlation is called significant only if its 95 % interval excludes zero.

    Args:
        rows: Rows of the study.
        methods: All methods; the others are compared with the first.

    Returns:
        Markdown with one heading for each question.
    """
    models = list(dict.fromkeys(row.model for row in rows))
    parts: dict[str, Part] = {
        f"Are explanations by {methods[0]} more or less reproducible than others?": _compare_methods,
        "How high are the barriers between two runs?": _list_barriers,
        "Does agreement fall with the barrier?": _list_correlations,
        "Does the explanation along a path depend on the kind of path?": _compare_paths,
        "How much do remedies help?": _list_remedies,
    }
    text = []
    for title, part in parts.items():
        lines = (
            f"- {model}, {line}"
            for model in models
            for line in part([row for row in rows if row.model == model], methods)
        )
        text.append(f"## {title}\n\n" + "\n".join(lines))
    return "\n\n".join(text) + "\n"


def _compare_methods(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    words = "more reproducible", "less reproducible", "not significantly different"
    for measure, differences in _group(rows, "method difference").items():
        numbers = {row.method: row for row in rows if (row.kind, row.metric) == ("value", measure)}
        first = numbers[methods[0]]
        yield (
            f"{measure}: {methods[0]} {first.value:.2f} (null {first.null:.2f}, ceiling {first.ceiling:.2f}); "
            f"{_sort_by_sign(differences, words, numbers)}; differences are fractions of the distance from null to "
            "ceiling."
        )


def _list_barriers(rows: Sequence[Row], _methods: Sequence[str]) -> Iterator[str]:
    for kind, barriers in _group(rows, "barrier").items():
        heights = [row.value for row in barriers]
        yield f"{kind}: median {median(heights):.2g} nats, at most {max(heights):.2g}, of {len(heights)} pairs."


def _list_correlations(rows: Sequence[Row], _methods: Sequence[str]) -> Iterator[str]:
    words = "agreement rises with the barrier", "agreement falls with the barrier", "not significant"
    for kind, correlations in _group(rows, "barrier correlation").items():
        few = "" if _format_interval(correlations[0]) else "; there are too few pairs for intervals"
        yield f"{kind}: {_sort_by_sign(correlations, words)}; rank correlations{few}."


def _compare_paths(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    words = "closer to the first explanation", "farther from the first explanation", "not significantly different"
    for kind, differences in _group(rows, "path difference").items():
        yield f"{kind} compared with the straight line: {_sort_by_sign(differences, words)}."
    orders = {kind: _order_methods(rows, kind, methods) for kind in KINDS}
    if len({tuple(order) for order in orders.values()}) == 1:
        yield f"the order of the methods is the same along all kinds: {', '.join(orders['linear'])}."
    else:
        listed = "; ".join(f"{kind}: {', '.join(order)}" for kind, order in orders.items())
        yield f"the order of the methods depends on the kind of path: {listed}."


def _order_methods(rows: Sequence[Row], kind: str, methods: Sequence[str]) -> list[str]:
    """Order the methods by their mean agreement with the first end along a kind of path."""
    along = _group(rows, "path").get(kind, ())
    values = {method: [row.value for row in along if row.method == method] for method in methods}
    means = {method: sum(numbers) / len(numbers) for method, numbers in values.items() if numbers}
    return sorted(means, key=means.__getitem__, reverse=True)


def _list_remedies(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    for method in methods:
        values = {row.comparison: row.value for row in rows if (row.method, row.kind) == (method, "remedy")}
        if SINGLE in values:
            base = values.pop(SINGLE)
            listed = "; ".join(f"{name} {value:.2f} ({value - base:+.2f})" for name, value in values.items())
            yield f"{method}: from {base:.2f} between single runs to {listed}."


def _group(rows: Sequence[Row], kind: Kind) -> Mapping[str, Sequence[Row]]:
    """Group the rows of a kind by the object of their comparison."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.kind == kind:
            groups.setdefault(row.comparison, []).append(row)
    return groups


def _sort_by_sign(rows: Sequence[Row], words: Words, numbers: Mapping[str, Row] = MappingProxyType({})) -> str:
    """List the methods with values above zero, below zero and around zero, with their numbers if there are any."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        number = f"{numbers[row.method].value:.2f}, " if row.method in numbers else ""
        text = f"{row.method} {number}{row.value:+.2f}{_format_interval(row)}"
        groups.setdefault(_choose_word(row, words), []).append(text)
    return "; ".join(f"{word}: {', '.join(groups[word])}" for word in words if word in groups)


def _choose_word(row: Row, words: Words) -> str:
    more, less, unknown = words
    if row.low is None or row.high is None or row.low <= 0 <= row.high:
        return unknown
    return more if row.low > 0 else less


def _format_interval(row: Row) -> str:
    return "" if row.low is None or row.high is None else f" ({row.low:+.2f} to {row.high:+.2f})"
