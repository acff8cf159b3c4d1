"""Checks of what a user hands in beside data: methods, metrics and streams of random numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_inputs
from perdure.core.errors import LabelError, LengthError, SettingError, ShapeError

__all__ = ["check_attribution", "check_generator", "check_made"]


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


def check_attribution(attribution: object) -> None:
    """Check the parts of an attribution that a metric reads; the shape of the map is checked by `evaluate`.

    Args:
        attribution: The attribution.

    Raises:
        SettingError: If it is not an attribution, or its method is a name.
        ShapeError: If its map or inputs are not floating point tensors.
        LabelError: If its target is not a function of the outputs.
        LengthError: If its mask does not fit the steps of its inputs.
    """
    if not isinstance(attribution, Attribution):
        raise SettingError(
            f"{type(attribution).__name__} is not an attribution",
            "pass the result of perdure.attribute, or a map shaped like the inputs with model=, x= and target=",
        )
    query, values = attribution.query, attribution.values
    if not isinstance(values, Tensor):
        raise ShapeError(
            f"the map is {type(values).__name__}", "pass the tensor; that of an attribution is its .values"
        )
    check_inputs(query.x, "x of the query")
    if not callable(query.target):
        raise LabelError(
            f"the target of the query is {type(query.target).__name__}",
            "pass a function of the outputs, such as perdure.Logit(labels)",
        )
    if query.mask is not None and (query.mask.shape != query.x.shape[:2] or query.mask.dtype != torch.bool):
        raise LengthError(
            f"the mask of the query has shape {tuple(query.mask.shape)} and dtype {query.mask.dtype} for inputs "
            f"{tuple(query.x.shape)}",
            "pass (batch, time), true at valid steps: torch.arange(time) < lengths[:, None]",
        )
    if isinstance(attribution.method, str):
        raise SettingError(
            f"the method of the attribution is the name '{attribution.method}'",
            f"pass the method itself: perdure.METHODS.make('{attribution.method}')",
        )
