"""IMDB: film reviews from the Hugging Face hub or from local files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from perdure.core.check import check_counts
from perdure.core.errors import DataError, LabelError
from perdure.core.random import stream
from perdure.data._read.guard import named_errors
from perdure.data._read.texts import Reading, Texts, deal, draw, encode_texts, select
from perdure.data._splits import Splits, stratify
from perdure.data.hub import hub_folder

__all__ = ["IMDB"]

HUB = "stanfordnlp/imdb"
CLASSES = ("negative", "positive")
FOLDERS = ("neg", "pos")
REMEDY = (
    "give path= a folder with the hub's Parquet files (train-*.parquet, test-*.parquet, columns text and label) or "
    "the original folder aclImdb (train/pos/*.txt and so on), or use 'planted_text', which needs no download"
)


@dataclass(frozen=True)
class IMDB:
    """Film reviews, negative or positive, as token ids.

    The vocabulary is that of the training samples. A tenth of the published training reviews, drawn by the seed
    with classes in proportion, is held out for validation; the test reviews are the published ones. Where the folder
    has only one of both, the seed splits it: 60, 20 and 20 %.

    Args:
        path: Folder with the hub's Parquet files or the original text files, at any depth; empty takes them from the
            Hugging Face hub, or from its cache when there is no network.
        vocabulary: Maximum number of words with an id.
        max_length: Tokens of a review.
        cut: Whether to truncate longer ones; else a longer review is an error.
        texts: Maximum number from each published part, drawn by the seed.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        maas2011learning

    Notes:
        A review takes about 25 kB of memory, most of it for the positions of its tokens.
    """

    path: str = ""
    vocabulary: int = 25000
    max_length: int = 400
    cut: bool = True
    texts: int = 25000

    def __post_init__(self) -> None:
        check_counts(vocabulary=self.vocabulary, max_length=self.max_length, texts=self.texts)

    def load(self, seed: int) -> Splits:
        """Read the reviews, hold out the validation samples and learn the vocabulary of the others.

        Args:
            seed: Seed of the validation samples and of all other draws.

        Returns:
            The splits.

        Raises:
            DataError: When the files are not available or cannot be read.
            DependencyError: When a package for the hub or the words is missing.
            LengthError: For a review that is empty, or too long when it must not be cut.
        """
        folder = Path(self.path).expanduser() if self.path else hub_folder(HUB, ["*/train-*", "*/test-*"], REMEDY)
        parts = {
            part: draw(_read(folder, part), self.texts, stream(seed, "imdb", "reviews"))
            for part in [part for part in ("train", "test") if any(_files(folder, part))] or ["train"]
        }
        train, validation, test = _deal(parts, seed)
        return encode_texts((train, validation, test), CLASSES, Reading(self.vocabulary, self.max_length, self.cut))


def _deal(parts: Mapping[str, Texts], seed: int) -> tuple[Texts, Texts, Texts]:
    """Keep the published test reviews, or split by the seed where only one part is there."""
    if len(parts) == 1:
        return deal(next(iter(parts.values())), CLASSES, None, seed)
    pool = parts["train"]
    train, validation = (select(pool, group) for group in stratify(pool.label, (0.9, 0.1), stream(seed, "imdb")))
    return train, validation, parts["test"]


def _files(folder: Path, part: str) -> tuple[list[Path], list[tuple[Path, str]]]:
    """List the Parquet files of a part, and its text files with their class."""
    written = [(path, kind) for kind in FOLDERS for path in sorted(folder.rglob(f"{part}/{kind}/*.txt"))]
    return sorted(folder.rglob(f"{part}*.parquet")), written


def _read(folder: Path, part: str) -> Texts:
    parquet, written = _files(folder, part)
    if not parquet and not written:
        raise DataError(f"'{folder}' holds no {part} files of IMDB", REMEDY)
    with named_errors(f"the {part} files in '{folder}' cannot be read", "fetch them again"):
        return _from_parquet(parquet, part) if parquet else _from_texts(written, part)


def _from_parquet(paths: list[Path], part: str) -> Texts:
    """Read columns `text` and `label`."""
    import pyarrow.parquet

    table = pyarrow.concat_tables([pyarrow.parquet.read_table(path, columns=["text", "label"]) for path in paths])
    label = torch.tensor(table["label"].to_pylist())
    if not torch.isin(label, torch.tensor([0, 1])).all():
        raise LabelError(
            f"the {part} files have labels {sorted(set(label.tolist()))}",
            "give files with 0 (negative) and 1 (positive)",
        )
    texts = tuple(table["text"].to_pylist())
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("column 'text' holds other things than text")
    return Texts(texts, label, tuple(f"{part}-{i:05d}" for i in range(len(label))))


def _from_texts(result: list[tuple[Path, str]], part: str) -> Texts:
    """Read one file per review, named by its number and the points that the film was given."""
    texts = tuple(path.read_text(encoding="utf-8") for path, _ in result)
    label = torch.tensor([FOLDERS.index(kind) for _, kind in result])
    return Texts(texts, label, tuple(f"{part}-{kind}-{path.stem}" for path, kind in result))
