"""Digests inside files: a reader finds every change of a file since it was written."""

from __future__ import annotations

import hashlib
import re

__all__ = ["BLANK", "file_digest", "is_intact", "seal"]

_MARK = b"perdure-sha256:"

_DAMAGED_MARK = re.compile(rb"(perdure-.{7}|.{8}sha256:)[0-9a-f]{64}", re.DOTALL)
"""A mark of which one half was changed: its file is damaged, not one without a digest."""

BLANK = (_MARK + b"0" * 64).decode()
"""Text that a writer places somewhere in a file, and that `seal` replaces by the digest of the file."""


def seal(data: bytes) -> bytes:
    """Write the digest of a file into it.

    Args:
        data: Content with `BLANK` in it, uncompressed.

    Returns:
        The content with its digest, of the same size.

    Example:
        >>> data = seal(b'{"digest": "' + BLANK.encode() + b'", "value": 0.5}')
        >>> is_intact(data), is_intact(data.replace(b"0.5", b"0.7")), is_intact(b"0.5")
        (True, False, None)
    """
    start = data.rindex(BLANK.encode()) + len(_MARK)
    return data[:start] + hashlib.sha256(data).hexdigest().encode() + data[start + 64 :]


def is_intact(data: bytes) -> bool | None:
    """Compare a file with the digest in it.

    Args:
        data: Content.

    Returns:
        Whether they agree; None for a file without a digest, as version 0.1 wrote.
    """
    start = data.rfind(_MARK) + len(_MARK)
    if start < len(_MARK):
        return False if _DAMAGED_MARK.search(data) else None
    view = memoryview(data)
    digest = hashlib.sha256(view[:start])
    digest.update(b"0" * 64)
    digest.update(view[start + 64 :])
    return digest.hexdigest().encode() == data[start : start + 64]


def file_digest(data: bytes) -> str:
    """Return what identifies the content of a file.

    Args:
        data: Content.

    Returns:
        Sixteen hexadecimal digits.
    """
    return hashlib.sha256(data).hexdigest()[:16]
