"""What the package transformers loads from a folder or from the hub; no code that comes with it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from perdure.core.errors import CheckpointError, DependencyError
from perdure.data.hub import hub_model
from perdure.models._pretrained import ensure_torchvision

__all__ = ["Loaded", "classifies", "folder_of", "loaded"]

WEIGHTS = ("*.safetensors", "*.bin")
GIVEN = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model with its tokenizer.

    Args:
        model: With a head that classifies, in evaluation mode.
        tokenizer: That belongs to it.
        missing: Weights that were not there, and are drawn from the global random state of torch.
    """

    model: Any
    tokenizer: Any
    missing: tuple[str, ...]


def folder_of(source: str) -> Path:
    """Find the files of a model.

    Args:
        source: A folder, or an id on the hub, which is looked for in the cache first.

    Returns:
        The folder.

    Raises:
        DependencyError: Without transformers or the package for the hub.
        DataError: When an id is not in the cache and the hub cannot be reached.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    _transformers()  # before anything is downloaded
    return hub_model(source, f"give the folder of a copy: hf:path/to/{Path(source).name}")


def classifies(folder: Path) -> bool:
    """Tell whether a folder holds a text classifier, by what it says of itself, and not what one may begin from.

    Args:
        folder: Of the files.

    Returns:
        True when it has weights, and names a head for sequence classification or none at all.
    """
    try:
        named = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or []
    except (OSError, ValueError, AttributeError):
        return True  # what is wrong is told by whoever loads it
    heads = not named or any(str(name).endswith("ForSequenceClassification") for name in named)
    return heads and _has_weights(folder)


def loaded(folder: Path, classes: int | None = None) -> Loaded:
    """Load a model that classifies texts.

    Args:
        folder: Of its files; without weights all are drawn.
        classes: Outputs of its head; None for those that its configuration names.

    Returns:
        The model and its tokenizer.

    Raises:
        DependencyError: Without the package transformers.
        CheckpointError: When the folder cannot be used.
    """
    transformers = _transformers()
    given = GIVEN if classes is None else {**GIVEN, "num_labels": classes}
    heads = transformers.AutoModelForSequenceClassification
    try:
        with _no_bar(transformers.utils.logging):
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **GIVEN)
            _check_words(tokenizer, folder)
            if classes is not None and not _has_weights(folder):
                model = heads.from_config(transformers.AutoConfig.from_pretrained(folder, **given))
                return Loaded(model.eval(), tokenizer, tuple(model.state_dict()))
            model, report = heads.from_pretrained(folder, output_loading_info=True, **given)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"'{folder}' holds no text classifier that can be used: {' '.join(str(error).split())[:300]}",
            "give the folder that save_pretrained of model and tokenizer wrote",
        ) from error
    return Loaded(model.eval(), tokenizer, tuple(sorted(report["missing_keys"])))


def _check_words(tokenizer: Any, folder: Path) -> None:
    """Refuse a tokenizer that transformers makes up of marks alone where a folder holds none."""
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise CheckpointError(f"'{folder}' holds no tokenizer", "store it there too: tokenizer.save_pretrained(folder)")


def _has_weights(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in WEIGHTS)


@contextmanager
def _no_bar(settings: Any) -> Iterator[None]:
    """Let transformers load without a progress bar of its own."""
    shown = settings.is_progress_bar_enabled()
    settings.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            settings.enable_progress_bar()


def _transformers() -> Any:
    if find_spec("torchvision") is not None:
        ensure_torchvision()  # transformers cannot be imported beside one that does not fit torch
    try:
        return import_module("transformers")
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        raise DependencyError(
            "text classifiers of Hugging Face need the package 'transformers'", "pip install 'perdure[text]'"
        ) from None
