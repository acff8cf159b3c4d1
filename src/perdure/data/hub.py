"""The Hugging Face hub, from which published datasets come when no local folder is given."""

from __future__ import annotations

from pathlib import Path

from perdure.core.errors import DataError, DependencyError

__all__ = ["hub_folder"]


def hub_folder(dataset: str, files: str | list[str], remedy: str) -> Path:
    """Give the folder of a dataset's files, downloaded when there is a network.

    Args:
        dataset: its id.
        files: patterns of those that are wanted.
        remedy: what to do without the hub.

    Returns:
        A folder in the cache of the hub.

    Raises:
        DependencyError: when the package for the hub is missing.
        DataError: when the files are not in the cache and the hub cannot be reached.
    """
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError:
        raise DependencyError(
            f"'{dataset}' needs the package 'huggingface_hub'", "pip install 'perdure[datasets]'"
        ) from None
    try:
        return Path(snapshot_download(dataset, repo_type="dataset", allow_patterns=files))
    except OSError as error:
        raise DataError(
            f"'{dataset}' is not in the cache and the Hugging Face hub cannot be reached", remedy
        ) from error
