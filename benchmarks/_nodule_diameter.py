"""How large: the blob's diameter and others against LUNA16's and against the masks, on the validation windows.

The line from the blob's diameter to the masks' is fitted on masks of *training* scans. That is a calibration of its own:
the detector's training sees no mask, and the diameter that it gives stays the blob's.
"""

from __future__ import annotations

import csv
from typing import Any

import numpy as np

from benchmarks._line import Line
from benchmarks._nodule_world import Array, World, mae

FITTED = 2
"""Every second training positive is read for the fit."""


def diameter(world: World) -> list[Line]:
    """Every way to a diameter that was tried, against both truths."""
    from xinglin.apps.imaging.nodules import MASK_LINE

    fit = world.windows.where(~world.windows.valid & (world.windows.labels == 1))
    fit = fit.where(np.arange(len(fit)) % FITTED == 0)
    drawn_fit, masks_fit, blob_fit, _, _ = _sizes(world, fit)
    drawn, masks, blob, cut, product = _sizes(world, world.valid.where(world.valid.labels == 1))
    slope, intercept = np.polyfit(blob_fit, masks_fit, 1)
    median, half = float(np.median(masks_fit)), f"n = {len(fit)} training nodules"
    ball = "ball of the mask's volume"
    fitted = f"{ball}; {intercept:.2f} mm + {slope:.2f} x the blob's, least squares on {half}"
    shipped = f"{ball}; the line that ships: {MASK_LINE[0]:g} mm + {MASK_LINE[1]:g} x the blob's"
    median_drawn, median_masks = np.full(len(drawn), np.median(drawn_fit)), np.full(len(masks), median)
    return [
        mae("diameter against LUNA16's: blob (diameter_mm)", blob, drawn, "windows of the validation scans"),
        mae("diameter against LUNA16's: always the median", median_drawn, drawn, f"no model; median of {half}"),
        mae("diameter against the masks': blob", blob, masks, f"{ball}; mean off {np.mean(blob - masks):+.2f} mm"),
        mae("diameter against the masks': cut out by density", cut, masks, f"{ball}; no mask seen by anything"),
        mae("diameter against the masks': line fitted here", intercept + slope * blob, masks, fitted),
        mae("diameter against the masks': mask_diameter_mm", product, masks, shipped),
        mae("diameter against the masks': LUNA16's own", drawn, masks, f"{ball}; radiologists against masks"),
        mae("diameter against the masks': always the median", median_masks, masks, f"no model; median of {half}"),
    ]  # fmt: skip


def _sizes(world: World, positives: Any) -> tuple[Array, ...]:
    """LUNA16's diameter, the mask's, the blob's, that of the cut (the blob's where nothing is cut) and the product's."""
    from xinglin.apps.imaging.segment import segment
    from xinglin.model.vision.images import hounsfield
    from xinglin.records.volumes.scan import Scan

    found = [answer.nodule for answer in world.answers(positives.images)]
    cut = []
    for nodule, image in zip(found, positives.images, strict=True):
        scan = Scan(hounsfield(image).astype(np.float32), np.eye(4), "CT", "window")
        held = segment(scan, nodule.point, nodule.diameter)
        cut.append(nodule.diameter if held is None else held.diameter)
    _, drawn = world.truth(positives)
    masks = _mask_diameters(world, positives.ids)
    blob = np.array([nodule.diameter for nodule in found])
    return drawn, masks, blob, np.array(cut), np.array([nodule.mask_diameter for nodule in found])


def _mask_diameters(world: World, names: tuple[str, ...]) -> Array:
    """Diameter of the ball that has the mask's volume."""
    with (world.folder / "windows_train_labels.csv").open() as file:
        cube = {row["window_id"]: row["cube_id"] for row in csv.DictReader(file)}
    with (world.folder / "nodules.csv").open() as file:
        voxels = {row["cube_id"]: float(row["mask_voxels"]) for row in csv.DictReader(file)}
    return np.array([(6 * voxels[cube[name]] / np.pi) ** (1 / 3) for name in names])
