"""Where results go: a folder of this machine, or the URL of a store that many machines reach."""

from __future__ import annotations

from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from perdure.core.errors import DependencyError, RunFolderError

__all__ = ["is_local", "place", "readable"]


def place(name: Path | str) -> Path:
    """Find the path of a folder or file, of this machine or of a store.

    Args:
        name: a path, or a URL that fsspec knows, such as s3://bucket/run.

    Returns:
        The path; that of a store behaves like one of this machine.

    Raises:
        DependencyError: when the package that speaks to this store is missing.
        RunFolderError: when there is no such kind of store.

    Example:
        >>> place("runs/a") / "maps", is_local(place("memory://a"))
        (PosixPath('runs/a/maps'), False)
    """
    if not isinstance(name, str) or "://" not in name:
        return Path(name) if isinstance(name, str) else name
    if name.startswith("file://"):
        return Path(url2pathname(urlsplit(name).path))
    try:
        from upath import UPath

        found = UPath(name)
        found.fs  # noqa: B018
    except ImportError as error:
        raise DependencyError(
            f"{name} cannot be reached: {error}", "pip install 'perdure[remote]', and s3fs for s3:// or gcsfs for gs://"
        ) from error
    except ValueError as error:
        raise RunFolderError(f"{name} is no place that is known: {error}", "give a path, or a URL as s3://…") from error
    return cast("Path", found)


def is_local(path: Path) -> bool:
    """Tell whether a path is one of this machine.

    Args:
        path: from `place`.

    Returns:
        False for stores.
    """
    return isinstance(path, Path)


def readable(path: Path) -> Path | IO[bytes]:
    """Prepare a file for libraries that know the paths of this machine only.

    Args:
        path: from `place`.

    Returns:
        The path, or the file of a store, open for reading.
    """
    return path if is_local(path) else path.open("rb")
