"""Samples and their maps: series, images and texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from perdure.core.batch import Text
from perdure.report.charts.heatmap import (
    COVERED,
    UNIFORM_UNIT,
    Limits,
    add_labels,
    draw_colour_scale,
    draw_image_panel,
    draw_map_panel,
    draw_panel,
    find_limits,
    relative_to_uniform,
)
from perdure.report.charts.sentences import colour_sentence, group_words, list_tones, mark_words, sum_over_words
from perdure.report.pieces import ColourScale, Gallery, Piece, Sentences

__all__ = ["AXES", "OUTLINE", "build_samples"]

PIXELS = 800_000
"""Maximum number of pixels of all maps of a piece of a page, so that a page stays small enough to send."""

TOKENS = 20_000
"""Maximum number of coloured tokens, likewise."""

AXES = "Time runs to the right, features run downwards."
OUTLINE = " The outline marks the relevant elements."
UNDERLINE = " Relevant words are underlined."

Inputs = Float[np.ndarray, "sample *site"]
Maps = Mapping[str, Float[np.ndarray, "sample *position"]]
Truth = Bool[np.ndarray, "sample *position"] | None


def build_samples(
    inputs: Inputs | None,
    maps: Maps,
    truth: Truth,
    titles: tuple[str, ...],
    texts: tuple[Text, ...] = (),
    features: tuple[str, ...] = (),
    are_images: bool = False,
) -> Piece:
    """Build the piece of a page that shows samples and maps: coloured texts, images, or heat maps of series.

    Args:
        inputs: Series (sample, time, feature), images (sample, channel, row, column), or token ids (sample, time);
            None where they are unknown, so that only the maps are drawn.
        maps: Attribution of each element, pixel or token by model or method; NaN at padding.
        truth: Relevant elements, shaped like a map.
        titles: Titles of the samples.
        texts: Texts of the token ids.
        features: Names of the features of series; empty for none.
        are_images: Whether maps without inputs are those of images.

    Returns:
        Piece of a page; all maps have a common colour scale. Many large maps are drawn by the means of their blocks,
        and many long texts end early.
    """
    if any(text.pieces for text in texts):
        maps = {name: sum_over_words(values, texts) for name, values in maps.items()}
        truth = None if truth is None else mark_words(truth, texts)
        texts = tuple(map(group_words, texts))
    even = {name: relative_to_uniform(values) for name, values in maps.items()}
    spread = find_limits(even.values(), COVERED)
    if texts:
        return _sentences(even, spread, truth, titles, texts)
    if are_images if inputs is None else inputs.ndim == 4:
        return _pictures(inputs, even, spread, truth, titles)
    drawn = _heat_maps(inputs, even, spread, truth, titles)
    rows = tuple((title, tuple(add_labels(item, features) for item in panels)) for title, panels in drawn.rows)
    return replace(drawn, rows=rows)


def _name_scale(spread: Limits) -> ColourScale:
    meaning = "; below 0: against the explained class" if spread.signed else ""
    return draw_colour_scale(spread, UNIFORM_UNIT + meaning)


def _sentences(even: Maps, spread: Limits, truth: Truth, titles: tuple[str, ...], texts: tuple[Text, ...]) -> Sentences:
    longest = max(1, TOKENS // (len(titles) * len(even)))
    rows = tuple(
        (
            titles[i],
            tuple(
                colour_sentence(texts[i], values[i], spread, None if truth is None else truth[i], name, longest)
                for name, values in even.items()
            ),
        )
        for i in range(len(titles))
    )
    note = "The colour of a word is its attribution, summed over its embedding."
    return Sentences(
        rows,
        (_name_scale(spread),),
        list_tones(spread),
        "d" if spread.signed else "s",
        note + (UNDERLINE if truth is not None else ""),
    )


def _pictures(inputs: Inputs | None, even: Maps, spread: Limits, truth: Truth, titles: tuple[str, ...]) -> Gallery:
    pixels = _count_pixels(even, titles, extra=1)
    rows = []
    for i, title in enumerate(titles):
        known = None if truth is None else truth[i]
        drawn = []
        if inputs is not None:
            span = float(inputs.min()), float(inputs.max())
            drawn.append(draw_image_panel(inputs[i], span, known, "image", f"image {title}", pixels))
        drawn += [
            draw_map_panel(values[i], spread, known, name, f"map of {name} for {title}", pixels)
            for name, values in even.items()
        ]
        rows.append((title, tuple(drawn)))
    note = "The image and its maps, summed over the channels." + (OUTLINE if truth is not None else "")
    return Gallery(tuple(rows), (_name_scale(spread),), note)


def _count_pixels(even: Maps, titles: tuple[str, ...], extra: int) -> int:
    """Divide the pixels of a piece among its maps."""
    return PIXELS // (len(titles) * (len(even) + extra))


def _heat_maps(inputs: Inputs | None, even: Maps, spread: Limits, truth: Truth, titles: tuple[str, ...]) -> Gallery:
    seen = None if inputs is None else find_limits([inputs])
    pixels = _count_pixels(even, titles, extra=2)
    rows = []
    for i, title in enumerate(titles):
        known, subject = None if truth is None else truth[i], f"for sample {title}"
        panels = []
        if inputs is not None and seen is not None:
            panels.append(draw_panel(inputs[i], seen, known, "input", f"input {subject}", pixels))
        if known is not None:
            truth_map = known.astype(float)
            panels.append(draw_panel(truth_map, Limits(1.0, False), known, "truth", f"truth {subject}", pixels))
        panels += [
            draw_panel(maps[i], spread, known, name, f"map of {name} {subject}", pixels) for name, maps in even.items()
        ]
        rows.append((title, tuple(panels)))
    scales: tuple[ColourScale, ...] = (_name_scale(spread),)
    if seen is not None:
        scales = (draw_colour_scale(seen, "input, its own units"), *scales)
    return Gallery(tuple(rows), scales, AXES + (OUTLINE if truth is not None else ""))
