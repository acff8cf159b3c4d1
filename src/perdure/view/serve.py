"""Serve an application on loopback until it is interrupted."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from perdure.core.errors import SettingError
from perdure.core.optional import require

__all__ = ["FIRST_PORT", "open_socket", "serve"]

ADDRESS = "127.0.0.1"
"""Loopback; no other machine reaches it."""

FIRST_PORT = 8517
"""Port that is tried first."""

TRIED = 100
"""Ports that are tried after it."""


def open_socket(port: int | None = None) -> socket.socket:
    """Listen on loopback.

    Args:
        port: Port; None for the first free one from 8517 on.

    Returns:
        Socket that listens.

    Raises:
        SettingError: When the port is in use or not allowed, or none is free.
    """
    if port is not None and not 0 < port < 2**16:
        raise SettingError(f"there is no port {port}", "choose one from 1024 to 65535, or leave --port out")
    for candidate in (port,) if port is not None else range(FIRST_PORT, FIRST_PORT + TRIED):
        try:
            return _bind(candidate)
        except OSError as error:
            if port is not None:
                in_use = error.errno == errno.EADDRINUSE
                cause = f"port {port} {'is in use' if in_use else f'cannot be opened: {error.strerror}'}"
                raise SettingError(cause, "choose another --port, or leave it out for the next free one") from error
    raise SettingError(f"no port from {FIRST_PORT} to {FIRST_PORT + TRIED - 1} is free", "choose another with --port")


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed viewer leaves its port for a minute
        listener.bind((ADDRESS, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def serve(application: Any, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve an application until Ctrl-C.

    Args:
        application: ASGI application.
        listener: Socket that listens.
        ready: Callback when the application answers.
    """
    uvicorn = require("uvicorn", extra="view", purpose="the view of a folder")
    settings = uvicorn.Config(application, log_level="critical", access_log=False, lifespan="off", server_header=False)

    class Server(uvicorn.Server):  # type: ignore[misc]
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again after it has closed all connections
        Server(settings).run([listener])
