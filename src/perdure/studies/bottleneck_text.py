"""Bottleneck of texts: which words InputIBA and the methods of the field point at, on reviews with known evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from perdure.studies._bottleneck import EVERYWHERE, PUBLISHED, Bottleneck

__all__ = ["BottleneckText"]


@dataclass(frozen=True)
class BottleneckText(Bottleneck):
    """Explain a recurrent network of four layers on planted reviews with every method, and evaluate the maps.

    The truth is the evidence for the class, so `hit_rate_signed` uses the sign of a map.

    Args:
        seeds: Number of training runs.
        smoke: Whether to use a size that runs in seconds.
        samples: Number of explained test texts of each run.
        first_seed: Seed of the first run.

    Reference:
        zhang2021inputiba
    """

    dataset: ClassVar[str] = "planted_text"
    model: ClassVar[str] = "small_deep_lstm"
    methods: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "input_iba_published": PUBLISHED
            + "layer=rnn_3,beta=30,steps=30,learning_rate=0.5,smoothing=0,feature_beta=15",
            **EVERYWHERE,
            "occlusion": "occlusion",
            "lime": "lime",
            "kernel_shap": "kernel_shap",
            "shapley_sampling": "shapley_sampling",
        }
    )
    metrics: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "hit_rate": "hit_rate",
            "hit_rate_signed": "hit_rate:absolute=false",
            "insertion": "insertion:granularity=position",
            "deletion": "deletion:granularity=position",
        }
    )
