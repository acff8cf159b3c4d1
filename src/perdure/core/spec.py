"""The text form of an object, "name:field=value": parsed, validated and written."""

from __future__ import annotations

import difflib
import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from perdure.core.errors import SettingError

__all__ = [
    "AnyForm",
    "add_digests",
    "belongs_to",
    "format_spec",
    "name_of",
    "parse_settings",
    "slug",
    "strip_settings",
    "suggest",
    "validate_settings",
]


class AnyForm:
    """Marks a field, as `Annotated[type, AnyForm()]`, whose class reads its value by itself, whatever form it has."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> Any:
        """Take the value as it is."""
        from pydantic_core import core_schema

        return core_schema.any_schema()


def slug(name: str) -> str:
    """Turn the name of a model or method into that of a folder.

    Args:
        name: any text.

    Returns:
        The text without characters that file systems reject.

    Example:
        >>> slug("lstm:hidden_size=5")
        'lstm-hidden_size=5'
    """
    return re.sub(r"[^\w.=-]+", "-", name).strip("-.")


def parse_settings(text: str) -> dict[str, Any]:
    """Parse settings written as on the command line.

    Args:
        text: such as "steps=50,baseline=zero,window=[1, 5]"; may be empty.

    Returns:
        Values by field name, as YAML reads them; a number such as 1.10, which may be the name of a layer, stays text.

    Raises:
        SettingError: when the text cannot be read.

    Example:
        >>> parse_settings("steps=50,window=[1, 5]")
        {'steps': 50, 'window': [1, 5]}
    """
    if not text:
        return {}
    import yaml

    from perdure.core.plain_yaml import load_yaml

    remedy = "write name=value, with commas between several, and a value that has settings in quotes"
    names = re.compile(r"""("[^"]*"|'[^']*')|(?<![\w.])(\w+)=""")  # a quoted value may contain settings
    mapping = "{" + names.sub(lambda match: match[1] or f"{match[2]}: ", text) + "}"
    try:
        result = load_yaml(mapping)
    except yaml.YAMLError:
        raise SettingError(f"cannot read the settings {text!r}", remedy) from None
    if None in result.values() and not re.search(r"=\s*(null|~|None)", text):
        raise SettingError(f"a setting in {text!r} has no value", remedy)
    tree: Any = yaml.compose(mapping, yaml.SafeLoader)
    written = {name.value: node.value for name, node in tree.value}
    result.update({key: written[key] for key, value in result.items() if _loses(value, written.get(key))})
    return {key: None if value == "None" else value for key, value in result.items()}


def _loses(value: object, written: object) -> bool:
    """Whether a number with a point was written in another form than it prints."""
    return isinstance(value, float) and bool(re.fullmatch(r"\d+\.\d+", str(written))) and str(value) != written


def validate_settings(cls: type, given: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """Turn given values into the types of the fields of a frozen class of settings.

    Args:
        cls: the class.
        given: values by field name; text is read as the type of its field, and a number as text where that is text.
        subject: Noun for messages.

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
            raise SettingError(f"{subject} has no setting '{key}'", suggest(key, known))
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
    if belongs_to(cls.__name__, file):
        return file
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()


def belongs_to(cls: str, name: str) -> bool:
    """Return whether a class belongs to a registry name, which are compared without case and underscores.

    Args:
        cls: Name of the class.
        name: Registry name.

    Returns:
        True if they match.

    Example:
        >>> belongs_to("InputIBA", "input_iba")
        True
    """
    return cls.lower() == name.replace("_", "")


def format_spec(thing: Any) -> str:
    """Write a thing as on the command line, so that two with other settings have other names.

    Args:
        thing: a method or metric.

    Returns:
        Its registry name, and the settings that differ from their defaults.

    Example:
        >>> from perdure.metrics.insertion import Insertion
        >>> format_spec(Insertion()), format_spec(Insertion(points=4, baseline="mean"))
        ('insertion', 'insertion:points=4,baseline=mean')
    """
    own = [field for field in fields(thing) if field.init and field.compare] if is_dataclass(thing) else []
    changed = {field.name: getattr(thing, field.name) for field in own if getattr(thing, field.name) != _default(field)}
    settings = ",".join(f"{name}={_text(value)}" for name, value in changed.items())
    return f"{name_of(thing)}:{settings}" if settings else name_of(thing)


def add_digests(text: str, thing: Any) -> str:
    """Write the digest of each file after its path, so that a record is of its numbers and not of its name.

    Args:
        text: name with settings, as on the command line.
        thing: method or metric that was made from it.

    Returns:
        The text, from which the same thing is made while the files stay as they are.

    Example:
        >>> from perdure.metrics.insertion import Insertion
        >>> add_digests("insertion:baseline=[1, 2]", Insertion(baseline=[1, 2]))
        'insertion:baseline=[1, 2]'
    """
    from perdure.core.registry import METRICS  # imports this module
    from perdure.core.values import Values  # imports torch, without which the command line lists names

    for field in fields(thing) if is_dataclass(thing) else ():
        value = getattr(thing, field.name)
        if isinstance(value, Values) and value.source and str(value) not in text:
            text = text.replace(f"={value.source}", f"={value}")
    name, colon, settings = text.partition(":")
    return f"{METRICS.aliases.get(name, name)}{colon}{settings}"  # a former name is stored as the present one


def strip_settings(text: str) -> str:
    """Take the settings off a name.

    Args:
        text: as `format_spec` writes it.

    Returns:
        The registry name.

    Example:
        >>> strip_settings("insertion:points=4")
        'insertion'
    """
    return text.partition(":")[0]


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and "=" in value:
        return f"'{value}'"
    return str(list(value)) if isinstance(value, tuple) else str(value)


def suggest(name: str, known: Sequence[str]) -> str:
    """Return a remedy for an unknown name.

    Args:
        name: The unknown name.
        known: Known names.

    Returns:
        The most similar known names, or all of them.

    Example:
        >>> suggest("saliensy", ["saliency", "random"])
        "did you mean 'saliency'?"
    """
    near = " or ".join(f"'{similar}'" for similar in difflib.get_close_matches(name, known, 3, 0.5))
    if near:
        return f"did you mean {near}?"
    return f"choose from {', '.join(known)}" if known else "leave it out"
