"""A prior study beside the one at hand, linked by millimetre.

In one frame of reference a millimetre means the same place in both. Two examinations seldom share one: then nothing is
linked until the reader has pointed at the same anatomy in both, and what links them is that shift, which is said.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from nicegui import ui

from xinglin.apps.imaging.grey import Window
from xinglin.measure.markup import tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.imaging_panes import Pane
from xinglin.serve.workbench.imaging_planes import PLANES, Plane, Voxel, clipped, sizes, to_voxel, turned
from xinglin.serve.workbench.imaging_study import Study
from xinglin.serve.workbench.shell import fragment

PRIORS: dict[str, Plane] = {f"prior-{plane}": plane for plane in PLANES}
"""Names of the prior's panes."""


class Prior:
    """The three planes of the prior, or the invitation to open one."""

    def __init__(
        self, visitor: Visitor, study: Study, prior: Study | None, drawn: Callable[[], None]
    ) -> None:
        self.visitor, self.study, self.prior, self.drawn = visitor, study, prior, drawn
        self.panes: list[Pane] = []
        self.here: Voxel = (0.0, 0.0, 0.0)
        self.at: Voxel = (0.0, 0.0, 0.0)
        self.shift: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None = None
        """Millimetres from the study's frame to the prior's; ``None`` while the two are not linked."""
        if prior is not None:
            x, y, z = sizes(prior.scan)
            self.at = (float(x // 2), float(y // 2), float(z // 2))
            if prior.scan.frame == study.scan.frame:
                self.shift = np.zeros(3)

    @property
    def there(self) -> bool:
        """Whether there is a prior."""
        return self.prior is not None

    def build_panes(self) -> None:
        """Draw its planes below those of the study, or the invitation."""
        say = self.visitor.say
        if self.prior is not None:
            self.panes = [Pane(self.visitor, self.prior, plane, name) for name, plane in PRIORS.items()]
            return
        link = tag("a", say("prior_choose"), href=f"/imaging?study={self.study.key}&prior=")
        fragment(
            tag(
                "div", icon("layers", 30), tag("b", say("prior")), tag("p", say("prior_none")), tag("p", link)
            ),
            "xi-empty",
        )

    def build_card(self) -> None:
        """Draw how the two are linked."""
        if self.prior is None:
            return
        say = self.visitor.say
        with ui.element("section").classes("xl-card"):
            fragment(tag("h2", icon("layers"), say("prior")))
            fragment(tag("p", self.prior.name, cls="xl-muted"))
            self.told = ui.html("", sanitize=True)
            with ui.element("div").classes("xi-buttons").style("margin-top: 6px"):
                if self.prior.scan.frame != self.study.scan.frame:
                    button = ui.button(say("align"), on_click=self.visitor.guarded(self._align))
                    button.props("outline no-caps data-key=align")
                fragment(tag("a", say("prior_off"), href=f"/imaging?study={self.study.key}"))

    async def _align(self) -> None:
        if self.prior is None:
            return
        there, here = self.prior.scan.to_lps([self.at])[0], self.study.scan.to_lps([self.here])[0]
        self.shift = there - here
        self.drawn()

    def turn(self, plane: Plane, steps: int) -> None:
        """Go some slices on in the prior alone; while linked it follows the study instead."""
        if self.prior is not None:
            self.at = turned(self.prior.scan, plane, self.at, steps)
            self._unlinked()

    def point(self, plane: Plane, across: float, down: float) -> None:
        """Move the prior's own cross."""
        if self.prior is not None:
            self.at = clipped(self.prior.scan, to_voxel(self.prior.scan, plane, across, down, self.at))
            self._unlinked()

    def _unlinked(self) -> None:
        """A shift that the reader set is undone when the reader moves the prior apart from the study."""
        if self.prior is not None and self.prior.scan.frame != self.study.scan.frame:
            self.shift = None

    def show(self, here: Voxel, window: Window, *, zoom: float, cross: bool) -> None:
        """Draw the slices that belong to a voxel of the study, or where the prior was left."""
        self.here = here
        if self.prior is None:
            return
        if self.shift is not None:
            place = self.study.scan.to_lps([here])[0] + self.shift
            x, y, z = self.prior.scan.to_voxels([place])[0]
            self.at = clipped(self.prior.scan, (float(x), float(y), float(z)))
        shown = window if self.prior.scan.modality == self.study.scan.modality == "CT" else self.prior.window
        for pane in self.panes:
            pane.show(self.at, shown, zoom=zoom, cross=cross)
        same = self.prior.scan.frame == self.study.scan.frame
        word = "prior_same" if same else "prior_unlinked" if self.shift is None else "prior_aligned"
        self.told.set_content(str(tag("p", self.visitor.say(word), cls="xl-muted" if same else "xi-warning")))

    def ahead(self, window: Window) -> list[str]:
        """Return the addresses of the neighbouring slices."""
        return [address for pane in self.panes for address in pane.ahead(window)]
