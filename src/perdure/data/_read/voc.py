"""Bounding boxes from annotations in the XML of Pascal VOC, which ImageNet uses too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import torch
from jaxtyping import Bool
from torch import Tensor

from perdure.core.errors import DataError

__all__ = ["Box", "mark_boxes", "read_boxes", "read_size"]


@dataclass(frozen=True)
class Box:
    """Bounding box of an object; pixels are numbered from 1, as in the files.

    Args:
        left: First column.
        top: First row.
        right: Last column.
        bottom: Last row.
    """

    left: float
    top: float
    right: float
    bottom: float


def read_boxes(path: Path, names: set[str], columns: int, rows: int) -> list[Box]:
    """Read the boxes of objects in a picture.

    Nothing outside the file is read, and a file that declares a document type, which may define entities, is rejected.

    Args:
        path: Annotation.
        names: Names of the objects; others are left out.
        columns: Columns of the picture.
        rows: Rows of the picture.

    Returns:
        The boxes; none when no object has one of the names.

    Raises:
        DataError: When the file is damaged or unsafe, or a box is empty or not inside the picture.
    """
    boxes = [_box(thing, path) for thing in _root(path).iter("object") if thing.findtext("name", "").strip() in names]
    for box in boxes:
        if not (0 <= box.left <= box.right <= columns and 0 <= box.top <= box.bottom <= rows):
            raise DataError(
                f"a box in '{path}' goes from ({box.left:g}, {box.top:g}) to ({box.right:g}, {box.bottom:g}), "
                f"but the picture has {columns} columns and {rows} rows",
                "correct the box, or annotate the picture in the size it is stored in",
            )
    return boxes


def read_size(path: Path) -> tuple[int, int] | None:
    """Read the size of the picture that was annotated.

    Args:
        path: Path of the annotation.

    Returns:
        Its columns and rows; None where the file does not hold both as whole numbers.

    Raises:
        DataError: When the file is damaged or unsafe.
    """
    width, height = (_root(path).findtext(f"size/{name}", "").strip() for name in ("width", "height"))
    return (int(width), int(height)) if width.isdecimal() and height.isdecimal() else None


def mark_boxes(boxes: list[Box], columns: int, rows: int, shape: tuple[int, int]) -> Bool[Tensor, "row column"]:
    """Mark the pixels that boxes touch, in a picture that was resized.

    Args:
        boxes: Boxes in pixels of the picture as it was.
        columns: Columns of that picture.
        rows: Rows of that picture.
        shape: Rows and columns of the resized picture.

    Returns:
        True in each box.

    Example:
        >>> mark_boxes([Box(3, 1, 4, 2)], 4, 4, (2, 2)).tolist()
        [[False, True], [False, False]]
    """
    truth = torch.zeros(shape, dtype=torch.bool)
    for box in boxes:
        down = _find_pixels(box.top, box.bottom, rows, shape[0])
        truth[down, _find_pixels(box.left, box.right, columns, shape[1])] = True
    return truth


def _find_pixels(first: float, last: float, before: int, now: int) -> slice:
    """Return the pixels that a range touches; in the files of ImageNet some begin at zero instead of one."""
    start, stop = max(first - 1, 0) * now / before, max(last, 1) * now / before
    return slice(int(start + 1e-9), int(-(-(stop - 1e-9) // 1)))


def _root(path: Path) -> Element:
    builder, parser = TreeBuilder(), expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = lambda *_: _reject_doctype(path)
    try:
        parser.Parse(path.read_bytes(), True)
        return builder.close()
    except (expat.ExpatError, OSError, ValueError, AssertionError) as error:
        raise DataError(f"'{path}' cannot be read: {error}", "fetch or write the annotation again") from error


def _reject_doctype(path: Path) -> NoReturn:
    raise DataError(f"'{path}' declares a document type, which annotations have no use for", "remove the declaration")


def _box(thing: Element, path: Path) -> Box:
    result = [thing.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")]
    try:
        left, top, right, bottom = (float(text or "") for text in result)
    except ValueError:
        raise DataError(
            f"an object in '{path}' has a box of {result!r}", "give it xmin, ymin, xmax and ymax as numbers"
        ) from None
    return Box(left, top, right, bottom)
