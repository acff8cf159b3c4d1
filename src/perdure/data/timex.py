"""Series in the files that the authors of TimeX publish: PAM, Boiler, Epilepsy and MIT-BIH."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_choice, check_inputs
from perdure.core.errors import DataError, LabelError, SettingError, ShapeError
from perdure.data._parts import check_classes
from perdure.data._read.guard import named_errors
from perdure.data._splits import Splits, split, standardise

__all__ = ["TimeX"]

Name = Literal["Boiler", "Epilepsy", "MITECG", "PAM"]

INPUTS = {
    "Boiler": "xfull.pt",
    "Epilepsy": "all_epilepsy.pt",
    "MITECG": "all_data/X.pt",
    "PAM": "processed_data/PTdict_list.npy",
}
"""The file with the series of each dataset, which has to be there."""

LABELS = {"Boiler": "yfull.pt", "MITECG": "all_data/y.pt", "PAM": "processed_data/arr_outcomes.npy"}
"""The file with the labels, where they are in another file."""

SPLITS = {
    "Boiler": "split={}.pt",
    "Epilepsy": "split_{}.npy",
    "MITECG": "split={}.pt",
    "PAM": "splits/PAMAP2_split_{}.npy",
}

TIME_FIRST = ("Boiler", "MITECG")
"""Datasets whose files hold (time, sample, feature)."""

FETCH = "download it again from the Harvard Dataverse, doi 10.7910/DVN/B0DEQJ, and give the folder of one dataset"


@dataclass(frozen=True)
class TimeX:
    """Real series of the temporal benchmark, from a folder of the published files; nothing is downloaded or unpickled.

    - Boiler: 90115 series of 36 steps and 20 features in 2 classes; xfull.pt, yfull.pt.
    - Epilepsy: 11500 series of 178 steps and 1 feature in 2 classes; all_epilepsy.pt.
    - MITECG: heart beats of 360 steps and 1 feature, with the annotated segment as truth; all_data/X.pt, y.pt and
      saliency.pt.
    - PAM: 5333 series of 600 steps and 17 features in 8 classes; processed_data/PTdict_list.npy, arr_outcomes.npy.

    Args:
        path: Folder of the dataset.
        name: Name of the dataset.
        fold: Published split, 1 to 5; 0 to draw 60, 20 and 20 % by the seed. The published splits of Epilepsy and PAM
            are pickled: convert them first, as the error describes.
        standardise: Whether features are shifted and scaled by mean and standard deviation of the training samples.

    Raises:
        SettingError: For an unknown name, or a negative fold.

    Reference:
        queen2023encoding
    """

    path: str
    name: Name = "Boiler"
    fold: int = 0
    standardise: bool = True

    def __post_init__(self) -> None:
        check_choice("name", self.name, get_args(Name))
        if self.fold < 0:
            raise SettingError(f"fold is {self.fold}", "give 1 to 5 for a published split, or 0")

    def load(self, seed: int) -> Splits:
        """Read the series.

        Args:
            seed: Seed of the split where no published one is used.

        Returns:
            The splits; a sample is named by its row.

        Raises:
            DataError: When files are missing or have another layout; subclasses name the case.
        """
        inputs, label = self._read_series()
        classes, position = label.unique(return_inverse=True)
        batch = Batch(inputs, position, truth=self._read_truth(inputs))
        names = tuple(str(item) for item in classes.tolist())
        if len(names) < 2:
            raise LabelError(f"every sample of '{self.path}' has the label {names[0]}", FETCH)
        splits = split(batch, names, seed) if self.fold == 0 else self._split_by_file(batch, names)
        check_classes(splits)
        return standardise(splits, per_step=False) if self.standardise else splits

    def _read_series(self) -> tuple[Tensor, Int[Tensor, " sample"]]:
        read = self._read(INPUTS[self.name])
        if self.name == "Epilepsy":
            if not isinstance(read, list | tuple) or len(read) != 2:
                raise DataError(f"'{INPUTS[self.name]}' does not hold series and labels", FETCH)
            inputs, label = read
        else:
            inputs, label = read, self._read(LABELS[self.name])
        inputs, label = (self._as_tensor(item) for item in (inputs, label))
        if inputs.ndim != 3:
            raise ShapeError(f"the series of '{self.name}' have shape {tuple(inputs.shape)}, not three axes", FETCH)
        inputs = (inputs.transpose(0, 1) if self.name in TIME_FIRST else inputs).float().contiguous()
        check_inputs(inputs, f"the series of '{self.name}'", rank=3)
        label = label.reshape(len(label), -1)[:, -1]
        if len(label) != len(inputs):
            raise ShapeError(f"'{self.name}' has {len(label)} labels for {len(inputs)} series", FETCH)
        return inputs, label.long()

    def _read_truth(self, inputs: Tensor) -> Bool[Tensor, "sample time feature"] | None:
        if self.name != "MITECG":
            return None
        truth = self._as_tensor(self._read("all_data/saliency.pt"))
        truth = truth[..., None] if truth.ndim == 2 else truth
        if truth.shape != inputs.shape:
            raise ShapeError(f"the truth has shape {tuple(truth.shape)}, the series {tuple(inputs.shape)}", FETCH)
        return truth != 0

    def _split_by_file(self, batch: Batch, names: tuple[str, ...]) -> Splits:
        file = SPLITS[self.name].format(self.fold)
        read = self._read(file)
        if not isinstance(read, list | tuple) or len(read) != 3:
            raise DataError(f"'{file}' does not hold the samples of three parts", FETCH)
        rows = [self._as_tensor(item).long().flatten() for item in read]
        every = torch.cat(rows)
        if len(every.unique()) != len(every) or every.min() < 0 or every.max() >= len(batch):
            raise DataError(f"'{file}' names a sample twice, or one that is not among the {len(batch)}", FETCH)
        train, validation, test = (slice_batch(batch, item) for item in rows)
        return Splits(train, validation, test, names)

    def _read(self, name: str) -> object:
        """Read a file of tensors or an array, but nothing that is pickled."""
        folder = Path(self.path).expanduser()
        file, converted = folder / name, (folder / name).with_suffix(".npz")
        if name == SPLITS[self.name].format(self.fold) and converted.exists():
            with named_errors(f"'{converted}' cannot be read", FETCH), np.load(converted, allow_pickle=False) as parts:
                return [parts[part] for part in ("train", "validation", "test")]
        if not file.exists():
            raise DataError(f"'{folder}' holds no '{name}', which is a file of '{self.name}'", FETCH)
        try:
            with named_errors(f"'{file}' cannot be read", self._remedy(file)):
                if file.suffix == ".npy":
                    return np.load(file, allow_pickle=False)
                return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise DataError(f"'{file}' holds other things than tensors, or is damaged", FETCH) from error

    def _remedy(self, file: Path) -> str:
        if file.suffix != ".npy":
            return FETCH
        if file.name != Path(SPLITS[self.name].format(self.fold)).name:
            return FETCH
        return (
            "it is pickled, which can run any code: if its source is trusted, write the rows of its three parts with "
            f"numpy.savez('{file.with_suffix('.npz').name}', train=..., validation=..., test=...) next to it, or give "
            "fold=0"
        )

    def _as_tensor(self, item: object) -> Tensor:
        if isinstance(item, np.ndarray) and item.dtype.kind in "biuf":
            return torch.from_numpy(item)
        if isinstance(item, Tensor):
            return item
        raise DataError(f"a file of '{self.name}' holds {type(item).__name__} where numbers are expected", FETCH)
