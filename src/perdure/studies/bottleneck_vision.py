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
    """Explain a small convolutional network on scenes of shapes with every method, and evaluate the maps.

    The truth is the evidence for the class, so metrics whose names end in `_signed` use the sign of a map.

    Args:
        seeds: Number of training runs.
        smoke: Whether to use a size that runs in seconds.
        samples: Number of explained test images of each run.
        first_seed: Seed of the first run.

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
