"""`perdure status`: what is done in a run folder, and how to resume."""

from __future__ import annotations

import json
from dataclasses import asdict

from perdure.cli.console import print_json, print_line, print_table
from perdure.cli.options import JSON, RUN_FOLDER

__all__ = ["status"]


def status(
    run: RUN_FOLDER,
    as_json: JSON = False,
) -> None:
    """Show what a run folder holds: settings, progress, failures, and the command that resumes it.

    Nothing is computed or changed; another process may be writing to the folder.
    """
    from perdure.records.run import flatten_settings
    from perdure.records.status import read_status

    result = read_status(run)
    if as_json:
        about = {**asdict(result.run), "path": str(result.run.path), "kind": result.kind, "written": result.written}
        commands = [asdict(command) | {"finished": command.finished} for command in result.commands]
        there = {"commands": commands, "failures": result.failures, "pictures": result.pictures, "left": result.left}
        print_json(about | there | {"unchecked": result.unchecked})
        return
    settings = [(name, _format_setting(value)) for name, value in flatten_settings(result.run.config).items()]
    print_table(f"{result.run.path} · {result.kind or 'made without the command line'}", ("setting", "value"), settings)
    written = result.written or "at an unknown time"
    print_line(f"\nstarted {result.run.created} by perdure {result.run.version}, last written {written}\n")
    for command in result.commands:
        steps = [(step.name, str(step.done), str(step.of), str(step.failed or "")) for step in command.steps]
        print_line(command.line)
        print_table("", ("files", "done", "of", "failed"), steps)
        print_line("")
    if result.unchecked:
        print_line(
            f"{result.unchecked} parts carry no checksum, as those of perdure 0.1; damage in them may be missed\n"
        )
    if result.failures:
        print_table("failures", ("where", "why"), list(result.failures.items()))
        print_line("")
    for picture in result.pictures:
        print_line(f"see {result.run.path / picture}")
    if result.commands:
        print_line("nothing is left to do" if result.left is None else f"resume with: {result.left}")


def _format_setting(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
