"""Bottleneck of series: which sites InputIBA and the methods of the field point at, where all of a box is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

from torch import nn

from perdure.data._splits import Splits
from perdure.data.boxes import Boxes
from perdure.models._presets import PRESETS
from perdure.studies._bottleneck import EVERYWHERE, PUBLISHED, Bottleneck
from perdure.studies.necessary_boxes import TRAINING
from perdure.training.batches import draw_batches
from perdure.training.train import train

__all__ = ["BottleneckSeries"]


@dataclass(frozen=True)
class BottleneckSeries(Bottleneck):
    """Explain an LSTM with positional input-cell attention on boxes whose evidence is necessary, and evaluate the maps.

    The network and its training are those of `necessary_boxes`: close to the best possible classifier, it must read
    every site of the box, so the box is the truth of a faithful map.

    Args:
        seeds: Number of training runs.
        smoke: Whether to use a size that runs in seconds.
        samples: Number of explained test series of each run.
        first_seed: Seed of the first run.

    Reference:
        zhang2021inputiba
        perdure
    """

    dataset: ClassVar[str] = "boxes"
    model: ClassVar[str] = "lstm_positional_input_cell_attention"
    methods: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "input_iba_published": PUBLISHED + "beta=30,steps=30,learning_rate=0.5,smoothing=0,feature_beta=15",
            **EVERYWHERE,
            "input_iba_element": "input_iba:granularity=element",
            "occlusion": "occlusion:window=[5, 5]",
            "lime": "lime:window=5",
            "kernel_shap": "kernel_shap:window=5",
        }
    )
    metrics: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "auroc": "auroc",
            "auprc": "auprc",
            "vanishing": "vanishing",
            "insertion": "insertion",
            "deletion": "deletion",
        }
    )

    def train_model(self, seed: int) -> tuple[nn.Module, Splits]:
        """Train a network on series that are drawn for each step."""
        size = {"size": 20, "validation": 20, "test": 20} if self.smoke else {"validation": 2000}
        boxes = Boxes("middle", "necessary", **size)
        training = replace(TRAINING, epochs=1) if self.smoke else TRAINING
        source = draw_batches(boxes.draw, training.batch_size, 5 if self.smoke else 100)
        splits = boxes.load(seed)
        config = replace(PRESETS[self.model], hidden_size=16, hops=8)
        return train(config, splits, training, seed, source).model, splits
