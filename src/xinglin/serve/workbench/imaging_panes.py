"""One plane on the page: the picture of the server, what is drawn on it, and the words in its corners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from nicegui import ui

from xinglin.apps.imaging.grey import Window
from xinglin.apps.imaging.marks import Mark
from xinglin.measure.markup import tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.imaging_planes import (
    AXES,
    Plane,
    Ruler,
    Voxel,
    drawing,
    heat_box,
    shape_mm,
    sizes,
    to_picture,
)
from xinglin.serve.workbench.imaging_study import Study
from xinglin.serve.workbench.shell import fragment

AHEAD = 4
"""Slices on either side that the browser fetches before they are asked for."""


class Pane:
    """A plane of a study."""

    def __init__(self, visitor: Visitor, study: Study, plane: Plane, name: str) -> None:
        self.visitor, self.study, self.plane, self.name = visitor, study, plane, name
        self.slice = -1
        width, height = shape_mm(study.scan, plane)
        with ui.element("div").classes("xi-pane").props(f"data-plane={name} role=img") as self.box:
            self.box.props["aria-label"] = visitor.say(f"plane_{name}")
            self.image = ui.interactive_image(size=(width, height), sanitize=False).classes("xi-picture")
            self.image.style(f"width: min(100%, calc((var(--pane) + 10px) * {width / height:.4f}))")
            for side, letter in enumerate(AXES[plane].letters):
                fragment(tag("span", letter), f"xi-side xi-side-{side}")
            fragment(tag("b", visitor.say(f"plane_{name}")), "xi-tell xi-top-left")
            self.corner = ui.html("", sanitize=True).classes("xi-tell xi-bottom-left")
            self.right = ui.html("", sanitize=True).classes("xi-tell xi-bottom-right")

    def show(
        self,
        at: Voxel,
        window: Window,
        *,
        zoom: float = 1.0,
        marks: Sequence[tuple[Mark, str]] = (),
        rulers: Sequence[Ruler] = (),
        cross: bool = True,
        heat: bool = False,
    ) -> None:
        """Draw the slice through a voxel."""
        scan, through = self.study.scan, AXES[self.plane].through
        index, count = round(at[through]), sizes(scan)[through]
        self.image.set_source(self._address(index, window))
        map_ = None
        if heat and self.study.heat is not None:
            address = f"/imaging/heat/{self.study.key}/{self.plane}/{index}.png"
            map_ = address, heat_box(self.study.heat, scan, self.plane)
        drawn = drawing(scan, self.plane, at, marks=marks, rulers=rulers, cross=cross, heat=map_)
        self.image.set_content(str(drawn))
        x, y = to_picture(scan, self.plane, at)
        across, up = sizes(scan)[AXES[self.plane].across], sizes(scan)[AXES[self.plane].up]
        self.image.style(
            f"transform: scale({zoom:.2f}); transform-origin: {100 * x / across:.2f}% {100 * y / up:.2f}%"
        )
        place = float(scan.to_lps([at])[0][through])
        said = self.visitor.say("slice_of", at=index + 1, count=count)
        self.corner.set_content(str(tag("span", tag("b", said), f" · {'xyz'[through]} {place:.1f} mm")))
        self.right.set_content(str(tag("span", f"C {window.centre:.0f} W {window.width:.0f}")))
        self.slice = index

    def ahead(self, window: Window) -> list[str]:
        """Return the addresses of the neighbouring slices, the nearest first."""
        count = sizes(self.study.scan)[AXES[self.plane].through]
        near = [self.slice + sign * step for step in range(1, AHEAD + 1) for sign in (-1, 1)]
        return [self._address(index, window) for index in near if 0 <= index < count]

    def _address(self, index: int, window: Window) -> str:
        shown = f"c={window.centre:g}&w={window.width:g}"
        return f"/imaging/slice/{self.study.key}/{self.plane}/{index}.png?{shown}"


def value_at(study: Study, at: Voxel) -> float | None:
    """Return the value of the nearest voxel, ``None`` where nothing was measured."""
    x, y, z = (int(np.rint(place)) for place in at)
    scan = study.scan
    if scan.measured is not None and not scan.measured[z, y, x]:
        return None
    return float(scan.array[z, y, x])
