"""Checks of what a user hands in beside data: methods, metrics and streams of random numbers."""

from __future__ import annotations

import torch

from perdure.core.errors import SettingError

__all__ = ["check_generator", "check_made"]


def check_made(thing: object, verb: str, noun: str) -> None:
    """Check that a thing is an object that can do its work, not its class or something else.

    Args:
        thing: what was given.
        verb: the function that it must have.
        noun: what to call it.

    Raises:
        SettingError: otherwise.

    Example:
        >>> check_made(dict, "scores", "method")
        Traceback (most recent call last):
        perdure.core.errors.SettingError: the method is the class dict. Remedy: make one of it: dict(...).
    """
    if isinstance(thing, type):
        raise SettingError(f"the {noun} is the class {thing.__name__}", f"make one of it: {thing.__name__}(...)")
    if not callable(getattr(thing, verb, None)):
        raise SettingError(
            f"the {noun} is {type(thing).__name__}, which has no '{verb}'",
            f"give a name, of perdure.{noun.upper()}S.names(), or an object of ours or yours",
        )


def check_generator(generator: object) -> None:
    """Check that a stream of random numbers is one.

    Args:
        generator: what was given; None for a fresh one.

    Raises:
        SettingError: otherwise.
    """
    if generator is not None and not isinstance(generator, torch.Generator):
        raise SettingError(
            f"generator={generator!r:.40} is no torch.Generator",
            "give a stream, for example torch.Generator().manual_seed(3)",
        )
