"""`perdure list` and `perdure cite`: what there is, and whom to thank for it."""

from __future__ import annotations

import dataclasses
import difflib
import re
from importlib import resources
from typing import Annotated, Any

import typer

from perdure.cli.console import print_json, print_table, say
from perdure.core.errors import UnknownNameError
from perdure.core.registry import DATASETS, METHODS, METRICS, MODELS, STUDIES, Room, name_of

__all__ = ["cite", "show"]

ROOMS = {"methods": METHODS, "metrics": METRICS, "data": DATASETS, "models": MODELS, "studies": STUDIES}


def show(
    room: Annotated[str, typer.Argument(help="methods, metrics, data, models or studies; all when left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List methods, metrics, datasets, models and studies; with a name instead, show its settings."""
    if room and room not in ROOMS:
        _settings(room, as_json)
        return
    rooms = {room: ROOMS[room]} if room else ROOMS
    found = {name: _entries(name, some) for name, some in rooms.items()}
    if as_json:
        print_json(found)
        return
    for name, entries in found.items():
        print_table(name, ("name", "what it does"), [(entry["name"], entry["summary"]) for entry in entries])
        say("")


def cite(
    names: Annotated[list[str], typer.Argument(help="Names from 'perdure list'; perdure itself when left out.")] = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the BibTeX entries of what was used."""
    keys = ["perdure", *(_room_of(name).entry(name).reference for name in names)]
    entries = _bibliography()
    found = {key: entries[key] for key in dict.fromkeys(keys) if key}
    if as_json:
        print_json(found)
    else:
        say("\n\n".join(found.values()))


def _entries(name: str, room: Room) -> list[dict[str, str]]:
    """Describe what a room holds; models are known by their presets, which must be imported."""
    entries = [dataclasses.asdict(entry) for entry in room.entries()]
    if name == "models":
        from perdure.models.presets import NAMED

        entries += [{"name": preset, "summary": _differences(config)} for preset, config in NAMED.items()]
    return entries


def _differences(config: Any) -> str:
    changed = (f for f in dataclasses.fields(config) if getattr(config, f.name) != f.default)
    return name_of(config) + "".join(f", {f.name}={getattr(config, f.name)}" for f in changed)


def _settings(name: str, as_json: bool) -> None:
    """Show the settings of one thing; this imports it."""
    cls = _room_of(name).load(name)
    rows = [(f.name, str(f.type), _default(f)) for f in dataclasses.fields(cls) if f.init]
    if as_json:
        print_json([dict(zip(("name", "type", "default"), row, strict=True)) for row in rows])
    else:
        print_table(f"settings of {name}", ("setting", "type", "default"), rows)


def _default(setting: dataclasses.Field[object]) -> str:
    return "required" if setting.default is dataclasses.MISSING else str(setting.default)


def _room_of(name: str) -> Room:
    for room in ROOMS.values():
        if name in room.names():
            return room
    every = [known for room in ROOMS.values() for known in room.names()]
    near = difflib.get_close_matches(name, [*every, *ROOMS], 3, 0.5)
    hint = f"did you mean {' or '.join(repr(one) for one in near)}" if near else "see 'perdure list'"
    raise UnknownNameError(f"nothing is called '{name}'", hint)


def _bibliography() -> dict[str, str]:
    text = resources.files("perdure").joinpath("references.bib").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=@)", text.strip())
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry.strip() for entry in entries}
