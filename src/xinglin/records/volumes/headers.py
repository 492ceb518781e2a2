"""DICOM headers -> planes: of a file of one image, and of every frame of an enhanced multi-frame file.

Multi-frame functional groups (PS3.3 C.7.6.16): what all frames share stands in Shared Functional Groups, what is a frame's
own in Per-frame Functional Groups; each macro stands in one of the two. Every message names the file and the tag, never
the value of a header.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError
from xinglin.records.readers.protocol import foreign
from xinglin.records.volumes.geometry import Plane

MAX_BYTES = 4 * 1024**3
"""Of one file."""
MAX_SIDE = 8192
MAX_FRAMES = 20_000
MAX_VOXELS = 2**31
NO_PICTURE = ("SEG", "RTDOSE", "RTSTRUCT", "SR", "PR", "KO", "DOC", "REG")
"""Modalities (PS3.3 C.7.3.1.1.1) whose pixels, if any, are no picture of the patient."""
_ENVELOPED = bytes.fromhex("2a864886f70d010703")
"""Object identifier of CMS enveloped data (RFC 5652), in which PS3.15 Annex D wraps an encrypted file."""

_ONE = threading.RLock()


@contextmanager
def silent() -> Iterator[None]:
    """pydicom's warnings quote the values that they warn of: they must not reach a terminal or a log.

    One thread at a time: the filters of ``warnings`` are the process's.
    """
    with _ONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path, wanted: list[str] | None = None) -> Any:
    """Return the dataset of a file without its pixels.

    Raises:
        InputTooLargeError: more than 4 GiB.
        InvalidInputError: not DICOM, damaged, or encrypted.
        MissingExtraError: ``pydicom`` is not installed.
    """
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise MissingExtraError("Reading DICOM", "records") from error
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: a file: at most {MAX_BYTES // 2**30} GiB")
    try:
        with silent():
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
    except Exception as error:
        with path.open("rb") as opened:
            if _ENVELOPED in opened.read(64):
                raise InvalidInputError(
                    f"{path.name}: encrypted (a CMS envelope, PS3.15 Annex D): decrypt it where the key is"
                ) from None
        raise foreign(error, f"{path.name}: not a DICOM file") from None


def text_of(header: Any, keyword: str) -> str | None:
    """Return an element as text, ``None`` if it is absent or empty.

    Raises:
        InvalidInputError: it cannot be decoded in the character set that the file states.
    """
    try:
        with silent():
            value = header.get(keyword)
            text = "" if value is None else str(value).strip()
    except Exception as error:
        raise foreign(error, f"{keyword} cannot be decoded") from None
    if "\0" in text or "\ufffd" in text:
        raise InvalidInputError(f"{keyword}: bytes that are not of the character set that the file states")
    return text or None


def is_plane(header: Any) -> bool:
    """Whether a header is that of images with a position in the patient: one, or frames with functional groups."""
    if "PerFrameFunctionalGroupsSequence" in header:
        return _of_patient(header)
    needed = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
    return (
        all(header.get(name) is not None for name in needed)
        and int(header.get("NumberOfFrames") or 1) == 1
        and _shown(header)
    )


def is_picture(header: Any) -> bool:
    """Whether a header is that of images without a position in the patient: radiograph, ultrasound, cine."""
    sized = all(header.get(name) is not None for name in ("Rows", "Columns", "PhotometricInterpretation"))
    return sized and _shown(header) and not is_plane(header)


def is_scout(header: Any) -> bool:
    """Whether an image is a localiser, by the third value of Image Type (PS3.3 C.7.6.1.1.2, C.8.2.1.1.1)."""
    kind = header.get("ImageType")
    return kind is not None and "LOCALIZER" in [str(value).upper() for value in np.atleast_1d(kind)]


def planes_of(path: Path, header: Any) -> list[Plane]:
    """Return the planes of a file for which ``is_plane`` holds.

    Raises:
        InvalidInputError: an element is absent or no number; encrypted; colour; names file and tag.
        InputTooLargeError: more than 8,192 pixels along a side, or 20,000 frames.
    """
    check_size(path, header)
    if str(header.get("PhotometricInterpretation")) not in ("MONOCHROME1", "MONOCHROME2"):
        raise InvalidInputError(
            f"{path.name}: (0028,0004) PhotometricInterpretation: expected MONOCHROME1 or MONOCHROME2: a colour "
            "image holds no measured values"
        )
    if "PerFrameFunctionalGroupsSequence" not in header:
        return [_plane(path, None, header, [header])]
    frames = header.PerFrameFunctionalGroupsSequence
    if len(frames) != int(header.get("NumberOfFrames") or 1):
        raise InvalidInputError(f"{path.name}: (0028,0008) NumberOfFrames and (5200,9230) differ in length")
    shared = header.get("SharedFunctionalGroupsSequence") or []
    return [
        _plane(
            path, number, header, [*_items(frame), *(item for group in shared[:1] for item in _items(group))]
        )
        for number, frame in enumerate(frames)
    ]


def check_size(path: Path, header: Any) -> None:
    """Refuse a header whose pixels cannot or should not be read.

    Raises:
        InputTooLargeError: more than 8,192 pixels along a side, or 20,000 frames.
        InvalidInputError: the pixels are encrypted or of no size.
    """
    rows, columns = int(header.Rows), int(header.Columns)
    count = int(header.get("NumberOfFrames") or 1)
    if max(rows, columns) > MAX_SIDE or count > MAX_FRAMES or rows * columns * count > MAX_VOXELS:
        raise InputTooLargeError(
            f"{path.name}: (0028,0010) Rows, (0028,0011) Columns: {columns} x {rows} x {count} voxels are too large: "
            f"at most {MAX_SIDE} a side, {MAX_FRAMES:,} frames, 2^31 in all"
        )
    if min(rows, columns, count) < 1:
        raise InvalidInputError(
            f"{path.name}: (0028,0010) Rows, (0028,0011) Columns: an image without pixels"
        )


def _plane(path: Path, number: int | None, header: Any, groups: list[Any]) -> Plane:
    def found(keyword: str) -> Any:
        return next((group.get(keyword) for group in groups if group.get(keyword) is not None), None)

    slope, intercept = found("RescaleSlope"), found("RescaleIntercept")
    if (slope is None or intercept is None) and str(header.get("Modality")) == "CT":
        raise InvalidInputError(
            f"{path.name}: (0028,1053) RescaleSlope or (0028,1052) RescaleIntercept is absent: values of a CT "
            "without them are no Hounsfield units"
        )
    scale = 1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)
    if not np.isfinite(scale).all() or scale[0] == 0:
        raise InvalidInputError(
            f"{path.name}: (0028,1053) RescaleSlope, (0028,1052) RescaleIntercept: expected finite numbers, the slope not 0"
        )
    down, right = _numbers(path, found("PixelSpacing"), "(0028,0030) PixelSpacing", 2)
    thickness = found("SliceThickness")
    return Plane(
        path=path,
        number=number,
        rows=int(header.Rows),
        columns=int(header.Columns),
        position=_numbers(path, found("ImagePositionPatient"), "(0020,0032) ImagePositionPatient", 3),
        orientation=_numbers(
            path, found("ImageOrientationPatient"), "(0020,0037) ImageOrientationPatient", 6
        ),
        spacing=(down, right),
        thickness=float(thickness) if thickness and float(thickness) > 0 else None,
        slope=scale[0],
        intercept=scale[1],
        padding=padding_of(path, header),
    )


def padding_of(path: Path, header: Any) -> tuple[int, int] | None:
    """Return the lowest and highest stored value that stands for *not measured* (PS3.3 C.7.5.1.1.2).

    Files of signed pixels often carry it as an unsigned number, and the other way round: it is brought to the
    pixels' own sign.
    """
    value, limit = header.get("PixelPaddingValue"), header.get("PixelPaddingRangeLimit")
    if value is None:
        return None
    if not isinstance(value, int) or not isinstance(limit, int | None):
        raise InvalidInputError(f"{path.name}: (0028,0120) PixelPaddingValue: expected one whole number")
    signed, size = header.get("PixelRepresentation") == 1, 2 ** int(header.get("BitsAllocated") or 16)
    ends = sorted(
        (one + size) % size if not signed else (one + size // 2) % size - size // 2
        for one in (value, value if limit is None else limit)
    )
    return ends[0], ends[1]


def _numbers(path: Path, value: Any, tag: str, count: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise InvalidInputError(f"{path.name}: {tag}: expected {count} numbers")
    return numbers


def _items(group: Any) -> list[Any]:
    """The first item of every macro of a functional group."""
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]


def _of_patient(header: Any) -> bool:
    """Whether the frames have a plane position in the patient's coordinates."""
    first = header.PerFrameFunctionalGroupsSequence[:1]
    shared = (header.get("SharedFunctionalGroupsSequence") or [])[:1]
    return _shown(header) and any("PlanePositionSequence" in group for group in (*first, *shared))


def _shown(header: Any) -> bool:
    return str(header.get("Modality")) not in NO_PICTURE and "SegmentSequence" not in header
