"""An engine for many machines, by Ray."""

from __future__ import annotations

import os
import signal
import socket
import threading
import warnings
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from logging import ERROR
from pathlib import Path
from typing import Any, cast

import torch

from perdure.core.copy import without_graphs
from perdure.core.errors import EngineError, EngineWarning, MemoryLimitError, memory_limit_error
from perdure.core.exclusive import exclusive
from perdure.core.optional import require
from perdure.engine.pool import DEATHS, Work, do

__all__ = ["Ray"]

START = 120
"""Seconds to wait for an actor while no piece is in progress."""

SILENT = 10
"""Seconds to wait for the first bytes of a cluster."""

GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""The begin of a connection by HTTP/2, as Ray uses it, with empty settings."""

SETTINGS, HEADER = 4, 9
"""Kind and length of the frame that a server answers with."""


@dataclass(frozen=True)
class Ray:
    """Divide the pieces among Ray actors; the unfinished pieces of an actor that dies are done by another.

    Each actor receives the work once, and then numbers of pieces. The pieces store their results themselves, so on
    several machines all of them must have access to the run folder, such as s3://bucket/run. Actors that find no free
    core get no piece until they begin, and a warning at the end counts them.

    Args:
        workers: Number of actors, with one core each.
        address: Address of a running cluster, or "auto" for that of this machine; None starts Ray for this call.
    """

    workers: int = 2
    address: str | None = None

    def run(self, work: Work, pieces: Sequence[int]) -> Generator[int, None, None]:
        """Do every piece once.

        Args:
            work: Work that does a piece.
            pieces: Numbers of the pieces.

        Yields:
            The number of each piece when its result is stored.

        Raises:
            DependencyError: When Ray is not installed.
            EngineError: When there is no cluster at the address, no actor begins within two minutes, or actors die
                three times while they work on one piece.
        """
        with _connect(self.address, self.workers) as ray:
            with exclusive():
                shared = [ray.put(without_graphs(work))]
            yield from _Division(ray, shared, min(self.workers, len(pieces)), pieces).run()


class _Worker:
    """An actor that does pieces on some machine."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        if folder.exists():
            os.chdir(folder)
        self._work: Work | None = None

    def begin(self) -> None:
        """Return when the actor has begun."""

    def do(self, shared: list[Any], piece: int) -> int:
        """Do a piece.

        Args:
            shared: Reference to the work.
            piece: Number of the piece.

        Returns:
            The number of the piece.
        """
        if self._work is None:
            self._work = cast("Work", import_module("ray").get(shared[0]))
        return do(self._work, piece)


class _Division:
    """The pieces of a run and the actors among which they are divided.

    Ray repeats nothing: a piece of a dead actor goes to another, and deaths are counted by piece. After a death the
    free actors, which may have been on the same machine, respond again before they get a piece.

    Args:
        ray: Module of Ray.
        shared: Reference to the work.
        workers: Number of actors.
        pieces: Numbers of the pieces.
    """

    def __init__(self, ray: Any, shared: list[Any], workers: int, pieces: Sequence[int]) -> None:
        self._ray, self._shared, self._workers = ray, shared, workers
        self._actor = ray.remote(_Worker).options(num_cpus=1, max_restarts=0, max_task_retries=0)
        self._waiting, self._free = deque(pieces), deque[Any]()
        self._in_progress, self._starting = dict[Any, tuple[int, Any]](), dict[Any, Any]()
        self._deaths, self._failed_starts = Counter[int](), 0

    def run(self) -> Iterator[int]:
        """Do every piece once.

        Yields:
            The number of each piece when its result is stored.
        """
        try:
            for _ in range(self._workers):
                self._add_actor()
            while self._waiting or self._in_progress:
                while self._waiting and self._free:
                    piece, actor = self._waiting.popleft(), self._free.popleft()
                    self._in_progress[actor.do.remote(self._shared, piece)] = piece, actor
                for reference in self._wait():
                    if reference in self._starting:
                        self._finish_start(reference)
                    elif self._finish_piece(reference):
                        yield self._ray.get(reference)
            self._warn()
        finally:
            for actor in (*self._free, *self._starting.values(), *(actor for _, actor in self._in_progress.values())):
                self._ray.kill(actor)

    def _add_actor(self) -> None:
        self._check(self._actor.remote(Path.cwd()))

    def _check(self, actor: Any) -> None:
        """Let an actor respond before it gets a piece."""
        self._starting[actor.begin.remote()] = actor

    def _wait(self) -> list[Any]:
        references = [*self._in_progress, *self._starting]
        done: list[Any] = self._ray.wait(references, timeout=None if self._in_progress else START)[0]
        if not done:
            cores = self._ray.cluster_resources().get("CPU", 0)
            raise EngineError(
                f"no worker began within {START} seconds; the cluster has {cores:g} cores",
                "add machines to the cluster, or wait until other jobs leave a core; finished parts are kept",
            )
        return done

    def _finish_start(self, reference: Any) -> None:
        actor = self._starting.pop(reference)
        error = self._error_of(reference)
        if error is None:
            self._free.append(actor)
            return
        self._failed_starts += 1
        if self._failed_starts < DEATHS * self._workers:
            self._add_actor()
        elif not (self._free or self._starting or self._in_progress):
            raise EngineError(
                f"workers died {self._failed_starts} times before they began: {_first_line(error)}",
                "read the logs of Ray: perdure and its packages must be installed on all machines; finished parts are "
                "kept",
            ) from error

    def _finish_piece(self, reference: Any) -> bool:
        """Return whether a piece is done; one whose actor died is given to another."""
        piece, actor = self._in_progress.pop(reference)
        error = self._error_of(reference)
        if error is None:
            self._free.append(actor)
            return True
        self._deaths[piece] += 1
        self._ray.kill(actor)
        if self._deaths[piece] >= DEATHS:
            raise EngineError(
                f"actors died {DEATHS} times while they worked on part {piece}: {_first_line(error)}",
                "read the logs of Ray: too little memory is the usual cause; finished parts are kept",
            ) from error
        self._waiting.appendleft(piece)
        while self._free:
            self._check(self._free.popleft())
        self._add_actor()
        return False

    def _error_of(self, reference: Any) -> BaseException | None:
        """Return the error of an actor that died, or None; an error of the work is raised as it was."""
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            died = self._ray.exceptions.RayError | MemoryLimitError
            if isinstance(error.cause, died) or memory_limit_error(error.cause):
                return cast("BaseException", error.cause)
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            return cast("BaseException", error)
        return None

    def _warn(self) -> None:
        """Warn of what the run did without."""
        absent = self._workers - len(self._free)
        if self._deaths:
            warnings.warn(
                f"workers died {self._deaths.total()} times while they worked on part "
                f"{', '.join(map(str, sorted(self._deaths)))}; others have done these parts",
                EngineWarning,
                stacklevel=2,
            )
        elif absent:
            warnings.warn(
                f"{absent} of {self._workers} workers found no free core; the others have done all parts",
                EngineWarning,
                stacklevel=2,
            )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def _connect(address: str | None, workers: int) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine; an existing connection is used and left open."""
    ray = require("ray", extra="ray", purpose="the engine 'ray'")
    if ray.is_initialized():
        yield ray
        return
    try:
        with _keep_signals():
            if address is None:
                ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=ERROR)
            else:
                _check_address(os.environ.get("RAY_ADDRESS", address) if address == "auto" else address)
                ray.init(address, log_to_driver=False, logging_level=ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise EngineError(
            f"Ray cannot be reached at {address or 'this machine'}: {error}",
            "start it with 'ray start --head', give the address of a running one, or leave --ray-address out",
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _keep_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread() and before is not None:
        signal.signal(signal.SIGTERM, before)


def _check_address(address: str) -> None:
    """Fail soon where no cluster responds; Ray itself tries for minutes, or for ever where a port is silent."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    with socket.create_connection((host.strip("[]"), int(port)), timeout=SILENT) as connection:
        if os.environ.get("RAY_USE_TLS", "0") == "1":
            return
        try:
            connection.sendall(GREETING)
            answer = connection.recv(HEADER, socket.MSG_WAITALL)
        except TimeoutError as error:
            raise ConnectionError(f"the port accepts connections, but is silent for {SILENT} seconds") from error
    if len(answer) < HEADER or answer[3] != SETTINGS:
        raise ConnectionError("something other than Ray responds")
