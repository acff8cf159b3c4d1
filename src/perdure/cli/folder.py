"""The run folder of a command for which no --out is given."""

from __future__ import annotations

import hashlib
from pathlib import Path

import typer

__all__ = ["default_folder"]

ELSEWHERE = frozenset({"as_json", "batch_size", "engine", "minutes", "out", "ray_address", "workers"})
"""Parameters that change where and how long a command works, and none of its results."""

LONGEST = 120
"""Characters of a name, which file systems limit to 255 bytes."""


def default_folder(context: typer.Context, readable: str, *spelled: str) -> Path:
    """Name a run folder after the command, so that commands with other results have other folders.

    Options that `readable` does not spell out, and that differ from their defaults, are in a digest at the end.

    Args:
        context: Context of the command.
        readable: Beginning of the name.
        spelled: Names of the parameters that are in `readable`, or that no result follows from.

    Returns:
        The folder, in `runs`.
    """
    from perdure.core.spec import slug

    name = slug(readable)
    left = ELSEWHERE | set(spelled)
    given = {str(one.name): context.params[str(one.name)] for one in context.command.params if _is_given(context, one)}
    identity = [f"{key}={value}" for key, value in sorted(given.items()) if key not in left]
    if len(name) > LONGEST:
        identity.insert(0, readable)
    if not identity:
        return Path("runs") / name
    digest = hashlib.sha256("\n".join(identity).encode(errors="surrogatepass")).hexdigest()[:8]
    return Path("runs") / f"{name[:LONGEST]}-{digest}"


def _is_given(context: typer.Context, parameter: object) -> bool:
    """Check whether a parameter was given, with another value than its default."""
    name = str(parameter.name)  # type: ignore[attr-defined]
    source = context.get_parameter_source(name)
    default = parameter.get_default(context)  # type: ignore[attr-defined]
    return source is not None and source.name == "COMMANDLINE" and context.params[name] != default
