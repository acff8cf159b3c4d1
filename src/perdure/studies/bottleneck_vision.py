"""Bottleneck of images: which pixels InputIBA and the methods of the field point at, on scenes with exact masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from perdure.studies._bottleneck import EVERYWHERE, PUBLISHED, Bottleneck

__all__ = ["BottleneckVision"]


@dataclass(frozen=True)
class BottleneckVision(Bottleneck):
    """Explain a small convolutional network on scenes of shapes with every method, and judge the maps.

    The truth is what speaks for the class, so by the names that end in `_signed` a map is taken with its sign.

    Args:
        seeds: training runs.
        smoke: a size that runs in seconds, to see that everything works.
        samples: test images of each run that are explained.
        first_seed: the runs are counted from here.

    Reference:
        zhang2021inputiba
    """

    dataset: ClassVar[str] = "shapes"
    model: ClassVar[str] = "small_cnn"
    methods: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
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
        }
    )
    metrics: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "hit_rate": "hit_rate",
            "hit_rate_signed": "hit_rate:absolute=false",
            "effective_heat_ratio": "effective_heat_ratio",
            "effective_heat_ratio_signed": "effective_heat_ratio:absolute=false",
            "pointing": "pointing",
            "insertion": "insertion",
            "deletion": "deletion",
        }
    )
