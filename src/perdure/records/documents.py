"""The content of records, with their digests: YAML, JSON and arrays."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from perdure.core.plain_json import load_json
from perdure.core.plain_yaml import dump_yaml, load_yaml
from perdure.core.stored_array import check_fits, read_stored_array
from perdure.records.seal import BLANK, is_intact, seal

__all__ = ["check_intact", "from_json", "from_npz", "from_yaml", "to_json", "to_npz", "to_yaml"]

_DIGEST = "digest_of_file"


def check_intact(data: bytes) -> bool:
    """Check a file against the digest in it.

    Args:
        data: Content.

    Returns:
        False for a file without a digest, as version 0.1 wrote.

    Raises:
        ValueError: When it was changed since it was written.
    """
    intact = is_intact(data)
    if intact is False:
        raise ValueError("its digest is not that of its content")
    return intact is not None


def to_yaml(value: Any) -> bytes:
    """Write plain values as YAML, the digest in a comment at the top.

    Args:
        value: Plain values, in the order in which they are to appear.

    Returns:
        The content of the file.

    Example:
        >>> from_yaml(to_yaml({"seed": 0})), from_yaml(b"seed: 1")
        ({'seed': 0}, {'seed': 1})
    """
    return seal(f"# {BLANK}\n{dump_yaml(value)}".encode())


def from_yaml(data: bytes) -> Any:
    """Read what `to_yaml` wrote, or YAML without a digest.

    Args:
        data: Content of an untrusted file.

    Returns:
        Plain values.

    Raises:
        ValueError: When the content was changed, or is no text.
        YAMLError: When it is no plain YAML.
    """
    check_intact(data)
    return load_yaml(data.decode())


def to_json(record: Mapping[str, Any]) -> bytes:
    """Write a plain record as JSON, the digest as its first value.

    Args:
        record: Plain values by name.

    Returns:
        The content of the file.

    Example:
        >>> from_json(to_json({"seed": 0})), from_json(b'{"seed": 1}')
        ({'seed': 0}, {'seed': 1})
    """
    return seal(json.dumps({_DIGEST: BLANK, **record}, indent=2).encode())


def from_json(data: bytes) -> dict[str, Any]:
    """Read what `to_json` wrote, or JSON without a digest.

    Args:
        data: Content of an untrusted file.

    Returns:
        Plain values by name.

    Raises:
        ValueError: When the content was changed, or is no JSON.
        TypeError: When it is no record.
    """
    check_intact(data)
    record = load_json(data)
    if not isinstance(record, dict):
        raise TypeError("it holds no values by name")
    record.pop(_DIGEST, None)
    return record


def to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Pack arrays, the digest in the comment of the archive.

    Args:
        arrays: Arrays by name.

    Returns:
        The content of an .npz file.

    Example:
        >>> from_npz(to_npz({"a": np.ones(2)}))
        {'a': array([1., 1.])}
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = BLANK.encode()
    return seal(buffer.getvalue())


def from_npz(data: bytes) -> dict[str, np.ndarray]:
    """Unpack what `to_npz` packed, or an archive without a digest; nothing is unpickled.

    Args:
        data: Content of an untrusted file.

    Returns:
        Arrays by name.

    Raises:
        ValueError: When the content was changed, or an array declares more than there is.
        BadZipFile: When it is no archive.
        DataError: When an array does not fit the memory.
    """
    check_intact(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        check_fits("the archive", sum(info.file_size for info in archive.infolist()), len(data))
        return {info.filename.removesuffix(".npy"): _unpack(archive, info, len(data)) for info in archive.infolist()}


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> np.ndarray:
    with archive.open(info) as file:
        return read_stored_array(file, f"'{info.filename}'", info.file_size, min(info.compress_size, most))
