"""SR, SEG, key images and FHIR of a planted sphere (synthetic): valid, and the same numbers when read back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from tests.apps.imaging.synthetic import FLIPPED, OBLIQUE, TILTED, Geometry, Sphere, brightest, write_series
from xinglin.apps.imaging.fhir import bundle
from xinglin.apps.imaging.key_images import key_image, letter
from xinglin.apps.imaging.measured import Algorithm
from xinglin.apps.imaging.products import write_dicom
from xinglin.apps.imaging.report import Report, make_report
from xinglin.apps.imaging.seg import segmentation
from xinglin.apps.imaging.sr import structured_report
from xinglin.errors import InvalidInputError
from xinglin.records.volumes import read_scan
from xinglin.types import DISCLAIMER

ALGORITHM = Algorithm("blob", "1.0")
SPHERES = [Sphere((25.0, -128.0, 314.0), 10.0), Sphere((10.0, -140.0, 300.0), 6.0)]
WAYS = {"axial": Geometry(), "oblique": OBLIQUE, "flipped": FLIPPED, "tilted": TILTED}


@pytest.fixture(scope="module", params=WAYS.values(), ids=WAYS)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return _report(tmp_path_factory.mktemp("ct"), SPHERES, request.param)


AXIAL = Geometry()


def _report(folder: Path, spheres: list[Sphere], geometry: Geometry = AXIAL) -> Report:
    return make_report(read_scan(write_series(folder, spheres, geometry)), brightest, ALGORITHM)


def valid(path: Path) -> str:
    """What dciodvfy says; fails on any line that is an error."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dicom3tools is not installed: apt-get install dicom3tools")
    done = subprocess.run(
        ["dciodvfy", str(path)], capture_output=True, text=True, check=False, errors="replace"
    )
    told = done.stdout + done.stderr
    assert [line for line in told.splitlines() if line.startswith("Error")] == []
    return told


def groups_of(dataset: Any) -> list[Any]:
    from highdicom.sr import MeasurementReport

    content = MeasurementReport.from_sequence([dataset], is_root=True, copy=False)
    return list(content.get_image_measurement_groups())


def texts_of(path: Path) -> list[str]:
    def walk(item: Any) -> Iterator[str]:
        if "TextValue" in item:
            yield str(item.TextValue)
        for below in item.get("ContentSequence", []):
            yield from walk(below)

    return list(walk(pydicom.dcmread(path)))


def test_the_report_reads_back_with_the_same_numbers(report: Report, tmp_path: Path) -> None:
    from highdicom.sr import srread

    write_dicom(structured_report(report), tmp_path / "sr.dcm")
    valid(tmp_path / "sr.dcm")
    read = srread(tmp_path / "sr.dcm")
    groups = groups_of(read)
    assert len(groups) == len(report.nodules) == 2
    for group, one in zip(groups, report.nodules, strict=True):
        values = {m.name.meaning: m for m in group.get_measurements()}
        assert values["Diameter"].value == pytest.approx(one.diameter, rel=1e-9)
        assert values["Volume"].value == pytest.approx(one.volume, rel=1e-9)
        assert values["Diameter"].unit.value == "mm"
        assert values["Volume"].unit.value == "mm3"
        (point,) = [item for item in values["Diameter"][0].ContentSequence if item.ValueType == "SCOORD3D"]
        assert point.GraphicType == "POINT"
        assert point.ReferencedFrameOfReferenceUID == report.scan.frame
        expected = (one.point.x, one.point.y, one.point.z)
        assert np.allclose([float(v) for v in point.GraphicData], expected, atol=1e-4)
        # The circle lies on the image whose header puts its centre where the 3-D point is.
        (region,) = [item for item in values["Diameter"][0].ContentSequence if item.ValueType == "SCOORD"]
        assert region.GraphicType == "CIRCLE"
        image = region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        (header,) = [h for h in report.source.headers if h.SOPInstanceUID == image]
        column, row = (float(v) - 0.5 for v in region.GraphicData[:2])
        right, down = np.reshape(np.array(header.ImageOrientationPatient, float), (2, 3))
        place = np.array(header.ImagePositionPatient, float)
        place = place + right * column * header.PixelSpacing[1] + down * row * header.PixelSpacing[0]
        assert np.linalg.norm(place - expected) <= 0.55 * report.scan.spacing[2]
        radius = float(region.GraphicData[2]) - float(region.GraphicData[0])
        assert radius * header.PixelSpacing[1] == pytest.approx(one.diameter / 2, rel=1e-3)
    assert len({group.tracking_uid for group in groups}) == 2
    told = texts_of(tmp_path / "sr.dcm")
    assert any(DISCLAIMER["en"] in text and DISCLAIMER["zh"] in text for text in told)
    assert {"blob", "1.0"} <= set(told)


def test_the_segmentation_lies_where_the_spheres_are(report: Report, tmp_path: Path) -> None:
    import highdicom

    made = segmentation(report)
    assert made is not None
    write_dicom(made, tmp_path / "seg.dcm")
    valid(tmp_path / "seg.dcm")
    read = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert read.number_of_segments == 2
    for number, planted in enumerate(SPHERES, 1):
        places = []
        for at, frame in enumerate(read.PerFrameFunctionalGroupsSequence):
            if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber != number:
                continue
            pixels = read.pixel_array[at] if read.pixel_array.ndim == 3 else read.pixel_array
            rows, columns = np.nonzero(pixels)
            corner = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
            shared = read.SharedFunctionalGroupsSequence[0]
            right, down = np.reshape(
                np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float), (2, 3)
            )
            step = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
            places.append(corner + np.outer(columns * step[1], right) + np.outer(rows * step[0], down))
        found = np.concatenate(places)
        assert np.linalg.norm(found.mean(axis=0) - planted.lps) < 0.5
    uids = [description.TrackingUID for description in read.SegmentSequence]
    groups = groups_of(structured_report(report))
    assert uids == [group.tracking_uid for group in groups]


def test_a_key_image_is_valid_and_says_what_is_drawn_in(tmp_path: Path) -> None:
    report = _report(tmp_path / "ct", SPHERES)
    one = report.nodules[0]
    write_dicom(key_image(report, one), tmp_path / "key.dcm")
    valid(tmp_path / "key.dcm")
    read = pydicom.dcmread(tmp_path / "key.dcm")
    assert read.ImageType[0] == "DERIVED"
    assert "drawn into the pixels" in read.DerivationDescription
    assert DISCLAIMER["zh"] in read.ImageComments
    assert "blob" in read.DerivationDescription
    pixels = read.pixel_array
    assert pixels.ndim == 3
    assert min(pixels.shape[:2]) >= 400
    yellow = (pixels[..., 0] > 230) & (pixels[..., 2] < 40)
    rows, columns = np.nonzero(yellow)
    scale = pixels.shape[0] / report.scan.array.shape[1]
    _, y, x = one.voxel
    away = np.hypot(rows - (y + 0.5) * scale, columns - (x + 0.5) * scale)
    assert (np.abs(away - one.diameter * scale * 0.75) < 3).sum() > 200, "no ring around the nodule"
    assert pixels[round((y + 0.5) * scale), round((x + 0.5) * scale)].min() > 200, "no nodule in the ring"
    assert list(read.PatientOrientation) == ["L", "P"]


def test_letters_name_the_side() -> None:
    assert [letter(np.array(way)) for way in ([1, 0, 0], [0, -1, 0], [0, 0.1, 1], [-0.8, 0.6, 0])] == list(
        "LAHR"
    )


def test_observations_are_valid_fhir(report: Report) -> None:
    from fhir.resources.R4B.bundle import Bundle

    body = bundle(report)
    Bundle.model_validate(body)
    assert len(body["entry"]) == 2
    for entry, one in zip(body["entry"], report.nodules, strict=True):
        resource = entry["resource"]
        values = {c["code"]["text"]: c.get("valueQuantity", {}).get("value") for c in resource["component"]}
        assert values["LPS x"] == one.point.x
        assert values["LPS z"] == one.point.z
        assert values["体积 volume"] == one.volume
        study = report.source.text("StudyInstanceUID")
        assert resource["derivedFrom"][0]["identifier"]["value"] == f"urn:oid:{study}"
        assert resource["bodySite"]["coding"][0]["code"] == "39607008"
        assert any(DISCLAIMER["zh"] in note["text"] for note in resource["note"])


def test_nothing_found_is_written_as_such(tmp_path: Path) -> None:
    from fhir.resources.R4B.bundle import Bundle
    from highdicom.sr import srread

    report = _report(tmp_path / "ct", [])
    assert segmentation(report) is None
    write_dicom(structured_report(report), tmp_path / "sr.dcm")
    valid(tmp_path / "sr.dcm")
    (group,) = groups_of(srread(tmp_path / "sr.dcm"))
    assert group.get_measurements() == []
    assert any("not a negative study" in text for text in texts_of(tmp_path / "sr.dcm"))
    body = bundle(report)
    Bundle.model_validate(body)
    assert "not a negative study" in body["entry"][0]["resource"]["valueString"]


def test_products_made_again_are_the_same_objects(tmp_path: Path) -> None:
    report = _report(tmp_path / "ct", SPHERES)
    assert structured_report(report).SOPInstanceUID == structured_report(report).SOPInstanceUID
    other = make_report(report.scan, brightest, Algorithm("blob", "1.1"))
    assert structured_report(other).SOPInstanceUID != structured_report(report).SOPInstanceUID


def test_a_scan_without_dicom_has_no_dicom_products(tmp_path: Path) -> None:
    import nibabel

    image = nibabel.Nifti1Image(np.full((8, 8, 8), -800, np.int16), np.eye(4))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "a.nii.gz")
    report = make_report(read_scan(tmp_path / "a.nii.gz", stated="CT"), lambda _: [], ALGORITHM)
    for door in (structured_report, segmentation):
        with pytest.raises(InvalidInputError, match="one file a slice"):
            door(report)
    assert bundle(report)["entry"][0]["resource"]["status"] == "preliminary"


def test_a_chinese_name_stays_readable(tmp_path: Path) -> None:
    folder = write_series(
        tmp_path / "ct",
        SPHERES[:1],
        Geometry(shape=(20, 36, 36)),
        SpecificCharacterSet="GB18030",
        PatientName="张三^",
    )
    report = make_report(read_scan(folder), brightest, ALGORITHM)
    made = {
        "sr": structured_report(report),
        "seg": segmentation(report),
        "key": key_image(report, report.nodules[0]),
    }
    for name, dataset in made.items():
        write_dicom(dataset, tmp_path / f"{name}.dcm")
        read = pydicom.dcmread(tmp_path / f"{name}.dcm")
        assert (name, str(read.PatientName)) == (name, "张三^")
        assert read.SpecificCharacterSet == "ISO_IR 192"


def test_no_warning_quotes_the_patient(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    folder = write_series(tmp_path / "ct", SPHERES[:1], Geometry(shape=(20, 36, 36)), PatientName="Zhangsan")
    report = make_report(read_scan(folder), brightest, ALGORITHM)
    for dataset in (structured_report(report), segmentation(report), key_image(report, report.nodules[0])):
        write_dicom(dataset, tmp_path / "one.dcm")
    assert [str(one.message) for one in recwarn if "Zhangsan" in str(one.message)] == []
