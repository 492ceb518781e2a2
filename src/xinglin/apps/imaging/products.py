"""What all DICOM products of a report share: their names, their series, and one call that makes a file of a dataset."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xinglin.apps.imaging.measured import Nodule
from xinglin.apps.imaging.report import Report
from xinglin.errors import MissingExtraError
from xinglin.records.volumes.headers import silent
from xinglin.types import DISCLAIMER

MANUFACTURER = "Xinglin"
SERIES = {"sr": 9901, "seg": 9902, "key": 9903}
"""Series Numbers of the products; high, so that they follow the scanner's own."""


@dataclass(frozen=True, slots=True)
class Names:
    """The UIDs of one report's products."""

    report: Report

    def uid(self, *parts: object) -> str:
        """Return a UID made of the source series, the algorithm and what is named; the same whenever it is made.

        A product that is made again, after a restart, replaces itself in an archive instead of standing twice. UIDs are
        under 2.25 (PS3.5 B.2), of a SHA-256 cut to 128 bits.
        """
        algorithm = self.report.algorithm
        places = [(one.voxel, one.diameter, one.score) for one in self.report.nodules]
        prior = None if self.report.comparison is None else self.report.comparison.earlier_day
        told = (
            self.report.scan.series,
            algorithm.name,
            algorithm.version,
            places,
            prior,
            self.report.screening,
            parts,
        )
        return f"2.25.{int.from_bytes(hashlib.sha256(repr(told).encode()).digest()[:16])}"

    def tracking(self, nodule: Nodule) -> tuple[str, str]:
        """Return a nodule's tracking UID and identifier; the same in the SR and in the SEG."""
        return self.uid("nodule", nodule.number), f"{self.report.algorithm.name} nodule {nodule.number}"


def highdicom_of(door: str) -> Any:
    """Import highdicom.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import highdicom
    except ModuleNotFoundError as error:
        raise MissingExtraError(door, "imaging") from error
    return highdicom


def disclaimer() -> str:
    """Both languages in one text."""
    return f"{DISCLAIMER['zh']} {DISCLAIMER['en']}"


def in_utf8(dataset: Any) -> Any:
    """Have a product's text written as UTF-8, whatever the character set of the images that it took names from."""
    dataset.decode()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    return dataset


def write_dicom(dataset: Any, path: Path) -> None:
    """Write a dataset as a DICOM file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".dcm", dir=path.parent)
    os.close(handle)
    try:
        with silent():
            dataset.save_as(name, enforce_file_format=True)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
