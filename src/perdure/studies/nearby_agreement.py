"""Nearby agreement: whether the neighbours of one checkpoint agree as much as real retrainings do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from torch import nn

from perdure.core.batch import slice_batch
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.estimate import Estimate
from perdure.core.resources import single_thread
from perdure.data._splits import Splits
from perdure.ops.similarity import SIMILARITIES
from perdure.report.charts.figure import to_png
from perdure.report.charts.study_charts import draw_scatter
from perdure.stability.explain_runs import ExplainRunsJob, count_types, explain_runs
from perdure.stability.measures import compare_samples
from perdure.stability.members import estimate_accuracy, has_learned
from perdure.stability.neighbours import KINDS, draw_neighbours
from perdure.studies._calibration import COMPARISONS, RETRAINED, collect_points, compare_with_retrained, describe
from perdure.studies._calibration_tasks import TASKS
from perdure.studies._cell import measure_accuracy
from perdure.studies._table import Cell, CellResult, Row
from perdure.training.train import train

__all__ = ["NearbyAgreement"]

METHODS = ("gradient", "saliency", "input_x_gradient", "integrated_gradients:steps=16", "occlusion")
FEWEST = 3
"""Minimum number of networks to compare: with two there is no interval."""

SMOKE = 1
"""Number of tasks of the smoke size."""


@dataclass(frozen=True)
class NearbyAgreement:
    """Predict the agreement of retrained networks from one of them.

    A cell trains one network from several seeds and measures the agreement of their explanations. Then it draws
    neighbours of the first network alone, each kind of `draw_neighbours`, and measures the agreement of the network
    and its neighbours, which have about its loss. Agreement is the rank correlation of two maps of a sample, as a
    fraction of the way from shuffled maps to a second explanation of the same network. Over all tasks and methods both
    agreements are correlated; the interval of the correlation is a bootstrap over tasks. The design of the neighbours
    was chosen on the development tasks alone.

    Args:
        seeds: Number of training runs of each network.
        smoke: Whether to use a size that runs in seconds.
        methods: Attribution methods without random draws.
        samples: Number of explained test samples.
        neighbours: Number of neighbours of each kind.

    Raises:
        SettingError: For fewer than three runs or two neighbours.

    Reference:
        hsu2024dropout
    """

    seeds: int = 4
    smoke: bool = False
    methods: tuple[str, ...] = METHODS
    samples: int = 24
    neighbours: int = 3

    def __post_init__(self) -> None:
        check_counts(samples=self.samples, neighbours=self.neighbours - 1)
        if self.seeds < FEWEST and not self.smoke:
            raise SettingError(f"{self.seeds} runs of each network", f"use at least {FEWEST}, preferably five")

    def cells(self) -> Sequence[Cell]:
        """List tasks."""
        return [Cell(data, model, 0) for data, model in list(TASKS)[: SMOKE if self.smoke else None]]

    def work(self, cell: Cell) -> CellResult:
        """Train the network from all seeds, draw neighbours of the first, and measure both agreements."""
        task = TASKS[cell.dataset, cell.model]
        splits = task.load()
        with single_thread():
            seeds = range(max(self.seeds, FEWEST))
            models = [train(task.build_config(splits), splits, task.training, seed).model for seed in seeds]
            rows = [measure_accuracy(m, splits.test, Cell(cell.dataset, cell.model, i)) for i, m in enumerate(models)]
            learned = [m for m in models if has_learned(estimate_accuracy(m, splits.test, 0))]
            compared = {RETRAINED: learned}
            for kind in KINDS if learned else ():
                drawn = draw_neighbours(kind, learned[0], splits, seed=0, count=self.neighbours)
                equal = [neighbour.model for neighbour in drawn if neighbour.is_equal]
                compared[kind] = [learned[0], *equal]
                place, name = (cell.dataset, cell.model, ""), f"fraction of equal loss, {kind}"
                rows.append(Row(*place, name, "all", len(equal) / len(drawn), 0.0, 1.0, comparison=kind))
            agreements = {name: self._compare(pair, splits) for name, pair in compared.items() if len(pair) >= FEWEST}
        arrays = {}
        for name, by_method in agreements.items():
            for method, estimate in by_method.items():
                low, high = estimate.interval or (None, None)
                numbers = estimate.value, estimate.null, estimate.ceiling, low, high
                rows.append(
                    Row(cell.dataset, cell.model, method, f"agreement, {name}", "all", *numbers, comparison=name)
                )
                arrays[f"{name}/{method}"] = np.array(numbers[:3])
        return CellResult(rows, arrays)

    def compare_cells(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Sequence[Row]:
        """Correlate the agreement of each kind of neighbours with that of retrained networks."""
        return compare_with_retrained(arrays)

    def write_conclusion(self, rows: Sequence[Row]) -> str:
        """Derive the conclusion from the rows."""
        return describe(rows)

    def list_published(self) -> Sequence[Row]:
        """Return no rows: nothing comparable is published."""
        return []

    def draw_figures(
        self, _rows: Sequence[Row], arrays: Mapping[Cell, Mapping[str, np.ndarray]]
    ) -> Mapping[str, bytes]:
        """Draw the agreement of retrained networks against that of each kind of neighbours."""
        figures = {}
        for kind in COMPARISONS:
            points = collect_points(arrays, kind)
            series = {
                method.partition(":")[0]: np.array([[p.nearby, p.retrained] for p in points if p.method == method])
                for method in dict.fromkeys(point.method for point in points)
            }
            across = f"agreement of neighbours, {kind.replace('_', ' ')}"
            figures[kind] = to_png(draw_scatter(series, across, "agreement of retrained networks", logarithmic=False))
        return figures

    def _compare(self, models: Sequence[nn.Module], splits: Splits) -> Mapping[str, Estimate]:
        """Measure the agreement of networks by each method."""
        batch = slice_batch(splits.test, slice(0, self.samples))
        runs = tuple((f"network {i}", model) for i, model in enumerate(models))
        with TemporaryDirectory() as place:
            job = ExplainRunsJob(runs, self.methods, (), batch, splits.train, Path(place), seed=0)
            explanations = explain_runs(job, count_types(splits))
        return {
            method: compare_samples(of_method, SIMILARITIES["Spearman"], 0).estimate
            for method, of_method in explanations.items()
        }
