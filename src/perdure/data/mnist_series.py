"""MNIST, read row by row: from the Hugging Face hub or from local files."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch

from perdure.core.batch import Batch
from perdure.core.errors import DataError, ShapeError
from perdure.core.optional import require
from perdure.data._parts import split_published
from perdure.data._read.guard import named_errors, unpack
from perdure.data._read.images import decode
from perdure.data._splits import Splits
from perdure.data.hub import hub_folder

__all__ = ["MNISTSeries"]

HUB = "ylecun/mnist"
IDX_NAMES = {"train": "train", "test": "t10k"}
REMEDY = (
    "give path= a folder with the hub's Parquet files (train-*.parquet, test-*.parquet) or with the four "
    "original files (train-images-idx3-ubyte.gz and so on), or use 'digits', which needs no download"
)


@dataclass(frozen=True)
class MNISTSeries:
    """Handwritten digits of 28x28 pixels as series of 28 steps, one row of 28 features each.

    Inputs are ink from 0 to 1; the truth is every pixel with any ink. A sixth of the training samples, drawn
    by the seed with classes in proportion, is held out for validation; the test samples are the published ones. Where
    the folder has only the files of one part, such as the two of t10k, the seed splits them: 60, 20 and 20 %.

    Args:
        path: Folder with the hub's Parquet files or the original IDX files, gzipped or not, at any depth; None
            takes them from the Hugging Face hub, or from its cache when there is no network.

    Reference:
        lecun1998gradient
    """

    path: str | None = None

    def load(self, seed: int) -> Splits:
        """Read the digits and hold out the validation samples.

        Args:
            seed: Seed of the validation samples.

        Returns:
            The splits.

        Raises:
            DataError: When the files are not available or cannot be read.
            DependencyError: When a package for the hub or its images is missing.
        """
        folder = hub_folder(HUB, "*.parquet", REMEDY) if self.path is None else Path(self.path).expanduser()
        parts = [part for part in IDX_NAMES if any(_files(folder, part))] or ["train"]
        batches = {part: _read(folder, part) for part in parts}
        return split_published(batches, tuple("0123456789"), 1 / 6, "mnist_series", seed)


def _files(folder: Path, part: str) -> tuple[list[Path], list[Path], list[Path]]:
    """List the Parquet files of a part, and the IDX files of its images and of its labels."""
    images, labels = (sorted(folder.rglob(f"{IDX_NAMES[part]}-{kind}[-.]idx?-ubyte*")) for kind in ("images", "labels"))
    return sorted(folder.rglob(f"{part}*.parquet")), images, labels


def _read(folder: Path, part: str) -> Batch:
    parquet, images, labels = _files(folder, part)
    if not parquet and not (images and labels):
        raise DataError(f"'{folder}' holds no {part} files of MNIST", REMEDY)
    with named_errors(f"the {part} files in '{folder}' cannot be read", "fetch them again"):
        pixels, label = _from_parquet(parquet) if parquet else (_from_idx(images[0]), _from_idx(labels[0]))
    _check(pixels, label, part)
    inputs = torch.from_numpy(pixels.astype(np.float32)) / 255
    names = tuple(f"{part}-{i:05d}" for i in range(len(inputs)))
    return Batch(inputs, torch.from_numpy(label.astype(np.int64)), truth=inputs > 0, id=names)


def _from_parquet(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Read columns `image`, a struct whose `bytes` are an encoded picture, and `label`."""
    import pyarrow.compute
    import pyarrow.parquet

    require("PIL.Image", extra="datasets", purpose="MNIST")
    tables = [pyarrow.parquet.read_table(path, columns=["image", "label"]) for path in paths]
    table = pyarrow.concat_tables(tables)
    encoded = pyarrow.compute.struct_field(table["image"], "bytes").to_pylist()
    pixels = np.stack([decode(item).pixels for item in encoded])
    if (pixels != pixels[..., :1]).any():
        raise ValueError("pictures have colours")
    return pixels[..., 0], table["label"].to_numpy()


def _from_idx(path: Path) -> np.ndarray:
    """Read an IDX file: two zeros, 8 for bytes, the number of axes, their big-endian lengths, the bytes."""
    data = unpack(path)
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path.name} does not begin like an IDX file of bytes")
    start = 4 + 4 * data[3]
    shape = [int.from_bytes(data[place : place + 4], "big") for place in range(4, start, 4)]
    if prod(shape) != len(data) - start:
        raise ValueError(f"{path.name} declares {prod(shape)} bytes and holds {len(data) - start}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _check(pixels: np.ndarray, label: np.ndarray, part: str) -> None:
    if pixels.shape != (len(label), 28, 28) or not np.isin(label, range(10)).all():
        raise ShapeError(
            f"the {part} files hold images of shape {pixels.shape} and {len(label)} labels among {np.unique(label)}",
            "give files with 28x28 images and one label from 0 to 9 for each",
        )
