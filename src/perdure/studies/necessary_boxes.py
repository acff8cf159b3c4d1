"""Necessary boxes: does a map show the evidence where the model cannot do without any of it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perdure.core.random import stream
from perdure.core.target import Logit
from perdure.data.boxes import Boxes
from perdure.models._presets import PRESETS
from perdure.studies._cell import explain_and_evaluate, measure_accuracy
from perdure.studies._figures import draw_mean_maps, draw_means
from perdure.studies._table import Cell, CellResult, Row
from perdure.training.batches import draw_batches
from perdure.training.settings import Training
from perdure.training.train import train

__all__ = ["NecessaryBoxes"]

SETS = ("earlier", "middle", "latter", "three_earlier", "three_middle")
MODELS = (
    "lstm_positional_input_cell_attention",
    "lstm_input_cell_attention",
    "lstm_self_attention",
    "bi_lstm",
    "lstm",
)
METRICS = ("auroc", "auprc", "vanishing")

TRAINING = Training(
    epochs=15, batch_size=100, learning_rate=5e-3, weight_decay=0.01, schedule="one_cycle", clip=1.0, patience=None
)
"""Every step sees samples that were drawn for it; an epoch is 100 steps."""


@dataclass(frozen=True)
class NecessaryBoxes:
    """Explain networks on boxes whose evidence is necessary, where the box is the truth.

    Inside the box the mean is shifted so little that the best classifier must read every site. A network near
    the Bayes accuracy therefore uses the whole box, and a faithful map must show it. The map is the absolute
    gradient of the logit of the true class.

    Args:
        seeds: Number of training runs per network and set.
        smoke: Whether to use a size that runs in seconds.
        models: the networks.
        first_seed: Seed of the first run, so that a setting can be confirmed on other runs than it was chosen on.

    Reference:
        perdure
    """

    seeds: int = 3
    smoke: bool = False
    models: tuple[str, ...] = MODELS
    first_seed: int = 0

    def cells(self) -> Sequence[Cell]:
        """List networks x sets x seeds."""
        sets = SETS[:2] if self.smoke else SETS
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        return [Cell(name, model, seed) for model in self.models for seed in seeds for name in sets]

    def work(self, cell: Cell) -> CellResult:
        """Train a network on draw_batches samples, explain test samples and evaluate the maps."""
        boxes = self._boxes(cell.dataset)
        training = replace(TRAINING, epochs=1) if self.smoke else TRAINING
        source = draw_batches(boxes.draw, training.batch_size, 5 if self.smoke else 100)
        splits = boxes.load(cell.seed)
        config = replace(PRESETS[cell.model], hidden_size=16, hops=8)
        model = train(config, splits, training, cell.seed, source).model
        test = boxes.draw(100 if self.smoke else 4000, stream(cell.seed, "accuracy"))
        rows, maps = explain_and_evaluate(model, splits.test, Logit, METRICS, cell)
        mean = {"mean": maps.mean(0).numpy(), "truth": splits.test.truth[0].numpy()}  # type: ignore[index]
        return CellResult([measure_accuracy(model, test, cell, boxes.bayes_accuracy()), *rows], mean)

    def list_published(self) -> Sequence[Row]:
        """List nothing: these sets are ours."""
        return []

    def draw_figures(self, rows: Sequence[Row], arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, bytes]:
        """Draw a chart per metric and the mean map of each network on each set."""
        charts = {name: draw_means(rows, name) for name in ("accuracy", *METRICS)}
        first = {cell: of_run for cell, of_run in arrays.items() if cell.seed == self.first_seed}
        return {**charts, "mean_maps": draw_mean_maps(first)}

    def _boxes(self, variant: str) -> Boxes:
        size = {"size": 20, "validation": 20, "test": 20} if self.smoke else {"validation": 2000}
        return Boxes(variant, "necessary", **size)  # type: ignore[arg-type]
