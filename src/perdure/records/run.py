"""The run folder: its settings, its software and its machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from perdure.core.errors import RunFolderError
from perdure.records.documents import from_yaml, to_yaml
from perdure.records.files import clear_unfinished, is_unfinished, write_bytes
from perdure.records.folders import RUN, wrong_folder_error
from perdure.records.lock import one_writer
from perdure.records.place import is_path, place, read_errors
from perdure.records.times import read_times, write_times

FORMER = {"closely": "faithfulness_samples"}
"""Settings of run folders of version 0.1 that have another name since."""

__all__ = ["RunFolder", "config_digest", "flatten_settings", "hold_run", "open_run", "read_run"]

_FILE = RUN


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds the results of one configuration.

    Args:
        path: Folder.
        config: All settings that the results depend on, as plain values.
        version: Version of perdure, when the run began.
        created: Time when the run began, ISO 8601 in UTC.
        environment: Python, torch, platform and threads of the machine it began on.
    """

    path: Path
    config: Mapping[str, Any]
    version: str
    created: str
    environment: Mapping[str, Any]


def config_digest(config: Mapping[str, Any]) -> str:
    """Hash a configuration, whatever the order of its settings.

    Args:
        config: Settings; dataclasses and paths may be among the values.

    Returns:
        Twelve hexadecimal digits.

    Example:
        >>> config_digest({"a": 1, "b": (2, 3)}) == config_digest({"b": [2, 3], "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(_plain(config), sort_keys=True).encode()).hexdigest()[:12]


def open_run(path: Path | str, config: Mapping[str, Any]) -> RunFolder:
    """Begin a run in a new or empty folder, or resume the run of the same configuration there.

    Args:
        path: Folder, or its URL, such as s3://bucket/run.
        config: All settings that the results depend on.

    Returns:
        The run; incomplete files of a killed process are removed.

    Raises:
        RunFolderError: When the folder holds another run or other files, or cannot be written.
    """
    path = place(path)
    with read_errors(path):
        begun = (path / _FILE).exists()
        if not begun:
            _check_free(path)
    if begun:
        run = read_run(path)
        _check_same(run, _plain(config))
        clear_unfinished(path)
        return run
    clear_unfinished(path)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run = RunFolder(path, _plain(config), metadata.version("perdure"), now, _environment())
    write_bytes(path / _FILE, _dump(run))
    write_times(path, created=now)
    return run


@contextmanager
def hold_run(path: Path | str, config: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Begin or resume a run as `open_run` does, and keep other processes from writing into its folder.

    Args:
        path: Folder, or its URL.
        config: All settings that the results depend on.

    Yields:
        The run.

    Raises:
        RunFolderError: When another process writes into the folder; also as `open_run`.
    """
    path = place(path)
    with read_errors(path):
        if not (path / _FILE).exists():
            _check_free(path)
    with one_writer(path):
        yield open_run(path, config)


def read_run(path: Path | str) -> RunFolder:
    """Read the description of a run folder.

    Args:
        path: Folder.

    Returns:
        The run.

    Raises:
        RunFolderError: When it is not a run folder, or its description was changed since it was written.
    """
    path = place(path)
    with read_errors(path):
        stored = (path / _FILE).read_bytes() if (path / _FILE).is_file() else None
    if stored is None:
        raise wrong_folder_error(RunFolderError, path, "is not a run folder", _FILE)
    try:
        return _read(path, from_yaml(stored))
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise RunFolderError(
            f"{path / _FILE} was not written by perdure, or was changed since: {error!r}",
            "restore the file, or start again in a new folder",
        ) from error


def _read(path: Path, stored: Any) -> RunFolder:
    config, environment = stored["config"], stored["environment"]
    if not (isinstance(config, dict) and isinstance(environment, dict)):
        raise TypeError("config and environment are not settings by name")
    if stored["digest"] != config_digest(config):
        raise ValueError("the digest is not that of the settings")
    created = str(stored.get("created") or read_times(path).get("created", "at an unknown time"))  # the first in 0.1
    config = {FORMER.get(name, name): value for name, value in config.items()}
    return RunFolder(path, config, str(stored["perdure"]), created, environment)


def flatten_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name nested settings by their path.

    Args:
        settings: Values or nested settings, by name.
        prefix: Prefix of all names.

    Returns:
        Values by path.

    Example:
        >>> flatten_settings({"seed": 0, "training": {"epochs": 3}})
        {'seed': 0, 'training.epochs': 3}
    """
    result: dict[str, Any] = {}
    for name, value in settings.items():
        result |= (
            flatten_settings(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
        )
    return result


def _dump(run: RunFolder) -> bytes:
    stored = {
        "perdure": run.version,
        "digest": config_digest(run.config),
        "config": run.config,
        "environment": run.environment,
    }
    return to_yaml(stored)


def _check_free(path: Path) -> None:
    remedy = "give a new or empty folder"
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"{path} is a file", remedy)
    foreign = sorted(file.name for file in path.iterdir() if not is_unfinished(file)) if path.exists() else []
    if foreign:
        names = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise RunFolderError(f"{path} holds files that are no run of perdure: {names}", remedy)


def _check_same(run: RunFolder, config: Mapping[str, Any]) -> None:
    stored = flatten_settings({"perdure": run.version, **run.config})
    given = flatten_settings({"perdure": metadata.version("perdure"), **config})
    names = sorted(name for name in stored.keys() | given.keys() if stored.get(name, ...) != given.get(name, ...))
    if names == ["data_digest"] and names[0] in stored:
        raise RunFolderError(
            f"{run.path} holds another run: the digest of the data '{stored.get('data')}' is {stored[names[0]]} there "
            f"and {given.get(names[0])} here",
            "restore the data, or give another folder",
        )
    if names:
        shown = "; ".join(f"{n} is {_show(stored, n)} there and {_show(given, n)} here" for n in names[:6])
        more = f"; and {len(names) - 6} more" if len(names) > 6 else ""
        raise RunFolderError(
            f"{run.path} holds another run: {shown}{more}", "give another folder, or the settings of that run"
        )


def _show(settings: Mapping[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "absent"


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Convert settings to plain values of YAML and JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(config, default=_as_plain))
    return plain


def _as_plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if is_path(value):
        return str(value)
    raise TypeError(f"a setting is {type(value).__name__}, which a run folder cannot hold")


def _environment() -> dict[str, Any]:
    import torch  # not needed to read a run

    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
    }
