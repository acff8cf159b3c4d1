"""Series that ship with sktime, or files of the archive that they are part of."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch

from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_inputs
from perdure.core.errors import DataError, LabelError, LengthError, UnknownNameError
from perdure.core.optional import require
from perdure.data._parts import check_classes, hold_out, quote_names
from perdure.data._read.columns import sort_classes
from perdure.data._read.guard import named_errors
from perdure.data._splits import Splits, standardise
from perdure.ops.sequence import mask_of

__all__ = ["Sktime"]

REGRESSION = ("Covid3Month", "Tecator")
"""Regression datasets that ship with sktime."""


@dataclass(frozen=True)
class Sktime:
    """Series of the UCR and UEA archive that ship with sktime, so that no network is needed.

    Among them are BasicMotions (80 series of 100 steps and 6 features in 4 classes), JapaneseVowels (640 of 7 to 29
    steps, 12 features, 9 classes), GunPoint, ArrowHead, ItalyPowerDemand, OSULeaf, ACSF1 and PLAID. The published
    training and test samples are kept; a fifth of the training samples, drawn by the seed with classes in proportion,
    is held out for validation.

    Args:
        name: Name of the dataset.
        path: Folder with <name>_TRAIN.ts and <name>_TEST.ts, at any depth, in the format of the archive; empty for
            the series that ships with sktime.
        standardise: Whether features are shifted and scaled by mean and standard deviation of the training samples.

    Reference:
        dau2019ucr
    """

    name: str = "BasicMotions"
    path: str = ""
    standardise: bool = True

    def load(self, seed: int) -> Splits:
        """Read the series and hold out the validation samples.

        Args:
            seed: Seed of the validation samples.

        Returns:
            The splits; a sample is named by its published part and its place in it, "train-000000".

        Raises:
            DependencyError: Without the package sktime.
            UnknownNameError: When sktime ships no such series.
            DataError: When the files of a folder are missing or cannot be used; subclasses name the case.
        """
        load_from_tsfile = require("sktime.datasets", "timeseries", f"'{self.name}'").load_from_tsfile
        files = self._files()
        for file in files:
            _check_labels(file)
        with named_errors(f"the series '{self.name}' cannot be read", "fetch their files again"):
            read = [load_from_tsfile(str(file), return_data_type="nested_univ") for file in files]
        classes = sort_classes({str(item) for _, label in read for item in label})
        pool, test = (
            _batch(part, series.to_numpy(), [classes.index(str(item)) for item in label])
            for part, (series, label) in zip(("train", "test"), read, strict=True)
        )
        train, validation = (slice_batch(pool, group) for group in hold_out(pool.label, seed))
        splits = Splits(train, validation, test, tuple(classes))
        check_classes(splits)
        return standardise(splits, per_step=False) if self.standardise else splits

    def _files(self) -> list[Path]:
        shipped = Path(str(resources.files("sktime.datasets"))) / "data"
        folder = Path(self.path).expanduser() if self.path else shipped
        files = [path for part in ("TRAIN", "TEST") for path in sorted(folder.rglob(f"{self.name}_{part}.ts"))[:1]]
        if len(files) == 2 and (self.path or self.name not in REGRESSION):
            return files
        if self.path:
            raise DataError(
                f"'{folder}' does not hold both {self.name}_TRAIN.ts and {self.name}_TEST.ts",
                "give the folder of a dataset of timeseriesclassification.com, unpacked",
            )
        names = sorted(path.parent.name for path in shipped.glob("*/*_TRAIN.ts"))
        raise UnknownNameError(
            f"sktime ships no series '{self.name}' with classes",
            f"give one of {quote_names(name for name in names if name not in REGRESSION)}, or path= a folder",
        )


def _check_labels(file: Path) -> None:
    """Check that the header of a file declares class labels."""
    with named_errors(f"'{file}' cannot be read", "fetch it again"), file.open(encoding="utf-8") as text:
        header = [line.lower().split() for line in takewhile(lambda line: not line.lower().startswith("@data"), text)]
    if ["@targetlabel", "true"] in header or ["@classlabel", "false"] in header:
        raise LabelError(
            f"'{file}' has no class labels but numbers to predict, or none",
            "give series with @classLabel true; to explain a regression model, give your own tensors to "
            "perdure.attribute in Python",
        )


def _batch(part: str, series: np.ndarray, label: list[int]) -> Batch:
    """Stack series, given by sample and feature."""
    names = tuple(f"{part}-{i:06d}" for i in range(len(series)))
    rows = [_stack(name, row) for name, row in zip(names, series, strict=True)]
    lengths = torch.tensor([len(row) for row in rows])
    steps = int(lengths.max())
    inputs = torch.zeros(len(rows), steps, series.shape[1])
    for place, row in enumerate(rows):
        inputs[place, : len(row)] = torch.from_numpy(row)
    check_inputs(inputs, f"the {part} part", rank=3)
    return Batch(inputs, torch.tensor(label), mask_of(lengths, steps), id=names)


def _stack(name: str, features: np.ndarray) -> np.ndarray:
    result = {len(item) for item in features}
    if len(result) > 1:
        raise LengthError(f"the features of '{name}' have {sorted(result)} steps", "give all features equal steps")
    return np.stack([np.asarray(item, dtype=np.float32) for item in features], 1)
