"""Box saliency: Table 1 and the moving-box figure of the input-cell attention paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.target import Probability
from perdure.data._splits import standardise
from perdure.data.boxes import Boxes
from perdure.models._presets import PRESETS
from perdure.studies._cell import explain_and_evaluate, measure_accuracy
from perdure.studies._figures import draw_means, draw_moving_box_means
from perdure.studies._table import Cell, CellResult, Row
from perdure.training.many import train_together
from perdure.training.settings import PAPER, Training

__all__ = ["ISMAIL_2019_TABLE_1", "BoxSaliency", "list_ismail_2019"]

SETS = ("earlier", "middle", "latter", "mixed", "three_earlier", "three_middle")
MODELS = ("bi_lstm", "lstm", "lstm_self_attention", "lstm_input_cell_attention")
METRICS = ("weighted_jaccard", "euclidean", "auprc", "auroc", "vanishing")


ISMAIL_2019_TABLE_1 = {
    "lstm": (
        (0.000, 1.006, 53.4),
        (0.000, 1.003, 98.6),
        (0.019, 0.985, 100.0),
        (0.000, 1.003, 49.1),
        (0.000, 1.003, 52.2),
        (0.000, 1.004, 51.8),
    ),
    "bi_lstm": (
        (0.000, 1.004, 50.7),
        (0.000, 1.003, 53.2),
        (0.013, 0.990, 100.0),
        (0.000, 1.002, 51.5),
        (0.000, 1.003, 51.3),
        (0.000, 1.003, 51.3),
    ),
    "lstm_self_attention": (
        (0.048, 0.973, 100.0),
        (0.048, 0.963, 100.0),
        (0.045, 0.973, 100.0),
        (0.060, 0.953, 100.0),
        (0.025, 0.985, 100.0),
        (0.075, 0.939, 99.9),
    ),
    "lstm_input_cell_attention": (
        (0.103, 0.914, 100.0),
        (0.124, 0.891, 100.0),
        (0.110, 0.903, 100.0),
        (0.104, 0.912, 77.6),
        (0.108, 0.903, 100.0),
        (0.106, 0.905, 100.0),
    ),
}
"""Weighted Jaccard, Euclidean distance and test accuracy in percent, by model, in the order of SETS."""


@dataclass(frozen=True)
class BoxSaliency:
    """Repeat Table 1 of the input-cell attention paper, with null, ceiling and ranking metrics.

    Four networks are trained on six box sets as published, except that weights are selected on validation
    samples; the map is the absolute gradient of the probability of the true class. The moving set is trained
    once, for the figure.

    Args:
        seeds: Number of training runs per network and set.
        smoke: Whether to use a size that runs in seconds.

    Reference:
        ismail2019inputcell
    """

    seeds: int = 5
    smoke: bool = False

    def cells(self) -> Sequence[Cell]:
        """List networks x sets, the slow ones first; a cell holds all seeds, that of the moving set only the first."""
        sets = SETS[:2] if self.smoke else SETS
        table = [Cell(name, model, 0) for model in MODELS for name in sets]
        return [*sorted(table, key=_is_quick), *(Cell("moving", model, 0) for model in MODELS)]

    def work(self, cell: Cell) -> CellResult:
        """Train a network from each seed, explain its test samples and evaluate the maps."""
        seeds = range(1 if cell.dataset == "moving" else self.seeds)
        splits = [standardise(self._boxes(cell.dataset).load(seed)) for seed in seeds]
        config = replace(PRESETS[cell.model], hidden_size=5, input_dropout=0.1, output_dropout=0.1)
        rows: list[Row] = []
        arrays: Mapping[str, np.ndarray] = {}
        for seed, split, fitted in zip(
            seeds, splits, train_together(config, splits, self._training(cell.model), seeds), strict=True
        ):
            run = replace(cell, seed=seed)
            scores, maps = explain_and_evaluate(fitted.model, split.test, Probability, METRICS, run)
            rows += [measure_accuracy(fitted.model, split.test, run), *scores]
            arrays = arrays or _means(maps, split.test)
        return CellResult(rows, arrays)

    def list_published(self) -> Sequence[Row]:
        """List Table 1 of the paper."""
        return list_ismail_2019()

    def draw_figures(self, rows: Sequence[Row], arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, bytes]:
        """Draw a chart per metric and the moving boxes."""
        table = [row for row in rows if row.dataset != "moving"]
        charts = {name: draw_means(table, name) for name in ("accuracy", *METRICS)}
        moving = {cell.model: means for cell, means in arrays.items() if cell.dataset == "moving"}
        return {**charts, "moving_boxes": draw_moving_box_means(moving)}

    def _boxes(self, variant: str) -> Boxes:
        if self.smoke:
            return Boxes(variant, train=60, validation=20, test=20, size=20)  # type: ignore[arg-type]
        return Boxes(variant)  # type: ignore[arg-type]

    def _training(self, model: str) -> Training:
        every = 3 if model == "lstm_input_cell_attention" else 10
        return replace(PAPER, check_every=every, epochs=2 if self.smoke else PAPER.epochs)


def _is_quick(cell: Cell) -> bool:
    """Return whether training ends early: plain recurrences learn only evidence at the end."""
    return cell.model not in ("bi_lstm", "lstm") or cell.dataset == "latter"


def _means(maps: Tensor, test: Batch) -> Mapping[str, np.ndarray]:
    """Average the maps over the samples that share a box, by its first step."""
    truth = test.truth if test.truth is not None else torch.zeros_like(maps, dtype=torch.bool)
    start = truth.any(2).int().argmax(1)
    means = {}
    for first in sorted(set(start.tolist())):
        means[f"mean/{first:03d}"] = maps[start == first].mean(0).numpy()
        means[f"truth/{first:03d}"] = truth[start == first][0].numpy()
    return means


def list_ismail_2019() -> list[Row]:
    """List Table 1 of the input-cell attention paper as rows of a study.

    Returns:
        Three rows per model and set, with the seed "paper" and accuracy as a share.

    Reference:
        ismail2019inputcell

    Example:
        >>> [row.value for row in list_ismail_2019()[:3]]
        [0.0, 1.006, 0.534]
    """
    rows = []
    for model, numbers in ISMAIL_2019_TABLE_1.items():
        for name, (jaccard, euclidean, percent) in zip(SETS, numbers, strict=True):
            rows.append(Row(name, model, "saliency", "weighted_jaccard", "paper", jaccard))
            rows.append(Row(name, model, "saliency", "euclidean", "paper", euclidean))
            rows.append(Row(name, model, "", "accuracy", "paper", round(percent / 100, 3)))
    return rows
