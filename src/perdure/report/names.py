"""Short names of runs, and names of arrays and folders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from perdure.core.spec import slug

__all__ = ["find_original_name", "select_prefix", "shorten_names"]


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


def find_original_name(folder: str, names: Sequence[str]) -> str:
    """Find the name from which the name of a folder or array was derived.

    Args:
        folder: Name of the folder or array.
        names: Candidate names.

    Returns:
        First candidate with that folder, or the folder itself.

    Example:
        >>> find_original_name("top-3-Jaccard", ["Spearman", "top-3 Jaccard"])
        'top-3 Jaccard'
    """
    return next((name for name in names if name == folder or slug(name) == folder), folder)


def select_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Select the arrays whose names have a prefix.

    Args:
        prefix: Prefix of the names.
        arrays: Arrays by name.

    Returns:
        Selected arrays by their names without the prefix.

    Example:
        >>> sorted(select_prefix("loss/", {"loss/valley": np.zeros(2), "f1/valley": np.zeros(2)}))
        ['valley']
    """
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
