"""A rehearsal: can the methods explain the models at all? Asked before anything is trained."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from torch import nn

from perdure.attribution.attribute import attribute
from perdure.core.batch import Batch, select
from perdure.core.registry import METHODS
from perdure.engine.fitted import prepared
from perdure.models.embedded import embedded
from perdure.ops.sequence import lengths_of

__all__ = ["rehearse"]

SEEN = 16
"""Samples that a method sees here, of those that it will see."""


def rehearse(model: nn.Module, methods: Sequence[str], batch: Batch) -> None:
    """Explain one sample with each method, to hear now of what would fail later.

    Args:
        model: trained or not.
        methods: registry names, with settings.
        batch: training samples.

    Raises:
        UnsupportedError: when a method cannot explain the model.
    """
    few = embedded(model, select(batch, slice(0, SEEN)))
    lengths = lengths_of(few.mask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in methods:
            method = prepared(METHODS.make(name), model, few)
            first = None if lengths is None else lengths[:1]
            attribute(model, few.inputs[:1], method, target=few.label[:1], lengths=first)
