"""Burned-in text: how often the pixel check finds rendered text in real pictures, and how often it sees text in none."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from xinglin.measure import proportion

FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
)
WORDS = (
    "ZHANG SAN 45Y M",
    "ID: 00123456",
    "2023-05-03 10:21",
    "LI, WEI  1956/02/11",
    "张伟 男 45岁",
    "住院号 2023051234",
)


def pixel_lines(data: Path, quick: bool) -> list[Line]:
    """Return the lines, or one that says why there are none."""
    from importlib.util import find_spec

    folder = data / "imaging"
    fonts = [font for font in FONTS if Path(font).is_file()]
    if not folder.is_dir() or not fonts or find_spec("PIL") is None:
        return [Line("burned-in text", "found", None, "share", 0, note="no pictures, fonts or Pillow here")]
    from xinglin.records.deidentify.pixels import pixel_text

    rng = random.Random(7)
    lines = []
    slices = _ct(folder)[: 4 if quick else 40]
    for name, height, strength, smooth in (
        ("at full intensity, 12 to 28 pixels", (12, 28), 1.0, False),
        ("at full intensity, 8 to 11 pixels", (8, 11), 1.0, False),
        ("at half intensity, 12 to 28 pixels", (12, 28), 0.5, False),
        ("smoothed edges, 12 to 28 pixels", (12, 28), 1.0, True),
    ):
        hits = trials = 0
        for image in slices:
            for word in WORDS:
                planted = _planted(
                    image, word, rng.choice(fonts), rng.randint(*height), strength, smooth, rng
                )
                hits += bool(pixel_text(planted))
                trials += 1
        got = proportion(hits, trials)
        lines.append(
            Line(f"rendered text in CT slices, {name}", "found", got.value, "share", got.n, got.low, got.high)
        )
    clean = proportion(sum(bool(pixel_text(image)) for image in slices), len(slices))
    lines.append(
        Line("CT slices without text", "false alarms", clean.value, "share", clean.n, clean.low, clean.high)
    )
    for name, images in _others(folder, 30 if quick else 400):
        seen = proportion(sum(bool(pixel_text(image)) for image in images), len(images))
        note = "not all free of text: side markers and labels are in some"
        lines.append(
            Line(
                f"{name} as they are", "flagged", seen.value, "share", seen.n, seen.low, seen.high, note=note
            )
        )
    return lines


def _ct(folder: Path) -> list[Any]:
    import pydicom

    found = []
    for path in sorted((folder / "dicom-samples").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("/"):
                    continue
                dataset = pydicom.dcmread(io.BytesIO(archive.read(name)), force=True)
                if "PixelData" in dataset and int(dataset.get("NumberOfFrames") or 1) == 1:
                    found.append(dataset.pixel_array)
    return found


def _planted(
    image: Any, word: str, font: str, height: int, strength: float, smooth: bool, rng: random.Random
) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    face = ImageFont.truetype(font, height)
    mask = Image.new("L" if smooth else "1", (image.shape[1], image.shape[0]), 0)
    width = int(face.getlength(word)) + 2
    x, y = rng.randint(0, max(0, image.shape[1] - width)), rng.randint(0, image.shape[0] - 2 * height)
    ImageDraw.Draw(mask).text((x, y), word, fill=255 if smooth else 1, font=face)
    share = np.asarray(mask, float) / (255 if smooth else 1)
    low, high = float(image.min()), float(image.max())
    level = low + strength * (high - low)
    return np.rint(image * (1 - share) + level * share).astype(image.dtype)


def _others(folder: Path, count: int) -> list[tuple[str, list[Any]]]:
    from PIL import Image

    found = []
    for name in ("vqa-rad", "covid19-hannover-cxr"):
        paths = [
            p for p in sorted((folder / name).rglob("*")) if p.suffix.lower() in (".png", ".jpg", ".jpeg")
        ]
        images = [np.asarray(Image.open(path).convert("L")) for path in paths[:count]]
        for path in sorted((folder / name).glob("*.zip")):
            with zipfile.ZipFile(path) as archive:
                names = [
                    n for n in sorted(archive.namelist()) if n.lower().endswith((".png", ".jpg", ".jpeg"))
                ]
                images += [
                    np.asarray(Image.open(io.BytesIO(archive.read(n))).convert("L"))
                    for n in names[: count - len(images)]
                ]
        if images:
            found.append((name, images))
    return found
