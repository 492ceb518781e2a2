"""One door for a volume of any format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.records.volumes.files import scan_of
from xinglin.records.volumes.itk import read_metaimage, read_nrrd
from xinglin.records.volumes.nifti import read_nifti
from xinglin.records.volumes.scan import Scan
from xinglin.records.volumes.series import Series, content_frame, find_series, read_series

Reader = Callable[[Path], tuple[NDArray[Any], NDArray[np.float64], tuple[str, ...]]]
_READERS: dict[str, Reader] = {
    ".nii": read_nifti,
    ".nii.gz": read_nifti,
    ".nrrd": read_nrrd,
    ".mha": read_metaimage,
}
VOLUME_SUFFIXES = tuple(_READERS)
"""Endings of files that are one volume each."""
_ELSEWHERE = (".mhd", ".nhdr", ".hdr", ".img")
"""Headers and voxels in two files."""


def read_scan(
    path: Path, *, series: str | None = None, expected: str | None = None, stated: str | None = None
) -> Scan:
    """Read a DICOM series (a folder or a file), NIfTI, NRRD or MetaImage into memory.

    Args:
        path: the file, or the folder of a DICOM study.
        series: Series Instance UID, where a folder holds several; scouts, reports and segmentations do not count.
        expected: the modality that the caller can use, e.g. ``CT``: another is refused.
        stated: the modality that the caller vouches for where the file names none; NIfTI, NRRD and MetaImage never
            name one.

    Raises:
        MissingDataError: there is no such file, folder or series.
        InvalidInputError: it is no volume with a certain place in one patient; names the file and the tag.
        InputTooLargeError: more than 2^29 voxels.
        MissingExtraError: the format's library is not installed.
    """
    name = path.name.lower()
    if path.is_file() and name.endswith(_ELSEWHERE):
        raise InvalidInputError(
            f"{path.name}: expected the voxels in the same file: .nii(.gz), .nrrd or .mha"
        )
    for suffix, reader in _READERS.items():
        if path.is_file() and name.endswith(suffix):
            return _from_file(path, reader, expected, stated)
    found, problems = find_series(path)
    return read_series(_chosen(found, problems, series), expected=expected, stated=stated)


def _chosen(found: list[Series], problems: list[str], wanted: str | None) -> Series:
    if not found:
        raise InvalidInputError(
            "expected a DICOM series, .nii, .nii.gz, .nrrd or .mha: "
            + (problems[0] if problems else "no file")
        )
    if wanted is not None:
        named = [series for series in found if series.uid == wanted]
        if not named:
            raise MissingDataError("no series of that UID below the folder; there are: " + _listed(found))
        return named[0]
    stacks = [series for series in found if series.may_stack] or found
    if len(stacks) > 1:
        raise InvalidInputError("several series below the folder; name one by its UID: " + _listed(stacks))
    return stacks[0]


def _listed(found: list[Series]) -> str:
    said = [f"{one.uid} ({one.modality or '?'}, {len(one.files)} files)" for one in found[:10]]
    return "; ".join(said) + ("; ..." if len(found) > 10 else "")


def _from_file(path: Path, reader: Reader, expected: str | None, stated: str | None) -> Scan:
    if expected is not None and stated != expected:
        raise InvalidInputError(
            f"{path.name}: this format names no modality: expected {expected}, "
            + ("state it if it is so" if stated is None else f"you state {stated[:16]}")
        )
    array, affine, notes = reader(path)
    if stated is not None:
        notes += (
            f"格式不注明检查类型,按使用者所述视为 {stated}。The format names no modality: {stated} as stated.",
        )
    return scan_of(_narrow(array, path), affine, modality=stated, frame=content_frame(path), notes=notes)


def _narrow(array: NDArray[Any], path: Path) -> NDArray[Any]:
    """Whole numbers of 16 bits as int16, all else as float32."""
    if array.dtype.kind == "f":
        low, high = float(np.fmin.reduce(array, None)), float(np.fmax.reduce(array, None))
        if not np.isfinite([low, high]).all():
            raise InvalidInputError(f"{path.name}: expected finite voxels, or NaN where nothing was measured")
        whole = low >= -32767 and high <= 32767 and all(np.array_equal(part, np.rint(part)) for part in array)
    else:
        whole = int(array.min()) >= -32768 and int(array.max()) <= 32767
    return np.ascontiguousarray(array, np.int16 if whole else np.float32)
