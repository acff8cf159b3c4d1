"""The web application: it answers on loopback, only reads, and runs nothing in the browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from perdure.core.errors import PartError, PerdureError
from perdure.core.optional import require
from perdure.records.plan import read_plans
from perdure.records.samples import read_sample
from perdure.view.filters import Choice, read_choice
from perdure.view.index import Index, Selection
from perdure.view.pages import Pages
from perdure.view.sample import build_sections, find_sample

__all__ = ["Explorer", "make_app"]

HOSTS = ("127.0.0.1", "localhost")
"""Names of this machine that a browser may send; any other may be that of a foreign page."""

HEADERS = {
    "content-security-policy": "default-src 'none'; img-src data:; style-src 'self' 'unsafe-inline'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every answer."""

MODELS = 400
"""Maximum number of rows of one sample: models, or points of paths."""

SOON, LATE = 2.0, 20.0
"""Seconds between two scans of a folder that is written, and of one that is finished."""


class Explorer:
    """A folder with its index, which a thread keeps up to date.

    Args:
        folder: Folder without links in its path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = Index(folder)
        self.pages = Pages(self.index)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self, patience: float = 1.0) -> None:
        """Start to follow the folder, and wait a little for the first rows.

        Args:
            patience: Maximum number of seconds to wait.
        """
        self._thread.start()
        end = time.monotonic() + patience
        while self.index.left and not self.index.count() and time.monotonic() < end:
            self._stop.wait(0.02)

    def close(self) -> None:
        """Stop to follow the folder."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.index.close()

    def describe_state(self) -> str:
        """Describe what the folder does not hold yet, or the index does not; empty for nothing."""
        parts = []
        missing = self._list_missing()
        if missing:
            parts.append(f"This run is not finished ({', '.join(missing)}): the table shows what is there.")
        if self.index.left:
            parts.append(f"{self.index.left:,} parts are still being read: filters and order do not see them yet.")
        return " ".join([*parts, "Load the page again for more."]) if parts else ""

    def read_classes(self) -> tuple[str, ...]:
        """Read the names of the classes; empty where the folder has none."""
        first = next((unit.samples for unit in self.index.units([0]) if unit.samples is not None), None)
        try:
            return () if first is None else read_sample(first, 0).classes
        except PartError:  # a damaged part has no names
            return ()

    def render_table(self, parameters: Mapping[str, str]) -> str:
        """Render the table of samples.

        Args:
            parameters: Parameters of the address.

        Returns:
            HTML document.
        """
        choice = read_choice(parameters, self.index)
        return self.pages.render_table(choice, self.describe_state(), self.read_classes())

    def render_sample(self, parameters: Mapping[str, str]) -> str | None:
        """Render the page of a sample.

        Args:
            parameters: Parameters of the address: `name`, or `at`, its position among the selected rows.

        Returns:
            HTML document; None for an unknown sample.
        """
        choice = read_choice(parameters, self.index)
        at = int(parameters["at"]) if parameters.get("at", "").isdecimal() else None
        name = parameters.get("name") or self._name_at(choice, at)
        rows = [] if name is None else self.index.page(Selection("sample_id = ?", (name,)), 0, MODELS)
        if name is None or not rows:
            return None
        shown = find_sample(self.index.units(row["unit"] for row in rows), name)
        place = (at, self.index.count(choice.selection))
        return self.pages.render_sample(choice, rows, build_sections(shown), place, self.read_classes(), shown.damage)

    def _name_at(self, choice: Choice, at: int | None) -> str | None:
        rows = [] if at is None or at >= 2**62 else self.index.page(choice.selection, at, 1)
        return rows[0]["sample_id"] if rows else None

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                changed = self.index.refresh(self._stop)
            except (OSError, PerdureError):  # a folder that is moved or deleted meanwhile
                changed = True
            self._stop.wait(SOON if changed or self._list_missing() else LATE)

    def _list_missing(self) -> list[str]:
        """List the kinds of files of which a command has not written all."""
        try:
            files = [files for plan in read_plans(self.folder) for files in plan.wanted]
            done = [sum(1 for _ in self.folder.glob(item.pattern)) for item in files]
        except (OSError, PerdureError, ValueError, NotImplementedError):
            return []
        return [
            f"{item.name}: {count:,} of {item.count:,}"
            for item, count in zip(files, done, strict=True)
            if count < item.count
        ]


def make_app(explorer: Explorer) -> Any:
    """Make the application.

    Args:
        explorer: Folder to show.

    Returns:
        ASGI application with the addresses `/`, `/sample` and `/style.css`.
    """
    starlette = partial(require, extra="view", purpose="the view of a folder")
    responses, routing = starlette("starlette.responses"), starlette("starlette.routing")
    hosts = starlette("starlette.middleware.trustedhost").TrustedHostMiddleware

    def answer(render: Callable[[Mapping[str, str]], str | None], request: Any) -> Any:
        try:
            page, status = render(request.query_params), 200
        except PerdureError as error:
            page, status = explorer.pages.render_error(str(error)), 400
        if page is None:
            page, status = explorer.pages.render_error("The folder holds no such sample."), 404
        return responses.HTMLResponse(page, status)

    def style(_: Any) -> Any:
        return responses.Response(explorer.pages.render_style(), media_type="text/css")

    def table(request: Any) -> Any:
        return answer(explorer.render_table, request)

    def sample(request: Any) -> Any:
        return answer(explorer.render_sample, request)

    routes = [
        routing.Route("/", table, methods=["GET"]),
        routing.Route("/sample", sample, methods=["GET"]),
        routing.Route("/style.css", style, methods=["GET"]),
    ]
    application = starlette("starlette.applications").Starlette(routes=routes)
    return _Guard(hosts(application, allowed_hosts=list(HOSTS), www_redirect=False))


class _Guard:
    """Adds the headers to every answer, also to refusals."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._application(scope, receive, send_guarded)
