"""Checks of runs and methods before explanations are compared."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import EmptyDataError, PerdureError, UnsupportedError, user_code_errors
from perdure.core.exclusive import exclusive
from perdure.core.registry import METHODS
from perdure.data._event_marks import find_types
from perdure.data._splits import Splits
from perdure.engine.explain import fit_method
from perdure.models._embed import embed_batch
from perdure.ops.sequence import lengths_of
from perdure.stability.agreement import RunExplanations
from perdure.stability.explain_runs import count_types

__all__ = ["check_comparable", "check_methods", "check_panel"]


def check_comparable(
    explanations: Mapping[str, Sequence[RunExplanations]], names: Sequence[str], splits: Splits, types: Sequence[str]
) -> None:
    """Warn of samples without types to compare, of types unseen in training, and of constant explanations.

    Args:
        explanations: Explanations of each run by method.
        names: Names of the runs.
        splits: Their data.
        types: Names of the event types, or of places.

    Raises:
        EmptyDataError: If no sample has two types to compare.
    """
    present = next(iter(explanations.values()))[0].vectors.present
    several = present.sum(1) > 1
    if not several.any():
        raise EmptyDataError("no sample has two types to compare", "use samples with more steps or event types")
    if not several.all():
        _warn(f"{int((~several).sum())} of {len(several)} samples have fewer than two types and are left out")
    _warn_unseen(present, splits, types)
    for method, runs in explanations.items():
        for name, run in zip(names, runs, strict=True):
            constant = int((_find_constant(run.vectors.values, present) & several).sum())
            if constant:
                _warn(f"method '{method}' explains {constant} of {len(several)} samples of run '{name}' by a constant")


def _find_constant(values: Tensor, present: Tensor) -> Tensor:
    high = values.masked_fill(~present, -torch.inf).amax(1)
    return high == values.masked_fill(~present, torch.inf).amin(1)


def _warn_unseen(present: Tensor, splits: Splits, types: Sequence[str]) -> None:
    if count_types(splits) is None:
        return
    missed = present.any(0).cpu() & ~find_types(splits.train, len(types))
    unseen = [types[k] for k in missed.nonzero()[:, 0].tolist()]
    if unseen:
        shown = ", ".join(unseen[:3]) + (", ..." if len(unseen) > 3 else "")
        _warn(f"{len(unseen)} event types of the explained samples never occur in training: {shown}")


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


SEEN = 16
"""Number of samples to fit a method for the check."""


def check_methods(model: nn.Module, methods: Sequence[str], batch: Batch) -> None:
    """Explain one sample with each method, to hear now of what would fail later.

    Args:
        model: Trained or not.
        methods: Registry names, with settings.
        batch: Training samples.

    Raises:
        UnsupportedError: If a method cannot explain the model.
    """
    few = embed_batch(model, slice_batch(batch, slice(0, SEEN)))
    lengths = lengths_of(few.mask)
    with exclusive(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in methods:
            method = fit_method(METHODS.make(name), model, few)
            first = None if lengths is None else lengths[:1]
            attribute(model, few.inputs[:1], method, target=few.label[:1], lengths=first)


def check_panel(model: nn.Module, methods: Sequence[str], batch: Batch) -> None:
    """Check that at least one of several methods can explain a model.

    Args:
        model: Trained or not.
        methods: Registry names, with settings; none for a panel that is chosen later.
        batch: Training samples.

    Raises:
        UnknownNameError: If a method does not exist.
        UnsupportedError: If no method can explain the model; the error is that of the first.
    """
    for name in methods:
        METHODS.make(name)
    failures: list[PerdureError] = []
    for name in methods:
        try:
            with user_code_errors(UnsupportedError, f"method '{name}'", "use another method for this model"):
                check_methods(model, (name,), batch)
        except PerdureError as error:
            failures.append(error)
        else:
            return
    if failures:
        raise failures[0]
