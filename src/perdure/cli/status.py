"""`perdure status`: what a run folder says is done, and how to go on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.console import print_json, print_table, say
from perdure.cli.sources import JSON
from perdure.records.place import place

__all__ = ["status"]


def status(
    run: Annotated[
        Path, typer.Argument(parser=place, metavar="FOLDER", help="The folder or URL that an earlier command wrote.")
    ],
    as_json: JSON = False,
) -> None:
    """Say what a run folder holds: its settings, what is done of how much, what failed, and how to go on.

    Nothing is computed or changed; the folder may be one that another process is writing to.
    """
    from perdure.records.run import flatten_settings
    from perdure.records.status import read_status

    found = read_status(run)
    if as_json:
        about = {**asdict(found.run), "path": str(found.run.path), "kind": found.kind, "written": found.written}
        commands = [asdict(command) | {"finished": command.finished} for command in found.commands]
        there = {"commands": commands, "failures": found.failures, "pictures": found.pictures, "left": found.left}
        print_json(about | there)
        return
    settings = [(name, _shown(value)) for name, value in flatten_settings(found.run.config).items()]
    print_table(f"{found.run.path} · {found.kind or 'made without the command line'}", ("setting", "value"), settings)
    say(f"\nbegun {found.run.created} by perdure {found.run.version}, last written {found.written or 'is not known'}\n")
    for command in found.commands:
        steps = [(step.name, str(step.done), str(step.of), str(step.failed or "")) for step in command.steps]
        say(command.line)
        print_table("", ("files", "done", "of", "failed"), steps)
        say("")
    if found.failures:
        print_table("failures", ("where", "why"), list(found.failures.items()))
        say("")
    for picture in found.pictures:
        say(f"see {found.run.path / picture}")
    if found.commands:
        say("nothing is left to be done" if found.left is None else f"go on with: {found.left}")


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
