"""DICOM series of every kind: where SimpleITK has them, what they hold, and what is refused, with file and tag."""

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
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.records.readers.dicom import Dicom
from xinglin.records.volumes import find_series, open_volume, read_scan
from xinglin.records.volumes.headers import padding_of
from xinglin.records.volumes.pixels import stated_size
from xinglin.types import Record

SERIES = "1.2.826.0.1.3680043.8.498.7"


def stored(number: int, rows: int = 40, columns: int = 48) -> np.ndarray[Any, Any]:
    return (np.arange(rows * columns).reshape(rows, columns) + 100 * number).astype(np.uint16)


def image(number: int, **more: Any) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = generate_uid(entropy_srcs=[str(number)])
    made.SeriesInstanceUID, made.StudyInstanceUID = SERIES, SERIES + ".1"
    made.FrameOfReferenceUID = SERIES + ".2"
    made.PatientID, made.PatientName, made.Modality = "P1", "A^B", "CT"
    made.StudyID, made.SeriesNumber, made.InstanceNumber = "1", 1, number + 1
    made.PatientBirthDate = made.PatientSex = made.AccessionNumber = ""
    made.StudyDate, made.StudyTime, made.ContentDate, made.ContentTime = "20240531", "10", "20240531", "10"
    made.Manufacturer, made.ReferringPhysicianName = "", ""
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = 40, 48, 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.RescaleSlope, made.RescaleIntercept, made.RescaleType = 1, -1024, "HU"
    made.ImageOrientationPatient, made.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.7, 0.6]
    made.ImagePositionPatient = [-10, -20, 30 + 2.5 * number]
    made.SliceThickness, made.KVP, made.AcquisitionNumber = 2.5, 120, 1
    made.PixelData = stored(number).tobytes()
    for keyword, value in more.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def save(folder: Path, images: list[Dataset]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, made in enumerate(images):
        made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        made.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


def records(folder: Path, volumes: Path) -> list[Record]:
    reader = Dicom(folder, volumes)
    found = [item for unit in reader.units() for item in reader.items(unit, 0)]
    assert not [item.problem for item in found if item.problem]
    return [item.record for item in found if item.record is not None]


@pytest.mark.parametrize(
    "part", ["chest_ct_series_20_slices", "ct-3slice", "lungmask_2_chest_slices"]
)  # fmt: skip
def test_real_series_lie_where_itk_has_them(data: Path, tmp_path: Path, part: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    archives = sorted((data / "imaging" / "dicom-samples").glob("*.zip"))
    assert len(archives) == 3
    for archive in archives:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(tmp_path / archive.stem)
    folder = next(path for path in sorted(tmp_path.rglob("*")) if path.is_dir() and path.name == part)
    files = sorted(folder.rglob("*.dcm"))[:6]
    shutil.copytree(
        files[0].parent, tmp_path / "in", ignore=lambda _, names: set(names) - {f.name for f in files}
    )
    scan = read_scan(tmp_path / "in", stated="CT", expected="CT")
    image = sitk.ReadImage([str(path) for path in scan.files])
    assert image.GetSize() == scan.array.shape[::-1]
    rng = np.random.default_rng(1)
    for index in rng.integers(0, image.GetSize(), (200, 3)).tolist():
        assert np.abs(scan.to_lps([index])[0] - image.TransformIndexToPhysicalPoint(index)).max() < 1e-3
        if scan.measured is None or scan.measured[tuple(index[::-1])]:
            assert scan.array[tuple(index[::-1])] == image[tuple(index)]


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEG2000Lossless,
        JPEGLSLossless,
    ],
)
def test_every_lossless_transfer_syntax_gives_the_same_values(tmp_path: Path, syntax: Any) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        made = image(number)
        made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        if syntax.is_encapsulated:
            made.compress(syntax, generate_instance_uid=False)
            made.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        else:
            if syntax == ExplicitVRBigEndian:
                made.PixelData = stored(number).byteswap().tobytes()
                made["PixelData"].VR = "OW"
            made.file_meta.TransferSyntaxUID = syntax
            pydicom.dcmwrite(folder / f"{number}.dcm", made, enforce_file_format=True)
        assert pydicom.dcmread(folder / f"{number}.dcm").file_meta.TransferSyntaxUID == syntax
    scan = read_scan(folder, expected="CT")
    assert np.array_equal(scan.array, np.stack([stored(number) for number in range(3)]).astype(int) - 1024)


def jpeg_lossless(path: Path, signed: bool) -> np.ndarray[Any, Any]:
    """A file that ITK's GDCM compressed with JPEG lossless, first-order prediction."""
    sitk = pytest.importorskip("SimpleITK")
    held = stored(0).astype(np.int16) - 900 if signed else stored(0)
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.Execute(sitk.GetImageFromArray(held))
    return held


@pytest.mark.parametrize("signed", [True, False])
def test_lossless_jpeg_needs_no_other_library(tmp_path: Path, signed: bool) -> None:
    held = jpeg_lossless(tmp_path / "itk.dcm", signed)
    source = pydicom.dcmread(tmp_path / "itk.dcm")
    assert source.file_meta.TransferSyntaxUID == JPEGLosslessSV1
    made = image(0, RescaleSlope=2, PixelData=source.PixelData)
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    for keyword in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        setattr(made, keyword, source[keyword].value)
    scan = read_scan(save(tmp_path / "in", [made]))
    assert np.array_equal(scan.array[0], held.astype(int) * 2 - 1024)
    whole = (tmp_path / "in" / "0.dcm").read_bytes()
    (tmp_path / "in" / "0.dcm").write_bytes(whole[: len(whole) // 2 + 300])
    with pytest.raises(InvalidInputError, match=r"0\.dcm: .*JPEG Lossless"):
        read_scan(tmp_path / "in")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_truncated_pixels_are_refused_by_name(tmp_path: Path, syntax: Any) -> None:
    folder = save(tmp_path / "in", [image(0), image(1)])
    made = pydicom.dcmread(folder / "1.dcm")
    rng = np.random.default_rng(0)
    made.Rows = made.Columns = 64
    made.PixelData = rng.integers(0, 4096, (64, 64)).astype(np.uint16).tobytes()
    if syntax.is_encapsulated:
        made.compress(syntax, generate_instance_uid=False)
    (folder / "0.dcm").unlink()
    made.save_as(folder / "1.dcm")
    whole = (folder / "1.dcm").read_bytes()
    assert read_scan(folder).array.shape == (1, 64, 64)
    for part in (0.5, 0.8, 0.95):
        (folder / "1.dcm").write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(InvalidInputError, match=r"1\.dcm"):
            read_scan(folder)


def test_a_tilted_gantry_is_told_and_keeps_its_millimetres(tmp_path: Path) -> None:
    tilt = np.radians(12)
    across = [1, 0, 0, 0, np.cos(tilt), np.sin(tilt)]
    images = [
        image(n, ImageOrientationPatient=across, ImagePositionPatient=[0, 0, 5.0 * n]) for n in range(4)
    ]
    scan = read_scan(save(tmp_path / "in", images))
    assert not scan.orthogonal
    assert any("12.0" in note and "tilt" in note for note in scan.notes)
    for n in range(4):
        for row, column in ((0, 0), (7, 11), (3, 5)):
            said = np.array([0.6 * column, 0.7 * row * np.cos(tilt), 5 * n + 0.7 * row * np.sin(tilt)])
            assert np.abs(scan.to_lps([[column, row, n]])[0] - said).max() < 1e-6


def test_padding_is_masked_whatever_sign_it_was_written_with(tmp_path: Path) -> None:
    images = []
    for number in range(2):
        pixels = stored(number).astype(np.int16)
        pixels[0, :3] = -2000
        made = image(number, PixelRepresentation=1, BitsStored=16, HighBit=15, PixelData=pixels.tobytes())
        made.add_new("PixelPaddingValue", "US", 65536 - 2000)
        images.append(made)
    scan = read_scan(save(tmp_path / "in", images))
    assert scan.measured is not None
    assert (~scan.measured).sum() == 6
    assert set(scan.array[~scan.measured].tolist()) == {-1000}
    assert np.array_equal(scan.array[scan.measured], np.stack([stored(0), stored(1)])[scan.measured] - 1024.0)
    ranged = Dataset()
    ranged.PixelRepresentation, ranged.BitsAllocated = 0, 16
    ranged.add_new("PixelPaddingValue", "SS", -1)
    ranged.add_new("PixelPaddingRangeLimit", "US", 60000)
    assert padding_of(Path("x"), ranged) == (60000, 65535)


def test_each_slice_has_its_own_scale(tmp_path: Path) -> None:
    images = [
        image(n, Modality="PT", RescaleSlope=0.5 * (n + 1), RescaleIntercept=0, RescaleType=None)
        for n in range(3)
    ]
    scan = read_scan(save(tmp_path / "in", images), expected="PT")
    assert scan.array.dtype == np.float32
    for n in range(3):
        assert np.array_equal(scan.array[n], (stored(n) * 0.5 * (n + 1)).astype(np.float32))


def test_values_beyond_sixteen_bits_become_fractions(tmp_path: Path) -> None:
    pixels = stored(0)
    pixels[0, 0] = 60000
    made = image(0, BitsStored=16, HighBit=15, PixelData=pixels.tobytes())
    scan = read_scan(save(tmp_path / "in", [made, image(1)]))
    assert scan.array.dtype == np.float32
    assert scan.array[0, 0, 0] == 60000 - 1024


def test_mr_is_read_without_a_scale(tmp_path: Path) -> None:
    none: dict[str, Any] = {"RescaleSlope": None, "RescaleIntercept": None, "RescaleType": None}
    scan = read_scan(save(tmp_path / "in", [image(n, Modality="MR", **none) for n in range(3)]))
    assert scan.modality == "MR"
    assert np.array_equal(scan.array, np.stack([stored(n) for n in range(3)]))


def test_an_enhanced_multiframe_ct_equals_its_single_frames(tmp_path: Path) -> None:
    legacy = pytest.importorskip("highdicom.legacy")
    singles = [image(n) for n in (2, 0, 3, 1)]
    for made in singles:
        made.SpecificCharacterSet, made.PositionReferenceIndicator = "ISO_IR 192", ""
        made.FrameOfReferenceUID, made.BurnedInAnnotation = SERIES + ".2", "NO"
    folder = save(tmp_path / "single", singles)
    opened = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    made = legacy.LegacyConvertedEnhancedCTImage(
        opened, SERIES + ".7", 2, SERIES + ".8", 1, transfer_syntax_uid=ExplicitVRLittleEndian
    )
    (tmp_path / "multi").mkdir()
    made.save_as(tmp_path / "multi" / "all.dcm")
    one, many = read_scan(folder), read_scan(tmp_path / "multi", expected="CT")
    assert int(made.NumberOfFrames) == 4
    assert np.array_equal(one.array, many.array)
    assert np.abs(one.affine - many.affine).max() < 1e-9
    assert one.frame == many.frame
    (record,) = records(tmp_path / "multi", tmp_path / "volumes")
    (volume,) = record.volumes
    assert record.pictures == ()
    assert np.array_equal(open_volume(volume).array, one.array)
    assert np.array_equal(open_volume(volume).affine, one.affine)


def test_pictures_are_kept_as_they_were_stored(tmp_path: Path) -> None:
    none = {"ImagePositionPatient": None, "ImageOrientationPatient": None}
    film = image(
        0, Modality="DX", PhotometricInterpretation="MONOCHROME1", SeriesInstanceUID=SERIES + ".3", **none
    )
    cine = image(1, Modality="US", SeriesInstanceUID=SERIES + ".4", NumberOfFrames=5, **none)
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (5, 40, 48, 3)).astype(np.uint8)
    cine.SamplesPerPixel, cine.PhotometricInterpretation, cine.PlanarConfiguration = 3, "RGB", 0
    cine.BitsAllocated, cine.BitsStored, cine.HighBit, cine.PixelData = 8, 8, 7, colours.tobytes()
    palette = image(2, Modality="US", SeriesInstanceUID=SERIES + ".5", **none)
    palette.PhotometricInterpretation = "PALETTE COLOR"
    for colour, curve in zip(("Red", "Green", "Blue"), (1, 2, 3), strict=True):
        setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [4096, 0, 16])
        table = (np.arange(4096) * curve).astype("<u2")
        setattr(palette, f"{colour}PaletteColorLookupTableData", table.tobytes())
    found = records(save(tmp_path / "in", [film, cine, palette]), tmp_path / "volumes")
    assert [len(record.pictures) for record in found] == [1, 1, 1]
    assert not any(record.volumes for record in found)
    shown = [(record.pictures[0], np.load(record.pictures[0].path)) for record in found]
    assert shown[0][0].inverted
    assert np.array_equal(shown[0][1], stored(0)[None])
    assert np.array_equal(shown[1][1], colours)
    assert np.array_equal(shown[2][1][0], np.stack([stored(2) * curve for curve in (1, 2, 3)], axis=-1))
    with pytest.raises(InvalidInputError, match="without a place in the patient"):
        read_scan(tmp_path / "in", series=SERIES + ".4")


def test_scouts_are_pictures_and_do_not_hide_the_stack(tmp_path: Path) -> None:
    kind = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout = image(
        9, ImageType=kind, SeriesInstanceUID=SERIES + ".0", ImageOrientationPatient=[1, 0, 0, 0, 0, -1]
    )
    report = image(8, Modality="SR", SeriesInstanceUID=SERIES + ".9")
    folder = save(tmp_path / "in", [scout, *(image(n) for n in range(3))])
    assert read_scan(save(tmp_path / "more", [report, *(image(n) for n in range(3))])).array.shape == (
        3,
        40,
        48,
    )
    assert read_scan(folder).array.shape == (3, 40, 48)
    assert sorted(series.scout for series in find_series(folder)[0]) == [False, True]
    with pytest.raises(InvalidInputError, match=r"0\.dcm: \(0008,0008\) ImageType: LOCALIZER"):
        read_scan(folder, series=SERIES + ".0")
    assert sorted((len(one.volumes), len(one.pictures)) for one in records(folder, tmp_path / "v")) == [
        (0, 1),
        (1, 0),
    ]


BAD: dict[str, tuple[Callable[[], list[Dataset]], str]] = {
    "two patients": (lambda: [image(0), image(1, PatientID="P2")], r"1\.dcm: \(0010,0020\) PatientID"),
    "missing slice": (
        lambda: [image(n) for n in (0, 1, 2, 4, 5)],
        r"2\.dcm and 3\.dcm are 5\.00 mm apart by \(0020,0032\).*usually 2\.50",
    ),
    "another modality": (
        lambda: [image(n, Modality="MR") for n in range(2)],
        r"0\.dcm: \(0008,0060\) Modality: expected CT",
    ),
    "no modality": (
        lambda: [image(n, Modality=None) for n in range(2)],
        r"0\.dcm: \(0008,0060\) Modality is absent",
    ),
    "mixed modality": (lambda: [image(0), image(1, Modality="PT")], r"1\.dcm: \(0008,0060\) Modality"),
    "frames of reference": (
        lambda: [image(0), image(1, FrameOfReferenceUID="1.2")],
        r"1\.dcm: \(0020,0052\) FrameOfReferenceUID",
    ),
    "two series": (lambda: [image(0), image(1, SeriesInstanceUID="1.2.3")], "several series"),
    "scout within": (
        lambda: [image(0), image(1), image(2, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])],
        r"2\.dcm: \(0008,0008\) ImageType: LOCALIZER",
    ),
    "no position": (
        lambda: [image(0), image(1, ImagePositionPatient=None)],
        r"1\.dcm: \(0020,0032\) ImagePositionPatient",
    ),
    "no units": (
        lambda: [image(0, RescaleIntercept=None), image(1)],
        r"0\.dcm: .*\(0028,1052\) RescaleIntercept",
    ),
    "other units": (lambda: [image(n, RescaleType="Z_EFF") for n in range(2)], r"\(0028,1054\) RescaleType"),
    "colour": (
        lambda: [image(n, PhotometricInterpretation="RGB") for n in range(2)],
        r"0\.dcm: \(0028,0004\) Phot",
    ),
    "one place": (
        lambda: [image(0), image(1), image(2, ImagePositionPatient=[-10, -20, 30])],
        "two images at one position",
    ),
    "huge": (lambda: [image(n, Rows=60000, Columns=60000) for n in range(2)], r"0\.dcm: \(0028,0010\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_told_with_file_and_tag(tmp_path: Path, case: str) -> None:
    make, message = BAD[case]
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_scan(save(tmp_path / "in", make()), expected="CT")
    assert "P2" not in str(caught.value)


def test_encrypted_and_foreign_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(b"\x30\x82\x10\x00" + bytes.fromhex("06092a864886f70d010703") + b"x" * 200)
    with pytest.raises(InvalidInputError, match=r"a\.dcm: encrypted"):
        read_scan(path)
    path.write_bytes(b"hello")
    with pytest.raises(InvalidInputError, match=r"a\.dcm: not a DICOM file"):
        read_scan(path)
    with pytest.raises(MissingDataError):
        read_scan(tmp_path / "none")
    with pytest.raises(MissingDataError, match="no series of that UID"):
        read_scan(save(tmp_path / "in", [image(0), image(1)]), series="1.2")


def test_a_compressed_image_larger_than_its_header_takes_no_memory(tmp_path: Path) -> None:
    made = image(0)
    made.compress(JPEG2000Lossless, generate_instance_uid=False)
    (frame,) = pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1)
    assert stated_size(frame) == (40, 48)
    at = frame.index(b"\xff\x51") + 6
    bomb = frame[:at] + (60000).to_bytes(4, "big") * 2 + frame[at + 8 :]
    assert stated_size(bomb) == (60000, 60000)
    made.PixelData = pydicom.encaps.encapsulate([bomb])
    with pytest.raises(InputTooLargeError, match=r"0\.dcm: \(7FE0,0010\) PixelData"):
        read_scan(save(tmp_path / "in", [made]))
    other = image(0)
    other.compress(JPEGLSLossless, generate_instance_uid=False)
    (frame,) = pydicom.encaps.generate_frames(other.PixelData, number_of_frames=1)
    assert stated_size(frame) == (40, 48)
    assert stated_size(b"\0" * 64) is None
