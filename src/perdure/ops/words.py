"""Words as a reader sees them: what stands between blanks, whatever the tokens are."""

from __future__ import annotations

import re

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.text import Text

__all__ = ["to_words", "word_spans"]


def word_spans(text: Text) -> tuple[tuple[int, int], ...]:
    """Find the words of a text: runs of characters without a blank.

    Args:
        text: with its tokens.

    Returns:
        First character of each word and the one behind its last.

    Example:
        >>> word_spans(Text("not bad!", ((0, 3), (4, 7), (7, 8))))
        ((0, 3), (4, 8))
    """
    return tuple(match.span() for match in re.finditer(r"\S+", text.text))


def to_words(values: Float[Tensor, "*copies token"], text: Text) -> Float[Tensor, "*copies word"]:
    """Sum the values of the tokens of each word; a token belongs to the word in which it begins.

    Tokens that stand for no character, such as the marks round a text, belong to no word.

    Args:
        values: one per token; more than the text has tokens when they are padded.
        text: with the tokens.

    Returns:
        One value per word of `word_spans`, zero for a word without a token.

    Example:
        >>> to_words(torch.tensor([1.0, 2.0, 3.0]), Text("not bad!", ((0, 3), (4, 7), (7, 8)))).tolist()
        [1.0, 5.0]
    """
    words = word_spans(text)
    ends = torch.tensor([last for _, last in words])
    kept = [token for token, (first, last) in enumerate(text.spans) if last > first]
    firsts = torch.tensor([text.spans[token][0] for token in kept], dtype=torch.int64)
    place = torch.searchsorted(ends, firsts, right=True).to(values.device)
    sums = values.new_zeros(*values.shape[:-1], len(words))
    return sums.index_add(-1, place, values[..., kept])
