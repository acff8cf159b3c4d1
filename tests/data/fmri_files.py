"""Small folders in the layouts of the task data."""

from pathlib import Path

import numpy as np

from perdure.data._hcp.cortex import REGIONS
from perdure.data._hcp.events import CONDITIONS
from perdure.data._hcp.runs import DIRECTIONS, TASKS

RIGHT_FIRST = REGIONS[180:] + REGIONS[:180]
LENGTHS = {task: 40 + 4 * i for i, task in enumerate(TASKS)}
"""Runs of different tasks differ in length, as the real ones do."""


def signal(subject: int, task: str, direction: str) -> np.ndarray:
    """Draw a run (time, region), in the order of REGIONS."""
    seed = [subject, TASKS.index(task), DIRECTIONS.index(direction)]
    return 100 + np.random.default_rng(seed).standard_normal((LENGTHS[task], len(REGIONS)))


def write_regions(folder: Path) -> None:
    np.save(folder / "regions.npy", np.array([[name, "Visual1", "2.209"] for name in RIGHT_FIRST]))


def write_events(folder: Path, task: str, names: dict[str, str] | None = None) -> None:
    """Write blocks of 3.6 seconds, five steps, one after the other from second 1.5 on: step 2."""
    folder.mkdir(parents=True)
    for i, condition in enumerate(CONDITIONS[task]):
        (folder / f"{(names or {}).get(condition, condition)}.txt").write_text(f"{1.5 + 3.6 * i:.2f}\t3.6\t1\n")


def write_numbered(folder: Path, subjects: int = 5) -> Path:
    """Write the layout of numbered folders."""
    for subject in range(subjects):
        place = folder / "subjects" / str(subject)
        (place / "timeseries").mkdir(parents=True)
        for task in TASKS:
            for direction in DIRECTIONS:
                number = 5 + 2 * TASKS.index(task) + (direction == "LR")
                path = place / "timeseries" / f"bold{number}_Atlas_MSMAll_Glasser360Cortical.npy"
                save_right_first(path, signal(subject, task, direction))
                write_events(place / "EVs" / f"tfMRI_{task}_{direction}", task)
    write_regions(folder)
    return folder


def write_listed(folder: Path, subjects: int = 5) -> Path:
    """Write the layout of listed subjects, where a condition of SOCIAL has another name."""
    names = [str(100307 + i) for i in range(subjects)]
    (folder / "subjects_list.txt").write_text("\n".join(names) + "\n")
    for i, subject in enumerate(names):
        for task in TASKS:
            for direction in DIRECTIONS:
                place = folder / "subjects" / subject / task / f"tfMRI_{task}_{direction}"
                write_events(place / "EVs", task, {"mental": "ment"})
                save_right_first(place / "data.npy", signal(i, task, direction))
    write_regions(folder)
    return folder


def write_connectome(folder: Path, tasks: tuple[str, ...], subjects: int = 3) -> Path:
    """Write CIFTI files with two points for each region, all of the left side; and the labels of these points."""
    import nibabel
    from nibabel import cifti2

    points = 2 * len(REGIONS)
    axis = cifti2.BrainModelAxis.from_surface(np.arange(points), 32492, "CortexLeft")
    for subject in range(subjects):
        for task in tasks:
            for direction in DIRECTIONS:
                place = folder / str(100307 + subject) / "MNINonLinear" / "Results" / f"tfMRI_{task}_{direction}"
                write_events(place / "EVs", task)
                values = signal(subject, task, direction)
                spread = np.concatenate([values - 1, values + 1], 1)
                header = (cifti2.SeriesAxis(0, 0.72, len(values)), axis)
                name = f"tfMRI_{task}_{direction}_Atlas_MSMAll.dtseries.nii"
                nibabel.save(cifti2.Cifti2Image(spread, header), place / name)
    table = {0: ("???", (0, 0, 0, 0))} | {i + 1: (f"{name}_ROI", (0, 0, 0, 1)) for i, name in enumerate(RIGHT_FIRST)}
    label = np.array([RIGHT_FIRST.index(name) + 1 for name in REGIONS * 2])[None]
    header = (cifti2.LabelAxis(["regions"], [table]), axis)
    nibabel.save(cifti2.Cifti2Image(label.astype(np.float32), header), folder / "own.dlabel.nii")
    return folder


def save_right_first(path: Path, values: np.ndarray) -> None:
    """Write (region, time) as published."""
    np.save(path, values[:, [REGIONS.index(name) for name in RIGHT_FIRST]].T)
