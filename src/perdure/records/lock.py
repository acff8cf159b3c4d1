"""One writer for a run folder: a lock of the system, or a lease that is renewed in a store."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from perdure.core.errors import RunFolderError
from perdure.core.plain_json import load_json
from perdure.records.files import LOCK, write_bytes
from perdure.records.place import is_local, read_errors

__all__ = ["one_writer"]

BEAT = 10.0
"""Seconds after which a lease is renewed."""

SETTLE = 0.5
"""Seconds after which the last of several processes that took a lease at once has written it."""

_HELD: set[str] = set()
"""The leases of this process."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a run folder; a killed process loses its lock.

    Readers need no lock, as every file appears at once.

    Args:
        folder: Path from `place`; it is made if it does not exist.

    Yields:
        Nothing.

    Raises:
        RunFolderError: When another process writes there, with its number, its machine and the time of its start.
    """
    path = folder / LOCK
    if not is_local(folder):
        with _lease(path):
            yield
        return
    try:
        file = _lock(path)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            cause = f"cannot write {path}: {error.strerror or error}"
            raise RunFolderError(cause, "get permission, or give another folder") from error
        file = None
    if file is None:  # a file system without locks
        with _lease(path):
            yield
        return
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _lock(path: Path) -> int:
    """Lock a file; the system unlocks it when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise _in_use(path, _read(path)) from None
        except OSError:
            os.close(file)
            raise
        with suppress(FileNotFoundError):  # the previous writer has just removed it
            if os.path.samestat(os.fstat(file), path.stat()):
                break
        os.close(file)
    os.ftruncate(file, 0)
    os.write(file, json.dumps(_describe()).encode())
    return file


@contextmanager
def _lease(path: Path) -> Iterator[None]:
    """Take a lease, and renew it until the end; a lease that is not renewed has no holder any more."""
    other = _read(path)
    if other and _is_held(path, other):
        raise _in_use(path, other)
    mine = _describe()
    _renew(path, mine)
    time.sleep(SETTLE)
    winner = _read(path)
    if winner.get("token") != mine["token"]:
        raise _in_use(path, winner)
    _HELD.add(mine["token"])
    ended = Event()
    beat = Thread(target=_keep_renewing, args=(path, mine, ended), daemon=True)
    beat.start()
    try:
        yield
    finally:
        _HELD.discard(mine["token"])
        ended.set()
        beat.join()
        if _read(path).get("token") == mine["token"]:
            with read_errors(path):
                path.unlink()


def _keep_renewing(path: Path, mine: Mapping[str, Any], ended: Event) -> None:
    while not ended.wait(BEAT):
        try:
            if _read(path).get("token") == mine["token"]:
                _renew(path, mine)
        except RunFolderError:  # the store is away for a moment; the next write of a result names a longer absence
            continue


def _renew(path: Path, mine: Mapping[str, Any]) -> None:
    write_bytes(path, json.dumps({**mine, "renewed": time.time()}).encode())


def _is_held(path: Path, other: Mapping[str, Any]) -> bool:
    """Return whether the holder of a lease is alive; an old lease is watched, as clocks differ."""
    if other.get("host") == socket.gethostname() and not _is_alive(other):
        return False
    if time.time() - float(other.get("renewed", 0.0)) < 3 * BEAT:
        return True
    time.sleep(1.5 * BEAT)
    return _read(path).get("renewed") not in (other.get("renewed"), None)


def _is_alive(holder: Mapping[str, Any]) -> bool:
    """Return whether the process of a holder on this machine exists."""
    if holder.get("pid") == os.getpid():  # else of a former process with the number of this one
        return holder.get("token") in _HELD
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return False
    except (LookupError, ValueError, TypeError, OverflowError):
        return False
    except OSError:
        pass
    return True


def _describe() -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now, "token": uuid.uuid4().hex}


def _read(path: Path) -> Mapping[str, Any]:
    """Read the holder of a lock; empty where there is none, or while the file is written."""
    with read_errors(path):
        try:
            record = load_json(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
    return record if isinstance(record, dict) else {}


def _in_use(path: Path, holder: Mapping[str, Any]) -> RunFolderError:
    who = f"process {holder['pid']} on {holder['host']}, since {holder['since']}" if "since" in holder else "a process"
    return RunFolderError(
        f"{path.parent} is in use: {who}, writes there",
        f"wait for its end, or end it; 'perdure status {path.parent}' shows its progress",
    )
