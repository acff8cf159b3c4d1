"""Texts whose words have the colours of a map, as they were written."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from perdure.core.text import Text
from perdure.report.figure import require
from perdure.report.heatmap import Limits, colour_map
from perdure.report.palette import DARK, LIGHT, Palette, contrast
from perdure.report.pieces import Sentence, Token
from perdure.report.table import digits

__all__ = ["sentence"]


def sentence(
    text: Text,
    values: Float[np.ndarray, " token"],
    scale: Limits,
    truth: Bool[np.ndarray, " token"] | None = None,
    caption: str = "",
) -> Sentence:
    """Colour a text by a map, one value per token.

    The ink of a token is the text's own or the paper's, whichever stands out more. What stands between tokens has
    no colour, and so has what stands behind the last one that has a value.

    Args:
        text: the sentence and its tokens.
        values: of the tokens, in multiples of an even share; further ones, of padding, are not looked at.
        scale: what the colours span.
        truth: true at tokens known to matter, which are underlined.
        caption: whose map it is.

    Returns:
        The piece; its texts put together are the text.

    Example:
        >>> found = sentence(Text("not bad!", ((0, 3), (4, 7))), np.array([2.0, 0.0]), Limits(2.0, False))
        >>> [token.text for token in found.tokens]
        ['not', ' ', 'bad', '!']
        >>> found.tokens[0].light
        ('#072448', '#ffffff')
    """
    spans = text.spans[: len(values)]
    grounds = [_colours(values[: len(spans)], scale, palette) for palette in (LIGHT, DARK)]
    marks = np.zeros(len(spans), dtype=bool) if truth is None else truth[: len(spans)]
    return Sentence(tuple(_tokens(text.text, spans, [digits(float(v)) for v in values], grounds, marks)), caption)


def _tokens(
    text: str,
    spans: tuple[tuple[int, int], ...],
    words: list[str],
    grounds: list[list[tuple[str, str]]],
    marks: Bool[np.ndarray, " token"],
) -> Iterator[Token]:
    end = 0
    for i, (first, last) in enumerate(spans):
        if first > end:
            yield Token(text[end:first])
        yield Token(text[first:last], words[i], grounds[0][i], grounds[1][i], bool(marks[i]))
        end = last
    if end < len(text):
        yield Token(text[end:])


def _colours(values: Float[np.ndarray, " token"], scale: Limits, palette: Palette) -> list[tuple[str, str]]:
    shares = (np.clip(values, scale.low, scale.high) - scale.low) / (scale.high - scale.low)
    to_hex = require("matplotlib.colors").to_hex
    grounds = [to_hex(colour) for colour in colour_map(scale, palette)(shares)]
    return [(ground, max((palette.ink, palette.paper), key=lambda ink: contrast(ink, ground))) for ground in grounds]
