"""Pieces of words put together: a reader sees words, whatever tokens a model reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float

from perdure.core.text import Text
from perdure.ops.words import to_words, word_spans

__all__ = ["mark_words", "sum_words", "words_of"]


def words_of(text: Text) -> Text:
    """Take the words of a text for its tokens.

    Args:
        text: with tokens that may be pieces of words.

    Returns:
        The same text; its tokens are what stands between blanks.

    Example:
        >>> words_of(Text("acted!", ((0, 3), (3, 5), (5, 6)), pieces=True)).tokens
        ('acted!',)
    """
    return Text(text.text, word_spans(text))


def sum_words(maps: Float[np.ndarray, "sample token"], texts: Sequence[Text]) -> Float[np.ndarray, "sample word"]:
    """Sum a map over the tokens of each word.

    Args:
        maps: one number for each token; NaN at padding.
        texts: with the tokens, one for each map.

    Returns:
        One number for each word; NaN behind the last.

    Example:
        >>> sum_words(np.array([[9.0, 1.0, 2.0]]), [Text("acted", ((0, 0), (0, 3), (3, 5)), pieces=True)]).tolist()
        [[3.0]]
    """
    rows = [to_words(torch.from_numpy(values), text).numpy() for values, text in zip(maps, texts, strict=True)]
    padded = np.full((len(rows), max(map(len, rows))), np.nan)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded


def mark_words(truth: Bool[np.ndarray, "sample token"], texts: Sequence[Text]) -> Bool[np.ndarray, "sample word"]:
    """Mark the words of which a token is marked.

    Args:
        truth: true at tokens known to matter.
        texts: with the tokens.

    Returns:
        True at their words.
    """
    marked: np.ndarray = np.nan_to_num(sum_words(truth.astype(float), texts)) > 0
    return marked
