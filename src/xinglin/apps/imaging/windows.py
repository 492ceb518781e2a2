"""Windows in, a probability and one place each out: ``xinglin imaging predict-windows``.

The folder holds ``windows.npy.xz`` (or ``windows.npy``; uint8, n x 20 x 32 x 32 in z, y, x, 1 mm, HU = 16 v - 1000) and
``windows_inputs.csv`` (window_id, world_x, world_y, world_z of voxel 0 in mm, dir_xy). In a few scans the rows and
columns run against the world's x and y: there dir_xy is -1, and world = origin + dir_xy * voxel for x and y; z always
runs with the world.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.imaging.nodules import Nodule, in_window
from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.model.vision.images import WINDOW, hounsfield, read_array, scaled
from xinglin.model.vision.reading import averaged, window_logits
from xinglin.model.vision.runtime import InstanceMaps

ARRAYS = ("windows.npy.xz", "windows.npy")
INPUTS = "windows_inputs.csv"
COLUMNS = ("window_id", "world_x", "world_y", "world_z", "dir_xy")
MAX_WINDOWS = 100_000
_BATCH = 16
_MAX_TABLE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a window lies in the patient."""

    window_id: str
    origin: tuple[float, float, float]
    """World x, y, z in mm of voxel 0 (LUNA16's frame, which is that of the scan's header)."""
    direction: int
    """1, or -1 where x and y run against the world."""

    def world(self, point: Sequence[float]) -> tuple[float, float, float]:
        """Return world x, y, z in mm of voxel z, y, x."""
        z, y, x = point
        return (
            self.origin[0] + self.direction * x,
            self.origin[1] + self.direction * y,
            self.origin[2] + z,
        )


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """What is said of one window."""

    frame: Frame
    probability: float
    """That a nodule is in the window; holds for windows like those it was calibrated on."""
    nodule: Nodule
    """The likeliest place, whatever the probability."""


def read_inputs(folder: Path) -> tuple[NDArray[np.uint8], list[Frame]]:
    """Read a folder of windows.

    Raises:
        MissingDataError: a file is absent.
        InvalidInputError: a table or an array is not as described above; the message names file and row.
    """
    if not folder.is_dir():
        raise MissingDataError(f"{folder}: expected a folder with {ARRAYS[0]} and {INPUTS}")
    frames = _frames(folder / INPUTS)
    path = next((folder / name for name in ARRAYS if (folder / name).is_file()), folder / ARRAYS[0])
    images = read_array(path, limit=len(frames) * int(np.prod(WINDOW)))
    if images.shape != (len(frames), *WINDOW):
        raise InvalidInputError(
            f"{path.name}: expected shape {(len(frames), *WINDOW)}, one window a row of {INPUTS}, got {images.shape}"
        )
    return images, frames


def predict_windows(
    network: InstanceMaps,
    images: NDArray[np.uint8],
    frames: Sequence[Frame],
    report: Callable[[int, int], None] | None = None,
) -> list[WindowAnswer]:
    """Return an answer for every window, in order.

    Args:
        network: a loaded detector.
        images: (n, 20, 32, 32) stored bytes.
        frames: one a window.
        report: called with (windows done, windows).
    """
    answers: list[WindowAnswer] = []
    for start in range(0, len(images), _BATCH):
        hu = hounsfield(images[start : start + _BATCH])
        maps = averaged(network, scaled(hu))
        for offset, (logit, map_) in enumerate(zip(window_logits(network, maps), maps, strict=True)):
            nodule = in_window(network, map_, hu[offset])
            answers.append(WindowAnswer(frames[start + offset], probability(network, float(logit)), nodule))
        if report is not None:
            report(len(answers), len(images))
    return answers


def probability(network: InstanceMaps, logit: float) -> float:
    """Return the calibrated probability of a window's logit (Platt 1999), or its plain sigmoid without calibration."""
    body = network.calibration or {}
    value = float(body.get("slope", 1.0)) * logit + float(body.get("intercept", 0.0))
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))


def answers_csv(answers: Sequence[WindowAnswer]) -> str:
    """Return the answers as CSV: window_id, probability, z, y, x, world_x, world_y, world_z and two diameters."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    places = ("z", "y", "x", "world_x", "world_y", "world_z")
    writer.writerow(("window_id", "probability", *places, "diameter_mm", "mask_diameter_mm"))
    for answer in answers:
        nodule = answer.nodule
        point = (*nodule.point, *answer.frame.world(nodule.point), nodule.diameter, nodule.mask_diameter)
        writer.writerow(
            [answer.frame.window_id, f"{answer.probability:.6f}", *(f"{value:.3f}" for value in point)]
        )
    return text.getvalue()


def _frames(path: Path) -> list[Frame]:
    if not path.is_file():
        raise MissingDataError(f"{path}: expected the table of windows; there is none")
    if path.stat().st_size > _MAX_TABLE:
        raise InputTooLargeError(f"{path.name}: expected at most {_MAX_TABLE} bytes")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path.name}: expected CSV in UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InvalidInputError(
            f"{path.name}: expected the columns {', '.join(COLUMNS)}; missing {', '.join(missing)}"
        )
    frames: dict[str, Frame] = {}
    for number, row in enumerate(reader, 2):
        if len(frames) >= MAX_WINDOWS:
            raise InputTooLargeError(f"{path.name}: expected at most {MAX_WINDOWS} windows: split them")
        frame = _frame(path.name, number, row)
        if frame.window_id in frames:
            raise InvalidInputError(f"{path.name}, row {number}: window_id is there twice")
        frames[frame.window_id] = frame
    if not frames:
        raise InvalidInputError(f"{path.name}: expected at least one window, got none")
    return list(frames.values())


def _frame(table: str, number: int, row: dict[str, str | None]) -> Frame:
    name = (row["window_id"] or "").strip()
    try:
        x, y, z = (float(row[key] or "") for key in ("world_x", "world_y", "world_z"))
        direction = float(row["dir_xy"] or "")
    except ValueError:
        x = y = z = direction = float("nan")
    if not name or len(name) > 200 or not all(map(math.isfinite, (x, y, z))) or direction not in (1.0, -1.0):
        raise InvalidInputError(
            f"{table}, row {number}: expected a window_id, finite world_x, world_y, world_z in mm and dir_xy 1 or -1: "
            "a place in the wrong frame would be worse than none"
        )
    return Frame(name, (x, y, z), int(direction))
