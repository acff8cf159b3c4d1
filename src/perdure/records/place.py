"""Paths of results: on this machine, or in a store that many machines use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from perdure.core.errors import DependencyError, RunFolderError, user_code_errors

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["exists", "is_local", "is_path", "place", "read_errors", "readable"]


def place(name: Path | str) -> Path:
    """Find the path of a folder or file, of this machine or of a store.

    Args:
        name: Path, or URL of a store that fsspec supports, such as s3://bucket/run.

    Returns:
        The path; that of a store behaves like one of this machine.

    Raises:
        DependencyError: When the package for this store is missing.
        RunFolderError: When there is no such kind of store, it cannot be reached, or the URL names no folder of it.

    Example:
        >>> place("runs/a") / "maps", is_local(place("memory://a"))
        (PosixPath('runs/a/maps'), False)
    """
    if "\0" in str(name):
        raise RunFolderError(f"{str(name)!r} cannot be the name of a folder", "leave out its null characters")
    if not isinstance(name, str) or "://" not in name:
        return Path(name) if isinstance(name, str) else name
    scheme, _, rest = name.partition("://")
    if not scheme or not rest.strip("/"):
        remedy = f"give a path, or a URL such as {scheme or 's3'}://bucket/run"
        raise RunFolderError(f"{name} names no folder of a store", remedy)
    if scheme == "file":
        return Path(url2pathname(urlsplit(name).path))
    try:
        from upath import UPath

        path = UPath(name)
        path.fs  # noqa: B018
    except ImportError as error:
        raise DependencyError(
            f"{name} cannot be reached: {error}",
            "pip install 'perdure[remote]', 'perdure[s3]' for s3://, or gcsfs for gs://",
        ) from error
    except ValueError as error:
        remedy = "give a path, or a URL such as s3://bucket/run"
        raise RunFolderError(f"{name} is no URL of a known store: {error}", remedy) from error
    except OSError as error:
        raise RunFolderError(f"{name} cannot be reached: {error}", "check the address and the network") from error
    return cast("Path", path)


def is_path(value: object) -> TypeIs[Path | str]:
    """Return whether a value is the name or path of a folder or file, of this machine or of a store.

    Args:
        value: Any value.

    Returns:
        Whether `place` takes it.

    Example:
        >>> is_path("s3://bucket/run"), is_path(place("memory://a")), is_path(3)
        (True, True, False)
    """
    return isinstance(value, str | Path) or (hasattr(value, "fs") and hasattr(value, "joinpath"))


def is_local(path: Path) -> bool:
    """Return whether a path is on this machine.

    Args:
        path: Path from `place`.

    Returns:
        False for stores.
    """
    return isinstance(path, Path)


def exists(path: Path) -> bool:
    """Return whether there is a file or folder, for any text that the path was made from.

    Args:
        path: Path from `place`.

    Returns:
        False also where the text is too long for a path, or cannot be one.

    Example:
        >>> exists(Path("a" * 300)), exists(Path("."))
        (False, True)
    """
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Raise a named error where a folder or store cannot be read.

    Args:
        path: Path from `place`; named in the message.

    Yields:
        Nothing.

    Raises:
        RunFolderError: When the system or the store cannot read it.
    """
    if not is_local(path):
        with user_code_errors(
            RunFolderError, f"{path}: the store", "check the address, the credentials and the network"
        ):
            yield
        return
    try:
        yield
    except OSError as error:
        name = f"'{error.filename}'" if error.filename else str(path)
        cause = f"{name} cannot be read: {error.strerror or error}"
        raise RunFolderError(cause, "check the path and the permission to read it") from error


def readable(path: Path) -> Path | IO[bytes]:
    """Prepare a file for libraries that support only paths on this machine.

    Args:
        path: Path from `place`.

    Returns:
        The path, or the file of a store, open for reading.
    """
    return path if is_local(path) else path.open("rb")
