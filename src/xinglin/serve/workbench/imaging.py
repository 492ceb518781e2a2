"""The imaging page: three linked planes, windows, measures, findings, and a prior beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from fastapi import Request
from nicegui import events, ui

from xinglin.apps.imaging.grey import PRESETS, Window
from xinglin.apps.imaging.marks import Mark
from xinglin.errors import UnknownNameError
from xinglin.measure.markup import tag
from xinglin.serve.workbench import imaging_intake
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.imaging_findings import Findings
from xinglin.serve.workbench.imaging_open import OpenPage
from xinglin.serve.workbench.imaging_panes import Pane, value_at
from xinglin.serve.workbench.imaging_planes import PLANES, Ruler, Voxel, clipped, sizes, to_voxel, turned
from xinglin.serve.workbench.imaging_prior import PRIORS, Prior
from xinglin.serve.workbench.imaging_script import VIEWER
from xinglin.serve.workbench.imaging_study import Study
from xinglin.serve.workbench.shell import fragment, frame

ZOOMS = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)


class Viewer:
    """A study on the page of one visitor."""

    def __init__(self, visitor: Visitor, study: Study, prior: Study | None) -> None:
        self.visitor, self.study = visitor, study
        x, y, z = sizes(study.scan)
        self.at: Voxel = (float(x // 2), float(y // 2), float(z // 2))
        self.window, self.zoom, self.cross, self.heat = study.window, 0, True, False
        self.rulers: list[Ruler] = []
        self.start: Ruler | None = None
        self.measuring = False
        self.findings = Findings(visitor, study, self._jump, self.draw)
        self.prior = Prior(visitor, study, prior, self.draw)

    async def build(self) -> None:
        """Draw the page."""
        await self.findings.load()
        with ui.element("div").classes("xi-page"):
            with ui.element("div").classes("xi-panes" + (" xi-paired" if self.prior.there else "")):
                self.panes = {plane: Pane(self.visitor, self.study, plane, plane) for plane in PLANES}
                self.prior.build_panes()
            with ui.element("div").classes("xi-tools"):
                self._about()
                self._windows()
                self.findings.build()
                self.findings.here = lambda: self.at
                self._tools()
                self.prior.build_card()
        ui.on("xinglin_turn", self._event(self._turn))
        ui.on("xinglin_point", self._event(self._point))
        ui.on("xinglin_zoom", self._event(self._wheel_zoom))
        ui.run_javascript(VIEWER)
        self.draw()

    def _event(self, act: Callable[[dict[str, Any]], Any]) -> Callable[[events.GenericEventArguments], Any]:
        async def run(event: events.GenericEventArguments) -> None:
            if isinstance(event.args, dict):
                await self.visitor.guarded(act)(event.args)

        return run

    def _about(self) -> None:
        say, scan = self.visitor.say, self.study.scan
        x, y, z = sizes(scan)
        sx, sy, sz = (f"{step:.2f}" for step in scan.spacing)
        shape = say("study_shape", x=x, y=y, z=z, sx=sx, sy=sy, sz=sz)
        back = tag("a", say("other_studies"), href="/imaging")
        with ui.element("section").classes("xl-card xi-study"):
            name = tag("h1", self.study.name or "—", " ", tag("span", scan.modality or "?", cls="xl-pill"))
            fragment(tag("div", name, tag("p", shape), tag("p", back)))
            for note in scan.notes:
                fragment(tag("p", note, cls="xi-warning"))
            self.place = ui.html("", sanitize=True)

    def _windows(self) -> None:
        say = self.visitor.say
        lang = 0 if self.visitor.lang == "zh" else 1
        known = PRESETS if self.study.scan.modality == "CT" else {}
        shown = [(name.split(" ", 1)[lang], window) for name, window in known.values()]
        shown.append((say("window_own"), self.study.own))
        self.buttons: list[tuple[Any, Window]] = []
        with ui.element("section").classes("xl-card"):
            fragment(tag("h2", say("window")))
            with ui.element("div").classes("xi-buttons"):
                for number, (name, window) in enumerate(shown, 1):
                    button = ui.button(on_click=self.visitor.guarded(partial(self._set_window, window)))
                    button.props(f"outline no-caps data-key=window-{number}")
                    with button:
                        fragment(tag("span", name, tag("kbd", str(number))))
                    self.buttons.append((button, window))
            with ui.element("div").classes("xi-numbers"):
                self.centre = self._number("window_centre", self.window.centre)
                self.width = self._number("window_width", self.window.width)

    def _number(self, word: str, value: float) -> ui.number:
        field = ui.number(label=self.visitor.say(word), value=round(value), format="%.0f")
        field.props(f"outlined dense debounce=400 data-key={word}")
        field.on("change", self.visitor.guarded(self._typed), args=[])
        return field

    async def _typed(self) -> None:
        if self.centre.value is not None and self.width.value is not None:
            await self._set_window(Window(float(self.centre.value), max(2.0, float(self.width.value))))

    async def _set_window(self, window: Window) -> None:
        self.window = window
        self.centre.set_value(round(window.centre))
        self.width.set_value(round(window.width))
        self.draw()

    def _tools(self) -> None:
        with ui.element("section").classes("xl-card"):
            with ui.element("div").classes("xi-buttons"):
                self.ruler = self._tool("measure", self._measure)
                self._tool("measure_clear", self._clear)
                self._tool("zoom_in", partial(self._zoom, 1))
                self._tool("zoom_out", partial(self._zoom, -1))
                self.crossed = self._tool("cross", self._toggle_cross)
                self.warm = self._tool("heat", self._toggle_heat)
            self.told = (
                ui.html("", sanitize=True).classes("xl-label").props("aria-live=polite data-key=measured")
            )

    def _tool(self, word: str, act: Callable[[], Any]) -> ui.button:
        button = ui.button(self.visitor.say(word), on_click=self.visitor.guarded(act))
        return button.props(f"outline no-caps data-key={word.replace('_', '-')}")

    async def _measure(self) -> None:
        self.measuring, self.start = not self.measuring, None
        self.draw()

    async def _clear(self) -> None:
        self.rulers, self.start = [], None
        self.draw()

    async def _zoom(self, steps: int) -> None:
        self.zoom = min(max(self.zoom + steps, 0), len(ZOOMS) - 1)
        self.draw()

    async def _wheel_zoom(self, told: dict[str, Any]) -> None:
        await self._zoom(1 if told.get("steps") == 1 else -1)

    async def _toggle_cross(self) -> None:
        self.cross = not self.cross
        self.draw()

    async def _toggle_heat(self) -> None:
        self.heat = not self.heat and self.study.heat is not None
        self.draw()

    def _jump(self, mark: Mark) -> None:
        self.at = clipped(self.study.scan, self.study.scan.locate(mark.point))
        self.draw()

    async def _turn(self, told: dict[str, Any]) -> None:
        """Go some slices on: down the wheel is towards the feet, the back, the left."""
        plane, steps = told.get("pane"), told.get("steps")
        if type(steps) is not int or abs(steps) > 10_000:
            return
        if plane in PRIORS:
            self.prior.turn(PRIORS[plane], steps)
        elif plane in PLANES:
            self.at = turned(self.study.scan, plane, self.at, steps)
        self.draw()

    async def _point(self, told: dict[str, Any]) -> None:
        plane, x, y = told.get("pane"), told.get("x"), told.get("y")
        if not all(isinstance(place, int | float) and np.isfinite(place) for place in (x, y)):
            return
        if plane in PRIORS:
            self.prior.point(PRIORS[plane], float(x), float(y))  # type: ignore[arg-type]
            self.draw()
            return
        if plane not in PLANES:
            return
        scan = self.study.scan
        voxel = clipped(scan, to_voxel(scan, plane, float(x), float(y), self.at))  # type: ignore[arg-type]
        if self.measuring and told.get("kind") == "down":
            if self.start is None or self.start.plane != plane:
                self.start = Ruler(plane, voxel, voxel)
            else:
                self.rulers.append(Ruler(plane, self.start.start, voxel))
                self.start = None
        elif self.measuring and self.start is not None and self.start.plane == plane:
            self.start = Ruler(plane, self.start.start, voxel)
        elif not self.measuring:
            self.at = voxel
        self.draw()

    def draw(self) -> None:
        """Draw everything where it now is."""
        marks, rulers = self.findings.drawings(), [*self.rulers, *([self.start] if self.start else [])]
        zoom = ZOOMS[self.zoom]
        for pane in self.panes.values():
            pane.show(
                self.at, self.window, zoom=zoom, marks=marks, rulers=rulers, cross=self.cross, heat=self.heat
            )
        self.prior.show(self.at, self.window, zoom=zoom, cross=self.cross)
        self.warm.set_enabled(self.study.heat is not None)
        self.warm.props["title"] = self.visitor.say("heat_none" if self.study.heat is None else "heat_hint")
        for button, on in (
            *((button, window == self.window) for button, window in self.buttons),
            *((self.ruler, self.measuring), (self.crossed, self.cross), (self.warm, self.heat)),
        ):
            button.classes(add="xi-on") if on else button.classes(remove="xi-on")
        self._tell(rulers)
        ahead = [address for pane in self.panes.values() for address in pane.ahead(self.window)]
        ui.run_javascript(f"xinglinImaging.fetch({json.dumps(ahead + self.prior.ahead(self.window))})")

    def _tell(self, rulers: list[Ruler]) -> None:
        say, scan = self.visitor.say, self.study.scan
        x, y, z = scan.to_lps([self.at])[0]
        value = value_at(self.study, self.at)
        unit = " HU" if scan.modality == "CT" else ""
        said = say("not_measured") if value is None else f"{value:.0f}{unit}"
        rows = (
            *(tag("span", say("position")), tag("b", f"{x:.1f}, {y:.1f}, {z:.1f}")),
            *(tag("span", say("voxel_value")), tag("b", said)),
        )
        self.place.set_content(str(tag("div", rows, cls="xi-place")))
        lengths = [say("measured", mm=f"{ruler.length(scan):.1f}") for ruler in rulers]
        hint = [say("measure_on")] if self.measuring and self.start is None else []
        self.told.set_content(str(tag("span", " · ".join(lengths + hint))))


def register() -> None:
    """Register the page and the addresses that it uses."""
    imaging_intake.register()

    @ui.page("/imaging")
    async def imaging_page(request: Request, study: str | None = None, prior: str | None = None) -> None:
        visitor = visit(request)
        with frame(visitor, "imaging"):
            await ui.context.client.connected()
            place = ui.element("div")

        async def draw() -> None:
            studies = visitor.desk.studies
            with place:
                if study is None:
                    OpenPage(visitor, None).build()
                elif prior == "":
                    OpenPage(visitor, studies.get(study, visitor.user).key).build()
                else:
                    try:
                        shown = studies.get(study, visitor.user)
                        old = studies.get(prior, visitor.user) if prior else None
                    except UnknownNameError:
                        OpenPage(visitor, None).build()
                        raise
                    await Viewer(visitor, shown, old).build()

        await visitor.guarded(draw)()
