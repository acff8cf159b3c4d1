"""JSON of untrusted files: whatever is wrong with it is a ValueError."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["load_json"]


def load_json(data: str | bytes) -> Any:
    """Read JSON.

    Args:
        data: Content of an untrusted file.

    Returns:
        Plain values.

    Raises:
        ValueError: When it is no JSON, or nested too deeply.

    Example:
        >>> load_json('{"seed": 0}')
        {'seed': 0}
        >>> load_json("[" * 100_000)
        Traceback (most recent call last):
        ValueError: it is nested too deeply
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
