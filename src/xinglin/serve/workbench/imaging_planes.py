"""The three planes of a scan as pictures and as drawings on them.

Shown as radiologists look: axial from the feet, coronal from the front, both with the patient's right on the left of the
picture; sagittal from the left with the front on the left. Pictures are the voxels of one slice, lossless; the browser
stretches them to millimetres. Drawings are in the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.imaging.grey import Window
from xinglin.apps.imaging.marks import Mark
from xinglin.errors import InvalidInputError
from xinglin.measure.markup import Markup, tag
from xinglin.records.volumes.scan import Scan
from xinglin.serve.workbench.png import png

Plane = Literal["axial", "coronal", "sagittal"]
PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
Voxel = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Axes:
    """Which axes of a voxel (x, y, z) run along a picture's width and height, and which through it."""

    across: int
    up: int
    through: int
    flipped: bool
    """Whether the height runs against its axis: the head is up."""
    letters: tuple[str, str, str, str]
    """Left, right, top, bottom of the picture."""


AXES: dict[Plane, Axes] = {
    "axial": Axes(0, 1, 2, False, ("R", "L", "A", "P")),
    "coronal": Axes(0, 2, 1, True, ("R", "L", "H", "F")),
    "sagittal": Axes(1, 2, 0, True, ("A", "P", "H", "F")),
}


def sizes(scan: Scan) -> tuple[int, int, int]:
    """Return the number of voxels along x, y, z."""
    z, y, x = scan.array.shape
    return x, y, z


def shape_mm(scan: Scan, plane: Plane) -> tuple[float, float]:
    """Return the width and height of a plane in millimetres."""
    axes, count, step = AXES[plane], sizes(scan), scan.spacing
    return count[axes.across] * step[axes.across], count[axes.up] * step[axes.up]


def values(array: NDArray[Any], plane: Plane, index: int) -> NDArray[Any]:
    """Return one slice as rows of a picture.

    Raises:
        InvalidInputError: there is no such slice.
    """
    axis = 2 - AXES[plane].through
    if not 0 <= index < array.shape[axis]:
        raise InvalidInputError(f"slice: expected 0 to {array.shape[axis] - 1}, got {index}")
    found: NDArray[Any] = array.take(index, axis=axis)
    return found[::-1] if AXES[plane].flipped else found


def picture(scan: Scan, plane: Plane, index: int, window: Window) -> bytes:
    """Return one slice as a grey PNG.

    Raises:
        InvalidInputError: there is no such slice.
    """
    return png(window.grey(values(scan.array, plane, index)))


def heat_picture(heat: Scan, scan: Scan, plane: Plane, index: int) -> bytes:
    """Return what a map (0 to 1) says of one slice of a scan as a PNG: orange, the more opaque the higher.

    The picture is the map's own nearest slice, to be drawn over :func:`heat_box`.

    Raises:
        InvalidInputError: there is no such slice.
    """
    through = AXES[plane].through
    if not 0 <= index < sizes(scan)[through]:
        raise InvalidInputError(f"slice: expected 0 to {sizes(scan)[through] - 1}, got {index}")
    voxel = [0.0, 0.0, 0.0]
    voxel[through] = index
    nearest = round(float(heat.to_voxels(scan.to_lps([voxel]))[0][through]))
    found = np.clip(values(heat.array, plane, min(max(nearest, 0), sizes(heat)[through] - 1)), 0, 1)
    shown = np.empty((*found.shape, 4), np.uint8)
    shown[..., :3] = (255, 120, 0)
    shown[..., 3] = found * 160
    return png(shown)


def heat_box(heat: Scan, scan: Scan, plane: Plane) -> tuple[float, float, float, float]:
    """Return where a map's picture lies in a scan's: left, top, width, height in the scan's pixels."""
    ends = np.array([[-0.5] * 3, np.array(sizes(heat)) - 0.5])
    low, high = (
        to_picture(scan, plane, (float(x), float(y), float(z)))
        for x, y, z in scan.to_voxels(heat.to_lps(ends))
    )
    return min(low[0], high[0]), min(low[1], high[1]), abs(high[0] - low[0]), abs(high[1] - low[1])


def to_picture(scan: Scan, plane: Plane, voxel: Voxel) -> tuple[float, float]:
    """Return where a voxel's centre lies in a picture, in its pixels from the upper left corner."""
    axes = AXES[plane]
    across, up = voxel[axes.across] + 0.5, voxel[axes.up] + 0.5
    return across, sizes(scan)[axes.up] - up if axes.flipped else up


def to_voxel(scan: Scan, plane: Plane, across: float, down: float, at: Voxel) -> Voxel:
    """Return the voxel under a place of a picture; the coordinate through the picture is that of ``at``."""
    axes, count, found = AXES[plane], sizes(scan), list(at)
    found[axes.across] = across - 0.5
    found[axes.up] = (count[axes.up] - down if axes.flipped else down) - 0.5
    return clipped(scan, (found[0], found[1], found[2]))


def turned(scan: Scan, plane: Plane, at: Voxel, steps: int) -> Voxel:
    """Return the voxel some slices on: down the wheel is towards the feet, the back, the left."""
    through, moved = AXES[plane].through, [*at]
    moved[through] = round(moved[through]) + (-steps if plane == "axial" else steps)
    return clipped(scan, (moved[0], moved[1], moved[2]))


def clipped(scan: Scan, voxel: Voxel) -> Voxel:
    """Return the nearest voxel inside the scan."""
    x, y, z = (min(max(place, 0.0), count - 1.0) for place, count in zip(voxel, sizes(scan), strict=True))
    return x, y, z


@dataclass(frozen=True, slots=True)
class Ruler:
    """A measured distance in one plane."""

    plane: Plane
    start: Voxel
    end: Voxel

    def length(self, scan: Scan) -> float:
        """Return it in millimetres."""
        start, end = scan.to_lps([self.start, self.end])
        return float(np.linalg.norm(end - start))


def drawing(
    scan: Scan,
    plane: Plane,
    at: Voxel,
    *,
    marks: Sequence[tuple[Mark, str]] = (),
    rulers: Sequence[Ruler] = (),
    cross: bool = True,
    heat: tuple[str, tuple[float, float, float, float]] | None = None,
) -> Markup:
    """Return what is drawn over a picture, as SVG in its pixels.

    Args:
        scan: the scan, in patient order.
        plane: which plane.
        at: the voxel of the cross.
        marks: findings with a class of CSS; a circle where the slice cuts the ball around one.
        rulers: measured distances; those of this plane and slice.
        cross: whether to draw the cross.
        heat: address of the map's picture of the slice, and where it lies (:func:`heat_box`).
    """
    axes, count, step = AXES[plane], sizes(scan), scan.spacing
    width, height = count[axes.across], count[axes.up]
    parts: list[Markup] = []
    if heat is not None:
        address, box = heat
        sides = zip(("x", "y", "width", "height"), box, strict=True)
        shape = {name: f"{side:.2f}" for name, side in sides}
        parts.append(tag("image", "", href=address, preserveAspectRatio="none", **shape))
    if cross:
        x, y = to_picture(scan, plane, at)
        aside, above = 9.0 / step[axes.across], 9.0 / step[axes.up]
        ends = (
            *((0.0, y, x - aside, y), (x + aside, y, float(width), y)),
            *((x, 0.0, x, y - above), (x, y + above, x, float(height))),
        )
        parts += [_line(*four, "xi-cross") for four in ends if four[0] <= four[2] and four[1] <= four[3]]
    for mark, classes in marks:
        voxel = scan.locate(mark.point)
        radius = max(4.0, (mark.diameter or 8.0) / 2 + 2)
        away = abs(voxel[axes.through] - round(at[axes.through])) * step[axes.through]
        if away < radius:
            cut = (radius**2 - away**2) ** 0.5
            x, y = to_picture(scan, plane, voxel)
            radii = {"rx": f"{cut / step[axes.across]:.2f}", "ry": f"{cut / step[axes.up]:.2f}"}
            parts.append(tag("ellipse", "", cx=f"{x:.2f}", cy=f"{y:.2f}", cls=classes, **radii))
    for ruler in rulers:
        if ruler.plane == plane and round(ruler.start[axes.through]) == round(at[axes.through]):
            start, end = to_picture(scan, plane, ruler.start), to_picture(scan, plane, ruler.end)
            parts.append(_line(*start, *end, "xi-ruler"))
    return Markup("".join(str(part) for part in parts))


def _line(x1: float, y1: float, x2: float, y2: float, classes: str) -> Markup:
    ends = {"x1": f"{x1:.2f}", "y1": f"{y1:.2f}", "x2": f"{x2:.2f}", "y2": f"{y2:.2f}"}
    return tag("line", "", cls=classes, **ends)
