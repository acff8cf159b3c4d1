"""The learning of a curve that can be cut anywhere and goes on: one file holds all that its next step depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path as File
from typing import Any

import torch

from perdure.core.errors import PartError
from perdure.landscape.chunks import Kept, in_chunks
from perdure.landscape.learned import Learned, Learner
from perdure.landscape.path import Path
from perdure.landscape.stored import AGAIN, load_tensors, save_tensors

__all__ = ["learned_in_chunks", "load_learned", "save_learned"]

_TENSORS = ("points", "shares", "moments", "random")

Tell = Callable[[Learned], None]
"""Told how far the learning has come."""


def save_learned(file: File, kept: Kept[Learned]) -> None:
    """Store a learning in the place of what was there.

    Args:
        file: a .safetensors file, which then is whole.
        kept: how far it came.

    Raises:
        RunFolderError: when the system cannot write.
    """
    state = asdict(kept.state)
    tensors = {name: state.pop(name).cpu() for name in _TENSORS}
    save_tensors(file, tensors, {"seconds": kept.seconds, "learned": state})


def load_learned(file: File) -> Kept[Learned] | None:
    """Load what `save_learned` stored, to the bit.

    Args:
        file: the .safetensors file.

    Returns:
        It, or None where there is none.

    Raises:
        PartError: when the file is damaged.
    """
    if not file.exists():
        return None
    tensors, about = load_tensors(file)
    try:
        values: dict[str, Any] = {name: tensors[name].clone() for name in _TENSORS}  # sums can depend on the alignment
        return Kept(Learned(**values, **about["learned"]), about["seconds"])
    except (KeyError, TypeError) as error:
        raise PartError(f"{file} holds no learning of a curve: {error}", AGAIN) from error


def learned_in_chunks(learner: Learner[Path], generator: torch.Generator, file: File, tell: Tell) -> Kept[Learned]:
    """Learn a curve and store it every few seconds; a learning in the file goes on as if it had never ended.

    Args:
        learner: how.
        generator: the stream of draws of one that begins, not advanced.
        file: of this learning alone.
        tell: told after each chunk.

    Returns:
        The learning at its end.

    Raises:
        NonFiniteError: when a gradient is NaN or infinite.
        PartError: when the stored file is damaged.
    """

    def keep(kept: Kept[Learned]) -> None:
        save_learned(file, kept)
        tell(kept.state)

    return in_chunks(
        load_learned(file) or Kept(learner.begin(generator)),
        lambda kept: kept.state.ended,
        lambda kept, steps: learner.advance(kept.state, kept.state.steps + steps),
        keep,
    )
