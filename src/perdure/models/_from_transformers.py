"""Load models by the package transformers, from a folder or from the hub, without running code of the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from perdure.core.errors import CheckpointError, DependencyError
from perdure.core.plain_json import load_json
from perdure.data.hub import hub_model
from perdure.models._pretrained import ensure_torchvision

__all__ = ["Loaded", "find_folder", "is_classifier", "load_transformers"]

WEIGHTS = ("*.safetensors", "*.bin")
GIVEN = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model with its tokenizer.

    Args:
        model: Model with a head for classification, in evaluation mode.
        tokenizer: Tokenizer of the model.
        missing: Names of weights that are missing and drawn from the global random state of torch.
    """

    model: Any
    tokenizer: Any
    missing: tuple[str, ...]


def find_folder(source: str) -> Path:
    """Find the files of a model.

    Args:
        source: Folder, or id on the hub, which is searched in the cache first.

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


def is_classifier(folder: Path) -> bool:
    """Return whether a folder holds a text classifier by its configuration, and not only a base for training one.

    Args:
        folder: Folder of the files.

    Returns:
        True when it has weights, and names a head for sequence classification or none at all.
    """
    try:
        named = load_json((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or []
    except (OSError, ValueError, AttributeError):
        return True  # loading reports the error
    heads = not named or any(str(name).endswith("ForSequenceClassification") for name in named)
    return heads and _has_weights(folder)


def load_transformers(folder: Path, classes: int | None = None) -> Loaded:
    """Load a model that classifies texts.

    Args:
        folder: Folder of its files; without weights all are drawn.
        classes: Number of outputs of its head; None for that of its configuration.

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
    """Reject the tokenizer of special tokens alone that transformers makes where a folder holds none."""
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise CheckpointError(f"'{folder}' holds no tokenizer", "store it there too: tokenizer.save_pretrained(folder)")


def _has_weights(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in WEIGHTS)


@contextmanager
def _no_bar(settings: Any) -> Iterator[None]:
    """Load without the progress bar of transformers."""
    shown = settings.is_progress_bar_enabled()
    settings.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            settings.enable_progress_bar()


def _transformers() -> Any:
    if find_spec("torchvision") is not None:
        ensure_torchvision()  # transformers cannot be imported next to one that does not fit torch
    try:
        return import_module("transformers")
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        raise DependencyError(
            "text classifiers of Hugging Face need the package 'transformers'", "pip install 'perdure[text]'"
        ) from None
