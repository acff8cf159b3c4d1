"""`perdure list` and `perdure cite`: the entries of the registries, and their papers."""

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

from perdure.cli.console import print_json, print_line, print_table
from perdure.core.errors import UnknownNameError
from perdure.core.registry import DATASETS, METHODS, METRICS, MODELS, STUDIES, Registry
from perdure.core.spec import name_of

__all__ = ["cite", "show"]

REGISTRIES = {"methods": METHODS, "metrics": METRICS, "data": DATASETS, "models": MODELS, "studies": STUDIES}


def show(
    kind: Annotated[str, typer.Argument(help="methods, metrics, data, models or studies; all when left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List methods, metrics, datasets, models and studies; with a name instead, show its paper and its settings."""
    if kind and kind not in REGISTRIES:
        _show_entries(kind, as_json)
        return
    kinds = {kind: REGISTRIES[kind]} if kind else REGISTRIES
    catalogue = {name: _list_entries(name, registry) for name, registry in kinds.items()}
    if as_json:
        print_json(catalogue)
        return
    for name, entries in catalogue.items():
        print_table(name, ("name", "what it does"), [(entry["name"], entry["summary"]) for entry in entries])
        print_line("")


def cite(
    names: Annotated[list[str], typer.Argument(help="Names from 'perdure list'; perdure itself when left out.")] = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the BibTeX entries of methods, metrics, data, models and studies."""
    keys = [
        REGISTRIES[kind].entry(_registry_name(kind, name)).reference for name in names for kind in _find_kinds(name)
    ]
    entries = _read_bibliography()
    cited = {key: entries[key] for key in dict.fromkeys(["perdure", *keys]) if key}
    if as_json:
        print_json(cited)
    else:
        print_line("\n\n".join(cited.values()))


def _list_entries(name: str, registry: Registry) -> list[dict[str, str]]:
    """List the entries of a registry; for models also the presets, which must be imported."""
    entries = [dataclasses.asdict(entry) for entry in registry.entries()]
    if name == "models":
        entries += [
            {"name": preset, "summary": _format_differences(config)} for preset, config in _read_presets().items()
        ]
    return entries


def _format_differences(config: Any) -> str:
    changed = (f for f in dataclasses.fields(config) if getattr(config, f.name) != f.default)
    return name_of(config) + "".join(f", {f.name}={getattr(config, f.name)}" for f in changed)


def _show_entries(name: str, as_json: bool) -> None:
    """Show every entry of a name, such as a method and a model: its summary, its paper and its settings."""
    entries = {kind: _describe_entry(kind, name) for kind in _find_kinds(name)}
    if as_json:
        print_json(entries)
        return
    for kind, entry in entries.items():
        print_line(f"{name}, of {kind}: {entry['summary']}")
        if entry["reference"]:
            print_line(f"paper: {entry['reference']} (perdure cite {name})")
        rows = [tuple(setting.values()) for setting in entry["settings"]]
        if rows:
            print_table("\nsettings", ("name", "choices", "default"), rows)
        print_line("")


def _describe_entry(kind: str, name: str) -> dict[str, Any]:
    """Describe an entry, which is imported."""
    registered = _registry_name(kind, name)
    preset = None if registered == name else _find_preset(name)
    entry, cls = REGISTRIES[kind].entry(registered), REGISTRIES[kind].load(registered)
    hints, settings = typing.get_type_hints(cls), [f for f in dataclasses.fields(cls) if f.init]
    return {
        "summary": entry.summary if preset is None else _format_differences(preset),
        "reference": entry.reference,
        "settings": [
            {"name": f.name, "choices": _format_choices(hints[f.name]), "default": _format_default(f, preset)}
            for f in settings
        ],
    }


def _format_choices(hint: Any) -> str:
    """Format the values of a setting: all of them where they are few, else the type."""
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(str(value) for value in typing.get_args(hint))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " | ".join(_format_choices(item) for item in typing.get_args(hint))
    if hint is types.NoneType:
        return "None"
    return re.sub(r"\b(\w+\.)+", "", inspect.formatannotation(hint))


def _format_default(setting: dataclasses.Field[object], preset: Any) -> str:
    if preset is not None:
        return str(getattr(preset, setting.name))
    if setting.default_factory is not dataclasses.MISSING:
        return str(setting.default_factory())
    return "required" if setting.default is dataclasses.MISSING else str(setting.default)


def _read_presets() -> Mapping[str, Any]:
    """Return the named settings of models, which must be imported."""
    from perdure.models._presets import NAMED

    return NAMED


def _find_preset(name: str) -> Any:
    return _read_presets().get(name)


def _registry_name(kind: str, name: str) -> str:
    """Return the registry name of an entry or preset."""
    return name if name in REGISTRIES[kind].names() else name_of(_find_preset(name))


def _find_kinds(name: str) -> list[str]:
    kinds = [key for key, registry in REGISTRIES.items() if name in registry.names()]
    if not kinds and _find_preset(name) is not None:
        kinds = ["models"]
    if kinds:
        return kinds
    names = [*_read_presets(), *(entry for registry in REGISTRIES.values() for entry in registry.names())]
    near = difflib.get_close_matches(name, [*names, *REGISTRIES], 3, 0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}" if near else "see 'perdure list'"
    raise UnknownNameError(f"nothing is called '{name}'", hint)


def _read_bibliography() -> dict[str, str]:
    text = resources.files("perdure").joinpath("references.bib").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=@)", text.strip())
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry.strip() for entry in entries}
