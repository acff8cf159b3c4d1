"""How a thing is written: its name, with the settings that make it another than the usual one."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from perdure.core.registry import METRICS, name_of
from perdure.core.values import Values

__all__ = ["unset", "with_digests", "written"]


def written(thing: Any) -> str:
    """Write a thing as on the command line, so that two with other settings have other names.

    Args:
        thing: a method or metric.

    Returns:
        Its registry name, and the settings that differ from their defaults.

    Example:
        >>> from perdure.metrics.insertion import Insertion
        >>> written(Insertion()), written(Insertion(points=4, baseline="mean"))
        ('insertion', 'insertion:points=4,baseline=mean')
    """
    own = [field for field in fields(thing) if field.init and field.compare] if is_dataclass(thing) else []
    changed = {field.name: getattr(thing, field.name) for field in own if getattr(thing, field.name) != _default(field)}
    settings = ",".join(f"{name}={_text(value)}" for name, value in changed.items())
    return f"{name_of(thing)}:{settings}" if settings else name_of(thing)


def with_digests(text: str, thing: Any) -> str:
    """Write the digest of each file after its path, so that a record is of its numbers and not of its name.

    Args:
        text: name with settings, as on the command line.
        thing: method or metric that was made from it.

    Returns:
        The text, from which the same thing is made while the files stay as they are.

    Example:
        >>> from perdure.metrics.insertion import Insertion
        >>> with_digests("insertion:baseline=[1, 2]", Insertion(baseline=[1, 2]))
        'insertion:baseline=[1, 2]'
    """
    for field in fields(thing) if is_dataclass(thing) else ():
        value = getattr(thing, field.name)
        if isinstance(value, Values) and value.source and str(value) not in text:
            text = text.replace(f"={value.source}", f"={value}")
    name, colon, settings = text.partition(":")
    return f"{METRICS.aliases.get(name, name)}{colon}{settings}"  # a former name is stored as the present one


def unset(text: str) -> str:
    """Take the settings off a name.

    Args:
        text: as `written` writes it.

    Returns:
        The registry name.

    Example:
        >>> unset("insertion:points=4")
        'insertion'
    """
    return text.partition(":")[0]


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)
