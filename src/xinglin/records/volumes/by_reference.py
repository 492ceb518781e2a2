"""The images of a DICOM series as files of ours, for a ``Record``: a volume with its affine, or pictures without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.records.volumes.files import corner, written
from xinglin.records.volumes.fill import fill
from xinglin.records.volumes.headers import check_size, is_picture, is_plane, is_scout, text_of
from xinglin.records.volumes.pixels import decode
from xinglin.records.volumes.series import frame_of, stack_of
from xinglin.types import Picture, Volume


def refer(
    headers: Sequence[tuple[Path, Any]], series: str, folder: Path
) -> tuple[tuple[Volume, ...], tuple[Picture, ...]]:
    """Write the images of one series as arrays and return what refers to them.

    Args:
        headers: path and header (without pixels) of every file of the series.
        series: its identifier.
        folder: where to write.

    Returns:
        Volumes (one, if every image has a position in the patient) and pictures (one a file, if none has; scouts too,
        since what is seen through the whole patient has no depth). Both empty for reports, segmentations and doses.

    Raises:
        InvalidInputError: some images have a position and some have none, or they are no one stack; names file and tag.
        InputTooLargeError: more than 8,192 pixels along a side, 20,000 frames or 2^31 voxels.
    """
    if all(is_scout(header) or is_picture(header) for _, header in headers):
        return (), tuple(_picture(path, header, series, folder) for path, header in headers)
    if any(is_plane(header) for _, header in headers):
        return (_volume(headers, series, folder),), ()
    return (), ()


def _volume(headers: Sequence[tuple[Path, Any]], series: str, folder: Path) -> Volume:
    stack, (path, first) = stack_of(headers), headers[0]
    with written(folder, stack.shape, series) as (make, named):
        fill(stack, make)
    return Volume(str(named[0]), corner(stack.affine), text_of(first, "Modality"), frame_of(path, first))


def _picture(path: Path, header: Any, series: str, folder: Path) -> Picture:
    check_size(path, header)
    count = int(header.get("NumberOfFrames") or 1)
    frames = decode(path, range(count))
    first = next(frames)
    with written(folder, (count, *first.shape), f"{series}\0{path.name}") as (make, named):
        array = make(first.dtype.type)
        array[0] = first
        for at, stored in enumerate(frames, 1):
            if stored.shape != first.shape or stored.dtype != first.dtype:
                raise InvalidInputError(f"{path.name}: (7FE0,0010) PixelData: frames of different kinds")
            array[at] = stored
        del array
    inverted = str(header.PhotometricInterpretation) == "MONOCHROME1"
    return Picture(str(named[0]), text_of(header, "Modality"), inverted)
