"""The registry: a name is a file, found without importing it."""

from __future__ import annotations

import ast
import difflib
import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from importlib import import_module, metadata, resources
from typing import Any

from perdure.core.errors import SettingError, UnknownNameError

__all__ = [
    "DATASETS",
    "METHODS",
    "METRICS",
    "MODELS",
    "STUDIES",
    "AnyForm",
    "Entry",
    "Room",
    "folder_name",
    "name_of",
    "settings_of",
    "validated",
]


class AnyForm:
    """Marks a field, as `Annotated[type, AnyForm()]`, whose class reads its value by itself, whatever form it has."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> Any:
        """Take the value as it is."""
        from pydantic_core import core_schema

        return core_schema.any_schema()


@dataclass(frozen=True)
class Entry:
    """One registered thing.

    Args:
        name: file name, registry key and name on the command line.
        summary: first line of its documentation.
        reference: key of its paper in references.bib, or an empty string.
    """

    name: str
    summary: str
    reference: str


@dataclass(frozen=True)
class Room:
    """A room whose files are things that can be asked for by name.

    A file `integrated_gradients.py` holds the class `IntegratedGradients`. Other packages add theirs through an
    entry point in the group `perdure.<room>`.

    Args:
        package: name of the room below perdure, also the entry point group.
        noun: what one of its things is called in messages.
        doors: files of the room that are not things.
    """

    package: str
    noun: str
    doors: frozenset[str] = field(default=frozenset(), kw_only=True)

    def names(self) -> list[str]:
        """List the names, in alphabetical order."""
        return sorted({*self._files(), *self._plugins()})

    def entries(self) -> list[Entry]:
        """Describe all things without importing those of perdure."""
        return [self.entry(name) for name in self.names()]

    def entry(self, name: str) -> Entry:
        """Describe one thing without importing it, unless it comes from another package."""
        path = self._files().get(self._known(name))
        if path is None:
            text = inspect.getdoc(self.load(name)) or ""
        else:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == _class_name(name)]
            text = ast.get_docstring(found[0]) or "" if found else ""
        return Entry(name, text.split("\n", 1)[0], _reference(text))

    def load(self, name: str) -> Any:
        """Import the class of a name.

        Args:
            name: one of `names`.

        Returns:
            The class.

        Raises:
            UnknownNameError: when there is none, with the nearest names.
        """
        if self._known(name) in self._files():
            return getattr(import_module(f"perdure.{self.package}.{name}"), _class_name(name))
        return self._plugins()[name].load()

    def make(self, name: str, settings: Mapping[str, Any] | None = None) -> Any:
        """Make the thing of a name from settings, which may be text.

        Args:
            name: one of `names`, or such a name with settings behind it, as in "smooth_grad:samples=20".
            settings: field values; text is turned into the type of the field.

        Returns:
            The frozen object.

        Raises:
            UnknownNameError: when there is no such thing.
            SettingError: when a setting has an unknown name or a wrong value.
        """
        name, _, text = name.partition(":")
        cls = self.load(name)
        given = {**settings_of(text), **(settings or {})}
        return cls(**validated(cls, given, f"{self.noun} '{name}'"))

    def _known(self, name: str) -> str:
        names = self.names()
        if name not in names:
            raise UnknownNameError(f"no {self.noun} is called '{name}'", _instead(name, names))
        return name

    def _files(self) -> dict[str, Any]:
        return _files(self.package, self.doors)

    def _plugins(self) -> dict[str, metadata.EntryPoint]:
        return _plugins(self.package)


METHODS = Room("attribution", "attribution method", doors=frozenset({"attribute"}))
METRICS = Room("metrics", "metric", doors=frozenset({"along", "evaluate", "perturbation", "sites", "summarise"}))
DATASETS = Room(
    "data",
    "dataset",
    doors=frozenset(
        {"columns", "event_marks", "event_types", "hub_texts", "images", "layouts", "parts", "pictures", "splits"}
        | {"texts", "voc", "word_vectors", "words", "cortex", "hcp_events", "hcp_runs", "hcp_series", "parcellation"}
    ),
)
MODELS = Room(
    "models",
    "model",
    doors=frozenset(
        {
            "adapted",
            "answers",
            "bidirectional",
            "declared",
            "dropout",
            "embedded",
            "encoder",
            "from_transformers",
            "hugging_face",
            "lookups",
        }
        | {"pooling", "prefix", "presets", "pretrained", "row_index", "text_model", "token_ids", "token_model", "typed"}
        | {"weights"}
    ),
)
STUDIES = Room(
    "studies",
    "study",
    doors=frozenset({"bottleneck", "cell", "conclusion", "figures", "published", "retrained", "table", "ways"}),
)


def folder_name(name: str) -> str:
    """Turn the name of a model or method into that of a folder.

    Args:
        name: any text.

    Returns:
        The same without signs that file systems dislike.

    Example:
        >>> folder_name("lstm:hidden_size=5")
        'lstm-hidden_size=5'
    """
    return re.sub(r"[^\w.=-]+", "-", name).strip("-.")


def settings_of(text: str) -> dict[str, Any]:
    """Parse settings written as on the command line.

    Args:
        text: such as "steps=50,baseline=zero,window=[1, 5]"; may be empty.

    Returns:
        Values by field name, as YAML reads them; a number such as 1.10, which may be the name of a layer, stays text.

    Raises:
        SettingError: when the text cannot be read.

    Example:
        >>> settings_of("steps=50,window=[1, 5]")
        {'steps': 50, 'window': [1, 5]}
    """
    import yaml

    from perdure.core.plain_yaml import load_yaml

    remedy = "write name=value, with commas between several"
    mapping = "{" + re.sub(r"(?<![\w.])(\w+)=", r"\1: ", text) + "}"
    try:
        found = load_yaml(mapping)
    except yaml.YAMLError:
        raise SettingError(f"cannot read the settings {text!r}", remedy) from None
    if None in found.values() and not re.search(r"=\s*(null|~|None)", text):
        raise SettingError(f"a setting in {text!r} has no value", remedy)
    tree: Any = yaml.compose(mapping, yaml.SafeLoader)
    written = {name.value: node.value for name, node in tree.value}
    found.update({key: written[key] for key, value in found.items() if _loses(value, written.get(key))})
    return {key: None if value == "None" else value for key, value in found.items()}


def _loses(value: object, written: object) -> bool:
    """Whether a number with a point does not tell any more how it was written."""
    return isinstance(value, float) and bool(re.fullmatch(r"\d+\.\d+", str(written))) and str(value) != written


def name_of(thing: object) -> str:
    """Give the registry name of an object: its class name in snake case.

    Args:
        thing: a method, metric, dataset or model configuration.

    Returns:
        The name.

    Example:
        >>> class InputXGradient: ...
        >>> name_of(InputXGradient())
        'input_x_gradient'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(thing).__name__).lower()


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def validated(cls: type, given: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """Turn given values into the types of the fields of a frozen class of settings.

    Args:
        cls: the class.
        given: values by field name; text is read as the type of its field, and a number as text where that is text.
        subject: what to call it in messages.

    Returns:
        The same names with values of the right type.

    Raises:
        SettingError: for an unknown name, a wrong value, or a missing one that has no default.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    hints = typing.get_type_hints(cls, include_extras=True)
    known = [f.name for f in fields(cls) if f.init]
    config = ConfigDict(arbitrary_types_allowed=True, coerce_numbers_to_str=True)
    values = {}
    for key, value in given.items():
        if key not in known:
            raise SettingError(f"{subject} has no setting '{key}'", _instead(key, known))
        try:
            values[key] = TypeAdapter(hints[key], config=config).validate_python(value)
        except ValidationError as error:
            raise SettingError(
                f"{subject} has {key}={value!r}: {error.errors()[0]['msg']}",
                f"give {inspect.formatannotation(hints[key])}",
            ) from None
    missing = [f.name for f in fields(cls) if f.name not in given and f.default is f.default_factory is MISSING]
    if missing:
        raise SettingError(f"{subject} needs a {missing[0]}", f"write {missing[0]}= and its value after the name")
    return values


@cache
def _files(package: str, doors: frozenset[str]) -> dict[str, Any]:
    found = (path for path in resources.files(f"perdure.{package}").iterdir() if path.name.endswith(".py"))
    named = {path.name[:-3]: path for path in found}
    return {name: path for name, path in named.items() if not name.startswith("_") and name not in doors}


@cache
def _plugins(package: str) -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=f"perdure.{package}")}


def _reference(text: str) -> str:
    found = re.search(r"^Reference:\n\s+(\w+)", text, re.MULTILINE)
    return found[1] if found else ""


def _instead(name: str, known: Sequence[str]) -> str:
    """Name what is like it, or all there is."""
    near = " or ".join(f"'{one}'" for one in difflib.get_close_matches(name, known, 3, 0.5))
    if near:
        return f"did you mean {near}?"
    return f"choose from {', '.join(known)}" if known else "leave it out"
