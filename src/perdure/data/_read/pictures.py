"""Picture files of a folder, with their classes and annotations."""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from perdure.core.errors import DataError, EmptyDataError, LabelError, LeftOutWarning
from perdure.core.printable import printable
from perdure.data._parts import quote_names
from perdure.data._read.guard import named_errors
from perdure.data._read.images import picture_suffixes

__all__ = ["Annotations", "Classes", "Picture", "find_annotation", "find_annotations", "find_classes", "find_pictures"]

ALL = "all"
LAYOUTS = (
    {"train": "images/estimation", "test": "images/attribution"},
    {"train": "train", "validation": "validation", "test": "test"},
    {"train": "train", "validation": "val", "test": "test"},
    {"train": "train", "validation": "valid", "test": "test"},
    {"train": "train", "test": "test"},
    {ALL: "."},
)
"""Folders of the splits; the first layout whose folders all exist is used."""

ANNOTATIONS = "annotations"
INDEX = "imagenet_class_index.json"

SPLITS = {"train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"}
"""Names, in lower case, that are of splits and not of classes."""

SYSTEM_FILES = {"Thumbs.db", "desktop.ini"}
"""Files that Windows writes into folders of pictures."""

SHOWN = 3
"""Names of files that a message lists."""


@dataclass(frozen=True)
class Picture:
    """A picture file.

    Args:
        path: Path of the file.
        folder: Name of its class folder.
        id: Path below the dataset, which is unique.
    """

    path: Path
    folder: str
    id: str


@dataclass(frozen=True)
class Classes:
    """The classes of a dataset.

    Args:
        names: Names of the classes, in the order of the labels.
        labels: Labels by name of the class folder.
    """

    names: tuple[str, ...]
    labels: dict[str, int]


@dataclass(frozen=True)
class Annotations:
    """The annotations of a dataset.

    Args:
        root: Folder of the annotations.
        named: Paths of the annotations below it, by name of the file without suffix.
        places: Names of all folders with pictures.
    """

    root: Path
    named: dict[str, list[Path]]
    places: frozenset[str]


def find_pictures(root: Path) -> dict[str, list[Picture]]:
    """Find the pictures of each split.

    A picture is a file with a suffix of a format that Pillow reads, at any depth below its class folder. Hidden files
    and folders are skipped; all other files that are not read are counted in a warning.

    Args:
        root: Folder of the dataset.

    Returns:
        Pictures in order of their paths, by split: train, validation (or none) and test, or all together as "all".

    Raises:
        DataError: When the folder is missing or has a training split without a test split.
        EmptyDataError: When a split or a class folder holds no picture.
        DependencyError: Without Pillow.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder '{root}'", "give path= a folder with one folder of pictures per class")
    layout = next(layout for layout in LAYOUTS if all((root / place).is_dir() for place in layout.values()))
    if ALL in layout:
        _check_no_split(root)
    files = sorted(path for path in _files(root) if not path.is_relative_to(root / ANNOTATIONS))
    result = {part: _pictures(root, root / place, files) for part, place in layout.items()}
    for part, pictures in result.items():
        if not pictures:
            raise EmptyDataError(
                f"'{root / layout[part]}' holds no pictures in class folders",
                "put pictures, such as .jpg, .png or .tif, into one folder for each class",
            )
    taken = {picture.path for picture in chain(*result.values())}
    folders = {folder for place in layout.values() for folder in _class_folders(root / place)}
    left_out = [path for path in files if path not in taken and _should_be_read(path, folders)]
    _report_left_out(left_out, len(files), root)
    return result


def find_classes(root: Path, pictures: Iterable[Picture]) -> Classes:
    """Name the classes: those of `imagenet_class_index.json` where it lies in the dataset, else the class folders.

    Args:
        root: Folder of the dataset.
        pictures: Pictures of all splits.

    Returns:
        The classes; a name that several have in the index gets its folder behind it.

    Raises:
        DataError: When the index cannot be read.
        LabelError: When a class folder is not in it, or there is a single class.
    """
    folders = sorted({picture.folder for picture in pictures})
    index = _index(root / INDEX) if (root / INDEX).is_file() else {folder: folder for folder in folders}
    unknown = [folder for folder in folders if folder not in index]
    if unknown:
        raise LabelError(f"the class folder '{unknown[0]}' is not in {INDEX}", "add it there, or remove the folder")
    if len(index) < 2:
        raise LabelError(f"every picture has the class '{folders[0]}'", "give pictures of two or more classes")
    common = Counter(index.values())
    names = tuple(name if common[name] == 1 else f"{name} ({folder})" for folder, name in index.items())
    return Classes(names, {folder: label for label, folder in enumerate(index)})


def find_annotations(root: Path, pictures: Iterable[Picture]) -> Annotations:
    """Find all annotations of a dataset.

    Args:
        root: Folder of the dataset.
        pictures: Pictures of all splits.

    Returns:
        XML files at any depth below its folder `annotations`.
    """
    result: dict[str, list[Path]] = {}
    for path in sorted((root / ANNOTATIONS).rglob("*.xml")):
        result.setdefault(path.stem, []).append(path.relative_to(root / ANNOTATIONS))
    return Annotations(root / ANNOTATIONS, result, frozenset(chain(*map(_folders, pictures))))


def find_annotation(picture: Picture, annotations: Annotations) -> Path | None:
    """Find the annotation of a picture, which has its name.

    A folder of the annotations that is called like one of the pictures must be one that the picture lies in; of
    several annotations the one in the most such folders is taken.

    Args:
        picture: Picture file.
        annotations: Annotations of the dataset.

    Returns:
        The annotation, None when there is none.

    Raises:
        DataError: When there are several.
    """
    own = _folders(picture)
    named = [(path, set(path.parts[:-1])) for path in annotations.named.get(picture.path.stem, [])]
    fit = [(len(folders & own), path) for path, folders in named if folders & annotations.places <= own]
    most = max((shared for shared, _ in fit), default=0)
    best = [annotations.root / path for shared, path in fit if shared == most]
    if len(best) > 1:
        raise DataError(f"'{best[0]}' and '{best[1]}' both annotate '{picture.id}'", "keep one of them")
    return best[0] if best else None


def _folders(picture: Picture) -> set[str]:
    return set(picture.id.split("/")[:-1])


def _check_no_split(root: Path) -> None:
    """Reject folders of splits where class folders are expected; a single "test" may well be a class."""
    splits = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name.lower() in SPLITS)
    if len(splits) > 1 or any(name.lower().startswith("train") for name in splits):
        missing = next(name for name in ("train", "test") if not (root / name).is_dir())
        raise DataError(
            f"'{root}' holds a folder '{splits[-1]}' but no folder '{missing}'",
            "name the folders train, validation and test, or put the class folders side by side and let the seed split",
        )


def _files(root: Path) -> Iterator[Path]:
    """Walk through the files that are not hidden, through links too; each folder once, as links may form a loop."""
    seen = set()
    for place, folders, names in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = [name for name in folders if _is_shown(name) and os.path.realpath(f"{place}/{name}") not in seen]
        yield from (Path(place, name) for name in names if _is_shown(name))


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "__")) and name not in SYSTEM_FILES  # such as .cache and __MACOSX


def _class_folders(place: Path) -> list[Path]:
    return sorted(
        path for path in place.iterdir() if path.is_dir() and _is_shown(path.name) and path.name != ANNOTATIONS
    )


def _pictures(root: Path, place: Path, files: list[Path]) -> list[Picture]:
    """Find the pictures of a split; each of its class folders must hold some."""
    inside: dict[Path, list[Path]] = {folder: [] for folder in _class_folders(place)}
    for path in files:
        folder = _class_folder(path, place)
        if folder in inside:
            inside[folder].append(path)
    pictures = []
    for folder, paths in inside.items():
        kept = [path for path in paths if _is_picture(path)]
        if not kept:
            raise EmptyDataError(
                f"the class folder '{folder}' holds no picture; it has {_count_suffixes(paths) or 'no files'}",
                "put pictures of a format that Pillow reads, such as .jpg, .png or .tif, into it, or remove the folder",
            )
        pictures += [Picture(path, folder.name, path.relative_to(root).as_posix()) for path in kept]
    return pictures


def _class_folder(path: Path, place: Path) -> Path | None:
    """Return the folder directly below a place that a file lies in."""
    parts = path.relative_to(place).parts if path.is_relative_to(place) else ()
    return place / parts[0] if len(parts) > 1 else None


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in picture_suffixes()


def _should_be_read(path: Path, class_folders: set[Path]) -> bool:
    """Return whether a file could be a sample: a picture anywhere, or any file in a class folder."""
    return _is_picture(path) or not class_folders.isdisjoint(path.parents)


def _report_left_out(paths: list[Path], count: int, root: Path) -> None:
    if paths:
        shown = quote_names(path.relative_to(root) for path in paths[:SHOWN])
        warnings.warn(
            f"{len(paths)} of {count} files are left out ({_count_suffixes(paths)}), as they lie outside the class "
            f"folders or are in no format that Pillow reads: {shown}{' and more' if len(paths) > SHOWN else ''}",
            LeftOutWarning,
            stacklevel=3,
        )


def _count_suffixes(paths: list[Path]) -> str:
    """Count files by suffix."""
    counts = Counter(path.suffix.lower() or "without suffix" for path in paths)
    return ", ".join(f"{count} {printable(suffix)}" for suffix, count in counts.most_common())


def _index(path: Path) -> dict[str, str]:
    """Read the folder and the name of each class, in the order of the labels."""
    with named_errors(f"'{path}' cannot be used", 'write {"0": ["n01440764", "tench"], "1": ...}, one entry per label'):
        result = json.loads(path.read_text(encoding="utf-8"))
        return {str(result[str(label)][0]): str(result[str(label)][1]) for label in range(len(result))}
