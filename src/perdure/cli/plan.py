"""What the running command sets out to write, kept for `perdure status`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from perdure.records.plan import FOLDER, ExpectedFiles, Plan, write_plan

__all__ = ["keep_plan"]

SILENT = ("out", "as_json")
"""Parameters that say where and how, not what."""


def keep_plan(context: typer.Context, folder: Path, *wanted: ExpectedFiles) -> None:
    """Keep in the run folder which command writes there, and what it will write.

    Args:
        context: of the command.
        folder: of the run.
        wanted: the files, in the order in which they are written.
    """
    words = (str(context.info_name), *_words(context, folder))
    write_plan(folder, Plan(words if FOLDER in words else (*words, "--out", FOLDER), wanted))


def _words(context: typer.Context, folder: Path) -> Iterator[str]:
    """Write down what was given on the command line."""
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if name in SILENT or source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        for one in value if isinstance(value, list) else [value]:
            yield from _word(parameter, one, folder)


def _word(parameter: Any, value: object, folder: Path) -> Iterator[str]:
    if isinstance(value, bool):
        yield (parameter.opts if value else parameter.secondary_opts)[0]
        return
    if parameter.param_type_name == "option":
        yield max(parameter.opts, key=len)
    yield FOLDER if value == folder else str(value)
