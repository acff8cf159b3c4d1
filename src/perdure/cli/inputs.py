"""Data, training settings and engine from the options of a command."""

from __future__ import annotations

import re
from pathlib import Path

from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_choice, check_counts
from perdure.core.errors import DataError, SettingError
from perdure.core.registry import DATASETS
from perdure.core.resources import single_thread
from perdure.core.spec import parse_settings
from perdure.data._digest import digest_splits
from perdure.data._splits import Splits
from perdure.engine.pool import Engine, InProcess, Processes
from perdure.engine.ray import Ray
from perdure.records.place import exists
from perdure.training.settings import Training, make_training

__all__ = ["digest_files", "load_batch", "load_data", "make_engine", "read_training", "select_fit_samples"]

READERS = {".npz": "arrays", ".csv": "table", ".tsv": "table", ".parquet": "table", ".jsonl": "text_table"}
"""Dataset that reads a file of each suffix; a table of text may be compressed."""

FILE = re.compile(
    rf"((?!\w+:).+({'|'.join(map(re.escape, READERS))})(?:\.gz|\.bz2|\.xz)?)(:.*)?", re.DOTALL | re.IGNORECASE
)


def load_data(text: str, seed: int) -> Splits:
    """Load a dataset by name or by path.

    Args:
        text: Registry name with settings, or the path of a .npz, .csv, .parquet or .jsonl file, also with settings.
        seed: Seed for all random draws.

    Returns:
        The splits.

    Raises:
        UnknownNameError: If no dataset has this name.
        SettingError: For a folder or another file, with the dataset that reads it.
        DataError: If a file cannot be read or holds no data; each dataset documents further errors.
    """
    match = FILE.fullmatch(text)
    if match is None:
        _check_named(text)
    name, settings = (READERS[match[2].lower()] + (match[3] or ""), {"path": match[1]}) if match else (text, {})
    try:
        with single_thread():  # sums over several threads depend on their number, and so would the digest of the data
            splits: Splits = DATASETS.make(name, settings).load(seed)
    except OSError as error:
        remedy = "check the path and the permission to read it"
        raise DataError(f"'{error.filename or text}' cannot be read: {error.strerror or error}", remedy) from error
    return splits


def digest_files(study: object) -> dict[str, str]:
    """Describe the files that a study reads.

    Args:
        study: Study with settings.

    Returns:
        Digest of its data; empty where they are no files of the user.
    """
    name = getattr(study, "data", None)
    if not isinstance(name, str) or not getattr(DATASETS.make(name), "path", None):
        return {}
    return {"data_digest": digest_splits(load_data(name, 0))}


def _check_named(text: str) -> None:
    """Check that a text without a suffix of a file is no path.

    Raises:
        SettingError: If it is one, with the dataset that reads it.
    """
    path, name = Path(text).expanduser(), text.partition(":")[0]
    if name in DATASETS.names():
        return
    if exists(path) and path.is_dir():
        raise SettingError(
            f"'{text}' is a folder", f"for pictures in folders named after their class write image_folder:path={text}"
        )
    if exists(path) or path.suffix in (".npy", ".pt"):
        raise SettingError(
            f"'{text}' is no file that holds samples with their labels",
            "store both in one archive: numpy.savez('data.npz', inputs=x, label=y); or give a table, .csv, .parquet or "
            ".jsonl",
        )


def load_batch(splits: Splits, split: str, limit: int | None) -> Batch:
    """Select the first samples of a split.

    Args:
        splits: Data.
        split: "train", "validation" or "test".
        limit: Maximum number of samples; None for all.

    Returns:
        The samples.

    Raises:
        SettingError: For another split, or a limit below 1.
    """
    check_choice("split", split, ("train", "validation", "test"))
    batch: Batch = getattr(splits, split)
    if limit is None:
        return batch
    check_counts(limit=limit)
    return slice_batch(batch, slice(0, limit))


def select_fit_samples(splits: Splits, split: str) -> Batch:
    """Return the samples to which a method is fitted before it explains a split.

    Args:
        splits: Data.
        split: Split whose samples are explained.

    Returns:
        The training samples; the validation samples where training samples are explained.
    """
    return splits.validation if split == "train" else splits.train


def read_training(preset: str, train_settings: str) -> Training:
    """Read the training settings of a command.

    Args:
        preset: "clean" or "paper".
        train_settings: Fields that differ from the preset, as on the command line.

    Returns:
        The settings.

    Raises:
        SettingError: For an unknown preset, field or value.
    """
    return make_training(preset, **parse_settings(train_settings))


def make_engine(engine: str, workers: int, address: str | None) -> Engine:
    """Make the engine of a command.

    Args:
        engine: "local" or "ray".
        workers: Number of processes or actors; a single local one works in this process.
        address: Address of a Ray cluster.

    Returns:
        The engine.

    Raises:
        SettingError: For another engine, no workers, or an address without Ray.
    """
    check_choice("engine", engine, ("local", "ray"))
    check_counts(workers=workers)
    if engine == "ray":
        return Ray(workers, address)
    if address is not None:
        raise SettingError(f"ray_address is {address!r} and the engine is 'local'", "give --engine ray with it")
    return InProcess() if workers == 1 else Processes(workers)
