"""The Hugging Face hub: texts by the id of their dataset, and folders of other datasets and of models."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from perdure.core.check import check_counts
from perdure.core.errors import DataError, SettingError
from perdure.core.optional import require
from perdure.core.random import stream
from perdure.data._parts import check_classes
from perdure.data._read.hub_texts import assemble_parts, read_published_texts
from perdure.data._read.texts import Reading, draw, encode_texts
from perdure.data._splits import Splits

__all__ = ["Hub", "hub_folder", "hub_model", "is_online"]

FILES = ["*.parquet", "*.csv", "*.json", "*.jsonl", "*.md"]
REMEDY = "give path= a local folder with its files, or use 'planted_text', which needs no download"


@dataclass(frozen=True)
class Hub:
    """Texts with a label each, by the id of their dataset on the Hugging Face hub.

    The published parts are kept. Where there is no validation part, a fifth of the training texts is held out; where
    the labels of the test part are missing or hidden, the validation part is the test; and where only training texts
    are left, the seed draws 60, 20 and 20 %. The vocabulary is that of the training texts.

    Args:
        id: Id of the dataset, such as "stanfordnlp/imdb".
        path: Local folder with its files, instead of the hub.
        config: Name of the configuration, where the dataset has several.
        text: Column of the texts.
        label: Column of the class, as whole numbers or names.
        vocabulary: Maximum number of words with an id.
        max_length: Tokens of a text.
        cut: Whether to truncate longer ones; else a longer text is an error.
        texts: Maximum number from each part, drawn by the seed.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        lhoest2021datasets
    """

    id: str = ""
    path: str = ""
    config: str = ""
    text: str = "text"
    label: str = "label"
    vocabulary: int = 25000
    max_length: int = 400
    cut: bool = True
    texts: int = 25000

    def __post_init__(self) -> None:
        check_counts(texts=self.texts)
        self._reading()

        if not self.id and not self.path:
            raise SettingError("a dataset of the hub needs an id", "give id=stanfordnlp/imdb, or path= a local folder")

    def load(self, seed: int) -> Splits:
        """Read the files and learn the vocabulary.

        Args:
            seed: Seed of the validation texts and of all other draws.

        Returns:
            The splits; a text is named by its published part and its place in it, "train-000000".

        Raises:
            DataError: When the files are not available or cannot be used; subclasses name the case.
            DependencyError: When a package for the hub or the words is missing.
        """
        folder = Path(self.path).expanduser() if self.path else hub_folder(self.id, FILES, REMEDY)
        parts, classes = read_published_texts(folder, self.config, self.text, self.label)
        parts = {name: draw(group, self.texts, stream(seed, "texts", name)) for name, group in parts.items()}
        splits = encode_texts(assemble_parts(parts, classes, seed), classes, self._reading())
        check_classes(splits)
        return splits

    def _reading(self) -> Reading:
        return Reading(self.vocabulary, self.max_length, self.cut)


def hub_folder(dataset: str, files: str | list[str], remedy: str) -> Path:
    """Return the folder of a dataset's files: downloaded where there is a network, else from the cache.

    Args:
        dataset: Id of the dataset.
        files: Patterns of the file names.
        remedy: Remedy without the hub.

    Returns:
        A folder in the cache of the hub.

    Raises:
        DependencyError: When the package for the hub is missing.
        DataError: When the files are not in the cache and the hub cannot be reached.
    """
    download = _downloader(dataset, "datasets")
    try:
        result = download(dataset, repo_type="dataset", allow_patterns=files, local_files_only=not is_online())
        return Path(result)
    except OSError as error:
        raise DataError(
            f"'{dataset}' is not in the cache and the Hugging Face hub cannot be reached", remedy
        ) from error


def hub_model(name: str, remedy: str) -> Path:
    """Return the folder of a model's files: from the cache, else downloaded; without a network at once an error.

    Args:
        name: Id of the dataset.
        remedy: Remedy without the hub.

    Returns:
        A folder in the cache of the hub.

    Raises:
        DependencyError: When the package for the hub is missing.
        DataError: When the files are not in the cache and the hub cannot be reached, or has no such model.
    """
    download = _downloader(name, "text")
    try:
        return Path(download(name, local_files_only=True))
    except (OSError, ValueError) as error:
        if not is_online():
            raise DataError(
                f"there is no folder '{name}', no model of that id in the cache, and the Hugging Face hub cannot be "
                "reached",
                remedy,
            ) from error
    try:
        return Path(download(name, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"]))
    except (OSError, ValueError) as error:
        raise DataError(f"the model '{name}' are not available from the Hugging Face hub: {error}", remedy) from error


def is_online(seconds: float = 2.0) -> bool:
    """Return whether the hub can be reached, to avoid waiting for repeated attempts.

    Args:
        seconds: Maximum waiting time, in seconds.

    Returns:
        False also if the environment sets `HF_HUB_OFFLINE=1`.
    """
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in {"1", "true", "yes", "on"}:
        return False
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    place = urlsplit(getproxies().get(urlsplit(endpoint).scheme, endpoint))
    try:
        socket.create_connection((place.hostname or "", place.port or 443), timeout=seconds).close()
    except OSError:
        return False
    return True


def _downloader(name: str, extra: str) -> Callable[..., str]:
    """Import the function that downloads the files of a dataset or model, from an extra."""
    download: Callable[..., str] = require("huggingface_hub", extra, f"'{name}'").snapshot_download
    return download
