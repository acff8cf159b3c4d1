"""Base of the studies of the input bottleneck: InputIBA, its published form and the methods of the field."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch, slice_batch
from perdure.core.metric import Metric, Score
from perdure.core.query import Query
from perdure.core.random import stream
from perdure.core.registry import DATASETS, METHODS
from perdure.core.target import Logit
from perdure.data._splits import Splits
from perdure.engine.explain import fit_method
from perdure.metrics._evaluate import evaluate
from perdure.models._embed import embed_batch
from perdure.models._presets import model_config
from perdure.report.show import show
from perdure.studies._cell import measure_accuracy
from perdure.studies._figures import draw_methods
from perdure.studies._table import Cell, CellResult, Row
from perdure.training.settings import CLEAN
from perdure.training.train import train

__all__ = ["EVERYWHERE", "PUBLISHED", "SHOWN", "SMOKE", "Bottleneck", "Explained", "Panel"]

PUBLISHED = "input_iba:compat=published,prior=adversarial,granularity=element,copies=10,start=5.0,"
"""The published form; its other settings differ between texts, images and series."""

EVERYWHERE = MappingProxyType(
    {
        "input_iba": "input_iba",
        "input_iba_signed": "input_iba:read_out=signed",
        "input_iba_none": "input_iba:prior=none",
        "input_iba_moments": "input_iba:prior=moments",
        "information_bottleneck": "information_bottleneck",
        "random": "random",
        "saliency": "saliency",
        "input_x_gradient": "input_x_gradient",
        "integrated_gradients": "integrated_gradients",
        "smooth_grad": "smooth_grad",
        "gradient_shap": "gradient_shap",
    }
)
"""Methods for all data, by the name in the table."""

SMOKE = ("input_iba", "random", "saliency", "occlusion")
"""Methods of the smoke size."""

SMALL = ":train=60,validation=20,test=20"
TRAINING = replace(CLEAN, stop_at=0.995)

GALLERY = "gallery"
SHOWN = 4
"""Samples of the first run in the gallery."""


@dataclass(frozen=True, eq=False)
class Explained:
    """Results of all methods.

    Args:
        rows: Rows of the table: metrics, and seconds for each sample.
        values: Scores of each sample by "method/metric".
        maps: Attributions by method.
    """

    rows: list[Row]
    values: Mapping[str, np.ndarray]
    maps: Mapping[str, Attribution]


@dataclass(frozen=True)
class Panel:
    """Methods and metrics by the name in the table.

    Args:
        methods: Attribution methods with settings.
        metrics: Metrics, or their names with settings.
    """

    methods: Mapping[str, str]
    metrics: Mapping[str, str | Metric]

    def explain(self, query: Query, fit: Batch, truth: Tensor | None, cell: Cell) -> Explained:
        """Explain samples with every method, and evaluate the maps.

        Args:
            query: Query of a network and samples.
            fit: Samples for methods that must be fitted.
            truth: True at the elements known to matter; None when unknown.
            cell: Cell of the rows.

        Returns:
            Rows, scores and maps.
        """
        model, rows = query.model, []
        values: dict[str, np.ndarray] = {}
        maps: dict[str, Attribution] = {}
        for name, text in self.methods.items():
            method = fit_method(METHODS.make(text), model, fit)  # type: ignore[arg-type]
            start = time.perf_counter()
            result = attribute(model, query.x, method, target=query.target, lengths=query.lengths)
            seconds = (time.perf_counter() - start) / len(query.x)
            subject = replace(result, source=query, truth=truth, method=method)
            scores = {metric: self._score(subject, made, cell) for metric, made in self.metrics.items()}
            rows += [_row(score, name, metric, cell) for metric, score in scores.items()]
            rows.append(Row(cell.dataset, cell.model, name, "seconds", str(cell.seed), seconds, 0.0, 0.0))
            values |= {f"{name}/{metric}": score.values.numpy() for metric, score in scores.items()}
            maps[name] = result.detach()
        return Explained(rows, values, maps)

    @staticmethod
    def _score(subject: Attribution, metric: str | Metric, cell: Cell) -> Score:
        score: Score = evaluate(subject, metric, draws=1, generator=stream(cell.seed, "null"))
        return score


@dataclass(frozen=True)
class Bottleneck:
    """Explain test samples with every method, and evaluate the maps with and without the truth.

    The published form of InputIBA trains a critic for every sample; it explains the same samples as all others. A
    row "seconds" contains the time of a method per sample on one thread, excluding `fit`. The gallery shows samples of
    the first run and the maps of all methods.

    Args:
        seeds: Number of training runs.
        smoke: Whether to use a size that runs in seconds.
        samples: Number of explained test samples of each run.
        first_seed: Seed of the first run.
    """

    seeds: int = 3
    smoke: bool = False
    samples: int = 17
    first_seed: int = 0

    dataset: ClassVar[str]
    model: ClassVar[str]
    methods: ClassVar[Mapping[str, str]]
    metrics: ClassVar[Mapping[str, str]]

    def train_model(self, seed: int) -> tuple[nn.Module, Splits]:
        """Train the network and load its data."""
        splits: Splits = DATASETS.make(self.dataset + (SMALL if self.smoke else "")).load(seed)
        training = replace(TRAINING, epochs=1) if self.smoke else TRAINING
        return train(model_config(self.model), splits, training, seed).model, splits

    def cells(self) -> Sequence[Cell]:
        """List seeds."""
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        return [Cell(self.dataset, self.model, seed) for seed in seeds]

    def work(self, cell: Cell) -> CellResult:
        """Train a network, explain test samples with every method, and evaluate the maps."""
        model, splits = self.train_model(cell.seed)
        batch = embed_batch(model, slice_batch(splits.test, slice(0, 2 if self.smoke else self.samples)))
        query = Query(model, batch.inputs, Logit(batch.label), batch.mask)
        panel = Panel(
            {name: text for name, text in self.methods.items() if not self.smoke or name in SMOKE}, self.metrics
        )
        explained = panel.explain(query, splits.train, batch.truth, cell)
        rows, values = [measure_accuracy(model, splits.test, cell), *explained.rows], dict(explained.values)
        if cell.seed == self.first_seed:
            samples = slice_batch(splits.test, slice(0, len(batch)))
            values[GALLERY] = np.array(show(explained.maps, samples, classes=splits.classes, limit=SHOWN).html)
        return CellResult(rows, values)

    def list_published(self) -> Sequence[Row]:
        """Return no rows: the tables of the paper are about other networks."""
        return []

    def draw_figures(
        self, rows: Sequence[Row], _arrays: Mapping[Cell, Mapping[str, np.ndarray]]
    ) -> Mapping[str, bytes]:
        """Draw a chart of the methods for each metric."""
        metrics = sorted({row.metric for row in rows if row.method})
        return {metric: draw_methods(rows, self.dataset, metric) for metric in metrics}

    def render_pages(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, str]:
        """Render samples and their maps."""
        first = next(iter(arrays.values()))
        return {GALLERY: str(first[GALLERY])}


def _row(score: Score, method: str, metric: str, cell: Cell) -> Row:
    value, null, ceiling = (part.mean().item() for part in (score.values, score.null, score.ceiling))
    return Row(cell.dataset, cell.model, method, metric, str(cell.seed), value, null, ceiling)
