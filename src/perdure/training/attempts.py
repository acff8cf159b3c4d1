"""Attempts: training runs that may fail without stopping the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from perdure.core.errors import NonFiniteError
from perdure.records.files import write_text
from perdure.training.ensemble import Runs

__all__ = ["Attempts", "failure"]

_FAILED = "failed.txt"


@dataclass(frozen=True, eq=False)
class Attempts:
    """The training runs of an ensemble; one whose loss is no number leaves a note in place of a checkpoint.

    As a run is a function of its seed, one that failed is not tried again.

    Args:
        runs: what to try.
    """

    runs: Runs

    def __call__(self, seed: int) -> None:
        """Train one model and store it, or why there is none.

        Args:
            seed: of the run.
        """
        place = self.runs.place(seed)
        if failure(place) is not None:
            return
        try:
            self.runs(seed)
        except NonFiniteError as error:
            write_text(place / _FAILED, f"{error}\n")


def failure(folder: Path) -> str | None:
    """Read why a run failed.

    Args:
        folder: of the run.

    Returns:
        The cause and its remedy; None for a run that did not fail.
    """
    path = folder / _FAILED
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else None
