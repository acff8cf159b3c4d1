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
    """Explain a recurrent network of four layers on planted reviews with every method, and judge the maps.

    The truth is what speaks for the class, so by `hit_rate_signed` a map is taken with its sign.

    Args:
        seeds: training runs.
        smoke: a size that runs in seconds, to see that everything works.
        samples: test texts of each run that are explained.
        first_seed: the runs are counted from here.

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
