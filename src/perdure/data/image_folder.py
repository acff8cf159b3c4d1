"""Pictures of the user, one folder for each class, with boxes from annotations."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_choice, check_counts
from perdure.core.errors import CorruptFileWarning, DataError, EmptyDataError, SettingError, ShapeError
from perdure.core.printable import printable
from perdure.core.random import stream
from perdure.data._parts import quote_names
from perdure.data._read.images import IMAGENET_MEAN, IMAGENET_STD, Colour, Decoded, check_colours, decode, normalise
from perdure.data._read.pictures import (
    ALL,
    Annotations,
    Classes,
    Picture,
    find_annotation,
    find_annotations,
    find_classes,
    find_pictures,
)
from perdure.data._read.voc import mark_boxes, read_boxes, read_size
from perdure.data._splits import Splits, split, stratify

__all__ = ["ImageFolder"]

Boxes = Literal["every", "only", "none"]

HELD_OUT = 0.2
"""Fraction of the training pictures held out where there are none for validation."""

SHOWN = 5
"""Names of files that a message lists."""

LONGEST = 200
"""Characters of the reason that a message shows for each file."""


@dataclass(frozen=True)
class ImageFolder:
    """Pictures of your own, in folders named after their class.

    Every format that Pillow reads is read (JPEG, PNG, TIFF, WebP, BMP, GIF and others, but not EPS and WMF), at any
    depth below a class folder. Grey values of 16 bits are divided by 65535, floats must lie in [0, 1], EXIF
    orientation is applied, alpha is dropped, and of an animation the first frame is read. Other files in class
    folders and pictures outside them are left out, with a warning that counts them; hidden files are skipped.

    The folder holds one of these layouts:

    - `train/<class>/`, `validation/<class>/` (`val`, `valid`) and `test/<class>/`; without one for validation the seed
      draws 20 % of the training pictures;
    - `images/estimation/<class>/` and `images/attribution/<class>/`, as published with InputIBA: estimation is
      drawn into 80 % training and 20 % validation, attribution is the test split;
    - `<class>/`: the seed draws 60, 20 and 20 %.

    Boxes in the XML of Pascal VOC, below `annotations/`, flat or in folders like those of the pictures, and named
    like the pictures, give the truth: every pixel that a box of the picture's class touches.

    With `imagenet_class_index.json` in the folder, labels are those of ImageNet, so that published weights fit, and
    classes have its names.

    Every picture is read before anything is computed, so a damaged one costs no work: the error names them all.

    Args:
        path: Folder.
        size: Rows and columns to which each picture is resized, straight, without a crop; None keeps their sizes,
            which must then be equal.
        mean: Mean, which is subtracted from each channel, where 1 is full light.
        deviation: Standard deviation, by which each channel is then divided.
        per_class: Maximum number of pictures of each class in a split, drawn by the seed; None takes all.
        boxes: Use of boxes: "every" reads them, and in a split where some pictures have one of their class, each must;
            "only" leaves out those without, where others of the split have one; "none" reads none.
        largest_box: Largest fraction of a picture that its boxes may touch; others are left out. InputIBA
            was evaluated up to 0.33.
        skip_corrupt: Whether to leave damaged pictures out, with a warning that names them.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        deng2009imagenet
    """

    path: str
    size: int | None = 224
    mean: Colour = IMAGENET_MEAN
    deviation: Colour = IMAGENET_STD
    per_class: int | None = None
    boxes: Boxes = "every"
    largest_box: float = 1.0
    skip_corrupt: bool = False

    def __post_init__(self) -> None:
        counts = {"size": self.size, "per_class": self.per_class}
        check_counts(**{name: value for name, value in counts.items() if value is not None})
        check_colours(self.mean, self.deviation)
        check_choice("boxes", self.boxes, get_args(Boxes))
        if not 0 < self.largest_box <= 1:
            raise SettingError(f"largest_box is {self.largest_box}", "give a fraction above 0 and up to 1")

    def load(self, seed: int) -> Splits:
        """Read the pictures.

        Args:
            seed: Seed for all random draws.

        Returns:
            The splits; a sample is named by the path of its file.

        Raises:
            DataError: When files cannot be used; it names them, and subclasses name the case.
            DependencyError: When Pillow is missing.
        """
        root = Path(self.path).expanduser()
        result = find_pictures(root)
        classes = find_classes(root, chain(*result.values()))
        if self.per_class is not None:
            result = {
                part: self._draw_per_class(group, classes, stream(seed, "image_folder", part))
                for part, group in result.items()
            }
        annotations = None if self.boxes == "none" else find_annotations(root, chain(*result.values()))
        decoded = self._decode_all(list(chain(*result.values())))
        parts = {part: self._batch(part, group, decoded, classes, annotations) for part, group in result.items()}
        if ALL in parts:
            return split(parts[ALL], classes.names, seed)
        train, validation = parts["train"], parts.get("validation")
        if validation is None:
            kept, held = stratify(train.label, (1 - HELD_OUT, HELD_OUT), stream(seed, "image_folder"))
            _check_any(held, "train")
            train, validation = slice_batch(train, kept), slice_batch(train, held)
        return Splits(train, validation, parts["test"], classes.names)

    def _draw_per_class(self, pictures: list[Picture], classes: Classes, generator: torch.Generator) -> list[Picture]:
        """Draw some pictures of each class, in order of their paths."""
        order = torch.randperm(len(pictures), generator=generator).tolist()
        taken: list[int] = []
        for folder in classes.labels:
            taken += [i for i in order if pictures[i].folder == folder][: self.per_class]
        return [pictures[i] for i in sorted(taken)]

    def _decode_all(self, pictures: list[Picture]) -> dict[str, Decoded]:
        """Decode all pictures that can be, by name."""
        decoded, corrupt = {}, {}
        for picture in pictures:
            try:
                decoded[picture.id] = decode(picture.path.read_bytes(), self.size)
            except (ValueError, OSError) as error:
                corrupt[picture.id] = error
        if corrupt:
            _report(corrupt, len(pictures), skip=self.skip_corrupt)
        return decoded

    def _batch(
        self,
        part: str,
        pictures: list[Picture],
        decoded: dict[str, Decoded],
        classes: Classes,
        annotations: Annotations | None,
    ) -> Batch:
        read = [picture for picture in pictures if picture.id in decoded]
        _check_classes(pictures, read)
        _check_equal({picture.id: decoded[picture.id] for picture in read})
        truth = [_truth(picture, decoded[picture.id], classes, annotations) for picture in read]
        taken = self._choose(read, truth)
        _check_any(taken, part)
        kept, marked = [read[i] for i in taken], [truth[i] for i in taken]
        inputs = normalise(np.stack([decoded[picture.id].pixels for picture in kept]), self.mean, self.deviation)
        label = torch.tensor([classes.labels[picture.folder] for picture in kept])
        boxed = [item for item in marked if item is not None]
        whole = torch.stack(boxed)[:, None].expand(inputs.shape).clone() if boxed else None
        return Batch(inputs, label, truth=whole, id=tuple(picture.id for picture in kept))

    def _choose(self, pictures: list[Picture], truth: Sequence[Tensor | None]) -> list[int]:
        """Choose the pictures of a split by their boxes."""
        boxed = [i for i, item in enumerate(truth) if item is not None]
        if not boxed:
            return list(range(len(pictures)))
        if self.boxes == "every" and len(boxed) < len(pictures):
            first = next(picture.id for picture, item in zip(pictures, truth, strict=True) if item is None)
            raise DataError(
                f"'{first}' has no box of its class, but {len(boxed)} of the {len(pictures)} in its split have one",
                "annotate it, leave such pictures out with boxes=only, or all boxes with boxes=none",
            )
        return [i for i in boxed if truth[i].float().mean() <= self.largest_box]  # type: ignore[union-attr]


def _truth(
    picture: Picture, decoded: Decoded, classes: Classes, annotations: Annotations | None
) -> Bool[Tensor, "row column"] | None:
    path = None if annotations is None else find_annotation(picture, annotations)
    if path is None:
        return None
    names = {picture.folder, classes.names[classes.labels[picture.folder]]}
    if decoded.is_turned and decoded.rows != decoded.columns and read_size(path) == (decoded.rows, decoded.columns):
        raise DataError(
            f"'{path}' annotates the picture as it is stored, but its EXIF orientation turns it",
            "annotate it as it is shown, or remove the orientation from the picture",
        )
    boxes = read_boxes(path, names, decoded.columns, decoded.rows)
    return mark_boxes(boxes, decoded.columns, decoded.rows, decoded.pixels.shape[:2]) if boxes else None


def _report(corrupt: Mapping[str, Exception], count: int, *, skip: bool) -> None:
    shown = "; ".join(
        f"{quote_names([name])} ({printable(error, LONGEST)})" for name, error in list(corrupt.items())[:SHOWN]
    )
    cause = f"{len(corrupt)} of {count} pictures cannot be read: {shown}"
    cause += f"; and {len(corrupt) - SHOWN} more" if len(corrupt) > SHOWN else ""
    if not skip:
        raise DataError(cause, "fetch or remove these files, or leave them out with skip_corrupt=true")
    warnings.warn(f"{cause}; left out", CorruptFileWarning, stacklevel=2)


def _check_classes(pictures: Sequence[Picture], read: Sequence[Picture]) -> None:
    """Check that every class of a split has a picture that is not damaged."""
    lost = sorted({picture.folder for picture in pictures} - {picture.folder for picture in read})
    if lost:
        raise EmptyDataError(
            f"all pictures of the class {quote_names(lost[:1])} are damaged",
            "fetch them again, or remove the class folder",
        )


def _check_any(pictures: Sequence[object] | Tensor, part: str) -> None:
    if not len(pictures):
        raise EmptyDataError(f"no picture is left for the split '{part}'", "give more pictures, or leave out fewer")


def _check_equal(decoded: dict[str, Decoded]) -> None:
    (first, like), *rest = decoded.items()
    for name, other in rest:
        if other.pixels.shape != like.pixels.shape:
            raise ShapeError(
                f"'{first}' has {like.rows} rows and {like.columns} columns, '{name}' has {other.rows} and "
                f"{other.columns}",
                "give size=224 or another number, so that all are resized",
            )
