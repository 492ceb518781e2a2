"""DICOM series: found in a folder, checked to be one patient's and one kind, turned into a stack or a scan."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.errors import InputTooLargeError, InvalidInputError, XinglinError
from xinglin.records.readers.protocol import walk
from xinglin.records.volumes.files import scan_of
from xinglin.records.volumes.fill import fill
from xinglin.records.volumes.geometry import TILT, Stack, stack
from xinglin.records.volumes.headers import (
    MAX_FRAMES,
    MAX_VOXELS,
    NO_PICTURE,
    is_plane,
    is_scout,
    planes_of,
    read_header,
    text_of,
)
from xinglin.records.volumes.scan import Scan

IN_MEMORY = 2**29
"""Voxels of one scan in memory: 1 GiB of int16."""
_SHOWN = ("Modality", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "ImageType", "SOPInstanceUID")
_HU = ("HU", "HU_MOD", "US", "")
"""Rescale Types (PS3.3 C.11.1.1.2) that a CT in Hounsfield units may state; US is *unspecified*."""


@dataclass(frozen=True, slots=True)
class Series:
    """The files of one series below a folder."""

    uid: str
    """Series Instance UID, or ``folder NAME`` where de-identification has taken it away."""
    files: tuple[Path, ...]
    modality: str | None
    number: str | None
    """Series Number, by which a radiologist names it."""
    description: str | None
    scout: bool
    """Whether its images are localisers."""

    @property
    def may_stack(self) -> bool:
        """Whether its files may be slices of one volume: no scouts, reports, segmentations or doses."""
        return not self.scout and self.modality not in NO_PICTURE


def find_series(path: Path) -> tuple[list[Series], list[str]]:
    """List the DICOM series of a folder, or of one file, in the order of their UIDs.

    Returns:
        The series, and a message for every file that is no DICOM image (``DICOMDIR`` is passed over).

    Raises:
        MissingDataError: there is no such file or folder.
        InputTooLargeError: more than 20,000 files.
    """
    found: dict[str, dict[str, tuple[Path, Any]]] = {}
    problems = []
    for count, file in enumerate(walk(path)):
        if count >= MAX_FRAMES:
            raise InputTooLargeError(f"a study: at most {MAX_FRAMES:,} files")
        if file.path.name == "DICOMDIR":
            continue
        try:
            header = read_header(file.path, list(_SHOWN))
            if not any(text_of(header, name) for name in ("Modality", "SeriesInstanceUID", "SOPInstanceUID")):
                raise InvalidInputError(
                    f"{file.path.name}: no DICOM object: (0008,0060) Modality, (0020,000E) SeriesInstanceUID and "
                    "(0008,0018) SOPInstanceUID are absent"
                )
            uid = text_of(header, "SeriesInstanceUID") or f"folder {file.path.parent.name}"
            image = text_of(header, "SOPInstanceUID") or file.name
            found.setdefault(uid, {}).setdefault(image, (file.path, header))
        except XinglinError as error:
            problems.append(str(error))
    return [_series(uid, list(held.values())) for uid, held in sorted(found.items())], problems


def _series(uid: str, held: list[tuple[Path, Any]]) -> Series:
    first = held[0][1]
    return Series(
        uid,
        tuple(path for path, _ in held),
        text_of(first, "Modality"),
        text_of(first, "SeriesNumber"),
        text_of(first, "SeriesDescription"),
        all(is_scout(header) for _, header in held),
    )


def check_one(headers: Sequence[tuple[Path, Any]]) -> None:
    """Refuse files that are not one patient's, one series' and one modality's.

    Raises:
        InvalidInputError: names the file and the tag that differs.
    """
    tags = {
        "PatientID": ("(0010,0020) PatientID", "the images name different patients"),
        "SeriesInstanceUID": ("(0020,000E) SeriesInstanceUID", "two series are mixed"),
        "Modality": ("(0008,0060) Modality", "two modalities are mixed"),
        "FrameOfReferenceUID": ("(0020,0052) FrameOfReferenceUID", "their millimetres mean different places"),
    }
    (path, first), *others = headers
    for keyword, (tag, meaning) in tags.items():
        for other, header in others:
            if text_of(header, keyword) != text_of(first, keyword):
                raise InvalidInputError(f"{other.name}: {tag} differs from that of {path.name}: {meaning}")


def stack_of(headers: Sequence[tuple[Path, Any]]) -> Stack:
    """Turn the files of one series into a stack.

    Args:
        headers: path and header of every file.

    Raises:
        InvalidInputError: a file is no image with a place in the patient, or they are no one stack; names file and tag.
        InputTooLargeError: more than 2^31 voxels.
    """
    check_one(headers)
    scouts = [path for path, header in headers if is_scout(header)]
    if 0 < len(scouts) < len(headers):
        raise InvalidInputError(
            f"{scouts[0].name}: (0008,0008) ImageType: LOCALIZER: a scout among the slices of the series; take it out"
        )
    planes = []
    for path, header in headers:
        if not is_plane(header):
            raise InvalidInputError(
                f"{path.name}: (0020,0032) ImagePositionPatient, (0020,0037) ImageOrientationPatient or (0028,0030) "
                "PixelSpacing is absent: an image without a place in the patient has no coordinates"
            )
        planes += planes_of(path, header)
    found = stack(planes)
    if np.prod(found.shape, dtype=float) > MAX_VOXELS:
        raise InputTooLargeError(f"a volume of {found.shape} voxels is too large: at most 2^31")
    return found


def frame_of(path: Path, header: Any) -> str:
    """Return the Frame of Reference UID of a series.

    A series that states none has a frame of its own: named by its Series Instance UID, or, where de-identification has
    taken that away too, by the content of its first file. So two series never share a frame by chance.
    """
    stated = text_of(header, "FrameOfReferenceUID")
    series = text_of(header, "SeriesInstanceUID")
    if stated is not None:
        return stated
    return f"series:{series}" if series is not None else content_frame(path)


def content_frame(path: Path) -> str:
    """Return the name of a frame of reference that belongs to the content of one file."""
    with path.open("rb") as opened:
        return "sha256:" + hashlib.file_digest(opened, "sha256").hexdigest()


def read_series(series: Series, *, expected: str | None = None, stated: str | None = None) -> Scan:
    """Read the images of a series into memory.

    Args:
        series: one of ``find_series``.
        expected: the modality that the caller can use, e.g. ``CT``; another is refused.
        stated: the modality that the caller vouches for where the files do not name one.

    Raises:
        InvalidInputError: another modality or none, a scout, no Hounsfield units, no one stack; names file and tag.
        InputTooLargeError: more than 2^29 voxels.
    """
    headers = [(path, read_header(path)) for path in series.files]
    path, first = headers[0]
    modality = text_of(first, "Modality") or stated
    notes = []
    if modality is None:
        raise InvalidInputError(
            f"{path.name}: (0008,0060) Modality is absent: state what it is (CT, MR, ...), it is not guessed"
        )
    if text_of(first, "Modality") is None:
        notes.append(
            f"文件未注明检查类型,按使用者所述视为 {modality}。The files name no modality: {modality} as stated."
        )
    if expected is not None and modality != expected:
        raise InvalidInputError(
            f"{path.name}: (0008,0060) Modality: expected {expected}, got {modality[:16]}"
        )
    if series.scout:
        raise InvalidInputError(
            f"{path.name}: (0008,0008) ImageType: LOCALIZER: a scout, no stack of slices; choose another series"
        )
    if modality == "CT" and (text_of(first, "RescaleType") or "") not in _HU:
        raise InvalidInputError(
            f"{path.name}: (0028,1054) RescaleType: expected HU: the values are of another unit"
        )
    found = stack_of(headers)
    if np.prod(found.shape, dtype=float) > IN_MEMORY:
        raise InputTooLargeError(f"a scan of {found.shape} voxels does not go into memory: at most 2^29")
    if found.tilt > TILT:
        notes.append(
            f"机架倾斜 {found.tilt:.1f}°:坐标按实际倾斜计算。Gantry tilt {found.tilt:.1f}°: kept in the affine, so "
            "that millimetres are exact."
        )
    array = fill(found, lambda kind: np.empty(found.shape, kind))
    return scan_of(
        array,
        found.affine,
        modality=modality,
        frame=frame_of(path, first),
        series=text_of(first, "SeriesInstanceUID"),
        files=tuple(dict.fromkeys(plane.path for plane in found.planes))
        if found.planes[0].number is not None
        else tuple(plane.path for plane in found.planes),
        notes=tuple(notes),
    )
