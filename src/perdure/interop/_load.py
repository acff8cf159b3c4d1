"""Load a model in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast, get_args

import torch
from torch import nn

from perdure.core.check import check_choice
from perdure.core.errors import SettingError
from perdure.core.outputs import Outputs
from perdure.core.random import stream
from perdure.data._splits import Splits
from perdure.interop.pipeline import from_pipeline
from perdure.models._outputs import declare
from perdure.records.place import is_path, place
from perdure.training.model_source import build_model, open_model
from perdure.training.model_spec import ModelSpec, resolve_model

__all__ = ["load"]


def load(
    source: str | Path | Any,
    *,
    weights: str | Path | None = None,
    splits: Splits | None = None,
    outputs: str | None = None,
) -> nn.Module:
    """Load a trained model.

    Code runs only where `source` names a factory; checkpoints and Hugging Face models are read as data.

    Args:
        source: Folder of `perdure train` or of one of its seeds; "hf:ID" or the folder of a Hugging Face text
            classifier; a text-classification pipeline; a factory "file.py:function" or "package.module:function"; or an
            architecture as on the command line, with `weights`.
        weights: File (.safetensors, or a state dict of `torch.save`) or checkpoint folder with the weights of a factory
            or architecture. A factory without them has to return a trained model.
        splits: Data of the model, for the sizes of an architecture, or of a factory with the arguments `features` or
            `classes`.
        outputs: Outputs of the model, as in `Adapted`; None to infer them from the outputs.

    Returns:
        The model in evaluation mode on the CPU; a text model has a `reader`.

    Raises:
        SettingError: If the model is not trained, if sizes are needed and `splits` is missing, or for wrong settings.
        UnknownNameError: If no model has this name.
        CheckpointError: If a checkpoint or a file of weights cannot be used.
        FactoryError: If a factory cannot be found or raises.
        UnsupportedError: For a pipeline of another task.

    Example:
        >>> import tempfile, perdure
        >>> from safetensors.torch import save_file
        >>> splits = perdure.data.Boxes(train=20, validation=10, test=10, size=20).load(0)
        >>> model = perdure.train("gru:hidden_size=2", splits, epochs=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_file(model.state_dict(), f"{folder}/gru.safetensors")
        ...     again = perdure.load("gru:hidden_size=2", weights=f"{folder}/gru.safetensors", splits=splits)
        >>> torch.equal(again(splits.test.inputs), model(splits.test.inputs))
        True
    """
    if not is_path(source):
        if weights is not None:
            raise SettingError("a pipeline already has weights", "leave weights out")
        check_choice("outputs", outputs, (None, *get_args(Outputs)))
        return declare(from_pipeline(source), cast("Outputs | None", outputs)).eval()
    spec = resolve_model(str(source), None if weights is None else place(weights), outputs)
    opened = open_model(spec)
    if opened.load is not None:
        return opened.load(splits).eval()
    if spec.factory is None:
        raise SettingError(
            f"'{source}' has no trained weights", f"pass weights=, or train it: perdure.train('{source}', splits)"
        )
    return _load_from_factory(spec, splits)


def _load_from_factory(spec: ModelSpec, splits: Splits | None) -> nn.Module:
    """Return the model of a factory, whose weights must not be random."""
    model, other = (build_model(spec, splits, stream(seed, "weights")) for seed in (0, 1))
    weights = other.state_dict()
    if not all(torch.equal(value, weights[name]) for name, value in model.state_dict().items()):
        raise SettingError(
            f"the factory '{spec.name}' returns random weights",
            f"pass weights=, or train it: perdure.train('{spec.name}', splits)",
        )
    return model.eval()
