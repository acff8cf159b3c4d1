"""CIFAR-10: small photographs, from the Hugging Face hub or from local files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from perdure.core.batch import Batch
from perdure.core.errors import DataError, LabelError
from perdure.data._parts import split_published
from perdure.data._read.guard import named_errors
from perdure.data._read.images import Colour, check_colours, decode, normalise
from perdure.data._splits import Splits
from perdure.data.hub import hub_folder

__all__ = ["CIFAR10"]

HUB = "uoft-cs/cifar10"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BINARY_NAMES = {"train": "data_batch_*.bin", "test": "test_batch.bin"}
PICKLE_NAMES = {"train": "data_batch_[1-5]", "test": "test_batch"}
RECORD = 1 + 3 * 32 * 32
"""Bytes of an image in the binary version: its label, then red, green and blue, row by row."""

REMEDY = (
    "give path= a folder with the hub's Parquet files (train-*.parquet, test-*.parquet) or with the files of the "
    "binary version (data_batch_1.bin to data_batch_5.bin, test_batch.bin), or use 'shapes', which needs no download"
)


@dataclass(frozen=True)
class CIFAR10:
    """Photographs of ten kinds of things, 32x32 pixels in colour.

    A tenth of the training samples, drawn by the seed with classes in proportion, is held out for validation; the
    test samples are the published ones. Where the folder has only one of both, the seed splits it: 60, 20 and 20 %.
    The relevant pixels are unknown, so there is no truth.

    Args:
        path: Folder with the hub's Parquet files or those of the binary version, at any depth; None takes them
            from the Hugging Face hub, or from its cache when there is no network. The Python version is rejected,
            because it is a pickle, and loading one can run foreign code.
        mean: Mean, which is subtracted from each channel, where 1 is full light.
        deviation: Standard deviation, by which each channel is then divided.

    Raises:
        SettingError: When a standard deviation is not positive.

    Reference:
        krizhevsky2009learning
    """

    path: str | None = None
    mean: Colour = (0.4914, 0.4822, 0.4465)
    deviation: Colour = (0.247, 0.2435, 0.2616)

    def __post_init__(self) -> None:
        check_colours(self.mean, self.deviation)

    def load(self, seed: int) -> Splits:
        """Read the images and hold out the validation samples.

        Args:
            seed: Seed of the validation samples.

        Returns:
            The splits.

        Raises:
            DataError: When the files are not available or cannot be read, or are pickles.
            DependencyError: When a package for the hub or its images is missing.
        """
        folder = hub_folder(HUB, "*.parquet", REMEDY) if self.path is None else Path(self.path).expanduser()
        parts = [part for part in BINARY_NAMES if any(_files(folder, part))] or ["train"]
        return split_published({part: self._read(folder, part) for part in parts}, CLASSES, 0.1, "cifar10", seed)

    def _read(self, folder: Path, part: str) -> Batch:
        parquet, binary = _files(folder, part)
        if not parquet and not binary:
            raise _nothing(folder, part)
        with named_errors(f"the {part} files in '{folder}' cannot be read", "fetch them again"):
            pixels, label = _from_parquet(parquet) if parquet else _from_binary(binary)
        if not np.isin(label, range(10)).all():
            raise LabelError(
                f"the {part} files in '{folder}' hold the labels {np.unique(label)}",
                "give the files of CIFAR-10, with labels from 0 to 9",
            )
        inputs = normalise(pixels, self.mean, self.deviation)
        names = tuple(f"{part}-{i:05d}" for i in range(len(inputs)))
        return Batch(inputs, torch.from_numpy(label.astype(np.int64)), id=names)


def _files(folder: Path, part: str) -> tuple[list[Path], list[Path]]:
    """List the Parquet and the binary files of a part."""
    return sorted(folder.rglob(f"{part}*.parquet")), sorted(folder.rglob(BINARY_NAMES[part]))


def _from_parquet(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Read columns `img`, a struct whose `bytes` are an encoded picture, and `label`."""
    import pyarrow.compute
    import pyarrow.parquet

    table = pyarrow.concat_tables([pyarrow.parquet.read_table(path, columns=["img", "label"]) for path in paths])
    encoded = pyarrow.compute.struct_field(table["img"], "bytes").to_pylist()
    pixels = np.stack([decode(data).pixels for data in encoded])
    if pixels.shape[1:3] != (32, 32):
        raise ValueError(f"images have {pixels.shape[1]}x{pixels.shape[2]} pixels, not 32x32")
    return pixels, table["label"].to_numpy()


def _from_binary(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    for path in paths:
        if path.stat().st_size % RECORD or not path.stat().st_size:
            raise ValueError(f"{path.name} has {path.stat().st_size} bytes, no multiple of {RECORD}")
    records = np.concatenate([np.fromfile(path, np.uint8).reshape(-1, RECORD) for path in paths])
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]


def _nothing(folder: Path, part: str) -> DataError:
    pickles = sorted(folder.rglob(PICKLE_NAMES[part]))
    if pickles:
        return DataError(
            f"'{pickles[0]}' belongs to the Python version of CIFAR-10, a pickle; loading it could run foreign code",
            "take the binary version of CIFAR-10 (cifar-10-binary.tar.gz), unpack it, and give path= its folder",
        )
    return DataError(f"'{folder}' holds no {part} files of CIFAR-10", REMEDY)
