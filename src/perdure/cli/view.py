"""`perdure view`: show the samples of a run folder in the browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.console import flush, print_line
from perdure.records.place import place

__all__ = ["view"]


def view(
    run: Annotated[
        Path,
        typer.Argument(
            parser=place,
            metavar="FOLDER",
            help="The folder of 'perdure explain', 'audit', 'reproduce' or 'path', also while it is written.",
        ),
    ],
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1; the next free one from 8517 on when left out.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Show the samples and maps of a run in the browser: sort, filter, compare methods. Ctrl-C ends it."""
    from perdure.view.app import Explorer, make_app
    from perdure.view.parts import check_folder
    from perdure.view.serve import open_socket, serve

    folder = check_folder(run)
    listener = open_socket(port)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    explorer = Explorer(folder)
    application = make_app(explorer)

    def announce() -> None:
        print_line(f"{folder}: {address} (Ctrl-C ends the view)")
        flush()
        if browser:
            webbrowser.open(address)

    try:
        explorer.start()
        serve(application, listener, announce)
    finally:
        listener.close()
        explorer.close()
    print_line("perdure view: ended.")
