"""The DICOM images that a scan was read from: what every product refers to and inherits the patient from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.records.volumes.headers import read_header, text_of
from xinglin.records.volumes.scan import Scan


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The headers of a scan's slices."""

    headers: tuple[Any, ...]
    """pydicom datasets without pixels, in the order of z; empty for a scan that is not of DICOM."""

    @property
    def dicom(self) -> bool:
        """Whether there are DICOM images to refer to, one a slice."""
        return bool(self.headers)

    def text(self, keyword: str) -> str | None:
        """Return an element that all images share, ``None`` if absent."""
        return text_of(self.headers[0], keyword) if self.headers else None

    def instance(self, z: int) -> str | None:
        """Return the Instance Number of a slice, as a radiologist names it."""
        return text_of(self.headers[z], "InstanceNumber") if self.headers else None

    @property
    def day(self) -> date | None:
        """When it was acquired; ``None`` if not stated or no date."""
        told = self.text("AcquisitionDate") or self.text("SeriesDate") or self.text("StudyDate")
        try:
            return None if told is None else datetime.strptime(told, "%Y%m%d").date()
        except ValueError:
            return None


def source_of(scan: Scan) -> Source:
    """Read the headers of the images that a scan was read from.

    Multi-frame files are one image with many slices: their scans have no headers here, and products that refer to
    slices cannot be written of them.
    """
    if len(scan.files) != len(scan.array):
        return Source(())
    return Source(tuple(read_header(path) for path in scan.files))


def required(source: Source, door: str, tags: Sequence[str] = ()) -> Source:
    """Return the source if a DICOM product can be written of it.

    Raises:
        InvalidInputError: the scan is not of DICOM, is a multi-frame file, or lacks an element; names it.
    """
    if not source.dicom:
        raise InvalidInputError(
            f"{door} refers to the images of a DICOM series, one file a slice: this scan has none (NIfTI, NRRD, "
            "MetaImage or a multi-frame file)"
        )
    needed = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", *tags)
    absent = [keyword for keyword in needed if source.text(keyword) is None]
    if absent:
        raise InvalidInputError(
            f"{door} refers to images by their UIDs: those of this series lack {', '.join(absent)}; text, JSON and FHIR "
            "need none"
        )
    return source
