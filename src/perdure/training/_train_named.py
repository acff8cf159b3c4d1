"""Train a model by name or architecture, in one call."""

from __future__ import annotations

from typing import Any

from torch import nn

from perdure.core.abilities import Architecture
from perdure.core.errors import SettingError
from perdure.data._splits import Splits
from perdure.training.model_source import open_model
from perdure.training.model_spec import resolve_model
from perdure.training.settings import make_training
from perdure.training.train import train as train_seed

__all__ = ["train"]


def train(
    architecture: Architecture | str,
    splits: Splits,
    *,
    preset: str = "clean",
    seed: int = 0,
    device: str = "cpu",
    **train_settings: Any,
) -> nn.Module:
    """Train a model; equal seeds give equal weights on one machine, and those of `perdure train`.

    Args:
        architecture: Architecture of `perdure.models`, or its name as on the command line: a registry name with
            settings, a factory "file.py:function", "timm:NAME", or "hf:ID" of a Hugging Face model without a head.
        splits: Training, validation and test samples; training stops by the validation samples.
        preset: "clean", or "paper" as published for input-cell attention.
        seed: Seed for weights, order of samples and dropout.
        device: Device of the training, such as "cuda".
        **train_settings: Fields of `Training` that differ from the preset, such as `epochs` and `learning_rate`.

    Returns:
        The model in evaluation mode, with the weights of the best check.

    Raises:
        SettingError: For an unknown preset, field or value, or for a model that is trained already.
        UnknownNameError: If no model has this name.
        NonFiniteError: If the loss becomes NaN or infinite.

    Example:
        >>> import perdure
        >>> splits = perdure.data.Boxes(train=20, validation=10, test=10, size=20).load(0)
        >>> model = perdure.train("gru:hidden_size=2", splits, epochs=1)
        >>> model.training, model(splits.test.inputs).shape
        (False, torch.Size([10, 2]))
    """
    settings = make_training(preset, **train_settings)
    if isinstance(architecture, str):
        source = open_model(resolve_model(architecture))
        if source.load is not None:
            raise SettingError(f"'{architecture}' is a trained model", "load it: perdure.load(...)")
        architecture, splits = source.trainable, splits if source.reader is None else source.reader(splits)
    return train_seed(architecture, splits, settings, seed, device=device).model.eval()
