"""What the numbers of retrained models come to in words; every sentence follows from intervals by a rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perdure.studies.table import Row

__all__ = ["concluded"]


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
    parts = {
        f"Are explanations by {methods[0]} more or less reproducible than others?": _against,
        "Does agreement fall with the barrier between two runs?": _barriers,
        "Does what is said on the way depend on the kind of path?": _ways,
        "What do remedies buy?": _remedies,
    }
    text = []
    for title, part in parts.items():
        lines = (line for model in models for line in part([row for row in rows if row.model == model], methods))
        text.append(f"## {title}\n\n" + "\n".join(f"- {line}" for line in lines))
    return "\n\n".join(text) + "\n"


def _against(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    for row in rows:
        if row.metric == f"Spearman from null to ceiling, more than {methods[0]}":
            word = _told(row, "more reproducible than", "less reproducible than", "not told apart from")
            shown = f"{_number(rows, row.method, 'Spearman')} beside {_number(rows, methods[0], 'Spearman')}"
            yield (
                f"{row.model}: {row.method} is {word} {methods[0]}: Spearman {shown}, a difference of {_interval(row)} "
                "of the way from null to ceiling."
            )


def _barriers(rows: Sequence[Row], _methods: Sequence[str]) -> Iterator[str]:
    start = "correlation of Spearman with barrier, "
    for row in rows:
        if row.metric.startswith(start):
            word = _told(row, "rises", "falls", "neither rises nor falls for certain")
            yield (
                f"{row.model}, {row.method}: agreement {word} with the barrier of the {row.metric.removeprefix(start)} "
                f"path; rank correlation {_interval(row)}."
            )


def _ways(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    start, end = "Spearman with the first end, ", " more than linear"
    for row in rows:
        if row.metric.startswith(start) and row.metric.endswith(end):
            kind = row.metric.removeprefix(start).removesuffix(end)
            word = _told(row, "keep more", "keep less", "cannot be told to keep more or less")
            yield (
                f"{row.model}, {row.method}: points along {kind} {word} of the first explanation than those of the "
                f"straight line: {_interval(row)}."
            )
    orders = {kind: _order(rows, kind, methods) for kind in ("linear", "bezier", "valley")}
    same = len({tuple(order) for order in orders.values()}) == 1
    if same:
        yield f"{rows[0].model}: the order of the methods is the same along all kinds: {', '.join(orders['linear'])}."
    else:
        listed = "; ".join(f"{kind}: {', '.join(order)}" for kind, order in orders.items())
        yield f"{rows[0].model}: the order of the methods depends on the kind of path: {listed}."


def _order(rows: Sequence[Row], kind: str, methods: Sequence[str]) -> list[str]:
    """Order the methods by how much of the first explanation is left along a kind of path."""
    metric = f"Spearman with the first end, along {kind}"
    values = {method: [row.value for row in rows if (row.method, row.metric) == (method, metric)] for method in methods}
    known = {method: sum(some) / len(some) for method, some in values.items() if some}
    return sorted(known, key=known.__getitem__, reverse=True)


def _remedies(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    start = "remedy: "
    for method in methods:
        found = {row.metric.removeprefix(start): row for row in rows if row.method == method}
        some = {name: row for name, row in found.items() if row.metric.startswith(start)}
        if "one run" not in some:
            continue
        base = some.pop("one run")
        listed = "; ".join(f"{name} {row.value:.2f} ({row.value - base.value:+.2f})" for name, row in some.items())
        yield f"{base.model}, {method}: from {base.value:.2f} between single runs to {listed}."


def _number(rows: Sequence[Row], method: str, metric: str) -> str:
    row = next(row for row in rows if (row.method, row.metric) == (method, metric))
    return f"{row.value:.2f} (null {row.null:.2f}, ceiling {row.ceiling:.2f})"


def _told(row: Row, more: str, less: str, unknown: str) -> str:
    if row.low is None or row.high is None or row.low <= 0 <= row.high:
        return unknown
    return more if row.low > 0 else less


def _interval(row: Row) -> str:
    if row.low is None or row.high is None:
        return f"{row.value:+.2f}"
    return f"{row.value:+.2f} ({row.low:+.2f} to {row.high:+.2f})"
