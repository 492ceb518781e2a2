"""The list of findings beside the planes: rank, size, place, score; a threshold; accept, reject, and marks of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import floor

from nicegui import events, ui

from xinglin.apps.imaging.marks import Mark, decide, decisions, is_same
from xinglin.measure.markup import tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.imaging_planes import Voxel
from xinglin.serve.workbench.imaging_searching import Searching
from xinglin.serve.workbench.imaging_study import Study
from xinglin.serve.workbench.shell import fragment
from xinglin.types import State


class Findings:
    """What was found in one study and what this reader says of it."""

    def __init__(
        self, visitor: Visitor, study: Study, jump: Callable[[Mark], None], drawn: Callable[[], None]
    ) -> None:
        self.visitor, self.study, self.jump, self.drawn = visitor, study, jump, drawn
        self.series = study.scan.series or study.scan.frame
        self.own: list[Mark] = []
        self.states: list[tuple[Mark, State]] = []
        self.least: float | None = None
        self.chosen: Mark | None = None

    @property
    def shown(self) -> list[Mark]:
        """The marks at or above the threshold; a reader's own have no score and are always shown."""
        every = [*self.study.marks, *self.own]
        return [
            mark for mark in every if self.least is None or mark.score is None or mark.score >= self.least
        ]

    def state(self, mark: Mark) -> State:
        """Return what this reader decided about a mark; ``unknown`` before."""
        return next((state for other, state in self.states if is_same(other, mark)), "unknown")

    def drawings(self) -> list[tuple[Mark, str]]:
        """Return the marks with the classes under which they are drawn."""
        return [
            (mark, f"xi-mark xi-mark-{self.state(mark)}" + (" xi-mark-now" if mark is self.chosen else ""))
            for mark in self.shown
        ]

    async def load(self) -> None:
        """Read what this reader decided before."""
        found = await asyncio.to_thread(decisions, self.visitor.desk.store, self.series)
        mine = [
            one
            for one in found
            if one.actor == self.visitor.user and one.mark.point.frame == self.study.scan.frame
        ]
        self.states = [(one.mark, one.state) for one in mine]
        known = self.study.marks
        self.own = [one.mark for one in mine if not any(is_same(one.mark, mark) for mark in known)]

    def build(self) -> None:
        """Draw the card."""
        self.here: Callable[[], Voxel] = lambda: (0.0, 0.0, 0.0)
        self.card = ui.element("section").classes("xl-card")
        self._fill()

    async def searched(self) -> None:
        """Take up what a search has found."""
        self.chosen = None
        await self.load()
        self.card.clear()
        self._fill()
        self.drawn()

    def _fill(self) -> None:
        say, guarded = self.visitor.say, self.visitor.guarded
        with self.card:
            with ui.element("div").classes("xl-row"):
                fragment(tag("h2", icon("flag"), say("findings")))
                self.count = ui.html("", sanitize=True).classes("xl-muted")
            if (words := self._warning()) is not None:
                fragment(tag("p", say(words), cls="xi-warning"))
            if not self.study.detected and self._searchable:
                Searching(self.visitor, self.study, self.searched).build()
            scores = [mark.score for mark in self.study.marks if mark.score is not None]
            if scores:
                self._slider(min(scores), max(scores))
            self.rows = ui.element("div").classes("xi-list")
            with ui.element("div").classes("xi-buttons").style("margin-top: 8px"):
                self.accept = self._button("accept", "A", partial(self._decide, "present"))
                self.reject = self._button("reject", "R", partial(self._decide, "absent"))
                self.back = self._button("take_back", "", partial(self._decide, "unknown"))
            with ui.element("div").classes("xi-buttons").style("margin-top: 6px"):
                self._button("add_mark", "", self.add)
            for name, step in (("previous", -1), ("next", 1)):
                hidden = ui.element("button").props(
                    f"type=button data-key={name} tabindex=-1 aria-hidden=true"
                )
                hidden.classes("xl-only-read").on("click", guarded(partial(self._step, step)), args=[])
        self.show()

    @property
    def _searchable(self) -> bool:
        return self.visitor.desk.studies.searcher is not None and self.study.scan.modality == "CT"

    def _warning(self) -> str | None:
        if not self.study.detected:
            if self._searchable:
                return "not_searched"
            loaded = self.visitor.desk.studies.searcher is not None
            return "no_detector_modality" if loaded else "no_detector"
        return None if self.study.marks else "none_found"

    def _slider(self, low: float, high: float) -> None:
        say = self.visitor.say
        # Whole hundredths, rounded down: at its right end the best finding is still shown.
        low, high = floor(low * 100) / 100, floor(high * 100) / 100
        self.least = low
        with ui.element("div"):
            told = ui.html("", sanitize=True).classes("xl-label")
            slider = ui.slider(min=low, max=high, step=0.01, value=low).props("dense")
            slider.props["aria-label"] = say("threshold")
            slider.props("data-key=threshold")

        def tell() -> None:
            words = f"{say('threshold')} {self.least:.2f}"
            told.set_content(str(tag("span", words, tag("small", f" {say('score_hint')}"))))

        def moved(event: events.ValueChangeEventArguments[float | None]) -> None:
            self.least = low if event.value is None else float(event.value)
            tell()
            self.show()
            self.drawn()

        slider.on_value_change(moved)
        tell()

    def _button(self, word: str, key: str, act: Callable[..., object]) -> ui.button:
        button = ui.button(on_click=self.visitor.guarded(act)).props(f"outline no-caps data-key={word}")  # type: ignore[arg-type]
        with button:
            fragment(tag("span", self.visitor.say(word), tag("kbd", key) if key else None))
        return button

    def show(self) -> None:
        """Draw the rows."""
        say, every = self.visitor.say, len(self.study.marks) + len(self.own)
        self.count.set_content(str(tag("small", say("findings_count", shown=len(self.shown), count=every))))
        self.rows.clear()
        with self.rows:
            for number, mark in enumerate(self.shown, 1):
                self._row(number, mark)
        for button in (self.accept, self.reject, self.back):
            button.set_enabled(self.chosen is not None)

    def _row(self, number: int, mark: Mark) -> None:
        say, state = self.visitor.say, self.state(mark)
        row = ui.element("button").classes("xi-finding" + (" xi-finding-now" if mark is self.chosen else ""))
        row.props(f"type=button data-key=finding-{number}")
        row.on("click", self.visitor.guarded(partial(self._choose, mark)), args=[])
        size = (
            say("finding_line", mm=f"{mark.diameter:.1f}")
            if mark.diameter is not None
            else say("size_unknown")
        )
        score = say("own_mark") if mark.score is None else f"{mark.score:.2f}"
        where = f"{mark.point.x:.1f}, {mark.point.y:.1f}, {mark.point.z:.1f}"
        badge = {"present": "xl-badge xl-badge-good", "absent": "xl-badge"}.get(state)
        with row:
            fragment(tag("span", str(number), cls="xi-number"))
            fragment(tag("span", f"{size} · {score}", tag("small", where)))
            fragment(tag("span", say(f"state_{state}"), cls=badge) if badge else tag("span", ""))

    async def _choose(self, mark: Mark) -> None:
        self.chosen = mark
        self.show()
        self.jump(mark)

    async def _step(self, step: int) -> None:
        if not self.shown:
            return
        at = next((n for n, mark in enumerate(self.shown) if mark is self.chosen), -1 if step > 0 else 0)
        await self._choose(self.shown[(at + step) % len(self.shown)])

    async def add(self) -> None:
        """Mark the place of the cross, or take up the finding that is there; it counts as accepted by this reader."""
        mark = Mark(self.study.scan.point(self.here()))
        known = next((other for other in (*self.study.marks, *self.own) if is_same(other, mark)), None)
        if known is None:
            self.own.append(mark)
        self.chosen = known or mark
        await self._decide("present")

    async def _decide(self, state: State) -> None:
        mark = self.chosen
        if mark is None:
            return
        store, user = self.visitor.desk.store, self.visitor.user
        await asyncio.to_thread(decide, store, self.series, mark, state, actor=user)
        self.states = [(other, held) for other, held in self.states if not is_same(other, mark)]
        if state != "unknown":
            self.states.append((mark, state))
        elif mark.score is None and mark not in self.study.marks:
            self.own = [other for other in self.own if other is not mark]
            self.chosen = None
        self.show()
        self.drawn()
