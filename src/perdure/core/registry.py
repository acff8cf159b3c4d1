"""The registry: a name is a file, found without importing it."""

from __future__ import annotations

import ast
import difflib
import inspect
import re
import sys
import typing
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from importlib import import_module, metadata, resources
from typing import Any

from perdure.core.errors import RenamedWarning, SettingError, UnknownNameError

__all__ = [
    "DATASETS",
    "METHODS",
    "METRICS",
    "MODELS",
    "STUDIES",
    "AnyForm",
    "Entry",
    "Registry",
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
class Registry:
    """The things of one folder that have a name, such as all attribution methods.

    The file `integrated_gradients.py` holds the class `IntegratedGradients`, the file `input_iba.py` the class
    `InputIBA`: names and classes are matched without case and underscores. Files whose name begins with an
    underscore are helpers. Other packages add things through an entry point in the group `perdure.<package>`.

    Args:
        package: Name of the folder below perdure, also the entry point group.
        noun: The word for one entry in messages.
        namespace: Public module from which users import the classes.
        aliases: Former names, which still work with a warning, and what replaced them.
    """

    package: str
    noun: str
    namespace: str
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)

    def names(self) -> list[str]:
        """List the names, in alphabetical order."""
        return sorted({*self._files(), *self._plugins()})

    def entries(self) -> list[Entry]:
        """Describe all entries without importing those of perdure."""
        return [self.entry(name) for name in self.names()]

    def entry(self, name: str) -> Entry:
        """Describe one entry without importing it, unless it comes from another package."""
        name = self.resolve(name)
        path = self._files().get(name)
        if path is None:
            text = inspect.getdoc(self.load(name)) or ""
        else:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and _matches(n.name, name)]
            text = ast.get_docstring(classes[0]) or "" if classes else ""
        return Entry(name, text.split("\n", 1)[0], _reference(text))

    def load(self, name: str) -> Any:
        """Import the class of a name.

        Args:
            name: One of `names`, or a former name.

        Returns:
            The class.

        Raises:
            UnknownNameError: If there is none; the message lists the nearest names.
        """
        name = self.resolve(name)
        if name not in self._files():
            return self._plugins()[name].load()
        module = import_module(f"perdure.{self.package}.{name}")
        return next(value for key, value in vars(module).items() if _matches(key, name) and isinstance(value, type))

    def make(self, name: str, settings: Mapping[str, Any] | None = None) -> Any:
        """Make the object of a name from settings, which may be text.

        Args:
            name: One of `names`, or such a name followed by settings, as in "smooth_grad:samples=20".
            settings: Field values; text is converted to the type of the field.

        Returns:
            The frozen object.

        Raises:
            UnknownNameError: If there is no such name.
            SettingError: If a setting has an unknown name or a wrong value.
        """
        name, _, text = name.partition(":")
        cls = self.load(name)
        given = {**settings_of(text), **(settings or {})}
        return cls(**validated(cls, given, f"{self.noun} '{self.resolve(name)}'"))

    def resolve(self, name: str) -> str:
        """Check a name, and replace a former one.

        Args:
            name: One of `names`, or a former name.

        Returns:
            The present name.

        Raises:
            UnknownNameError: If there is no such name.
        """
        if name in self.aliases:
            present = self.aliases[name]
            warnings.warn(f"the {self.noun} '{name}' is now called '{present}'", RenamedWarning, stacklevel=_outside())
            return present
        names = self.names()
        if name not in names:
            raise UnknownNameError(f"no {self.noun} is called '{name}'", _instead(name, names))
        return name

    def seed_name(self, name: str) -> str:
        """Return the name from which random draws are derived: a renamed entry draws as under its former name.

        Args:
            name: One of `names`.

        Returns:
            The former name where there is one, else the name.
        """
        return next((former for former, present in self.aliases.items() if present == name), name)

    def _files(self) -> dict[str, Any]:
        return _files(self.package)

    def _plugins(self) -> dict[str, metadata.EntryPoint]:
        return _plugins(self.package)


METHODS = Registry("attribution", "attribution method", "perdure.methods")
METRICS = Registry(
    "metrics",
    "metric",
    "perdure.metrics",
    aliases={"roc": "auroc", "precision_recall": "auprc", "sanity_check": "parameter_randomisation"},
)
DATASETS = Registry("data", "dataset", "perdure.data")
MODELS = Registry("models", "model", "perdure.models")
STUDIES = Registry("studies", "study", "perdure.studies")


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
    if not text:
        return {}
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
    """Return the registry name of an object: that of its file, or its class name in snake case.

    Args:
        thing: A method, metric, dataset or model configuration.

    Returns:
        The name.

    Example:
        >>> class InputXGradient: ...
        >>> name_of(InputXGradient())
        'input_x_gradient'
    """
    cls = type(thing)
    file = cls.__module__.rpartition(".")[2]
    if _matches(cls.__name__, file):
        return file
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()


def _matches(cls: str, name: str) -> bool:
    """Whether a class belongs to a name: `InputIBA` to `input_iba`."""
    return cls.lower() == name.replace("_", "")


def _outside() -> int:
    """Count the frames up to the first one outside the package, to which a warning is attributed."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("perdure."):
        frame, level = frame.f_back, level + 1
    return level


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
def _files(package: str) -> dict[str, Any]:
    paths = [path for path in resources.files(f"perdure.{package}").iterdir() if path.name.endswith(".py")]
    return {path.name[:-3]: path for path in paths if not path.name.startswith("_")}


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
