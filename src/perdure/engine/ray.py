"""An engine for many machines, by Ray."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from logging import ERROR
from pathlib import Path
from typing import Any, cast

import torch

from perdure.core.copy import without_graphs
from perdure.core.errors import EngineError
from perdure.core.optional import require
from perdure.engine.pool import DEATHS, Work, do

__all__ = ["Ray"]


@dataclass(frozen=True)
class Ray:
    """Divide the pieces among Ray actors; the unfinished pieces of an actor that dies are done again.

    Each actor receives the work once, and then numbers of pieces. The pieces store their results themselves, so on
    several machines all of them must have access to the run folder, such as s3://bucket/run.

    Args:
        workers: Number of actors, with one core each.
        address: Address of a running cluster, or "auto" for that of this machine; None starts Ray for this call.
    """

    workers: int = 2
    address: str | None = None

    def run(self, work: Work, pieces: Sequence[int]) -> Iterator[int]:
        """Do every piece once.

        Args:
            work: Work that does a piece.
            pieces: Numbers of the pieces.

        Yields:
            The number of each piece when its result is stored.

        Raises:
            DependencyError: When Ray is not installed.
            EngineError: When there is no cluster at the address, or actors die again and again.
        """
        with _connect(self.address, self.workers) as ray:
            shared = [ray.put(without_graphs(work))]
            actor = ray.remote(_Worker).options(num_cpus=1, max_restarts=-1, max_task_retries=DEATHS - 1)
            free = deque(actor.remote(Path.cwd()) for _ in range(min(self.workers, len(pieces))))
            waiting, in_progress = deque(pieces), dict[Any, tuple[int, Any]]()
            while waiting or in_progress:
                while waiting and free:
                    piece, worker = waiting.popleft(), free.popleft()
                    in_progress[worker.do.remote(shared, piece)] = piece, worker
                for reference in ray.wait(list(in_progress))[0]:
                    piece, worker = in_progress.pop(reference)
                    yield _result(ray, reference, piece)
                    free.append(worker)


class _Worker:
    """An actor that does pieces on some machine."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        if folder.exists():
            os.chdir(folder)
        self._work: Work | None = None

    def do(self, shared: list[Any], piece: int) -> int:
        if self._work is None:
            self._work = cast("Work", import_module("ray").get(shared[0]))
        return do(self._work, piece)


def _result(ray: Any, reference: Any, piece: int) -> int:
    """Wait for a piece, and raise its error unchanged."""
    try:
        done: int = ray.get(reference)
        return done
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayActorError as error:
        raise EngineError(
            f"actors died {DEATHS} times while they worked on part {piece}: {str(error).splitlines()[0]}",
            "read the logs of Ray: too little memory is the usual cause; finished parts are kept",
        ) from error


@contextmanager
def _connect(address: str | None, workers: int) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine; an existing connection is used and left open."""
    ray = require("ray", extra="ray", purpose="the engine 'ray'")
    if ray.is_initialized():
        yield ray
        return
    try:
        if address is None:
            ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=ERROR)
        else:
            _check_address(address)
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


def _check_address(address: str) -> None:
    """Fail at once where no cluster responds; Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=5).close()
