"""Short names of runs."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["shorten_names"]


def shorten_names(names: Sequence[str]) -> tuple[str, ...]:
    """Shorten the names of runs to their distinct parts.

    Args:
        names: Names of the runs.

    Returns:
        Text after the common prefix if it is short and unique; otherwise 1, 2, 3 ...

    Example:
        >>> shorten_names(["seed 0", "seed 10"]), shorten_names(["careful", "hasty"])
        (('0', '10'), ('1', '2'))
    """
    heads, ends = zip(*(_parts(name) for name in names), strict=True)
    if len(set(heads)) == 1 and len(set(ends)) == len(ends) and all(0 < len(end) <= 3 for end in ends):
        return ends
    return tuple(str(i + 1) for i in range(len(names)))


def _parts(name: str) -> tuple[str, str]:
    """Split a name before its last word or number."""
    end = re.search(r"(\d+|[^\W\d]+)$", name)
    return (name, "") if end is None else (name[: end.start()], end.group())
