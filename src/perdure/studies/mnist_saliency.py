"""MNIST saliency: digits read row by row, and their maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perdure.core.registry import DATASETS
from perdure.core.target import Probability
from perdure.models._presets import PRESETS
from perdure.report.charts.figure import to_png
from perdure.report.charts.mosaic import draw_digits
from perdure.studies._cell import explain_and_evaluate, measure_accuracy
from perdure.studies._figures import draw_means
from perdure.studies._table import Cell, CellResult, Row
from perdure.training.settings import CLEAN
from perdure.training.train import train

__all__ = ["MNISTSaliency"]

MODELS = ("lstm", "bi_lstm", "lstm_self_attention", "lstm_input_cell_attention")
METRICS = ("weighted_jaccard", "euclidean", "auprc", "auroc", "vanishing")
SHOWN = 6
"""Digits in the picture."""


@dataclass(frozen=True)
class MNISTSaliency:
    """Show where recurrent networks look in a digit that they read line by line.

    Networks are trained with early stopping on a validation split; the map is the absolute gradient of the
    probability of the true class, and the truth is the ink of the digit.

    Args:
        data: "digits", the 8 x 8 digits that ship with scikit-learn, or "mnist_series", also with a path:
            "mnist_series:path=folder".
        seeds: Number of training runs per network.
        smoke: Whether to use a size that runs in seconds.

    Reference:
        ismail2019inputcell
    """

    data: str = "digits"
    seeds: int = 3
    smoke: bool = False

    def cells(self) -> Sequence[Cell]:
        """List networks x seeds."""
        return [Cell(self.data, model, seed) for model in MODELS for seed in range(self.seeds)]

    def work(self, cell: Cell) -> CellResult:
        """Train a network, explain the test digits and evaluate the maps."""
        splits = DATASETS.make(cell.dataset).load(cell.seed)
        settings = replace(CLEAN, epochs=2) if self.smoke else CLEAN
        config = replace(PRESETS[cell.model], hidden_size=64)
        model = train(config, splits, settings, cell.seed).model
        rows, maps = explain_and_evaluate(model, splits.test, Probability, METRICS, cell)
        shown = {"digits": splits.test.inputs[:SHOWN], "maps": maps[:SHOWN], "labels": splits.test.label[:SHOWN]}
        arrays = {name: values.numpy() for name, values in shown.items()}
        return CellResult([measure_accuracy(model, splits.test, cell), *rows], arrays)

    def list_published(self) -> Sequence[Row]:
        """List nothing: the paper shows pictures only."""
        return []

    def draw_figures(self, rows: Sequence[Row], arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, bytes]:
        """Draw a chart per metric, and digits with their maps."""
        charts = {name: draw_means(rows, name) for name in ("accuracy", *METRICS)}
        first = {cell.model: of_run for cell, of_run in arrays.items() if cell.seed == 0}
        any_run = next(iter(first.values()))
        maps = {model: of_run["maps"] for model, of_run in first.items()}
        pictures = draw_digits(any_run["digits"], maps, [f"class {label}" for label in any_run["labels"]])
        return {**charts, "digits": to_png(pictures)}
