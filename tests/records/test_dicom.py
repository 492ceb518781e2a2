"""DICOM series: real scanners' files, the affine against an oracle, and every way in which a series is no one stack."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from xinglin.records.context import site_of, time_of
from xinglin.records.readers.dicom import Dicom
from xinglin.records.readers.protocol import Item
from xinglin.types import Record


def items(path: Path, volumes: Path | None, start: int = 0) -> list[Item]:
    reader = Dicom(path, volumes)
    return [item for unit in reader.units() for item in reader.items(unit, start)]


@pytest.fixture(scope="module")
def real(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dicom")
    archives = sorted((data / "imaging" / "dicom-samples").glob("*.zip"))
    assert len(archives) == 3
    for archive in archives:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder / archive.stem)
    (folder / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 100)
    (folder / "text.dcm").write_bytes(b"not an image")
    (folder / "DICOMDIR").write_bytes(b"an index")
    return folder


def oracle(paths: list[Path]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Voxel centres by C.7.6.2.1.1, pixel by pixel, and rescaled values: axes (slice, row, column)."""
    images = sorted(
        (pydicom.dcmread(path) for path in paths), key=lambda image: image.ImagePositionPatient[2]
    )
    points, values = [], []
    for image in images:
        direction = np.array(image.ImageOrientationPatient, float)
        down, right = (float(number) for number in image.PixelSpacing)
        i, j = np.meshgrid(np.arange(image.Columns), np.arange(image.Rows))
        points.append(
            np.array(image.ImagePositionPatient, float)
            + i[..., None] * direction[:3] * right
            + j[..., None] * direction[3:] * down
        )
        stored = image.pixel_array
        rescaled = stored * float(image.RescaleSlope) + float(image.RescaleIntercept)
        values.append(np.where(stored == image.get("PixelPaddingValue"), -32768, rescaled))
    return np.stack(points), np.stack(values)


@pytest.mark.parametrize(
    ("folder", "count"),
    [
        ("chest_ct_series_20_slices", 20),
        ("dcmqi_ct3slice_seg_sr/segmentations/ct-3slice", 3),
        ("lungmask_2_chest_slices", 2),
    ],
)
def test_a_real_series_is_a_volume_where_the_oracle_has_it(
    real: Path, tmp_path: Path, folder: str, count: int
) -> None:
    paths = sorted((real / folder).rglob("*.dcm"))
    assert len(paths) == count
    paths = paths[:6]
    for path in paths:
        (tmp_path / "in").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "in")
    (item,) = items(tmp_path / "in", tmp_path / "volumes")
    assert item.record is not None, item.problem
    (volume,) = item.record.volumes
    points, values = oracle(paths)
    array = np.load(volume.path, mmap_mode="r", allow_pickle=False)
    assert array.shape == points.shape[:3]
    assert np.array_equal(array, values)
    index = np.moveaxis(np.indices(array.shape), 0, -1)[..., ::-1]
    found = index @ np.array(volume.affine)[:3, :3].T + np.array(volume.affine)[:3, 3]
    assert np.abs(found - points).max() < 1e-3


def test_a_folder_with_everything(real: Path, tmp_path: Path) -> None:
    found = items(real, tmp_path)
    assert {item.place for item in found if item.problem} == {"broken.dcm", "text.dcm"}
    records = {item.place.split(".")[-1]: item.record for item in found if item.record}
    assert len(records) == 6
    assert sum(len(record.volumes) for record in records.values()) == 3
    report = records["22161"]
    assert "Modality: Positron emission tomography" in report.text
    assert (report.subject, report.patient.sex, report.patient.age) == ("QIN-HEADNECK-01-0003", "male", 48)
    assert time_of(report) == "2015-08-19T11:21:53"
    assert site_of(report) is None
    # De-identified files that lost their UIDs are one series by their folder.
    assert "folder chest_ct_series_20_slices" in {record.id for record in records.values()}
    assert [item.place for item in items(real, None, start=3)] == [item.place for item in found][3:]
    assert all(not item.record.volumes for item in items(real, None) if item.record)


def image(number: int, series: str, **more: Any) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid(
        entropy_srcs=[series, str(number)]
    )
    made.SeriesInstanceUID, made.PatientID, made.Modality = series, "病人1", "CT"
    made.SpecificCharacterSet = "GB18030"
    made.PatientName, made.InstitutionName = "王^小明", "东院"
    made.PatientBirthDate, made.SeriesDate, made.PatientSex = "19800531", "20240531", "F"
    made.Rows, made.Columns, made.SamplesPerPixel = 4, 6, 1
    made.PhotometricInterpretation, made.BitsAllocated, made.BitsStored, made.HighBit = (
        "MONOCHROME2",
        16,
        12,
        11,
    )
    made.PixelRepresentation, made.RescaleSlope, made.RescaleIntercept = 0, 1, -1024
    # Oblique: rows along a direction between x and y, columns along z; the slices go backwards.
    made.ImageOrientationPatient = [0.6, 0.8, 0, 0, 0, -1]
    made.PixelSpacing = [0.5, 0.25]
    made.ImagePositionPatient = [10 - 0.8 * 2 * number, 20 + 0.6 * 2 * number, 30]
    for keyword, value in more.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    made.PixelData = (np.arange(24, dtype=np.uint16).reshape(4, 6) + 100 * number).tobytes()
    return made


def save(folder: Path, images: list[Dataset]) -> Path:
    folder.mkdir()
    for number, made in enumerate(images):
        made.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


def test_an_oblique_series_in_any_order(tmp_path: Path) -> None:
    series = generate_uid(entropy_srcs=["oblique"])
    images = [image(number, series) for number in (2, 0, 3, 1)]
    folder = save(tmp_path / "in", [*images, images[0]])  # one of them copied
    (item,) = items(folder, tmp_path / "volumes")
    record = item.record
    assert record is not None, item.problem
    assert (record.id, record.subject, site_of(record)) == (series, "病人1", "东院")
    assert record.patient.age == pytest.approx(44, abs=0.01)
    array, affine = np.load(record.volumes[0].path), np.array(record.volumes[0].affine)
    assert array.shape == (4, 4, 6)
    assert array.dtype == np.int16
    assert np.linalg.det(affine[:3, :3]) > 0
    for number in range(4):
        corner = [10 - 1.6 * number, 20 + 1.2 * number, 30]
        (z,) = (k for k in range(4) if np.allclose(affine[:3] @ [0, 0, k, 1], corner))
        assert array[z, 2, 5] == 12 + 5 + 100 * number - 1024
    assert np.allclose(affine[:3] @ [4, 3, 0, 1] - affine[:3, 3], [0.6, 0.8, -1.5])


BROKEN: dict[str, tuple[Callable[[str], list[Dataset]], str]] = {
    "gap": (lambda s: [image(n, s) for n in (0, 1, 3, 4)], "not evenly spaced"),
    "two phases": (
        lambda s: [*(image(n, s) for n in range(3)), image(1, s, SOPInstanceUID=generate_uid())],
        "two images at one position",
    ),
    "size": (lambda s: [image(0, s), image(1, s, Rows=6, Columns=4)], "differ in size"),
    "orientation": (
        lambda s: [image(0, s), image(1, s, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        "orientation",
    ),
    "spacing": (lambda s: [image(0, s), image(1, s, PixelSpacing=[1, 1])], "spacing"),
    "no plane": (
        lambda s: [image(0, s, ImageOrientationPatient=[1, 0, 0, 1, 0, 0], SliceThickness=1)],
        "not a plane",
    ),
    "one slice": (lambda s: [image(0, s)], "without (0018,0050) SliceThickness"),
    "patients": (lambda s: [image(0, s), image(1, s, PatientID="病人2")], "different patients"),
    "slope": (lambda s: [image(0, s), image(1, s, RescaleSlope=0)], "RescaleSlope"),
    "sex": (lambda s: [image(0, s, PatientSex="X", SliceThickness=1)], "sex"),
    "pixels": (lambda s: [image(0, s), image(1, s, BitsAllocated=8)], "pixels"),
    "huge": (
        lambda s: [image(0, s, Rows=60000, Columns=60000), image(1, s, Rows=60000, Columns=60000)],
        "too large",
    ),
    "no bits": (lambda s: [image(0, s, BitsStored=None), image(1, s)], "header|pixels"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_one_stack_is_told(tmp_path: Path, case: str) -> None:
    make, message = BROKEN[case]
    folder = save(tmp_path / "in", make(generate_uid(entropy_srcs=[case])))
    (item,) = items(folder, tmp_path / "volumes")
    assert item.record is None
    assert any(part in str(item.problem) for part in message.split("|")), item.problem
    assert list((tmp_path / "volumes").glob("*")) == []


def test_a_radiograph_is_a_picture_without_coordinates(tmp_path: Path) -> None:
    series = generate_uid(entropy_srcs=["dx"])
    made = image(0, series, ImagePositionPatient=None, ImageOrientationPatient=None, Modality="DX")
    (item,) = items(save(tmp_path / "in", [made]), tmp_path / "volumes")
    assert item.record is not None
    assert item.record.volumes == ()
    (picture,) = item.record.pictures
    assert np.array_equal(np.load(picture.path), made.pixel_array[None])
    assert (picture.modality, picture.inverted) == ("DX", False)
    named = {event.code.display: event.value for event in item.record.events}
    assert named["Modality"] == "DX"


def test_one_slice_with_its_thickness(tmp_path: Path) -> None:
    made = image(0, generate_uid(entropy_srcs=["one"]), SliceThickness=3)
    (item,) = items(save(tmp_path / "in", [made]), tmp_path / "volumes")
    assert item.record is not None
    assert np.linalg.norm(np.array(item.record.volumes[0].affine)[:3, 2]) == pytest.approx(3)


@pytest.mark.filterwarnings("error")
def test_damage_anywhere_is_a_record_or_a_problem(tmp_path: Path) -> None:
    folder = save(tmp_path / "in", [image(number, generate_uid(entropy_srcs=["d"])) for number in range(2)])
    whole = (folder / "1.dcm").read_bytes()
    outcomes = set()
    for at in range(132, len(whole), max(1, len(whole) // 150)):
        (folder / "1.dcm").write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        for item in items(folder, tmp_path / "volumes"):
            assert (item.record is None) != (item.problem is None)
            outcomes.add(isinstance(item.record, Record))
    assert outcomes == {True, False}
