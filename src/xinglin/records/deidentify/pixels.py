"""Text burned into a picture: what the header says, and what the pixels look like. A warning, never a cleaning.

Header rules are those of DICOM (Burned In Annotation, PS3.3 C.7.6.1.1.5; Conversion Type of the SC Equipment Module)
and of the RSNA Clinical Trial Processor's filter for burned-in pixels (saved screens, secondary capture attributes).

The pixel check reads no letters. Rendered text is a row of small strokes of one and the same value, apart from what is
around them; anatomy is not that even. So pixels of a constant value are grouped into components, and a row of at
least four of a letter's size, of one height and on one line, is text. See ``docs/deidentification.md`` for how often it
is right: small, faint, smoothed or JPEG-compressed text escapes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

RISKY = {
    "US": "超声图像常带患者信息条 ultrasound screens usually carry a patient banner",
    "SC": "二次获取 secondary capture",
    "OT": "其他方式获取 other",
    "XC": "外部照片 external photograph",
    "ES": "内镜 endoscopy",
    "GM": "普通显微 general microscopy",
    "ECG": "心电图 electrocardiogram",
    "DOC": "文档 document",
    "SR": "报告图像 report",
    "IVUS": "血管内超声 intravascular ultrasound",
    "BMD": "骨密度报告 bone densitometry sheet",
    "OP": "眼底照相 ophthalmic photograph",
    "RF": "透视 fluoroscopy screens",
    "XA": "血管造影 angiography screens",
}
"""Modalities whose pictures often come as screens."""
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
"""Root of the Secondary Capture SOP classes."""
MIN_LETTERS = 4
MAX_HEIGHT = 64
"""Pixels: a letter is 5 to 64 high."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """A row of what looks like letters, in pixels."""

    top: int
    left: int
    bottom: int
    right: int
    letters: int


def header_warnings(dataset: Dataset) -> tuple[str, ...]:
    """Return why the header makes burned-in text certain, likely or possible; empty when nothing speaks for it."""
    found = []
    stated = str(dataset.get("BurnedInAnnotation", "") or "").upper()
    if stated == "YES":
        found.append("标明有烧录文字 BurnedInAnnotation is YES")
    elif stated != "NO" and "PixelData" in dataset:
        found += ["未标明有无烧录文字 BurnedInAnnotation is not stated"] if _risky(dataset) else []
    found += _risky(dataset)
    if str(dataset.get("RecognizableVisualFeatures", "")).upper() == "YES":
        found.append("可辨认面容 RecognizableVisualFeatures is YES")
    elif _head(dataset):
        found.append("头部断层可重建面容 a face can be rendered from slices of a head")
    return tuple(found)


def picture_warnings(dataset: Dataset) -> tuple[str, ...]:
    """Return the header's warnings and those of the pixels of the first, middle and last frame."""
    found = list(header_warnings(dataset))
    if "PixelData" not in dataset:
        return tuple(found)
    try:
        pixels = dataset.pixel_array
    except (AttributeError, ValueError, RuntimeError, NotImplementedError, TypeError) as error:
        return (
            *found,
            f"像素未能解码,未检查 pixels not decoded, not checked: {str(error).splitlines()[0][:80]}",
        )
    frames = int(dataset.get("NumberOfFrames") or 1)
    chosen = [pixels] if frames == 1 else [pixels[i] for i in sorted({0, frames // 2, frames - 1})]
    rows = [row for frame in chosen for row in pixel_text(frame)]
    if rows:
        found.append(f"像素中有 {len(rows)} 行疑似文字 {len(rows)} rows that look like text in the pixels")
    return tuple(found)


def _risky(dataset: Dataset) -> list[str]:
    found = []
    modality = str(dataset.get("Modality", "")).upper()
    if modality in RISKY and "PixelData" in dataset:
        found.append(f"{modality}: {RISKY[modality]}")
    if str(dataset.get("SOPClassUID", "")).startswith(SECONDARY):
        found.append("二次获取类 Secondary Capture SOP class")
    kinds = " ".join(map(str, dataset.get("ImageType", []) or [])).upper()
    if "SAVE" in kinds or "SCREEN" in kinds:
        found.append("保存的屏幕 ImageType says a saved screen")
    if "SAVE" in str(dataset.get("SeriesDescription", "")).upper():
        found.append("保存的屏幕 SeriesDescription says a saved screen")
    if str(dataset.get("ConversionType", "")).upper() in ("DV", "DI", "DF", "WSD", "SD", "SI", "SYN", "DRW"):
        found.append("翻拍或截屏 ConversionType")
    for name in (
        "DateOfSecondaryCapture",
        "SecondaryCaptureDeviceManufacturer",
        "SecondaryCaptureDeviceManufacturerModelName",
        "SecondaryCaptureDeviceSoftwareVersions",
    ):
        if dataset.get(name):
            found.append(f"二次获取属性 {name}")
            break
    return found


def _head(dataset: Dataset) -> bool:
    part = str(dataset.get("BodyPartExamined", "")).upper()
    return str(dataset.get("Modality", "")).upper() in ("CT", "MR", "PT") and any(
        word in part for word in ("HEAD", "BRAIN", "FACE", "SKULL", "NECK", "ORBIT", "SINUS")
    )


def pixel_text(image: NDArray[Any]) -> tuple[TextRow, ...]:
    """Return the rows of what looks like rendered text.

    Args:
        image: (rows, columns) or (rows, columns, 3), any number type.
    """
    from scipy import ndimage

    grey = np.asarray(image)
    if grey.ndim == 3 and grey.shape[-1] in (3, 4):
        grey = grey[..., :3].max(axis=-1)
    if grey.ndim != 2 or min(grey.shape) < 16:
        return ()
    boxes: list[tuple[int, int, int, int]] = []
    for value in _constant_values(grey):
        mask = grey == value
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        if not 1 <= count <= 20_000:
            continue
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        for number, slices in enumerate(ndimage.find_objects(labels), start=1):
            top, bottom = slices[0].start, slices[0].stop
            left, right = slices[1].start, slices[1].stop
            height, width = bottom - top, right - left
            fill = areas[number] / (height * width)
            if (
                5 <= height <= MAX_HEIGHT
                and 1 <= width <= 2 * height
                and areas[number] >= 4
                and (fill < 0.85 or width <= height / 3)
            ):
                boxes.append((top, left, bottom, right))
    return _rows(boxes)


def _constant_values(grey: NDArray[Any]) -> list[Any]:
    """The values that text may have: frequent ones at either end, and peaks that stand alone in the histogram."""
    values, counts = np.unique(grey, return_counts=True)
    if len(values) < 2:
        return []
    chosen = {values[-1].item(), values[0].item()}
    if len(values) > 8:
        around = np.convolve(counts, np.ones(9) / 9, mode="same")
        peaks = np.flatnonzero((counts >= 40) & (counts > 4 * np.maximum(around - counts / 9, 1)))
        chosen |= {values[i].item() for i in peaks[np.argsort(counts[peaks])[::-1][:6]]}
    return [value for value in sorted(chosen) if np.count_nonzero(grey == value) <= 0.2 * grey.size]


def _rows(boxes: list[tuple[int, int, int, int]]) -> tuple[TextRow, ...]:
    """Group boxes that stand side by side on one line."""
    rows: list[list[tuple[int, int, int, int]]] = []
    for box in sorted(boxes, key=lambda item: (item[1], item[0])):
        top, left, bottom, _ = box
        for row in rows:
            last = row[-1]
            height = last[2] - last[0]
            overlap = min(bottom, last[2]) - max(top, last[0])
            if (
                overlap >= 0.6 * min(bottom - top, height)
                and -1 <= left - last[3] <= 1.2 * height
                and 0.45 <= (bottom - top) / height <= 2.2
            ):
                row.append(box)
                break
        else:
            rows.append([box])
    found = []
    for row in rows:
        heights = np.array([box[2] - box[0] for box in row])
        bases = np.array([box[2] for box in row])
        even = np.mean(np.abs(bases - np.median(bases)) <= np.maximum(2, 0.3 * np.median(heights)))
        alike = np.mean(np.abs(heights - np.median(heights)) <= np.maximum(1, 0.25 * np.median(heights)))
        if len(row) >= MIN_LETTERS and even >= 0.7 and alike >= 0.6:
            found.append(
                TextRow(min(b[0] for b in row), row[0][1], max(b[2] for b in row), row[-1][3], len(row))
            )
    return tuple(sorted(found, key=lambda item: (item.top, item.left)))
