"""The page of maps and their scores: mean maps of the classes, samples, scores and curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from perdure.core.errors import PartError
from perdure.core.estimate import Estimate
from perdure.core.metric import Score
from perdure.engine.summaries import score_numbers, stored_scores
from perdure.ops.position import to_positions
from perdure.records.attributions import StoredMaps, read_maps
from perdure.records.parts import part_paths
from perdure.records.run import RunFolder
from perdure.records.samples import StoredSample, find_stored
from perdure.report.charts.heatmap import (
    COVERED,
    UNIFORM_UNIT,
    add_labels,
    draw_colour_scale,
    draw_map_panel,
    draw_panel,
    find_limits,
)
from perdure.report.charts.path_curves import Chart, Curve, draw_small_charts
from perdure.report.pages.audit import KEY
from perdure.report.pages.page import Page, Section
from perdure.report.pages.samples import AXES, build_samples
from perdure.report.pieces import Facts, Gallery, NumberGroup, Numbers, Piece, Prose

__all__ = ["build_explained_page"]

SHOWN = 6
"""Number of samples whose maps the page shows."""

CLASSES = 24
"""Maximum number of classes whose mean map the page shows."""

GUIDE = Prose(
    (
        "A map is divided by its mean absolute value before it is averaged, so that every sample counts alike: the "
        "value is 1 where all elements are equally important.",
        "Every score is shown between its null, the score of random maps on the same samples, and its ceiling. The bar "
        "is a bootstrap interval over samples.",
    )
)


@dataclass
class _Means:
    """Sums of maps by class; None where the maps have no common shape."""

    sums: dict[int, np.ndarray] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    shape: tuple[int, ...] | None = None
    comparable: bool = True


def build_explained_page(run: RunFolder) -> Page:
    """Build the page of a run that holds maps, and scores if they were evaluated.

    Args:
        run: Run folder of `perdure explain`, also an unfinished one.

    Returns:
        Page for `render`.

    Raises:
        PartError: When there is no map, or a part is damaged.
    """
    paths = part_paths(run.path / "maps")
    if not paths:
        raise PartError(f"{run.path} holds no maps yet", f"finish it first: perdure status {run.path}")
    means, rows, right = _Means(), 0, 0
    for path in paths.values():
        for maps in read_maps(path):
            _add(means, maps)
            rows += len(maps.id)
            right += int((maps.label == maps.prediction).sum())
    first = next(iter(paths.values()))
    shown = read_maps(first)[0]
    stored = [find_stored(run.path / "samples", number, name) for number, name in _first_names(first, shown)]
    classes = next((item.classes for item in stored if item is not None), ())
    method, data = str(run.config.get("method", "")), str(run.config.get("data", ""))
    answer = f"{rows:,} samples are explained by {method}; the prediction is right for {100 * right / rows:.1f}%."
    scores = _read_scores(run.path)
    sections = (
        Section("Mean map of each class", _mean_maps(means, classes, stored)),
        Section("Samples", (_samples(shown, stored, classes, method),)),
        Section("Scores", _numbers(scores, int(run.config.get("seed", 0)), method)),
        Section("Curves", _curves(scores)),
        Section("How to read this page", (GUIDE, *((KEY,) if scores else ()))),
        Section("Provenance", (Facts({**run.config, "perdure": run.version, **run.environment}),)),
    )
    title = str(run.config.get("model", "")) or run.path.name
    subtitle = f"{data} · {method} · {run.config.get('split', '')} split"
    return Page(title, subtitle, answer, tuple(section for section in sections if section.pieces))


def _first_names(path: Path, shown: StoredMaps) -> Iterable[tuple[int, str]]:
    number = int(path.stem.rpartition("-")[2])
    return ((number, name) for name in shown.id[:SHOWN])


def _is_image(maps: StoredMaps) -> bool:
    return maps.attribution.values.ndim == 4


def _positions(maps: StoredMaps, are_texts: bool = False) -> np.ndarray:
    """Sum the channels of images and the embeddings of texts; set padded steps to NaN."""
    values = maps.attribution.values
    if _is_image(maps):
        return to_positions(values).numpy()
    steps = torch.arange(values.shape[1]) < maps.length[:, None]
    values = to_positions(values) if are_texts and values.ndim == 3 else values
    return values.float().masked_fill(~steps.reshape(*steps.shape, *(1,) * (values.ndim - 2)), torch.nan).numpy()


def _add(means: _Means, maps: StoredMaps) -> None:
    """Add maps that have one shape; series of different lengths and texts have no common positions."""
    values = _positions(maps)
    full = bool((maps.length == maps.attribution.values.shape[1]).all())
    means.shape = means.shape or values.shape[1:]
    means.comparable &= full and values.shape[1:] == means.shape and values.ndim >= 3
    if not means.comparable:
        return
    size = np.abs(values).mean(axis=tuple(range(1, values.ndim)), keepdims=True)
    even = np.divide(values, size, out=np.zeros_like(values, dtype=float), where=size > 0)
    for label in maps.label.unique().tolist():
        own = even[(maps.label == label).numpy()]
        means.sums[label] = means.sums.get(label, np.zeros(values.shape[1:])) + own.sum(0)
        means.counts[label] = means.counts.get(label, 0) + len(own)


def _mean_maps(means: _Means, classes: tuple[str, ...], stored: list[StoredSample | None]) -> tuple[Piece, ...]:
    first = next((item for item in stored if item is not None), None)
    if not means.comparable or (first is not None and first.text is not None):
        return ()
    drawn = {
        f"{_name(label, classes)} ({means.counts[label]:,} samples)": means.sums[label] / means.counts[label]
        for label in sorted(means.sums)[:CLASSES]
    }
    limits = find_limits(drawn.values(), COVERED)
    images = first is not None and first.input is not None and first.input.ndim == 3
    features = () if first is None else first.features
    panels = tuple(
        draw_map_panel(values, limits, caption=name, alt=f"mean map of class {name}")
        if images
        else add_labels(draw_panel(values, limits, caption=name, alt=f"mean map of class {name}"), features)
        for name, values in drawn.items()
    )
    note = "Mean over the samples of each class." + ("" if images else f" {AXES}")
    hidden = len(means.sums) - len(drawn)
    note += f" {hidden} further classes are not drawn." if hidden else ""
    return (Gallery((("", panels),), (draw_colour_scale(limits, UNIFORM_UNIT),), note),)


def _samples(shown: StoredMaps, stored: list[StoredSample | None], classes: tuple[str, ...], method: str) -> Piece:
    known = [item for item in stored if item is not None]
    texts = tuple(item.text for item in known if item.text is not None)
    texts = texts if len(texts) == len(stored) else ()
    values = _positions(shown, bool(texts))[: len(stored)]
    values = values if values.ndim > 2 or texts else values[..., None]
    titles = tuple(
        f"{shown.id[i]}: class {_name(int(shown.label[i]), classes)}, "
        f"predicted {_name(int(shown.prediction[i]), classes)}"
        f"{'' if shown.label[i] == shown.prediction[i] else ' (wrong)'}"
        for i in range(len(stored))
    )
    truth = None if shown.truth is None else shown.truth[: len(stored)].numpy()
    if truth is not None:
        axis = 1 if truth.ndim == 4 else 2 if texts and truth.ndim == 3 else None
        truth = truth if axis is None else np.asarray(truth.any(axis))
    features = known[0].features if known else ()
    inputs = None if texts else _pad_inputs(stored, values)
    return build_samples(inputs, {method: values}, truth, titles, texts, features, _is_image(shown))


def _pad_inputs(stored: list[StoredSample | None], values: np.ndarray) -> np.ndarray | None:
    """Stack the inputs of the shown samples, padded with NaN; None where one is unknown."""
    arrays = [None if item is None else item.input for item in stored]
    kept = [array[:, None] if array.ndim == 1 else array for array in arrays if array is not None]
    if len(kept) < len(arrays):
        return None
    longest = max(values.shape[1], max(map(len, kept))) if kept[0].ndim == 2 else len(kept[0])
    padded = np.full((len(kept), longest, *kept[0].shape[1:]), np.nan, np.float32)
    for place, array in enumerate(kept):
        padded[place, : len(array)] = array
    return padded


def _read_scores(folder: Path) -> Mapping[str, Score]:
    scores: dict[str, Score] = {}
    for place in sorted((folder / "scores").glob("*/")):
        if part_paths(place):
            scores |= stored_scores(place)
    return scores


def _numbers(scores: Mapping[str, Score], seed: int, method: str) -> tuple[Piece, ...]:
    numbers: dict[str, Estimate] = score_numbers(scores, seed) if scores else {}
    groups = tuple(NumberGroup(name, ((method, number),)) for name, number in numbers.items())
    return (Numbers(groups, "method"),) if groups else ()


def _curves(scores: Mapping[str, Score]) -> tuple[Piece, ...]:
    """Draw the mean of the curves of each metric between their quartiles."""
    pieces = []
    for name, score in scores.items():
        if score.curve is None or score.curve.shape[1] < 2:
            continue
        curve = score.curve.double().numpy()
        way = np.linspace(0, 1, curve.shape[1])
        low, high = (np.nanquantile(curve, fraction, axis=0) for fraction in (0.25, 0.75))
        lines = {"mean": np.nanmean(curve, 0), "lower quartile": low, "upper quartile": high}
        drawn = Chart(name, {line: Curve(way, values) for line, values in lines.items()})
        pieces.append(draw_small_charts([drawn], 2, ("first point", "last point")))
    return tuple(pieces)


def _name(label: int, classes: tuple[str, ...]) -> str:
    return classes[label] if 0 <= label < len(classes) else str(label)
