"""What the numbers of retrained models come to in words; every sentence follows from intervals by a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from types import MappingProxyType

from perdure.studies._table import Row

__all__ = ["concluded"]

Part = Callable[[Sequence[Row], Sequence[str]], Iterator[str]]
Words = tuple[str, str, str]
"""For an interval above zero, below zero, and around it."""


def concluded(rows: Sequence[Row], methods: Sequence[str]) -> str:
    """Answer the questions of the study.

    A difference or correlation is told only where its 95 % interval leaves out zero.

    Args:
        rows: of the study.
        methods: all of them; the others were compared with the first.

    Returns:
        Markdown with one heading for each question.
    """
    models = list(dict.fromkeys(row.model for row in rows))
    parts: dict[str, Part] = {
        f"Are explanations by {methods[0]} more or less reproducible than others?": _against,
        "How high are the barriers between two runs?": _heights,
        "Does agreement fall with the barrier?": _barriers,
        "Does what is said on the way depend on the kind of path?": _ways,
        "What do remedies buy?": _remedies,
    }
    text = []
    for title, part in parts.items():
        lines = (f"- {model}, {line}" for model in models for line in part(_of(rows, model), methods))
        text.append(f"## {title}\n\n" + "\n".join(lines))
    return "\n\n".join(text) + "\n"


def _against(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    end = f" from null to ceiling, more than {methods[0]}"
    words = "more reproducible", "less reproducible", "not told apart"
    for measure, some in _by_metric(rows, "", end).items():
        numbers = {row.method: row for row in rows if row.metric == measure}
        first = numbers[methods[0]]
        yield (
            f"{measure}: {methods[0]} {first.value:.2f} (null {first.null:.2f}, ceiling {first.ceiling:.2f}); "
            f"{_sorted(some, words, numbers)}; differences are shares of the way from null to ceiling."
        )


def _heights(rows: Sequence[Row], _methods: Sequence[str]) -> Iterator[str]:
    for kind, some in _by_metric(rows, "barrier, ", "").items():
        heights = [row.value for row in some]
        yield f"{kind}: median {median(heights):.2g} nats, at most {max(heights):.2g}, of {len(heights)} pairs."


def _barriers(rows: Sequence[Row], _methods: Sequence[str]) -> Iterator[str]:
    words = "agreement rises with the barrier", "agreement falls with the barrier", "neither for certain"
    for kind, some in _by_metric(rows, "correlation of Spearman with barrier, ", "").items():
        told = _sorted(some, words)
        bare = "" if _interval(some[0]) else "; there are too few pairs for intervals"
        yield f"{kind}: {told}; rank correlations{bare}."


def _ways(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    words = "more of the first explanation is left", "less of it is left", "not told apart"
    for kind, some in _by_metric(rows, "Spearman with the first end, ", " more than linear").items():
        yield f"{kind} beside the straight line: {_sorted(some, words)}."
    orders = {kind: _order(rows, kind, methods) for kind in ("linear", "bezier", "valley")}
    if len({tuple(order) for order in orders.values()}) == 1:
        yield f"the order of the methods is the same along all kinds: {', '.join(orders['linear'])}."
    else:
        listed = "; ".join(f"{kind}: {', '.join(order)}" for kind, order in orders.items())
        yield f"the order of the methods depends on the kind of path: {listed}."


def _order(rows: Sequence[Row], kind: str, methods: Sequence[str]) -> list[str]:
    """Order the methods by how much of the first explanation is left along a kind of path."""
    metric = f"Spearman with the first end, along {kind}"
    values = {method: [row.value for row in rows if (row.method, row.metric) == (method, metric)] for method in methods}
    known = {method: sum(some) / len(some) for method, some in values.items() if some}
    return sorted(known, key=known.__getitem__, reverse=True)


def _remedies(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    start = "remedy: "
    for method in methods:
        some = {row.metric.removeprefix(start): row for row in rows if row.method == method and start in row.metric}
        if "one run" in some:
            base = some.pop("one run").value
            listed = "; ".join(f"{name} {row.value:.2f} ({row.value - base:+.2f})" for name, row in some.items())
            yield f"{method}: from {base:.2f} between single runs to {listed}."


def _of(rows: Sequence[Row], model: str) -> list[Row]:
    return [row for row in rows if row.model == model]


def _by_metric(rows: Sequence[Row], start: str, end: str) -> Mapping[str, Sequence[Row]]:
    """Group rows whose metric starts and ends so by what stands between."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.metric.startswith(start) and row.metric.endswith(end):
            groups.setdefault(row.metric[len(start) : len(row.metric) - len(end)], []).append(row)
    return groups


def _sorted(rows: Sequence[Row], words: Words, numbers: Mapping[str, Row] = MappingProxyType({})) -> str:
    """Say which methods lie above zero, below it and around it, with their own numbers where there are some."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        own = f"{numbers[row.method].value:.2f}, " if row.method in numbers else ""
        groups.setdefault(_told(row, words), []).append(f"{row.method} {own}{row.value:+.2f}{_interval(row)}")
    return "; ".join(f"{word}: {', '.join(groups[word])}" for word in words if word in groups)


def _told(row: Row, words: Words) -> str:
    more, less, unknown = words
    if row.low is None or row.high is None or row.low <= 0 <= row.high:
        return unknown
    return more if row.low > 0 else less


def _interval(row: Row) -> str:
    return "" if row.low is None or row.high is None else f" ({row.low:+.2f} to {row.high:+.2f})"
