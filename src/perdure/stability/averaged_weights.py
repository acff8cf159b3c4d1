"""Runs whose weights are averaged in pairs, after one of each pair was aligned to the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from perdure.core.batch import select
from perdure.core.errors import UnsupportedError
from perdure.core.registry import folder_name
from perdure.data.splits import Splits
from perdure.landscape.align import align
from perdure.landscape.surface import ModelLoss
from perdure.landscape.symmetry import Units, symmetries
from perdure.ops.params import interpolate, params_of
from perdure.stability.members import Member
from perdure.training.checkpoint import is_finished, save_checkpoint

__all__ = ["averaged_pairs"]

NORMALISED = 1000
"""Training samples from which statistics of batch normalisation are estimated anew."""


def averaged_pairs(runs: Sequence[Member], splits: Splits, folder: Path) -> dict[str, Path]:
    """Average the weights of the first and second run, of the third and fourth, and so on.

    Args:
        runs: of an ensemble; a last one without a partner is left out.
        splits: their data.
        folder: where the averaged models go, as checkpoints.

    Returns:
        The folders of the averaged models by name; none when their symmetries are not known, when architectures
        differ, or for fewer than four runs, as there would be no two to compare.
    """
    layers = _layers(runs[0].model)
    if layers is None or len(runs) < 4 or any(run.config != runs[0].config for run in runs):
        return {}
    pairs = zip(runs[::2], runs[1::2], strict=False)
    return {f"{a.name} with {b.name}": _averaged(a, b, layers, splits, folder) for a, b in pairs}


def _averaged(first: Member, second: Member, layers: Sequence[Units], splits: Splits, folder: Path) -> Path:
    place = folder / folder_name(f"{first.name} with {second.name}")
    if not is_finished(place):
        one = params_of(first.model)
        moved = align(one, params_of(second.model), layers).params
        surface = ModelLoss(first.model, select(splits.train, slice(0, NORMALISED)))
        model = surface.model_at(interpolate(one, moved, 0.5))
        save_checkpoint(place, model, first.config, splits, {"of": [first.name, second.name]})
    return place


def _layers(model: nn.Module) -> tuple[Units, ...] | None:
    try:
        return symmetries(model)
    except UnsupportedError:
        return None
