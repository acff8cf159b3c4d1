"""Explanation reproducibility: which explanations survive retraining, and what becomes of them on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from perdure.core.abilities import Architecture
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.core.registry import DATASETS
from perdure.core.resources import single_thread
from perdure.data._splits import Splits
from perdure.landscape.path import connect_linearly
from perdure.landscape.surface import ModelLoss
from perdure.models._event_types import resolve_event_types
from perdure.models._presets import model_config
from perdure.ops.params import flatten, params_of, unflatten
from perdure.stability.along_path import explain_along_path
from perdure.stability.path_record import make_explainer, select_inputs
from perdure.studies._cell import measure_accuracy
from perdure.studies._conclusion import write_conclusion
from perdure.studies._figures import draw_agreement, draw_barriers, draw_paths, draw_remedies
from perdure.studies._paths import (
    KINDS,
    align_to,
    connect,
    list_points,
    measure_linear_barriers,
    measure_path_height,
    read_run_explanations,
    to_arrays,
)
from perdure.studies._retrained import RetrainedModel, compare_runs
from perdure.studies._table import Cell, CellResult, Row
from perdure.training.settings import CLEAN
from perdure.training.train import train

__all__ = ["ExplanationReproducibility"]

METHODS = ("attention", "gradient", "input_x_gradient", "integrated_gradients:steps=32", "occlusion")
SMALL = "planted_events:train=60,validation=20,test=20"
FEWEST = 4
"""Minimum number of runs: two pairs, so that means of two can be compared."""


@dataclass(frozen=True)
class ExplanationReproducibility:
    """Train each model many times and measure the agreement of the explanations of the runs.

    A cell trains one run and the next run of the ring, matches their units, connects them by a straight line, a Bezier
    curve and a valley path, and explains the same test samples at both ends and along the paths. Finally all pairs of
    runs are compared: agreement of explanations by attention and other methods; correlation of agreement and barrier;
    explanations along different kinds of paths; and remedies, namely means over runs, weights and curves.

    Args:
        seeds: Number of training runs per model; at least four.
        smoke: Whether to use a size that runs in seconds.
        data: Dataset with settings; for event series with features, as from `event_texts`, the number of types is
            passed to the models.
        models: Networks; symmetries are implemented for these two.
        methods: Attribution methods; the others are compared with the first.
        samples: Number of explained test samples of each run.
        first_seed: Seed of the first run.

    Raises:
        SettingError: for fewer than four runs.

    Reference:
        ger2020reproducibility

    Notes:
        Paths are searched, and barriers measured, on 500 training samples.
    """

    seeds: int = 8
    smoke: bool = False
    data: str = "planted_events"
    models: tuple[str, ...] = ("attention", "hierarchical")
    methods: tuple[str, ...] = METHODS
    samples: int = 64
    first_seed: int = 0

    def __post_init__(self) -> None:
        if self.seeds < FEWEST and not self.smoke:
            raise SettingError(f"{self.seeds} runs of each model", f"use at least {FEWEST}, preferably eight")

    def cells(self) -> Sequence[Cell]:
        """List models x seeds."""
        name = self.data.partition(":")[0]
        return [Cell(name, model, seed) for seed in self._seeds for model in self.models]

    def work(self, cell: Cell) -> CellResult:
        """Train a run and the next, and explain test samples at both and along the paths between them."""
        splits = self._splits
        training = replace(CLEAN, epochs=1) if self.smoke else CLEAN
        following = self._following(cell.seed)
        with single_thread():
            models = [train(self._config(cell.model), splits, training, seed).model for seed in (cell.seed, following)]
            surface, (first, other) = ModelLoss(models[0], splits.train), map(params_of, models)
            paths = connect(surface, first, align_to(surface, first, other), cell.seed, self.smoke)
            shown, points = select_inputs(splits, self.samples), list_points(paths)
            explanations = {
                name: explain_along_path(surface, points, shown.batch, make_explainer(name, shown, cell.seed))
                for name in self.methods
            }
            heights = {kind: measure_path_height(surface, path) for kind, path in paths.items()}
            heights["linear, units not matched"] = measure_path_height(surface, connect_linearly(first, other))
        place, pair = (cell.dataset, cell.model, ""), f"{cell.seed} and {following}"
        rows = [
            Row(*place, f"barrier, {kind}", pair, value, heights["linear"], 0.0, kind="barrier", comparison=kind)
            for kind, value in heights.items()
            if kind != "linear"  # comes with all pairs
        ]
        barriers = {f"barrier/{kind}": np.array(heights[kind]) for kind in KINDS}
        arrays = {
            "label": shown.batch.label.numpy(),
            "weights": flatten(first).numpy(),
            **barriers,
            **to_arrays(explanations),
        }
        return CellResult([measure_accuracy(models[0], splits.test, cell), *rows], arrays)

    def compare_cells(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Sequence[Row]:
        """Compare the runs of each model."""
        return [row for model in self.models for row in compare_runs(self._join(model, arrays))]

    def write_conclusion(self, rows: Sequence[Row]) -> str:
        """Derive the conclusion from the rows."""
        return write_conclusion(rows, self.methods)

    def list_published(self) -> Sequence[Row]:
        """Return no rows: the paper has no comparable numbers."""
        return []

    def draw_figures(
        self, rows: Sequence[Row], _arrays: Mapping[Cell, Mapping[str, np.ndarray]]
    ) -> Mapping[str, bytes]:
        """Draw agreement, remedies, agreement against barriers, and agreement along paths."""
        names = {"agreement": "Spearman", "top_types": "top-3 Jaccard", "clusters": "ARI"}
        charts = {name: draw_agreement(rows, metric) for name, metric in names.items()}
        drawn = {"remedies": draw_remedies, "barriers": draw_barriers, "ways": draw_paths}
        for model in self.models:
            charts |= {f"{name}_{model.partition(':')[0]}": draw(rows, model) for name, draw in drawn.items()}
        return charts

    def _join(self, model: str, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> RetrainedModel:
        stored = [of_cell for cell, of_cell in arrays.items() if cell.model == model]
        built = self._config(model).build(self._splits.features, len(self._splits.classes), stream(0))
        like = params_of(built)
        weights = [unflatten(torch.from_numpy(of_run["weights"]), like) for of_run in stored]
        with single_thread():
            heights = {"linear": measure_linear_barriers(ModelLoss(built, self._splits.train), weights)}
        for kind in KINDS[1:]:
            heights[kind] = torch.full_like(heights["linear"], torch.nan)
            for i, of_run in enumerate(stored):
                j = (i + 1) % len(stored)
                heights[kind][i, j] = heights[kind][j, i] = float(of_run[f"barrier/{kind}"])
        explanations = {m: [read_run_explanations(of_run, m) for of_run in stored] for m in self.methods}
        name = self.data.partition(":")[0]
        return RetrainedModel(
            name, model, tuple(self._seeds), explanations, torch.from_numpy(stored[0]["label"]), heights
        )

    @property
    def _seeds(self) -> range:
        return range(self.first_seed, self.first_seed + (max(self.seeds, FEWEST) if self.smoke else self.seeds))

    def _following(self, seed: int) -> int:
        return self.first_seed + (seed + 1 - self.first_seed) % len(self._seeds)

    @cached_property
    def _splits(self) -> Splits:
        small = self.smoke and self.data == "planted_events"
        splits: Splits = DATASETS.make(SMALL if small else self.data).load(0)
        return splits

    def _config(self, model: str) -> Architecture:
        """Build the settings of a model with the number of event types if the data have further features."""
        config, types = model_config(model), len(self._splits.types)
        return resolve_event_types(
            replace(config, types=types) if 0 < types < self._splits.features else config, self._splits
        )
