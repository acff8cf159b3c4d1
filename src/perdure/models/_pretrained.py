"""Published vision models by name, from timm or torchvision."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any

import torch
from torch import nn

from perdure.core.errors import CheckpointError, DependencyError, UnknownNameError

__all__ = ["ensure_torchvision", "load_pretrained"]

LOG = logging.getLogger(__name__)

MISSING_OPERATORS = ("nms", "qnms")
"""Operators of detection models, which torchvision looks up when it is imported."""

_shim: list[torch.library.Library] = []
"""References to the libraries, without which their operators would be removed."""


def load_pretrained(
    name: str, *, weights: bool = True, classes: int | None = None, channels: int | None = None
) -> nn.Module:
    """Load a published model.

    Args:
        name: Name in timm, such as "vgg16.tv_in1k", or in torchvision, as in "torchvision/vgg16".
        weights: Whether to download the published weights, or take them from the cache; otherwise they are random,
            from the global random state.
        classes: Number of outputs; None for that of the published weights.
        channels: Channels of the images; None for the published three, which all models of torchvision need.

    Returns:
        The model in evaluation mode.

    Raises:
        DependencyError: When timm or torchvision is missing.
        UnknownNameError: When neither has a model of this name.
        CheckpointError: When the weights can neither be downloaded nor found in the cache.

    Notes:
        ReLUs of these models may work in place, so that a hook receives what the next layer left. `VGG16` and
        `ResNet` of perdure have none of those, and read the same weights.

        No test installs these packages. By hand it ran with torchvision 0.28.0, timm 1.0.31 and torch 2.13.0 for the
        CPU, without downloads.
    """
    ensure_torchvision()
    family, _, rest = name.rpartition("/")
    changed = {} if classes is None else {"num_classes": classes}
    try:
        if family == "torchvision":
            models = importlib.import_module("torchvision.models")
            model: nn.Module = models.get_model(rest, weights="DEFAULT" if weights else None, **changed)
        else:
            changed |= {} if channels is None else {"in_chans": channels}
            model = _package("timm").create_model(name, pretrained=weights, **changed)
    except OSError as error:
        raise CheckpointError(
            f"the weights of '{name}' can neither be downloaded nor found in the cache: {error}",
            "connect to the network once, or load a local file into perdure's VGG16 or ResNet",
        ) from error
    except (ValueError, RuntimeError) as error:
        raise UnknownNameError(
            f"no published model is called '{name}': {error}",
            "see timm.list_models() or torchvision.models.list_models()",
        ) from error
    return model.eval()


def ensure_torchvision() -> bool:
    """Import torchvision, also where its compiled part does not fit torch.

    A build for another device cannot load its operators, and then not even its models can be imported. Two of the
    operators are declared here without an implementation; classifiers never call them.

    Returns:
        Whether the two had to be declared; detection models then do not work.

    Raises:
        DependencyError: When torchvision is missing.
    """
    try:
        _package("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    else:
        return bool(_shim)
    for module in [module for module in sys.modules if module.split(".")[0] == "torchvision"]:
        del sys.modules[module]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in MISSING_OPERATORS:
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _shim.append(library)
    _package("torchvision")
    LOG.warning("torchvision does not fit this torch: its classifiers work, its detection models do not")
    return True


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise DependencyError(
            f"published vision models need the package '{name}'", "pip install 'perdure[vision]'"
        ) from None
