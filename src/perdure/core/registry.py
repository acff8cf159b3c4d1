"""The registry: a name is a file, found without importing it."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, metadata, resources
from typing import Any

from perdure.core.errors import RenamedWarning, UnknownNameError
from perdure.core.spec import belongs_to, parse_settings, suggest, validate_settings

__all__ = ["DATASETS", "METHODS", "METRICS", "MODELS", "STUDIES", "Entry", "Registry"]


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
            classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and belongs_to(n.name, name)]
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
        return next(value for key, value in vars(module).items() if belongs_to(key, name) and isinstance(value, type))

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
        given = {**parse_settings(text), **(settings or {})}
        return cls(**validate_settings(cls, given, f"{self.noun} '{self.resolve(name)}'"))

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
            raise UnknownNameError(f"no {self.noun} is called '{name}'", suggest(name, names))
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


def _outside() -> int:
    """Count the frames up to the first one outside the package, to which a warning is attributed."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("perdure."):
        frame, level = frame.f_back, level + 1
    return level


@cache
def _files(package: str) -> dict[str, Any]:
    paths = [path for path in resources.files(f"perdure.{package}").iterdir() if path.name.endswith(".py")]
    return {path.name[:-3]: path for path in paths if not path.name.startswith("_")}


@cache
def _plugins(package: str) -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=f"perdure.{package}")}


def _reference(text: str) -> str:
    result = re.search(r"^Reference:\n\s+(\w+)", text, re.MULTILINE)
    return result[1] if result else ""
