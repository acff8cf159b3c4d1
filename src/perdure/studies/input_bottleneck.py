"""Input bottleneck: InputIBA beside its published form and the methods of the field, on texts and images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perdure.attribution.attribute import attribute
from perdure.core.batch import select
from perdure.core.protocols import Architecture
from perdure.core.query import Query
from perdure.core.random import stream
from perdure.core.registry import METHODS, METRICS
from perdure.core.target import Logit
from perdure.core.trial import Score, Trial
from perdure.data.planted_text import PlantedText
from perdure.data.shapes import Shapes
from perdure.engine.fitted import prepared
from perdure.metrics.evaluate import evaluate
from perdure.models.embedded import embedded
from perdure.models.presets import model_config
from perdure.studies.cell import accuracy_row
from perdure.studies.figures import methods_chart
from perdure.studies.table import Cell, Found, Row
from perdure.training.ensemble import train
from perdure.training.settings import CLEAN

__all__ = ["InputBottleneck"]

TRAINING = replace(CLEAN, stop_at=0.995)

PUBLISHED = "input_iba:compat=published,prior=adversarial,granularity=element,copies=10,start=5.0,"
"""The published form; its other settings differ between texts and images."""

EVERYWHERE = {
    "input_iba": "input_iba",
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
METHODS_OF: Mapping[str, Mapping[str, str]] = {
    "planted_text": {
        "input_iba_published": PUBLISHED + "layer=rnn_3,beta=30,steps=30,learning_rate=0.5,smoothing=0,feature_beta=15",
        **EVERYWHERE,
        "occlusion": "occlusion",
        "lime": "lime",
        "kernel_shap": "kernel_shap",
        "shapley_sampling": "shapley_sampling",
    },
    "shapes": {
        "input_iba_published": PUBLISHED + "beta=20,steps=60,learning_rate=1.0,smoothing=1,feature_beta=20",
        **EVERYWHERE,
        "occlusion": "occlusion:window=[3, 4, 4]",
        "lime": "lime:window=4",
        "kernel_shap": "kernel_shap:window=4",
        "guided_backprop": "guided_backprop",
        "grad_cam": "grad_cam",
        "guided_grad_cam": "guided_grad_cam",
        "deep_lift": "deep_lift",
        "deep_lift_shap": "deep_lift_shap",
        "extremal_perturbation": "extremal_perturbation",
    },
}
"""The methods, by the name in the table."""

SMOKE = ("input_iba", "random", "saliency", "occlusion")
"""The methods that the smoke size tries."""

METRICS_OF: Mapping[str, Mapping[str, str]] = {
    "planted_text": {
        "hit_rate": "hit_rate",
        "insertion": "insertion:granularity=position",
        "deletion": "deletion:granularity=position",
    },
    "shapes": {
        "hit_rate": "hit_rate",
        "effective_heat_ratio": "effective_heat_ratio",
        "pointing": "pointing",
        "insertion": "insertion",
        "deletion": "deletion",
    },
}


@dataclass(frozen=True)
class InputBottleneck:
    """Explain test samples with every method, and judge the maps with and without the truth.

    The published form of InputIBA trains a critic for every sample; it explains the same samples as all others. A
    row "seconds" holds the time of a method per sample, on one thread, everything included but `fit`.

    Args:
        seeds: training runs per dataset.
        smoke: a size that runs in seconds, to see that everything works.
        samples: test samples of each run that are explained.
        first_seed: the runs are counted from here.

    Reference:
        zhang2021inputiba
    """

    seeds: int = 3
    smoke: bool = False
    samples: int = 17
    first_seed: int = 0

    def cells(self) -> Sequence[Cell]:
        """List datasets x seeds; the slow ones come first."""
        models = {"shapes": "small_cnn", "planted_text": "small_deep_lstm"}
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        return [Cell(name, model, seed) for name, model in models.items() for seed in seeds]

    def work(self, cell: Cell) -> Found:
        """Train a network, explain test samples with every method, and judge the maps."""
        splits = self._dataset(cell.dataset).load(cell.seed)
        training = replace(TRAINING, epochs=1) if self.smoke else TRAINING
        model = train(self._architecture(cell.model), splits, training, cell.seed).model
        batch = embedded(model, select(splits.test, slice(0, 2 if self.smoke else self.samples)))
        asked = Query(model, batch.inputs, Logit(batch.label), batch.mask)
        rows = [accuracy_row(model, splits.test, cell)]
        values: dict[str, np.ndarray] = {}
        for name, text in METHODS_OF[cell.dataset].items():
            if self.smoke and name not in SMOKE:
                continue
            method = prepared(METHODS.make(text), model, splits.train)
            start = time.perf_counter()
            found = attribute(model, batch.inputs, method, target=asked.target, lengths=asked.lengths)
            seconds = (time.perf_counter() - start) / len(batch)
            scores = _scores(Trial(asked, found.values, batch.truth, method), cell)
            rows += [_row(score, name, metric, cell) for metric, score in scores.items()]
            rows.append(Row(cell.dataset, cell.model, name, "seconds", str(cell.seed), seconds, 0.0, 0.0))
            values |= {f"{name}/{metric}": score.values.numpy() for metric, score in scores.items()}
        return Found(rows, values)

    def published(self) -> Sequence[Row]:
        """List nothing: the tables of the paper are about other networks."""
        return []

    def figures(self, rows: Sequence[Row], _arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, bytes]:
        """Draw a chart of the methods for each dataset and metric."""
        found = {(row.dataset, row.metric) for row in rows if row.method}
        return {f"{dataset}_{metric}": methods_chart(rows, dataset, metric) for dataset, metric in sorted(found)}

    def _dataset(self, name: str) -> PlantedText | Shapes:
        size = {"train": 60, "validation": 20, "test": 20} if self.smoke else {}
        return PlantedText(**size) if name == "planted_text" else Shapes(**size)

    def _architecture(self, name: str) -> Architecture:
        return model_config(name)


def _scores(trial: Trial, cell: Cell) -> Mapping[str, Score]:
    metrics = METRICS_OF[cell.dataset]
    return {
        name: evaluate(trial, METRICS.make(text), draws=1, generator=stream(cell.seed, "null"))
        for name, text in metrics.items()
    }


def _row(score: Score, method: str, metric: str, cell: Cell) -> Row:
    numbers = (part.mean().item() for part in (score.values, score.null, score.ceiling))
    return Row(cell.dataset, cell.model, method, metric, str(cell.seed), *numbers)
