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
from perdure.studies._cell import accuracy_row, explain_and_judge
from perdure.studies._figures import means_chart, moving_box_picture
from perdure.studies._published import ismail_2019_rows
from perdure.studies._table import Cell, Found, Row
from perdure.training.settings import PAPER, Training
from perdure.training.together import train_together

__all__ = ["BoxSaliency"]

SETS = ("earlier", "middle", "latter", "mixed", "three_earlier", "three_middle")
MODELS = ("bi_lstm", "lstm", "lstm_self_attention", "lstm_input_cell_attention")
METRICS = ("weighted_jaccard", "euclidean", "auprc", "auroc", "vanishing")


@dataclass(frozen=True)
class BoxSaliency:
    """Repeat Table 1 of the input-cell attention paper, with null, ceiling and ranking measures beside it.

    Four networks are trained on six box sets as published, except that weights are selected on validation
    samples; the map is the absolute gradient of the probability of the true class. The moving set is trained
    once, for the figure.

    Args:
        seeds: training runs per network and set.
        smoke: a size that runs in seconds, to see that everything works.

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

    def work(self, cell: Cell) -> Found:
        """Train a network from each seed, explain its test samples and judge the maps."""
        seeds = range(1 if cell.dataset == "moving" else self.seeds)
        splits = [standardise(self._boxes(cell.dataset).load(seed)) for seed in seeds]
        config = replace(PRESETS[cell.model], hidden_size=5, input_dropout=0.1, output_dropout=0.1)
        rows: list[Row] = []
        arrays: Mapping[str, np.ndarray] = {}
        for seed, some, fitted in zip(
            seeds, splits, train_together(config, splits, self._training(cell.model), seeds), strict=True
        ):
            one = replace(cell, seed=seed)
            judged, maps = explain_and_judge(fitted.model, some.test, Probability, METRICS, one)
            rows += [accuracy_row(fitted.model, some.test, one), *judged]
            arrays = arrays or _means(maps, some.test)
        return Found(rows, arrays)

    def published(self) -> Sequence[Row]:
        """List Table 1 of the paper."""
        return ismail_2019_rows()

    def figures(self, rows: Sequence[Row], arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, bytes]:
        """Draw a chart per metric and the moving boxes."""
        table = [row for row in rows if row.dataset != "moving"]
        charts = {name: means_chart(table, name) for name in ("accuracy", *METRICS)}
        moving = {cell.model: found for cell, found in arrays.items() if cell.dataset == "moving"}
        return {**charts, "moving_boxes": moving_box_picture(moving)}

    def _boxes(self, variant: str) -> Boxes:
        if self.smoke:
            return Boxes(variant, train=60, validation=20, test=20, size=20)  # type: ignore[arg-type]
        return Boxes(variant)  # type: ignore[arg-type]

    def _training(self, model: str) -> Training:
        every = 3 if model == "lstm_input_cell_attention" else 10
        return replace(PAPER, check_every=every, epochs=2 if self.smoke else PAPER.epochs)


def _is_quick(cell: Cell) -> bool:
    """Tell whether training ends early: plain recurrences learn only what stands at the end."""
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
