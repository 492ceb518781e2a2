"""A synthetic chest-like CT with spheres planted at known places, for tests of geometry only: it is no patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from xinglin.apps.imaging.slide import Candidate
from xinglin.records.volumes.scan import Scan

CT = UID("1.2.840.10008.5.1.4.1.1.2")


@dataclass(frozen=True)
class Sphere:
    lps: tuple[float, float, float]
    diameter: float
    hu: float = 40.0


@dataclass(frozen=True)
class Geometry:
    """Rows and columns of the image in the patient."""

    right: tuple[float, float, float] = (1, 0, 0)
    down: tuple[float, float, float] = (0, 1, 0)
    pixel: float = 1.0
    step: float = 1.0
    shape: tuple[int, int, int] = (36, 48, 56)
    centre: tuple[float, float, float] = (20.0, -130.0, 310.0)
    tilt: float = 0.0
    """Degrees between the slices' normal and the way from one to the next."""

    def affine(self) -> np.ndarray:
        right, down = np.array(self.right, float), np.array(self.down, float)
        normal = np.cross(right, down)
        angle = np.radians(self.tilt)
        way = normal * np.cos(angle) + down * np.sin(angle)
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1], affine[:3, 2] = right * self.pixel, down * self.pixel, way * self.step
        middle = (np.array(self.shape[::-1]) - 1) / 2
        affine[:3, 3] = np.array(self.centre) - affine[:3, :3] @ middle
        return affine


OBLIQUE = Geometry(right=(0.8, 0.6, 0.0), down=(-0.48, 0.64, 0.6))
FLIPPED = Geometry(right=(-1, 0, 0), down=(0, -1, 0), pixel=0.8, step=1.25)
CORONAL = Geometry(right=(1, 0, 0), down=(0, 0, -1))
TILTED = Geometry(tilt=18.0)
GEOMETRIES = {
    "axial": Geometry(),
    "oblique": OBLIQUE,
    "flipped": FLIPPED,
    "coronal": CORONAL,
    "tilted": TILTED,
}


def voxels(geometry: Geometry, spheres: Sequence[Sphere], seed: int = 0) -> np.ndarray:
    """HU (z, y, x): lung of -860 with noise, spheres with a border of half a millimetre."""
    noise = np.random.default_rng(seed).normal(0, 10, geometry.shape)
    affine = geometry.affine()
    index = np.indices(geometry.shape).reshape(3, -1)[::-1]
    places = affine[:3, :3] @ index + affine[:3, 3:]
    hu = np.full(geometry.shape, -860.0)
    for one in spheres:
        away = np.linalg.norm(places - np.array(one.lps)[:, None], axis=0).reshape(geometry.shape)
        inside = np.clip((one.diameter / 2 - away) / geometry.pixel + 0.5, 0, 1)
        hu += inside * (one.hu + 860.0)
    return np.rint(hu + noise).astype(np.int16)


def write_series(
    folder: Path,
    spheres: Sequence[Sphere],
    geometry: Geometry = Geometry(),
    *,
    patient: str = "SYNTHETIC-1",
    day: str = "20260101",
    frame: str | None = None,
    seed: int = 0,
    **changed: object,
) -> Path:
    """Write the slices as CT images in an order that is not theirs; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    hu, affine = voxels(geometry, spheres, seed), geometry.affine()
    study, series, frame = generate_uid(), generate_uid(), frame or generate_uid()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CT, ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.ImageType = CT, ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.PatientName, made.PatientID = "Synthetic^Sphere", patient
    made.PatientBirthDate, made.PatientSex = "19600101", "O"
    made.StudyDate = made.SeriesDate = made.AcquisitionDate = made.ContentDate = day
    made.StudyTime = made.SeriesTime = made.AcquisitionTime = made.ContentTime = "120000"
    made.AccessionNumber, made.StudyID, made.ReferringPhysicianName = "A1", "1", ""
    made.Modality, made.Manufacturer, made.BodyPartExamined = "CT", "synthetic", "CHEST"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = study, series, frame
    made.PositionReferenceIndicator, made.PatientPosition = "", "HFS"
    made.SeriesNumber, made.AcquisitionNumber, made.KVP = 3, 1, "120"
    made.ImageOrientationPatient = [*geometry.right, *geometry.down]
    made.PixelSpacing, made.SliceThickness = [geometry.pixel] * 2, geometry.step
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = geometry.shape[1:]
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 1
    made.RescaleSlope, made.RescaleIntercept, made.RescaleType = 1, 0, "HU"
    for keyword, value in changed.items():
        setattr(made, keyword, value)
    for z, plane in enumerate(hu):
        made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
        made.InstanceNumber = z + 1
        made.ImagePositionPatient = [f"{v:.6f}" for v in affine[:3, :3] @ (0, 0, z) + affine[:3, 3]]
        made.PixelData = plane.astype("<i2").tobytes()
        made.save_as(folder / f"{generate_uid().rsplit('.', 1)[1]}.dcm", enforce_file_format=True)
    return folder


def brightest(scan: Scan) -> list[Candidate]:
    """A classical detector: connected voxels above half-way to soft tissue, their centroid and size."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(np.asarray(scan.array, np.float32), 0.7)
    labels, count = ndimage.label(smooth > -700)
    sizes = ndimage.sum_labels(np.ones_like(labels), labels, range(1, count + 1))
    weights = np.clip(np.asarray(scan.array, float) + 860, 0, None)
    cube = abs(np.linalg.det(scan.affine[:3, :3]))
    found = []
    for at in range(1, count + 1):
        if sizes[at - 1] * cube < 20:
            continue
        z, y, x = ndimage.center_of_mass(weights, labels, at)
        diameter = (6 * sizes[at - 1] * cube / np.pi) ** (1 / 3)
        found.append(Candidate((float(z), float(y), float(x)), float(diameter), float(sizes[at - 1])))
    return found
