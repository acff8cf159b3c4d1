"""Resolve what a user names as a model: its kind, its files, and whether it needs user code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from perdure.core.abilities import Architecture
from perdure.core.check import check_choice
from perdure.core.errors import SettingError
from perdure.core.outputs import Outputs
from perdure.models._presets import model_config
from perdure.models.factory import Factory, is_factory
from perdure.models.published import Published
from perdure.records.place import exists, place
from perdure.training.checkpoint import is_finished, load_checkpoint

__all__ = ["ModelSpec", "find_checkpoint", "resolve_model"]

WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
"""Suffixes of files that hold weights and no architecture."""


@dataclass(frozen=True)
class ModelSpec:
    """A model as a user names it; nothing is loaded, and no user code has run.

    Args:
        name: Text of the user.
        kind: "checkpoint" for a folder that perdure wrote, "hugging_face" for a text model of the package transformers,
            and "architecture" for a named architecture, a network of timm or a factory.
        architecture: Architecture to build; None for the other kinds.
        folder: Folder of the checkpoint; None for the other kinds.
        weights: File or checkpoint folder with the weights of the architecture; None to train it.
        outputs: Declared outputs of the model, as in `Adapted`; None to infer them from the outputs.
    """

    name: str
    kind: Literal["checkpoint", "hugging_face", "architecture"]
    architecture: Architecture | None = None
    folder: Path | None = None
    weights: Path | None = None
    outputs: Outputs | None = None

    @property
    def factory(self) -> Factory | None:
        """The factory that makes the model; None where no user code is needed."""
        return self.architecture if isinstance(self.architecture, Factory) else None

    @property
    def needs_user_code(self) -> bool:
        """Whether loading or training the model runs code of the user."""
        return self.factory is not None

    @property
    def described_architecture(self) -> Any:
        """The architecture as plain values or a frozen dataclass; a factory with the digest of its file."""
        if self.factory is None:
            return self.architecture
        declared = {} if self.factory.outputs is None else {"outputs": self.factory.outputs}
        return {"source": self.factory.source, "code": self.factory.code, **declared}


def resolve_model(text: str, weights: Path | None = None, outputs: str | None = None) -> ModelSpec:
    """Resolve a text that names a model.

    Args:
        text: Registry name with settings, folder of a trained model, factory "file.py:function" or
            "package.module:function", "timm:NAME", or "hf:ID" or a folder of a Hugging Face text model.
        weights: File or checkpoint folder with the weights of an architecture.
        outputs: Outputs of the model, as in `Adapted`; None to infer them.

    Returns:
        The resolved model.

    Raises:
        UnknownNameError: If no model has this name.
        SettingError: If a setting has an unknown name or a wrong value, if weights are given twice, or if outputs are
            declared for an architecture that returns logits.
        CheckpointError: If a path holds no trained model.

    Example:
        >>> spec = resolve_model("gru:hidden_size=5")
        >>> spec.kind, spec.needs_user_code, resolve_model("own.py:make").needs_user_code
        ('architecture', False, True)
    """
    check_choice("outputs", outputs, (None, *get_args(Outputs)))
    declared = cast("Outputs | None", outputs)
    folder = find_checkpoint(place(text))
    if folder is None and not _is_hugging_face(text):
        architecture = _read_architecture(text, declared)
        return ModelSpec(text, "architecture", architecture, weights=weights, outputs=declared)
    if weights is not None:
        raise SettingError(
            f"'{text}' already has weights", "leave out the further weights (on the command line --weights)"
        )
    return ModelSpec(text, "hugging_face" if folder is None else "checkpoint", folder=folder, outputs=declared)


def find_checkpoint(folder: Path) -> Path | None:
    """Find the checkpoint in a folder: the folder itself, or the folder of its only seed.

    Args:
        folder: Folder of a trained model or of a training run.

    Returns:
        The folder of the checkpoint; None where there is none, or several.
    """
    if not exists(folder):
        return None
    seeds = [] if is_finished(folder) else sorted(folder.glob("seed-*"))
    folder = seeds[0] if len(seeds) == 1 else folder
    return folder if is_finished(folder) else None


def _is_hugging_face(text: str) -> bool:
    return text.startswith("hf:") or exists(place(text) / "config.json")


def _read_architecture(text: str, outputs: Outputs | None) -> Architecture:
    """Read an architecture; the function of a factory is not looked up."""
    if is_factory(text):
        return Factory(text, outputs)
    if outputs is not None:
        raise SettingError(f"'{text}' returns logits", "leave out the outputs (on the command line --outputs)")
    if text.startswith("timm:"):
        return Published(text.removeprefix("timm:"))
    if text.endswith(".py"):
        raise SettingError(f"'{text}' is a file of many things", f"name the function that makes the model: {text}:make")
    if text.endswith(WEIGHTS) and exists(place(text)):
        raise SettingError(
            f"'{text}' holds weights without their architecture",
            f"name the architecture or its factory, and pass the file as its weights: perdure.load('own.py:make', "
            f"weights='{text}'), on the command line own.py:make --weights {text}",
        )
    if "/" in text or exists(place(text)):
        load_checkpoint(text)  # names what is missing in the folder
    return model_config(text)
