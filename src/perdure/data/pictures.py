"""Picture files: where they lie in a folder, what class each has, and which annotation belongs to it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from perdure.core.errors import DataError, EmptyDataError, LabelError

__all__ = ["Annotations", "Classes", "Picture", "find_annotation", "find_annotations", "find_classes", "find_pictures"]

SUFFIXES = {".jpg", ".jpeg", ".png"}
ALL = "all"
LAYOUTS = (
    {"train": "images/estimation", "test": "images/attribution"},
    {"train": "train", "validation": "validation", "test": "test"},
    {"train": "train", "validation": "val", "test": "test"},
    {"train": "train", "test": "test"},
    {ALL: "."},
)
"""Folders of the splits; the first layout whose folders are all there is taken."""

ANNOTATIONS = "annotations"
INDEX = "imagenet_class_index.json"


@dataclass(frozen=True)
class Picture:
    """A picture file.

    Args:
        path: of the file.
        folder: name of its class folder.
        id: its path below the dataset, which is unique.
    """

    path: Path
    folder: str
    id: str


@dataclass(frozen=True)
class Classes:
    """The classes of a dataset.

    Args:
        names: of the classes, in the order of the labels.
        labels: by name of the class folder.
    """

    names: tuple[str, ...]
    labels: dict[str, int]


@dataclass(frozen=True)
class Annotations:
    """The annotations of a dataset.

    Args:
        root: the folder they lie in.
        named: their paths below it, by name of the file without suffix.
        places: names of all folders that pictures lie in.
    """

    root: Path
    named: dict[str, list[Path]]
    places: frozenset[str]


def find_pictures(root: Path) -> dict[str, list[Picture]]:
    """Find the pictures of each split.

    Args:
        root: the folder of the dataset.

    Returns:
        Pictures in order of their paths, by split: train, validation (or none) and test, or all together as "all".

    Raises:
        DataError: when the folder is missing or has a training split without a test split.
        EmptyDataError: when a split holds no picture.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder '{root}'", "give path= a folder with one folder of pictures per class")
    layout = next(one for one in LAYOUTS if all((root / place).is_dir() for place in one.values()))
    if ALL in layout and (root / "train").is_dir():
        raise DataError(
            f"'{root}' holds a folder 'train' but no folder 'test'",
            "name the folders train, validation and test, or put the class folders side by side and let the seed split",
        )
    found = {part: _pictures(root / place, root) for part, place in layout.items()}
    for part, pictures in found.items():
        if not pictures:
            raise EmptyDataError(
                f"'{root / layout[part]}' holds no pictures in class folders",
                f"put files ending in {', '.join(sorted(SUFFIXES))} into one folder for each class",
            )
    return found


def find_classes(root: Path, pictures: Iterable[Picture]) -> Classes:
    """Name the classes: those of `imagenet_class_index.json` where it lies in the dataset, else the class folders.

    Args:
        root: the folder of the dataset.
        pictures: of all splits.

    Returns:
        The classes; a name that several have in the index gets its folder behind it.

    Raises:
        DataError: when the index cannot be read.
        LabelError: when a class folder is not in it, or there is a single class.
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
        root: the folder of the dataset.
        pictures: of all splits.

    Returns:
        XML files at any depth below its folder `annotations`.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted((root / ANNOTATIONS).rglob("*.xml")):
        found.setdefault(path.stem, []).append(path.relative_to(root / ANNOTATIONS))
    return Annotations(root / ANNOTATIONS, found, frozenset(chain(*map(_folders, pictures))))


def find_annotation(picture: Picture, annotations: Annotations) -> Path | None:
    """Find the annotation of a picture, which has its name.

    A folder of the annotations that is called like one of the pictures must be one that the picture lies in; of
    several annotations the one in the most such folders is taken.

    Args:
        picture: the file.
        annotations: of the dataset.

    Returns:
        The annotation, None when there is none.

    Raises:
        DataError: when there are several.
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


def _pictures(place: Path, root: Path) -> list[Picture]:
    files = (path for path in sorted(place.glob("*/*")) if path.suffix.lower() in SUFFIXES and path.is_file())
    return [
        Picture(path, path.parent.name, path.relative_to(root).as_posix())
        for path in files
        if not path.name.startswith(".") and not path.parent.name.startswith(".")
    ]


def _index(path: Path) -> dict[str, str]:
    """Read the folder and the name of each class, in the order of the labels."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(found[str(label)][0]): str(found[str(label)][1]) for label in range(len(found))}
    except (ValueError, KeyError, TypeError, IndexError, OSError) as error:
        raise DataError(
            f"'{path}' cannot be used: {error!r}", 'write {"0": ["n01440764", "tench"], "1": ...}, one entry per label'
        ) from error
