"""Timing of the conditions of a task, from the three-column files of a run."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

import numpy as np
from jaxtyping import Int

from perdure.core.errors import DataError
from perdure.data._hcp.runs import Run
from perdure.data._read.guard import named_errors
from perdure.data.planted_events import NO_EVENT

__all__ = ["CONDITIONS", "REPETITION", "TYPES", "Trial", "mark_steps", "read_trials"]

REPETITION = 0.72
"""Seconds from one step of a run to the next."""

_BACK = tuple(f"{load}bk_{what}" for load in (0, 2) for what in ("body", "faces", "places", "tools"))

CONDITIONS: dict[str, tuple[str, ...]] = {
    "MOTOR": ("cue", "lf", "rf", "lh", "rh", "t"),
    "WM": _BACK,
    "EMOTION": ("fear", "neut"),
    "GAMBLING": ("loss", "win"),
    "LANGUAGE": ("math", "story"),
    "RELATIONAL": ("match", "relation"),
    "SOCIAL": ("mental", "rnd"),
}
"""The conditions of each task, named as their files; files about single responses are not read."""

TYPES = tuple(f"{task} {condition}" for task, names in CONDITIONS.items() for condition in names)
"""Names of the event types."""

ALIASES = {"mental": "ment"}
"""Names that one of the layouts has for a condition."""


@dataclass(frozen=True)
class Trial:
    """An interval of a condition.

    Args:
        condition: Name of the condition.
        start: First step.
        steps: Number of steps.
    """

    condition: str
    start: int
    steps: int


def read_trials(run: Run) -> list[Trial]:
    """Read the trials of a run; a trial from second a on, b seconds long, has ceil(b / TR) steps from floor(a / TR) on.

    Args:
        run: Run with the folder of its timing.

    Returns:
        The trials in the order of time.

    Raises:
        DataError: When a file is missing or a row is not three numbers.

    Reference:
        barch2013function
    """
    trials = [
        Trial(condition, max(0, floor(onset / REPETITION)), ceil(duration / REPETITION))
        for condition in CONDITIONS[run.task]
        for onset, duration, _ in _rows(_file(run, condition))
    ]
    return sorted(trials, key=lambda trial: trial.start)


def mark_steps(task: str, trials: list[Trial], steps: int) -> Int[np.ndarray, " step"]:
    """Mark each step of a run with its condition.

    Args:
        task: Task of the run.
        trials: Trials in the order of time; where two overlap, the later one counts.
        steps: Steps of the run.

    Returns:
        Positions in `TYPES`, -1 between the trials.

    Example:
        >>> event = mark_steps("EMOTION", [Trial("neut", 1, 2)], 4)
        >>> [TYPES[i] if i >= 0 else "" for i in event]
        ['', 'EMOTION neut', 'EMOTION neut', '']
    """
    event = np.full(steps, NO_EVENT, dtype=np.int64)
    for trial in trials:
        event[trial.start : trial.start + trial.steps] = TYPES.index(f"{task} {trial.condition}")
    return event


def _file(run: Run, condition: str) -> Path:
    for name in (condition, ALIASES.get(condition, condition)):
        if (run.events / f"{name}.txt").is_file():
            return run.events / f"{name}.txt"
    raise DataError(
        f"the run '{run.name}' has no timing of '{condition}': there is no file '{run.events / condition}.txt'",
        "unpack the folder EVs next to the signal",
    )


def _rows(file: Path) -> list[tuple[float, ...]]:
    with named_errors(f"'{file}' cannot be read", "write it again, in UTF-8"):
        lines = file.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            values = tuple(float(cell) for cell in line.split())
        except ValueError:
            values = (np.nan,)
        if line.strip() and (len(values) != 3 or not np.isfinite(values).all()):
            raise DataError(
                f"line {number} of '{file}' is {line!r}",
                "write onset, duration and amplitude, in seconds, in each line",
            )
        rows += [values] if line.strip() else []
    return rows
