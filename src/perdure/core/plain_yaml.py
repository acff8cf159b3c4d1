"""YAML of untrusted files: plain values only, without aliases and without deep nesting."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["dump_yaml", "load_yaml"]

DEEPEST = 50
"""Levels of nesting; what perdure writes has fewer than ten."""


class _PlainLoader(yaml.SafeLoader):
    """Read plain values; a few bytes of aliases could stand for gigabytes."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Build a node, unless it is an alias or lies too deep."""
        mark = self.peek_event().start_mark
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias{mark}; aliases are not read")
        if self.depth >= DEEPEST:
            raise yaml.YAMLError(f"more than {DEEPEST} levels of nesting{mark}")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _PlainDumper(yaml.SafeDumper):
    """Write what occurs twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        """Use no alias, for no value."""
        del data
        return True


def dump_yaml(value: Any) -> str:
    """Write plain values as YAML that `load_yaml` reads.

    Args:
        value: Plain values, in the order in which they are to appear.

    Returns:
        The text.

    Example:
        >>> print(dump_yaml({"seed": 0, "steps": [1, 2]}), end="")
        seed: 0
        steps:
        - 1
        - 2
    """
    return yaml.dump(value, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)


def load_yaml(text: str) -> Any:
    """Read YAML from an untrusted source.

    Args:
        text: One document.

    Returns:
        Plain values.

    Raises:
        YAMLError: Whatever is wrong with the text: its syntax, a tag, a value, an alias, or more than 50 levels.

    Example:
        >>> load_yaml("{seed: 0, training: {epochs: 3}}")
        {'seed': 0, 'training': {'epochs': 3}}
        >>> load_yaml("[&a [1], *a]")
        Traceback (most recent call last):
        yaml.error.YAMLError: an alias  in "<unicode string>", line 1, column 10:
            [&a [1], *a]
                     ^; aliases are not read
    """
    try:
        return _PlainLoader(text).get_single_data()
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:  # values that do not fit tags
        raise yaml.YAMLError(f"a value cannot be read: {error}") from error
