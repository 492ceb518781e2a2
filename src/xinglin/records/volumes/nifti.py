"""NIfTI -> scan. Its axes are RAS+ (left is negative), ours LPS: x and y change sign, the voxels stay where they are.

Orientation is what the file states, never a default (nifti1.h, section ORIENTATION AND LOCATION): ``sform_code`` > 0 gives
the affine, else ``qform_code`` > 0; with both 0 the file tells the size of its voxels only and is refused. Where both are
stated and disagree, the sform is taken and a note says so.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError
from xinglin.records.readers.protocol import foreign

MAX_VOXELS = 2**29
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_TO_MM = {0: 1.0, 1: 1e3, 2: 1.0, 3: 1e-3}
"""NIfTI units of length (unknown, metre, millimetre, micrometre) -> millimetres."""


def read_nifti(path: Path) -> tuple[NDArray[Any], NDArray[np.float64], tuple[str, ...]]:
    """Read a NIfTI file (``.nii``, ``.nii.gz``).

    Returns:
        Array (z, y, x), affine voxel (x, y, z, 1) -> LPS millimetres, notes.

    Raises:
        InvalidInputError: no NIfTI, truncated, no stated orientation, not three axes, complex or colour.
        InputTooLargeError: more than 2^29 voxels.
        MissingExtraError: ``nibabel`` is not installed.
    """
    try:
        import nibabel
    except ModuleNotFoundError as error:
        raise MissingExtraError("Reading NIfTI", "imaging") from error
    try:
        image = nibabel.load(path)
        header: Any = image.header
        shape = tuple(int(side) for side in header.get_data_shape())
        codes = int(header["sform_code"]), int(header["qform_code"])
        kind, unit = header.get_data_dtype(), _TO_MM.get(int(header["xyzt_units"]) & 7)
    except Exception as error:
        raise foreign(error, f"{path.name}: not a NIfTI file") from None
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 1:
        raise InvalidInputError(f"{path.name}: dim: expected three axes, got {shape}: one volume a file")
    if np.prod(shape, dtype=float) > MAX_VOXELS:
        raise InputTooLargeError(f"{path.name}: dim: {shape} voxels are too large: at most 2^29")
    if codes == (0, 0):
        raise InvalidInputError(
            f"{path.name}: sform_code and qform_code are 0: the file does not say how it lies in the patient, and left "
            "and right are not guessed; write it anew from the DICOM series"
        )
    if kind.kind not in "iuf" or unit is None:
        raise InvalidInputError(
            f"{path.name}: datatype or xyzt_units: expected real numbers and a unit of length"
        )
    notes = []
    try:
        affine = header.get_sform() if codes[0] > 0 else header.get_qform()
        if min(codes) > 0 and np.abs(header.get_qform() - affine).max() > 0.01 * unit:
            notes.append("sform 与 qform 不一致,采用 sform。sform and qform disagree: the sform is taken.")
        ras = np.diag([unit, unit, unit, 1.0]) @ np.array(affine, np.float64)
        array = np.asanyarray(image.dataobj).reshape(shape)  # type: ignore[attr-defined]
    except (OSError, EOFError, ValueError, gzip.BadGzipFile, nibabel.spatialimages.HeaderDataError) as error:
        raise foreign(error, f"{path.name}: the voxels are truncated or damaged") from None
    if unit != 1.0:
        notes.append("原单位不是毫米,已换算。The unit was not millimetre: converted.")
    return array.transpose(2, 1, 0), _RAS_TO_LPS @ ras, tuple(notes)
