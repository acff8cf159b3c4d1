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
from perdure.report.charts.sentences import colour_sentence, group_words, mark_words, sum_over_words
from perdure.report.pieces import Gallery, Panel, Piece, Sentences

__all__ = ["AXES", "OUTLINE", "build_samples"]

AXES = "Time runs to the right, features run downwards."
OUTLINE = " The outline marks the relevant elements."
UNDERLINE = " Relevant words are underlined."

Inputs = Float[np.ndarray, "sample *site"]
Maps = Mapping[str, Float[np.ndarray, "sample *position"]]
Truth = Bool[np.ndarray, "sample *position"] | None


def build_samples(
    inputs: Inputs,
    maps: Maps,
    truth: Truth,
    titles: tuple[str, ...],
    texts: tuple[Text, ...] = (),
    features: tuple[str, ...] = (),
) -> Piece:
    """Build the piece of a page that shows samples and maps: coloured texts, images, or heat maps of series.

    Args:
        inputs: Series (sample, time, feature), images (sample, channel, row, column), or token ids (sample, time).
        maps: Attribution of each element, pixel or token by model or method; NaN at padding.
        truth: Relevant elements, shaped like a map.
        titles: Titles of the samples.
        texts: Texts of the token ids.
        features: Names of the features of series; empty for none.

    Returns:
        Piece of a page; all maps have a common colour scale.
    """
    if any(text.pieces for text in texts):
        maps = {name: sum_over_words(values, texts) for name, values in maps.items()}
        truth = None if truth is None else mark_words(truth, texts)
        texts = tuple(map(group_words, texts))
    even = {name: relative_to_uniform(values) for name, values in maps.items()}
    spread = find_limits(even.values(), COVERED)
    if texts:
        return _sentences(even, spread, truth, titles, texts)
    if inputs.ndim == 4:
        return _pictures(inputs, even, spread, truth, titles)
    drawn = _heat_maps(inputs, even, spread, truth, titles)
    rows = tuple((title, tuple(add_labels(item, features) for item in panels)) for title, panels in drawn.rows)
    return replace(drawn, rows=rows)


def _sentences(even: Maps, spread: Limits, truth: Truth, titles: tuple[str, ...], texts: tuple[Text, ...]) -> Sentences:
    rows = tuple(
        (
            titles[i],
            tuple(
                colour_sentence(texts[i], values[i], spread, None if truth is None else truth[i], name)
                for name, values in even.items()
            ),
        )
        for i in range(len(titles))
    )
    note = "The colour of a word is its attribution, summed over its embedding."
    return Sentences(rows, (draw_colour_scale(spread, UNIFORM_UNIT),), note + (UNDERLINE if truth is not None else ""))


def _pictures(inputs: Inputs, even: Maps, spread: Limits, truth: Truth, titles: tuple[str, ...]) -> Gallery:
    span = float(inputs.min()), float(inputs.max())
    rows = []
    for i, title in enumerate(titles):
        known = None if truth is None else truth[i]
        drawn = [draw_image_panel(inputs[i], span, known, "image", f"image {title}")]
        drawn += [
            draw_map_panel(values[i], spread, known, name, f"map of {name} for {title}")
            for name, values in even.items()
        ]
        rows.append((title, tuple(drawn)))
    note = "The image and its maps, summed over the channels." + (OUTLINE if truth is not None else "")
    return Gallery(tuple(rows), (draw_colour_scale(spread, UNIFORM_UNIT),), note)


def _heat_maps(inputs: Inputs, even: Maps, spread: Limits, truth: Truth, titles: tuple[str, ...]) -> Gallery:
    seen = find_limits([inputs])
    rows = tuple((title, _series(inputs[i], even, i, truth, (title, seen, spread))) for i, title in enumerate(titles))
    scales = (draw_colour_scale(seen, "input, its own units"), draw_colour_scale(spread, UNIFORM_UNIT))
    return Gallery(rows, scales, AXES + (OUTLINE if truth is not None else ""))


def _series(
    values: Inputs, even: Maps, index: int, truth: Truth, shown: tuple[str, Limits, Limits]
) -> tuple[Panel, ...]:
    title, seen, spread = shown
    known, subject = None if truth is None else truth[index], f"for sample {title}"
    panels = [draw_panel(values, seen, known, "input", f"input {subject}")]
    if known is not None:
        panels.append(draw_panel(known.astype(float), Limits(1.0, False), known, "truth", f"truth {subject}"))
    panels += [draw_panel(maps[index], spread, known, name, f"map of {name} {subject}") for name, maps in even.items()]
    return tuple(panels)
