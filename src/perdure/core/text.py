"""Text: a sentence as it was written, and where its tokens stand in it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PAD", "SPECIAL", "UNKNOWN", "Text"]

UNKNOWN, PAD = 0, 1
"""Ids that every vocabulary has: of words that it lacks, and of what stands behind the end of a text."""

SPECIAL = ("<unk>", "<pad>")
"""How a vocabulary calls these two."""


@dataclass(frozen=True)
class Text:
    """A sentence and its tokens.

    Args:
        text: the sentence as it was written.
        spans: first character of each token and the one behind its last, in the order of the tokens; empty for tokens
            that stand for no character.
        pieces: whether tokens may be pieces of words, which are put together where words are shown.

    Example:
        >>> Text("not bad!", ((0, 3), (4, 7), (7, 8))).tokens
        ('not', 'bad', '!')
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    pieces: bool = False

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens as they were written."""
        return tuple(self.text[first:last] for first, last in self.spans)
