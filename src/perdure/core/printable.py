"""Names and values from files, made safe to print."""

from __future__ import annotations

import unicodedata

__all__ = ["printable"]

KEPT = "\n\t\u200c\u200d"
"""Line breaks, tabs, and the joiners that some scripts and pictograms are written with."""


def printable(text: object, longest: int | None = None) -> str:
    r"""Replace the characters that could control a terminal.

    Args:
        text: Name or value from a file; anything with a string form.
        longest: Number of characters after which the text is cut; None keeps all.

    Returns:
        The text with a replacement character for each control or format character and half of a
        surrogate pair; line breaks and tabs are kept.

    Example:
        >>> printable("\x1b[31mred")
        '\ufffd[31mred'
        >>> printable("abcdef", 3)
        'abc...'
    """
    shown = "".join("\N{REPLACEMENT CHARACTER}" if _is_control(sign) else sign for sign in str(text))
    return shown if longest is None or len(shown) <= longest else shown[:longest] + "..."


def _is_control(sign: str) -> bool:
    return sign not in KEPT and unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
