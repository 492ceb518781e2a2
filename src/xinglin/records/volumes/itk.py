"""NRRD and MetaImage -> scan, with ITK's readers; ITK's physical space is LPS, as ours.

ITK reads a file without a stated space as if it were LPS. So the text header is looked at first: a NRRD must name its
``space`` (teem.sourceforge.net/nrrd/format.html), a MetaImage its ``TransformMatrix`` and ``Offset``; what ITK makes of a
NRRD is compared with the directions that stand in the file. A header that points to another file is refused.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError
from xinglin.records.readers.protocol import foreign
from xinglin.records.volumes.nifti import MAX_VOXELS

MAX_HEADER = 64 * 1024
_SPACES = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
"""Anatomical spaces of NRRD -> signs of x, y, z in LPS."""
_LINEAR = ("TransformMatrix", "Rotation", "Orientation")
_OFFSET = ("Offset", "Position", "Origin")
Read = tuple[NDArray[Any], NDArray[np.float64], tuple[str, ...]]


def read_nrrd(path: Path) -> Read:
    """Read a NRRD file with its data attached.

    Returns:
        Array (z, y, x), affine voxel (x, y, z, 1) -> LPS millimetres, no notes.

    Raises:
        InvalidInputError: no NRRD, no stated space, a space that is not the patient's, data in another file, damaged.
        InputTooLargeError: more than 2^29 voxels.
        MissingExtraError: ``SimpleITK`` is not installed.
    """
    fields = _nrrd_fields(path)
    if "data file" in fields or "datafile" in fields:
        raise InvalidInputError(f"{path.name}: data file: expected the voxels in the file itself")
    signs = _SPACES.get(fields.get("space", "").lower())
    if signs is None:
        raise InvalidInputError(
            f"{path.name}: space: expected left-posterior-superior, right-anterior-superior or left-anterior-superior"
            ": without it the file does not say how it lies in the patient, and that is not guessed"
        )
    stated = np.eye(4)
    vectors = re.findall(r"\(([^)]*)\)", fields.get("space directions", ""))
    origin = re.findall(r"\(([^)]*)\)", fields.get("space origin", ""))
    try:
        columns = [[float(number) for number in vector.split(",")] for vector in (*vectors, *origin)]
        stated[:3] = np.diag(signs) @ np.array(columns, float).T
    except ValueError:
        raise InvalidInputError(
            f"{path.name}: space directions, space origin: expected three vectors and one of three numbers"
        ) from None
    array, affine = _itk(path)
    if np.abs(affine - stated).max() > 1e-3:
        raise InvalidInputError(
            f"{path.name}: space directions: not an orthogonal grid, or not what ITK makes of it: refused rather than bent"
        )
    return array, affine, ()


def read_metaimage(path: Path) -> Read:
    """Read a MetaImage file with its data attached (``.mha``).

    Returns and raises as ``read_nrrd``; ``TransformMatrix`` and ``Offset`` must be stated.
    """
    fields = _meta_fields(path)
    if fields.get("ElementDataFile") != "LOCAL":
        raise InvalidInputError(
            f"{path.name}: ElementDataFile: expected LOCAL, the voxels in the file itself"
        )
    if not any(name in fields for name in _LINEAR) or not any(name in fields for name in _OFFSET):
        raise InvalidInputError(
            f"{path.name}: TransformMatrix or Offset is absent: the file does not say how it lies in the patient, and "
            "that is not guessed"
        )
    centre = fields.get("CenterOfRotation", "0 0 0").split()
    if any(word.strip("0.-+eE") for word in centre):
        raise InvalidInputError(
            f"{path.name}: CenterOfRotation: expected 0 0 0: ITK leaves it out of account"
        )
    return *_itk(path), ()


def _nrrd_fields(path: Path) -> dict[str, str]:
    with path.open("rb") as opened:
        if not opened.read(8).startswith(b"NRRD000"):
            raise InvalidInputError(f"{path.name}: not a NRRD file")
        head = opened.read(MAX_HEADER).split(b"\n\n")[0].split(b"\r\n\r\n")[0]
    fields = {}
    for line in head.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon and not value.startswith("=") and not line.startswith("#"):
            fields[name.strip().lower()] = value.strip()
    return fields


def _meta_fields(path: Path) -> dict[str, str]:
    fields = {}
    with path.open("rb") as opened:
        rest = MAX_HEADER
        while rest > 0 and "ElementDataFile" not in fields:
            line = opened.readline(rest)
            rest -= max(1, len(line))
            name, equals, value = line.decode("utf-8", "replace").partition("=")
            if not equals:
                raise InvalidInputError(f"{path.name}: not a MetaImage file")
            fields[name.strip()] = value.strip()
    return fields


def _itk(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    try:
        itk: Any = import_module("SimpleITK")
    except ModuleNotFoundError as error:
        raise MissingExtraError("Reading NRRD and MetaImage", "imaging") from error
    reader = itk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO({".nrrd": "NrrdImageIO", ".mha": "MetaImageIO"}[path.suffix.lower()])
    try:
        reader.ReadImageInformation()
        size, parts = reader.GetSize(), reader.GetNumberOfComponents()
        if len(size) != 3 or parts != 1:
            raise InvalidInputError(f"{path.name}: expected three axes and one value a voxel")
        if np.prod(size, dtype=float) > MAX_VOXELS:
            raise InputTooLargeError(f"{path.name}: {size} voxels are too large: at most 2^29")
        image = reader.Execute()
    except RuntimeError as error:
        raise foreign(error, f"{path.name}: the file cannot be read") from None
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return itk.GetArrayFromImage(image), affine
