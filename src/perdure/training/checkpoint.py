"""Checkpoints: weights in safetensors and a description in YAML; nothing in them can run."""

from __future__ import annotations

import dataclasses
import platform
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
import yaml
from safetensors import SafetensorError
from torch import Tensor, nn

from perdure.core.abilities import Architecture
from perdure.core.digest import model_digest
from perdure.core.errors import CheckpointError, CheckpointWarning, SettingError, UnknownNameError, user_code_errors
from perdure.core.registry import MODELS
from perdure.core.resources import limited_memory
from perdure.core.spec import name_of
from perdure.data._splits import Splits
from perdure.models._adapted import unwrap
from perdure.models._event_types import resolve_event_types
from perdure.models.factory import Factory
from perdure.records.documents import check_intact, from_yaml, to_yaml
from perdure.records.files import write_bytes
from perdure.records.folders import MODEL, wrong_folder_error
from perdure.records.place import exists, place
from perdure.records.seal import BLANK, file_digest, seal

__all__ = ["Info", "is_finished", "is_whole", "load_checkpoint", "load_into", "load_weights", "save_checkpoint"]

WRAPPERS = ("_orig_mod", "module")
"""Parts that torch.compile and parallel training add to the names of weights."""

STATES = ("state_dict", "model_state_dict", "model")
"""Where training loops, such as that of Lightning, keep the weights next to other things."""

_WEIGHTS = "model.safetensors"
_INFO = MODEL
_VOCABULARY = "vocabulary.txt"


@dataclass(frozen=True)
class Info:
    """The description of a model in its checkpoint.

    Args:
        config: Architecture.
        features: Number of features that the model reads, as in `Splits.features`.
        classes: Names of the classes, in the order of the outputs.
        extra: Values stored with it, such as accuracy and seed.
        digest: Digest of the weights.
        versions: Versions of perdure, torch and Python that wrote it.
        vocabulary: Words of a model of texts, in the order of their ids; else empty.
    """

    config: Architecture
    features: int
    classes: tuple[str, ...]
    extra: Mapping[str, Any]
    digest: str
    versions: Mapping[str, str]
    vocabulary: tuple[str, ...] = ()


def save_checkpoint(
    folder: Path, model: nn.Module, config: Architecture, splits: Splits, extra: Mapping[str, Any]
) -> None:
    """Store a trained model; the description is written last, so a checkpoint that has one is complete.

    Args:
        folder: Folder of the files; an older checkpoint there is replaced.
        model: Model built from `config`.
        config: Architecture of the model; stored as the data complete it.
        splits: Data it was trained on, of which the names of classes and the vocabulary are stored.
        extra: Plain values to store with it, such as accuracy and seed.

    Raises:
        RunFolderError: When the system cannot write.
    """
    config = resolve_event_types(config, splits)
    weights = {name: value.detach().cpu().contiguous() for name, value in unwrap(model).state_dict().items()}
    words = "".join(f"{word}\n" for word in splits.vocabulary).encode()
    description = {
        "model": {"name": name_of(config), **dataclasses.asdict(config)},
        "features": splits.features,
        "classes": list(splits.classes),
        "vocabulary": len(splits.vocabulary),
        "vocabulary_digest": file_digest(words),
        "extra": dict(extra),
        "digest": model_digest(model),
        "versions": _versions(),
    }
    write_bytes(folder / _WEIGHTS, seal(safetensors.torch.save(weights, {"digest_of_file": BLANK})))
    if splits.vocabulary:
        write_bytes(folder / _VOCABULARY, words)
    write_bytes(folder / _INFO, to_yaml(description))


def is_finished(folder: Path) -> bool:
    """Return whether a folder holds a complete checkpoint.

    Args:
        folder: Folder of the checkpoint.

    Returns:
        True when its description exists.
    """
    return exists(folder / _INFO)


def is_whole(folder: Path) -> bool:
    """Return whether a folder holds a checkpoint as it was written; warn where it was changed since.

    Args:
        folder: Folder of the checkpoint.

    Returns:
        False without a description, or where a file is damaged or missing.
    """
    if not is_finished(folder):
        return False
    try:
        _info(folder / _INFO)
        check_intact((folder / _WEIGHTS).read_bytes())
    except (CheckpointError, OSError, ValueError) as error:
        warnings.warn(f"{folder} is damaged and counts as not trained: {error}", CheckpointWarning, stacklevel=2)
        return False
    return True


def load_checkpoint(folder: Path | str, config: Architecture | None = None) -> tuple[nn.Module, Info]:
    """Load a model that was stored by `save_checkpoint`.

    A checkpoint is not trusted, so the factory that it names is never imported or run: your own model is built by
    the factory that you pass.

    Args:
        folder: Folder of the files.
        config: Factory of your own model; other checkpoints need none.

    Returns:
        The model in evaluation mode on the CPU, and its description.

    Raises:
        CheckpointError: When a file is missing, changed or does not fit the other, or when the model needs a factory
            and none is passed.
    """
    folder = place(folder)
    info = _info(folder / _INFO)
    if isinstance(info.config, Factory):
        info = dataclasses.replace(info, config=_require_factory(config, info.config, folder))
    subject, remedy = f"{folder / _INFO} describes a model that", "restore the file, or train the model again"
    with user_code_errors(CheckpointError, subject, remedy), limited_memory():
        model = info.config.build(info.features, len(info.classes), torch.Generator())
    load_into(model, folder / _WEIGHTS)
    if model_digest(model) != info.digest:
        raise CheckpointError(
            f"the weights in {folder / _WEIGHTS} are not those that {_INFO} describes",
            "restore both files from one training run, or train again",
        )
    return model.eval(), info


def load_weights(path: Path | str) -> dict[str, Tensor]:
    """Read weights without running any code in their file.

    Args:
        path: Safetensors file, or state dict written by `torch.save`.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        CheckpointError: When the file is missing, damaged, or holds anything but tensors by name.
    """
    path = place(path)
    try:
        if path.suffix == ".safetensors":
            data = path.read_bytes()
            check_intact(data)
            return safetensors.torch.load(data)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except UnpicklingError as error:
        raise CheckpointError(
            f"{path} is a pickle with more than tensors in it, or damaged; loading it could run untrusted code",
            f"{_AGAIN}, where you trust the file",
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged or of an unknown format: {error}", _AGAIN) from error
    if isinstance(weights, Mapping):
        weights = next((weights[key] for key in STATES if isinstance(weights.get(key), Mapping)), weights)
    if not (isinstance(weights, Mapping) and all(isinstance(value, Tensor) for value in weights.values())):
        raise CheckpointError(f"{path} does not hold tensors by name", _AGAIN)
    return dict(weights)


def load_into(model: nn.Module, path: Path | str) -> None:
    """Load the weights of a file into a model, which is changed only when all of them fit.

    Args:
        model: Model that receives the weights.
        path: File, as in `load_weights`.

    Raises:
        CheckpointError: When the file cannot be read, or a tensor is missing, left over or of another shape.
    """
    model = unwrap(model)
    expected = model.state_dict()
    weights = _without_wrapper(load_weights(path), expected, path)
    misfits = [f"'{name}' is missing" for name in expected.keys() - weights.keys()]
    misfits += [f"'{name}' is not in the model" for name in weights.keys() - expected.keys()]
    misfits += [
        f"'{name}' has shape {tuple(weights[name].shape)} in the file and {tuple(expected[name].shape)} in the model"
        for name in expected.keys() & weights.keys()
        if weights[name].shape != expected[name].shape
    ]
    if misfits:
        shown = "; ".join(sorted(misfits)[:6]) + (f"; and {len(misfits) - 6} more" if len(misfits) > 6 else "")
        raise CheckpointError(
            f"the tensors in {path} do not fit the model: {shown}",
            _misfit_remedy(weights, expected),
        )
    model.load_state_dict(weights)


def _without_wrapper(weights: dict[str, Tensor], expected: Mapping[str, Tensor], path: Path | str) -> dict[str, Tensor]:
    """Remove the names of modules that a model was wrapped in, where its tensors then have the expected names."""
    names = list(weights)
    if weights.keys() == expected.keys():
        return weights
    renamed = next((short for short in _unwrap_names(names) if set(short) == set(expected)), None)
    if renamed is None:
        return weights
    warnings.warn(
        f"the tensors in {path} are those of a wrapped model: '{names[0]}' is loaded as '{renamed[0]}', and so on",
        CheckpointWarning,
        stacklevel=3,
    )
    return dict(zip(renamed, weights.values(), strict=True))


def _unwrap_names(names: list[str]) -> Iterator[list[str]]:
    """Yield names without the parts of wrappers, and then without one common first part after another."""
    for wrappers in ((), WRAPPERS[:1], WRAPPERS):
        short = [".".join(part for part in name.split(".") if part not in wrappers) for name in names]
        if len(set(short)) < len(names):
            return
        yield short
        while short and all("." in name for name in short) and len({name.split(".")[0] for name in short}) == 1:
            short = [name.split(".", 1)[1] for name in short]
            yield short


def _misfit_remedy(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    first = {name.split(".")[0] for name in weights}
    if len(first) == 1 and not first & {name.split(".")[0] for name in expected}:
        return (
            f"all names begin with '{first.pop()}.', as those of a wrapped model, and without it they do not fit "
            "either: build the model with the settings it was trained with, or store the state_dict of the model inside"
        )
    return "build the model with the settings it was trained with"


def _require_factory(given: Architecture | None, named: Factory, folder: Path) -> Factory:
    """Return the factory of the caller, never that of the file."""
    if isinstance(given, Factory):
        return given if given.outputs else dataclasses.replace(given, outputs=named.outputs)
    raise CheckpointError(
        f"{folder} holds the weights of a factory, '{named.source}', and a checkpoint alone never runs code",
        f"where you trust that code, name it: {named.source} with --weights {folder} to audit or explain, "
        f"--model {named.source} in other commands, perdure.load({named.source!r}, weights={str(folder)!r}) in Python",
    )


_AGAIN = "store the weights again, with safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"


def _info(path: Path) -> Info:
    if not exists(path):
        raise wrong_folder_error(CheckpointError, path.parent, "holds no trained model", _INFO)
    try:
        stored = from_yaml(path.read_bytes())
        fields = dict(stored["model"])
        config: Architecture = MODELS.make(str(fields.pop("name")), fields)
        classes, features = tuple(map(str, stored["classes"])), int(stored["features"])
        words = _words(path.parent / _VOCABULARY, int(stored.get("vocabulary", 0)), stored.get("vocabulary_digest"))
        return Info(config, features, classes, dict(stored["extra"]), stored["digest"], dict(stored["versions"]), words)
    except OSError as error:
        raise CheckpointError(
            f"{error.filename} cannot be read: {error.strerror}", "restore the file, or train the model again"
        ) from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, SettingError, UnknownNameError) as error:
        raise CheckpointError(
            f"{path} does not describe a model: {error}", "restore the file, or train the model again"
        ) from error


def _words(path: Path, count: int, digest: str | None) -> tuple[str, ...]:
    """Read the vocabulary; checkpoints of version 0.1 have no digest of it."""
    data = path.read_bytes() if count else b""
    words = tuple(data.decode().split("\n")[:-1])
    if len(words) != count:
        raise CheckpointError(
            f"{path} holds {len(words)} words where {count} were stored", "restore it, or train the model again"
        )
    if digest not in (None, file_digest(data)):
        raise CheckpointError(f"{path} was changed since it was written", "restore it, or train the model again")
    return words


def _versions() -> dict[str, str]:
    return {
        "perdure": metadata.version("perdure"),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
