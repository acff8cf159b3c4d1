"""`perdure list` and `perdure cite`: what there is, and whom to thank for it."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import types
import typing
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any

import typer

from perdure.cli.console import print_json, print_table, say
from perdure.core.errors import UnknownNameError
from perdure.core.registry import DATASETS, METHODS, METRICS, MODELS, STUDIES, Registry
from perdure.core.spec import name_of

__all__ = ["cite", "show"]

ROOMS = {"methods": METHODS, "metrics": METRICS, "data": DATASETS, "models": MODELS, "studies": STUDIES}


def show(
    room: Annotated[str, typer.Argument(help="methods, metrics, data, models or studies; all when left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List methods, metrics, datasets, models and studies; with a name instead, show its paper and its settings."""
    if room and room not in ROOMS:
        _things(room, as_json)
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
    found = [ROOMS[room].entry(_known(room, name)).reference for name in names for room in _rooms_of(name)]
    keys = ["perdure", *found]
    entries = _bibliography()
    cited = {key: entries[key] for key in dict.fromkeys(keys) if key}
    if as_json:
        print_json(cited)
    else:
        say("\n\n".join(cited.values()))


def _entries(name: str, room: Registry) -> list[dict[str, str]]:
    """Describe what a room holds; models are known by their presets, which must be imported."""
    entries = [dataclasses.asdict(entry) for entry in room.entries()]
    if name == "models":
        entries += [{"name": preset, "summary": _differences(config)} for preset, config in _presets().items()]
    return entries


def _differences(config: Any) -> str:
    changed = (f for f in dataclasses.fields(config) if getattr(config, f.name) != f.default)
    return name_of(config) + "".join(f", {f.name}={getattr(config, f.name)}" for f in changed)


def _things(name: str, as_json: bool) -> None:
    """Show all that has a name, such as a method and a model: what it does, from which paper, and its settings."""
    found = {room: _thing(room, name) for room in _rooms_of(name)}
    if as_json:
        print_json(found)
        return
    for room, thing in found.items():
        say(f"{name}, of {room}: {thing['summary']}")
        if thing["reference"]:
            say(f"paper: {thing['reference']} (perdure cite {name})")
        rows = [tuple(setting.values()) for setting in thing["settings"]]
        if rows:
            print_table("\nsettings", ("name", "choices", "default"), rows)
        say("")


def _thing(room: str, name: str) -> dict[str, Any]:
    """Describe one thing; this imports it."""
    known = _known(room, name)
    preset = None if known == name else _preset(name)
    entry, cls = ROOMS[room].entry(known), ROOMS[room].load(known)
    hints, settings = typing.get_type_hints(cls), [f for f in dataclasses.fields(cls) if f.init]
    return {
        "summary": entry.summary if preset is None else _differences(preset),
        "reference": entry.reference,
        "settings": [
            {"name": f.name, "choices": _choices(hints[f.name]), "default": _default(f, preset)} for f in settings
        ],
    }


def _choices(kind: Any) -> str:
    """Write what a setting may be: its values where they are few, else its type."""
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(str(value) for value in typing.get_args(kind))
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " | ".join(_choices(one) for one in typing.get_args(kind))
    if kind is types.NoneType:
        return "None"
    return re.sub(r"\b(\w+\.)+", "", inspect.formatannotation(kind))


def _default(setting: dataclasses.Field[object], preset: Any) -> str:
    if preset is not None:
        return str(getattr(preset, setting.name))
    if setting.default_factory is not dataclasses.MISSING:
        return str(setting.default_factory())
    return "required" if setting.default is dataclasses.MISSING else str(setting.default)


def _presets() -> Mapping[str, Any]:
    """Look up the models that are settings of another, which must be imported."""
    from perdure.models._presets import NAMED

    return NAMED


def _preset(name: str) -> Any:
    return _presets().get(name)


def _known(room: str, name: str) -> str:
    """Give the name of the file that a thing is in."""
    return name if name in ROOMS[room].names() else name_of(_preset(name))


def _rooms_of(name: str) -> list[str]:
    found = [key for key, room in ROOMS.items() if name in room.names()]
    if not found and _preset(name) is not None:
        found = ["models"]
    if found:
        return found
    every = [*_presets(), *(known for room in ROOMS.values() for known in room.names())]
    near = difflib.get_close_matches(name, [*every, *ROOMS], 3, 0.5)
    hint = f"did you mean {' or '.join(repr(one) for one in near)}" if near else "see 'perdure list'"
    raise UnknownNameError(f"nothing is called '{name}'", hint)


def _bibliography() -> dict[str, str]:
    text = resources.files("perdure").joinpath("references.bib").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=@)", text.strip())
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry.strip() for entry in entries}
