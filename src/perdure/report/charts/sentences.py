"""Texts with words coloured by a map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.batch import Text
from perdure.report.charts.figure import import_for_drawing
from perdure.report.charts.heatmap import Limits, make_colour_map
from perdure.report.charts.palette import DARK, LIGHT, Palette, contrast
from perdure.report.numbers import format_number
from perdure.report.pieces import Sentence, Token, Tone

__all__ = ["colour_sentence", "group_words", "list_tones", "mark_words", "sum_over_words", "to_words", "word_spans"]

TONES = 32
"""Index of the last colour of tokens; a style rule for each is shorter than a style for each token."""


def colour_sentence(
    text: Text,
    values: Float[np.ndarray, " token"],
    scale: Limits,
    truth: Bool[np.ndarray, " token"] | None = None,
    caption: str = "",
    longest: int | None = None,
) -> Sentence:
    """Colour a text by a map with one value per token.

    Characters between tokens have no colour, nor have tokens without a value.

    Args:
        text: Text with its tokens.
        values: Values of the tokens, relative to a uniform map; values of padding are ignored.
        scale: Range of the colours.
        truth: Relevant tokens, which are underlined.
        caption: Name of the map.
        longest: Maximum number of tokens; the text ends after them. None for all.

    Returns:
        Coloured text; its tokens concatenated are the text.

    Example:
        >>> coloured = colour_sentence(Text("not bad!", ((0, 3), (4, 7))), np.array([2.0, 0.0]), Limits(2.0, False))
        >>> [token.text for token in coloured.tokens], [token.tone for token in coloured.tokens]
        (['not', ' ', 'bad', '!'], [32, None, 0, None])
    """
    count = min(len(text.spans), len(values))
    shown = count if longest is None else min(count, longest)
    spans, values = text.spans[:shown], values[:shown]
    position = (np.clip(values, scale.low, scale.high) - scale.low) / (scale.high - scale.low)
    tones = [round(place * TONES) if np.isfinite(place) else None for place in position.tolist()]
    marks = np.zeros(shown, dtype=bool) if truth is None else truth[:shown]
    whole = text.text if shown == count else text.text[: spans[-1][1]] + f" … and {count - shown} more"
    return Sentence(tuple(_tokens(whole, spans, [format_number(float(v)) for v in values], tones, marks)), caption)


def _tokens(
    text: str,
    spans: tuple[tuple[int, int], ...],
    words: list[str],
    tones: list[int | None],
    marks: Bool[np.ndarray, " token"],
) -> Iterator[Token]:
    end = 0
    for i, (first, last) in enumerate(spans):
        if first > end:
            yield Token(text[end:first])
        yield Token(text[first:last], words[i], tones[i], bool(marks[i]))
        end = last
    if end < len(text):
        yield Token(text[end:])


def list_tones(scale: Limits) -> tuple[Tone, ...]:
    """List the colours of tokens from the start to the end of a scale.

    The ink of a token is the colour of the text or of the paper, whichever has the higher contrast.

    Args:
        scale: Range of the colours.

    Returns:
        Colours of background and ink.

    Example:
        >>> list_tones(Limits(2.0, False))[-1].light
        ('#072448', '#ffffff')
    """
    grounds = [_colours(scale, palette) for palette in (LIGHT, DARK)]
    return tuple(Tone(*pair) for pair in zip(*grounds, strict=True))


def _colours(scale: Limits, palette: Palette) -> list[tuple[str, str]]:
    to_hex = import_for_drawing("matplotlib.colors").to_hex
    grounds = [to_hex(colour) for colour in make_colour_map(scale, palette)(np.linspace(0, 1, TONES + 1))]
    return [(ground, max((palette.ink, palette.paper), key=lambda ink: contrast(ink, ground))) for ground in grounds]


def group_words(text: Text) -> Text:
    """Replace the tokens of a text by its words.

    Args:
        text: Text with tokens that may be parts of words.

    Returns:
        Text whose tokens are the words between blanks.

    Example:
        >>> group_words(Text("acted!", ((0, 3), (3, 5), (5, 6)), pieces=True)).tokens
        ('acted!',)
    """
    return Text(text.text, word_spans(text))


def sum_over_words(maps: Float[np.ndarray, "sample token"], texts: Sequence[Text]) -> Float[np.ndarray, "sample word"]:
    """Sum a map over the tokens of each word.

    Args:
        maps: Value of each token; NaN at padding.
        texts: Text of each map.

    Returns:
        Value of each word; NaN after the last word.

    Example:
        >>> sum_over_words(np.array([[9.0, 1.0, 2.0]]), [Text("acted", ((0, 0), (0, 3), (3, 5)), pieces=True)]).tolist()
        [[3.0]]
    """
    rows = [to_words(torch.from_numpy(values), text).numpy() for values, text in zip(maps, texts, strict=True)]
    padded = np.full((len(rows), max(map(len, rows))), np.nan)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded


def mark_words(truth: Bool[np.ndarray, "sample token"], texts: Sequence[Text]) -> Bool[np.ndarray, "sample word"]:
    """Mark the words that contain a marked token.

    Args:
        truth: True at relevant tokens.
        texts: Text of each row.

    Returns:
        True at relevant words.
    """
    marked: np.ndarray = np.nan_to_num(sum_over_words(truth.astype(float), texts)) > 0
    return marked


def word_spans(text: Text) -> tuple[tuple[int, int], ...]:
    """Find the words of a text: runs of characters without a blank, whatever the tokens are.

    Args:
        text: Text with its tokens.

    Returns:
        First character of each word, and the character after its last.

    Example:
        >>> word_spans(Text("not bad!", ((0, 3), (4, 7), (7, 8))))
        ((0, 3), (4, 8))
    """
    return tuple(match.span() for match in re.finditer(r"\S+", text.text))


def to_words(values: Float[Tensor, "*copies token"], text: Text) -> Float[Tensor, "*copies word"]:
    """Sum the values of the tokens of each word; a token belongs to the word in which it begins.

    Tokens without characters, such as the marks at both ends of a text, belong to no word.

    Args:
        values: Value of each token, followed by those of padding.
        text: Text with the tokens.

    Returns:
        Value of each word of `word_spans`, zero for a word without a token.

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
