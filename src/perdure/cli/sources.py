"""What a user names on the command line: models and data, by name or by path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from torch import nn

    from perdure.core.batch import Batch
    from perdure.data.splits import Splits

__all__ = ["DATA", "JSON", "MODEL", "OUT", "SEED", "load_data", "load_model", "load_split"]

MODEL = Annotated[
    str,
    typer.Argument(help="A name from 'perdure list models', with settings: lstm:hidden_size=16; or a trained folder."),
]
DATA = Annotated[
    str, typer.Argument(help="A name from 'perdure list data', with settings: boxes:variant=latter; or a .npz file.")
]
OUT = Annotated[Path | None, typer.Option(help="The run folder; named after the command when left out.")]
SEED = Annotated[int, typer.Option(help="Seed of all that is drawn.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load_data(text: str, seed: int) -> Splits:
    """Load a dataset by name or by path.

    Args:
        text: registry name with settings, or the path of a .npz file.
        seed: of what is drawn.

    Returns:
        The splits.
    """
    from perdure.core.registry import DATASETS

    found: Any = DATASETS.make("arrays", {"path": text}) if text.endswith(".npz") else DATASETS.make(text)
    splits: Splits = found.load(seed)
    return splits


def load_split(text: str, seed: int, split: str, limit: int | None) -> Batch:
    """Load the first samples of one split.

    Args:
        text: as in `load_data`.
        seed: of what is drawn.
        split: "train", "validation" or "test".
        limit: the most samples; None for all.

    Returns:
        The samples.
    """
    from perdure.core.batch import select

    batch: Batch = getattr(load_data(text, seed), split)
    return batch if limit is None else select(batch, slice(0, limit))


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model from a folder."""

    name: str
    model: nn.Module


def load_model(path: Path) -> nn.Module:
    """Load a trained model.

    Args:
        path: the folder that 'perdure train' wrote.

    Returns:
        The model in evaluation mode.
    """
    from perdure.training.checkpoint import load_checkpoint

    return load_checkpoint(path)[0]
