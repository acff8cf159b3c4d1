"""The run folder of a command: its default name, and the plan of the files in it for `perdure status`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from perdure.core.spec import slug
from perdure.records.plan import FOLDER, ExpectedFiles, Plan, write_plan

__all__ = ["keep_plan", "name_folder"]

NO_IDENTITY = frozenset({"as_json", "batch_size", "engine", "minutes", "out", "ray_address", "workers"})
"""Parameters that change where and how long a command works, and none of its results."""

LONGEST = 120
"""Characters of a name, which file systems limit to 255 bytes."""


def name_folder(context: typer.Context, readable: str, *spelled: str) -> Path:
    """Name a run folder after the command, so that commands with other results have other folders.

    Options that `readable` does not spell out, and that differ from their defaults, are in a digest at the end.

    Args:
        context: Context of the command.
        readable: Beginning of the name.
        spelled: Names of the parameters that are in `readable`, or that change no result.

    Returns:
        The folder, in `runs`.
    """
    name = slug(readable)
    left = NO_IDENTITY | set(spelled)
    given = {
        str(item.name): context.params[str(item.name)] for item in context.command.params if _is_given(context, item)
    }
    identity = [f"{key}={value}" for key, value in sorted(given.items()) if key not in left]
    if len(name) > LONGEST:
        identity.insert(0, readable)
    if not identity:
        return Path("runs") / name
    digest = hashlib.sha256("\n".join(identity).encode(errors="surrogatepass")).hexdigest()[:8]
    return Path("runs") / f"{name[:LONGEST]}-{digest}"


def _is_given(context: typer.Context, parameter: Any) -> bool:
    """Check whether a parameter was given, with another value than its default."""
    source = context.get_parameter_source(parameter.name)
    is_written = source is not None and source.name == "COMMANDLINE"
    return is_written and context.params[parameter.name] != parameter.get_default(context)


SILENT = ("out", "as_json")
"""Parameters of the output, which a plan leaves out."""


def keep_plan(context: typer.Context, folder: Path, *wanted: ExpectedFiles) -> None:
    """Keep in the run folder which command writes there, and which files it will write.

    Args:
        context: Context of the command.
        folder: Run folder.
        wanted: Files, in the order in which they are written.
    """
    words = (str(context.info_name), *_words(context, folder))
    write_plan(folder, Plan(words if FOLDER in words else (*words, "--out", FOLDER), wanted))


def _words(context: typer.Context, folder: Path) -> Iterator[str]:
    """List the arguments of the command line."""
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if name in SILENT or source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        for item in value if isinstance(value, list) else [value]:
            yield from _word(parameter, item, folder)


def _word(parameter: Any, value: object, folder: Path) -> Iterator[str]:
    if isinstance(value, bool):
        yield (parameter.opts if value else parameter.secondary_opts)[0]
        return
    if parameter.param_type_name == "option":
        yield max(parameter.opts, key=len)
    yield FOLDER if value == folder else str(value)
