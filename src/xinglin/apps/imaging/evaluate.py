"""Window predictions against a truth table: ``xinglin evaluate nodule-windows``.

The truth has a window_id, a label (0 or 1) and, for positives, the nodule's centre in voxels of the window and its
diameter in mm; the columns may come from several files, joined by window_id. Centres are held against truth in voxels,
which are 1 mm; the world coordinates follow from them by the window's frame.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.measure.intervals import Figure, bootstrap
from xinglin.measure.localisation import auroc_figure, localisation

MAX_BYTES = 64 * 2**20
_NAMES: dict[str, tuple[str, ...]] = {
    "label": ("label",),
    "z": ("nodule_z", "centre_z", "center_z", "z"),
    "y": ("nodule_y", "centre_y", "center_y", "y"),
    "x": ("nodule_x", "centre_x", "center_x", "x"),
    "diameter": ("diameter_mm", "diameter"),
    "mask_voxels": ("mask_voxels",),
}
"""What a column of the truth may be called."""
PREDICTED = ("window_id", "probability", "z", "y", "x")


@dataclass(frozen=True)
class WindowScores:
    """Figures of a set of windows."""

    figures: dict[str, Figure]
    """auroc over all windows; hit_rate, hit_rate_luna16, median_mm, p90_mm, diameter_mae_mm and, where the truth counts the
    voxels (1 mm3) of masks, mask_diameter_mae_mm against the ball of the mask's volume, over positives."""
    windows: int
    positives: int
    ignored: int
    """Predictions of windows that the truth does not name."""


def evaluate_windows(
    predictions: Path, truth: Sequence[Path], *, split: str | None = None, seed: int = 0
) -> WindowScores:
    """Score a file of predictions.

    Args:
        predictions: CSV with window_id, probability, z, y, x; diameter_mm and mask_diameter_mm if sizes are to be scored.
        truth: one or more CSV files, joined by window_id.
        split: score only rows whose column ``split`` says so.
        seed: of the bootstrap.

    Raises:
        MissingDataError: a file is absent.
        InvalidInputError: a table is not as described, or a window of the truth has no prediction.
    """
    said = {row["window_id"]: row for row in _rows(predictions, PREDICTED)}
    known = _joined(truth)
    if split is not None:
        known = {name: row for name, row in known.items() if row.get("split") == split}
        if not known:
            raise InvalidInputError(f"truth: no window of split {split!r}: is there a column split?")
    missing = [name for name in known if name not in said]
    if missing:
        raise InvalidInputError(
            f"{predictions.name}: {len(missing)} of {len(known)} windows have no prediction, e.g. {missing[0][:60]!r}: "
            "leaving windows out would make the figures better than they are"
        )
    labels = np.array([_label(name, row) for name, row in known.items()], dtype=np.int64)
    scores = _numbers([said[name] for name in known], ("probability",), predictions.name)[:, 0]
    figures = {"auroc": auroc_figure(labels, scores, seed=seed)}
    positives = [name for name, label in zip(known, labels, strict=True) if label]
    if positives:
        rows = [known[name] for name in positives]
        centres = _numbers(rows, ("z", "y", "x"), "truth")
        diameters = _numbers(rows, ("diameter",), "truth")[:, 0]
        points = _numbers([said[name] for name in positives], ("z", "y", "x"), predictions.name)
        figures |= localisation(points, centres, diameters, seed=seed)
        truths = {"diameter_mm": diameters}
        if all(row.get("mask_voxels") for row in rows):
            voxels = _numbers(rows, ("mask_voxels",), "truth")[:, 0]
            truths["mask_diameter_mm"] = (6 * voxels / np.pi) ** (1 / 3)
        for column, true in truths.items():
            if all(said[name].get(column) for name in positives):
                sizes = _numbers([said[name] for name in positives], (column,), predictions.name)[:, 0]
                figures[column.replace("_mm", "_mae_mm")] = _mean(np.abs(sizes - true), seed)
    return WindowScores(figures, len(known), len(positives), len(set(said) - set(known)))


def _mean(off: NDArray[np.float64], seed: int) -> Figure:
    return bootstrap(lambda index: float(off[index].mean()), len(off), seed=seed)


def _joined(paths: Iterable[Path]) -> dict[str, dict[str, str]]:
    """Rows of all truth files by window, under our own names; a window counts once it has a label."""
    joined: dict[str, dict[str, str]] = {}
    for path in paths:
        for row in _rows(path, ("window_id",)):
            mine = joined.setdefault(row["window_id"], {})
            for ours, theirs in _NAMES.items():
                value = next((row[name] for name in theirs if row.get(name)), None)
                if value is not None:
                    mine.setdefault(ours, value)
            if row.get("split"):
                mine.setdefault("split", row["split"])
    labelled = {name: row for name, row in joined.items() if "label" in row}
    if not labelled:
        raise InvalidInputError(
            "truth: expected a column label with 0 or 1 in one of the files; there is none"
        )
    return labelled


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    if not path.is_file():
        raise MissingDataError(f"{path}: expected a table (CSV); there is none")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: expected at most {MAX_BYTES} bytes")
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path.name}: expected CSV in UTF-8") from None
    absent = [name for name in needed if name not in (reader.fieldnames or ())]
    if absent:
        raise InvalidInputError(
            f"{path.name}: expected the columns {', '.join(needed)}; missing {', '.join(absent)}"
        )
    rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
    seen: set[str] = set()
    for number, row in enumerate(rows, 2):
        if not row["window_id"] or row["window_id"] in seen:
            raise InvalidInputError(f"{path.name}, row {number}: expected a window_id, none twice")
        seen.add(row["window_id"])
    return rows


def _label(name: str, row: Mapping[str, str]) -> int:
    if row["label"] not in ("0", "1"):
        raise InvalidInputError(f"truth, {name[:60]}: label: expected 0 or 1, got {row['label'][:20]!r}")
    return int(row["label"])


def _numbers(rows: Sequence[Mapping[str, str]], keys: Sequence[str], table: str) -> NDArray[np.float64]:
    try:
        values = np.array([[float(row[key]) for key in keys] for row in rows], dtype=float)
    except (KeyError, ValueError):
        values = np.full((1, 1), math.nan)
    if not np.isfinite(values).all():
        raise InvalidInputError(
            f"{table}: expected a finite number in {', '.join(keys)} of every scored window"
        )
    return values
