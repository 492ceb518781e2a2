"""DICOM by PS3.15 Annex E on real files with planted identifiers; burned-in text warned about."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.records.deidentify import deidentify_dataset, pixel_text
from xinglin.records.deidentify.dicom import new_uid, profile
from xinglin.records.deidentify.pixels import header_warnings, picture_warnings
from xinglin.records.deidentify.shift import shift_days, shifted_iso

pydicom = pytest.importorskip("pydicom")
KEY = b"s" * 32
NOT_MOVED = {
    *("PatientBirthDate", "GPSTimeStamp", "TemplateVersion", "TemplateLocalVersion"),
    *("ContextGroupVersion", "ContextGroupLocalVersion"),
}
"""Emptied, removed or given a dummy value: editions of a code table are no dates of the patient's."""
PLANTED = {
    "PatientName": "Wang^Xiulan",
    "PatientID": "P778899",
    "PatientBirthDate": "19491231",
    "PatientAddress": "180 Quancheng Road",
    "PatientTelephoneNumbers": "13800138000",
    "OtherPatientIDs": "OLD123456",
    "ReferringPhysicianName": "Li^Jianguo",
    "OperatorsName": "Zhao^Min",
    "InstitutionName": "Minghu Hospital",
    "StationName": "CTSTATION7",
    "AccessionNumber": "ACC5566778",
    "StudyID": "ST998877",
    "DeviceSerialNumber": "SER445566",
    "StudyDescription": "CT chest for Mr. Xiulan, MRN: 7788990",
    "ImageComments": "call 13800138000",
    "RequestingPhysician": "Sun^Li",
}


@pytest.fixture(scope="module")
def raw(data: Path) -> dict[str, bytes]:
    folder = data / "imaging" / "dicom-samples"
    if not folder.is_dir():
        pytest.skip(f"no DICOM samples at {folder}")
    found = {}
    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if not name.endswith("/"):
                    found[f"{path.stem}/{name}"] = archive.read(name)
    return found


def samples(raw: dict[str, bytes], part: str = "") -> dict[str, Any]:
    return {name: pydicom.dcmread(io.BytesIO(held)) for name, held in raw.items() if part in name}


def written(dataset: Any) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def clean(dataset: Any) -> Any:
    return deidentify_dataset(dataset, subject_key=KEY, pseudonym="S-x")


def test_every_sample_is_cleaned_and_read_back(raw: dict[str, bytes]) -> None:
    assert len(raw) >= 25
    # Of the 20 slices of one series, which differ in nothing but their pixels, every fifth.
    slices = [name for name in raw if "chest_ct" in name]
    files = {
        name: item for name, item in samples(raw).items() if name not in slices or slices.index(name) % 5 == 0
    }
    assert len(files) >= 12
    for name, dataset in files.items():
        original = {
            str(element.value)
            for element in dataset.iterall()
            if element.VR == "UI"
            and profile().get(int(element.tag))
            and profile()[int(element.tag)].basic == "U"
            and element.value
        }
        back = pydicom.dcmread(io.BytesIO(written(clean(dataset))))
        assert back.PatientID == str(back.PatientName) == "S-x", name
        assert back.PatientIdentityRemoved == "YES"
        assert back.LongitudinalTemporalInformationModified == "MODIFIED"
        assert [item.CodeValue for item in back.DeidentificationMethodCodeSequence] == [
            "113100",
            "113104",
            "113105",
            "113107",
        ]
        assert not [element for element in back.iterall() if element.tag.is_private]
        assert not original & {str(element.value) for element in back.iterall() if element.VR == "UI"}
        if "PixelData" in dataset:
            assert back.PixelData == dataset.PixelData
            assert (back.Rows, back.Columns) == (dataset.Rows, dataset.Columns)


def test_planted_identifiers_are_gone_from_the_bytes(raw: dict[str, bytes]) -> None:
    dataset = next(iter(samples(raw, "ct-3slice/01").values()))
    for keyword, value in PLANTED.items():
        setattr(dataset, keyword, value)
    dataset.StudyDate, dataset.SeriesDate, dataset.StudyTime = "20230503", "20230510", "081500"
    dataset.AcquisitionDateTime = "20230503081530.5+0800"
    dataset.file_meta.SourceApplicationEntityTitle = "SECRETAE"
    dataset.preamble = b"SECRETPREAMBLE".ljust(128, b"\0")
    block = dataset.private_block(0x0011, "ACME SECRET", create=True)
    block.add_new(1, "LO", "Wang Xiulan private")
    inner = pydicom.Dataset()
    inner.PatientName, inner.ReferencedSOPInstanceUID = "Wang^Nested", "1.2.3.4.5"
    inner.ContentDate = "20230504"
    dataset.ReferencedImageSequence = [inner]
    unknown = pydicom.Dataset()
    unknown.HumanPerformerName, unknown.PerformedProcedureStepDescription = (
        "Chen^Deep",
        "done, call 13900139000",
    )
    dataset.PerformedProtocolCodeSequence = [unknown]
    new = clean(dataset)
    held = written(new)
    for value in (
        *PLANTED.values(),
        "SECRET",
        "Nested",
        "Deep",
        "13900139000",
        "1.2.3.4.5",
        "20230503",
        "20230510",
        "20230504",
    ):
        assert value.encode() not in held, value
    back = pydicom.dcmread(io.BytesIO(held))
    days = shift_days(KEY)
    assert back.StudyDate == shifted_iso("20230503", days)
    assert back.SeriesDate == shifted_iso("20230510", days)
    assert back.AcquisitionDateTime == shifted_iso("20230503081530.5+0800", days)
    assert back.StudyTime == "081500"
    assert back.PatientBirthDate == ""
    assert back.StudyDescription.startswith("CT chest for Mr. [NAME1]")
    assert back.ReferencedImageSequence[0].ReferencedSOPInstanceUID == new_uid("1.2.3.4.5", KEY)
    assert "PatientAddress" not in back


def test_references_between_files_hold(raw: dict[str, bytes]) -> None:
    files = samples(raw)
    slices = [clean(item) for name, item in files.items() if "ct-3slice/0" in name]
    seg = clean(next(item for name, item in files.items() if "sr-example/seg" in name or "liver" in name))
    assert len({item.SOPInstanceUID for item in slices}) == 3
    assert len({item.SeriesInstanceUID for item in slices}) == 1
    uids = {str(element.value) for element in seg.iterall() if element.keyword == "ReferencedSOPInstanceUID"}
    assert uids
    assert uids & {item.SOPInstanceUID for item in slices}
    assert slices[0].SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


def test_a_structured_report_keeps_its_measurements(raw: dict[str, bytes]) -> None:
    report = next(iter(samples(raw, "sr.dcm").values()))
    numbers = [str(element.value) for element in report.iterall() if element.keyword == "NumericValue"]
    names = [
        element
        for element in clean(report).iterall()
        if element.VR == "PN" and element.keyword != "PatientName"
    ]
    assert numbers
    assert [str(e.value) for e in clean(report).iterall() if e.keyword == "NumericValue"] == numbers
    assert {str(element.value) for element in names} <= {"", "ANON"}


def test_the_table_holds_what_the_standard_lists() -> None:
    table = profile()
    assert len(table) >= 600
    expected = {
        "PatientName": "Z", "PatientID": "Z/D", "PatientBirthDate": "Z", "AccessionNumber": "Z", "StudyInstanceUID": "U",
        "InstitutionName": "X/Z/D", "DeviceSerialNumber": "X/Z/D", "PatientAge": "X", "StudyDate": "Z", "ContentDate": "Z/D",
        "ReferencedImageSequence": "X/Z/U*", "PersonName": "D", "ContentSequence": "D", "StudyDescription": "X",
    }  # fmt: skip
    for keyword, basic in expected.items():
        assert table[pydicom.datadict.tag_for_keyword(keyword)].basic == basic, keyword
    uids = [tag for tag, rule in table.items() if rule.basic == "U"]
    assert len(uids) >= 50
    assert all(pydicom.datadict.dictionary_VR(tag) == "UI" for tag in uids)
    dates = [tag for tag in table if pydicom.datadict.dictionary_VR(tag) in ("DA", "DT")]
    assert len(dates) >= 100
    assert {
        pydicom.datadict.keyword_for_tag(tag) for tag in dates if table[tag].option != "temporal"
    } == NOT_MOVED


def test_what_cannot_be_made_safe_is_refused() -> None:
    dataset = pydicom.Dataset()
    with pytest.raises(ConfigurationError):
        deidentify_dataset(dataset, subject_key=b"short", pseudonym="x")
    dataset.EncapsulatedDocument = b"%PDF"
    with pytest.raises(InvalidInputError, match="encapsulated"):
        clean(dataset)
    directory = pydicom.Dataset()
    directory.DirectoryRecordSequence = []
    with pytest.raises(InvalidInputError, match="DICOMDIR"):
        clean(directory)
    deep = pydicom.Dataset()
    at = deep
    for _ in range(30):
        item = pydicom.Dataset()
        at.ReferencedImageSequence = [item]
        at = item
    with pytest.raises(InvalidInputError, match="deep"):
        clean(deep)


def test_the_header_warns_of_burned_in_text() -> None:
    plain = pydicom.Dataset()
    plain.Modality, plain.PixelData = "CT", b"\0\0"
    assert header_warnings(plain) == ()
    plain.BurnedInAnnotation = "YES"
    assert "BurnedInAnnotation" in header_warnings(plain)[0]
    for keyword, value in (
        ("Modality", "US"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"),
        ("ImageType", ["DERIVED", "SECONDARY", "SCREEN SAVE"]),
        ("ConversionType", "WSD"),
        ("DateOfSecondaryCapture", "20200101"),
        ("SeriesDescription", "SAVED IMAGES"),
    ):
        risky = pydicom.Dataset()
        risky.Modality, risky.PixelData = "CT", b"\0\0"
        setattr(risky, keyword, value)
        assert header_warnings(risky), keyword
    head = pydicom.Dataset()
    head.Modality, head.BodyPartExamined = "MR", "HEAD"
    assert "face" in header_warnings(head)[0]


def test_rendered_text_is_seen_and_anatomy_is_not(raw: dict[str, bytes]) -> None:
    pillow = pytest.importorskip("PIL.ImageFont")
    from PIL import Image, ImageDraw

    pictures = [item.pixel_array for item in samples(raw).values() if item.get("Modality") == "CT"]
    assert len(pictures) >= 20
    assert sum(bool(pixel_text(picture)) for picture in pictures) == 0
    seen = 0
    for number, picture in enumerate(pictures):
        mask = Image.new("1", (picture.shape[1], picture.shape[0]))
        ImageDraw.Draw(mask).text(
            (20, 10 + 15 * number), "ID 00123456 WANG", fill=1, font=pillow.load_default(16)
        )
        planted = np.where(np.asarray(mask), picture.max(), picture)
        rows = pixel_text(planted)
        seen += bool(rows)
    assert seen >= 0.9 * len(pictures)
    assert pixel_text(np.zeros((64, 64))) == ()
    assert pixel_text(np.zeros(5)) == ()


def test_pixels_that_cannot_be_decoded_are_said_to_be_unchecked() -> None:
    broken = pydicom.Dataset()
    broken.Modality, broken.PixelData, broken.Rows, broken.Columns = "CT", b"\0", 512, 512
    assert any("not checked" in warning for warning in picture_warnings(broken))
