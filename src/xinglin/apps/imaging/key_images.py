"""Key images: the slice nearest to each nodule in the lung window, with a ring drawn in, as Secondary Capture.

The ring and the line of text are part of the pixels; Derivation Description says so. Burned In Annotation is NO, since by
PS3.3 C.7.6.1.1 it states whether the pixels identify the patient, and nothing in them does. The line is in English: no
typeface with Chinese characters comes with the package. The DICOM text carries both languages.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.imaging.measured import Nodule
from xinglin.apps.imaging.products import MANUFACTURER, SERIES, Names, disclaimer, highdicom_of, in_utf8
from xinglin.apps.imaging.report import Report
from xinglin.apps.imaging.source import required
from xinglin.errors import MissingExtraError
from xinglin.records.volumes.headers import silent

WINDOW = (-600.0, 1500.0)
"""Centre and width of the lung window, HU."""
SIDE = 512
"""Pixels of the longer side, at least: smaller slices are enlarged by a whole factor."""
COLOUR = (255, 200, 0)


def key_image(report: Report, one: Nodule) -> Any:
    """Return one nodule's key image as a pydicom dataset.

    Raises:
        InvalidInputError: the scan is not of single-frame DICOM images.
        MissingExtraError: highdicom or Pillow is not installed.
    """
    with silent():  # highdicom warns in the words of the patient's name
        return _built(report, one)


def _built(report: Report, one: Nodule) -> Any:
    highdicom = highdicom_of("A key image")
    source, names = required(report.source, "A key image"), Names(report)
    header = source.headers[one.slice]
    made = highdicom.sc.SCImage.from_ref_dataset(
        ref_dataset=header,
        pixel_array=drawn(report, one),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        series_instance_uid=names.uid("key series"),
        series_number=SERIES["key"],
        sop_instance_uid=names.uid("key", one.number),
        instance_number=one.number,
        manufacturer=MANUFACTURER,
        patient_orientation=directions(header),
    )
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.BodyPartExamined = "CHEST"
    made.SeriesDescription = f"{report.algorithm.name} key images"[:64]
    made.ManufacturerModelName = report.algorithm.name[:64]
    made.SoftwareVersions = report.algorithm.version
    made.BurnedInAnnotation = "NO"
    made.DerivationDescription = (
        "Lung window; ring, crosshair and text drawn into the pixels by "
        f"{report.algorithm.name} {report.algorithm.version}"
    )
    made.ImageComments = disclaimer()
    made.SourceImageSequence = [_reference(header)]
    return in_utf8(made)


def drawn(report: Report, one: Nodule) -> NDArray[np.uint8]:
    """Return the picture (rows, columns, 3) of a nodule's slice.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ModuleNotFoundError as error:
        raise MissingExtraError("A key image", "imaging") from error
    centre, width = WINDOW
    hu = np.asarray(report.scan.array[one.slice], np.float32)
    grey = np.clip((hu - centre) / width + 0.5, 0, 1) * 255
    # Pixels that are not square are made so, for the ring to be round.
    step_x, step_y, _ = report.scan.spacing
    factor = max(1, -(-SIDE // max(hu.shape)))
    scale_x = factor * max(1.0, step_x / step_y)
    scale_y = factor * max(1.0, step_y / step_x)
    size = (round(hu.shape[1] * scale_x), round(hu.shape[0] * scale_y))
    picture = Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    pen = ImageDraw.Draw(picture)
    _, y, x = one.voxel
    middle = ((x + 0.5) * scale_x, (y + 0.5) * scale_y)
    radius = max(one.diameter / 2 / step_x * scale_x * 1.5, 8.0)
    pen.ellipse([*(m - radius for m in middle), *(m + radius for m in middle)], outline=COLOUR, width=2)
    font = ImageFont.load_default(size=14)
    for line, text in enumerate(_lines(report, one)):
        pen.text((6, 4 + 17 * line), text, fill=COLOUR, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
    _letters(pen, font, report, size)
    return np.asarray(picture)


def _lines(report: Report, one: Nodule) -> list[str]:
    image = report.source.instance(one.slice)
    where = f"slice {one.slice + 1}" if image is None else f"image {image}"
    volume = "" if one.volume is None else f", {one.volume:.0f} mm3"
    return [
        f"#{one.number}  {one.diameter:.1f} mm{volume}  {where}",
        f"LPS {one.point.x:.1f}, {one.point.y:.1f}, {one.point.z:.1f} mm",
        "Computer-aided, unverified. Research only.",
    ]


def _letters(pen: Any, font: Any, report: Report, size: tuple[int, int]) -> None:
    """Where the image's edges point to in the patient."""
    right, down = report.scan.affine[:3, 0], report.scan.affine[:3, 1]
    width, height = size
    places: dict[str, tuple[float, float, NDArray[np.float64]]] = {
        "rm": (width - 6, height / 2, right),
        "lm": (6, height / 2, -right),
        "mb": (width / 2, height - 6, down),
        "mt": (width / 2, 60, -down),
    }
    for anchor, (x, y, way) in places.items():
        pen.text((x, y), letter(way), fill=COLOUR, font=font, anchor=anchor)


def letter(way: NDArray[np.float64]) -> str:
    """Return the letter of the patient's side to which a vector in LPS mostly points."""
    axis = int(np.abs(way).argmax())
    return "LPH"[axis] if way[axis] > 0 else "RAF"[axis]


def directions(header: Any) -> tuple[str, str]:
    """Return Patient Orientation (PS3.3 C.7.6.1.1.1) along a row and along a column."""
    cosines = np.array([float(value) for value in header.ImageOrientationPatient])
    return letter(cosines[:3]), letter(cosines[3:])


def _reference(header: Any) -> Any:
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    return item
