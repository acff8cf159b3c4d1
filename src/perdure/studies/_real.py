"""Cases of `real_networks`: a network that was trained on real data, and samples that it explains."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import DataError, DependencyError
from perdure.core.random import stream
from perdure.models._embed import embed_batch
from perdure.training.predict import predict

__all__ = ["RealCase", "locate_package", "select_correct"]


@dataclass(frozen=True, eq=False)
class RealCase:
    """A network and samples.

    Args:
        model: Trained network, in evaluation mode.
        fit: Samples like those that are explained, but not these.
        test: Samples to explain; the label is the explained class.
        classes: Names of the classes.
    """

    model: nn.Module
    fit: Batch
    test: Batch
    classes: tuple[str, ...]


def locate_package(package: str, extra: str, purpose: str) -> Path:
    """Locate the folder of an installed package without importing it.

    Args:
        package: Name of the module.
        extra: Extra of perdure that installs it.
        purpose: Subject of the error message, in the singular.

    Returns:
        The folder.

    Raises:
        DependencyError: If the package is not installed.

    Example:
        >>> locate_package("no_such_package", "networks", "this part")
        Traceback (most recent call last):
        perdure.core.errors.DependencyError: this part needs the package 'no_such_package', ... 'perdure[networks]'.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DependencyError(
            f"{purpose} needs the package '{package}', which is not installed", f"pip install 'perdure[{extra}]'"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def select_correct(model: nn.Module, batch: Batch, count: int, seed: int) -> Batch:
    """Select random samples that a model predicts correctly, with embeddings in place of token ids.

    Args:
        model: Trained classifier.
        batch: Samples with labels; four times as many as selected are predicted.
        count: Number of samples to select.
        seed: Seed of the draw.

    Returns:
        The samples.

    Raises:
        DataError: If the model predicts none of them correctly.
    """
    drawn = slice_batch(batch, torch.randperm(len(batch), generator=stream(seed, "test"))[: 4 * count])
    index = (predict(model, drawn).argmax(1) == drawn.label).nonzero()[:count, 0]
    if not len(index):
        raise DataError("the network predicts no test sample correctly", "train it longer, or give more data")
    with torch.no_grad():
        return embed_batch(model, slice_batch(drawn, index))
