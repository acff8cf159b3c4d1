"""Names and values from files, made safe to print."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: object, longest: int | None = None) -> str:
    r"""Replace the characters that could control a terminal.

    Args:
        text: Name or value from a file; anything with a string form.
        longest: Number of characters after which the text is cut; None keeps all.

    Returns:
        The text with a replacement character for each control character; line breaks are kept.

    Example:
        >>> printable("\x1b[31mred")
        '\ufffd[31mred'
        >>> printable("abcdef", 3)
        'abc...'
    """
    shown = "".join(one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in str(text))
    return shown if longest is None or len(shown) <= longest else shown[:longest] + "..."
