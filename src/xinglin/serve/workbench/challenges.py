"""The challenge pages: the list, and of each its rules, the board with its history, entering, one's own entries."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fastapi import Request
from nicegui import events, ui

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.measure.markup import tag, verbatim
from xinglin.release.challenge.board import Row
from xinglin.release.challenge.entering import enter_file
from xinglin.release.challenge.entering_model import enter_model
from xinglin.release.challenge.metrics import METRICS
from xinglin.release.challenge.record import (
    Challenge,
    Entered,
    entries_of,
    find,
    list_challenges,
    open_board,
    site_reports,
)
from xinglin.release.challenge.verifying import verify_challenge
from xinglin.serve.workbench.challenges_cards import (
    board_card,
    dates,
    list_card,
    mine_card,
    phase_pill,
    rules_card,
    sites_card,
)
from xinglin.serve.workbench.challenges_chart import history
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.shell import fragment, frame
from xinglin.store import Store

MAX_UPLOAD = 64 << 20
"""Bytes of a file that is entered on the page."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page of a challenge reads of the store."""

    challenge: Challenge
    rows: list[Row]
    entries: list[Entered]
    reports: list[dict[str, object]]


def read(store: Store, name: str) -> Shown:
    """Read a challenge from the store.

    Raises:
        UnknownNameError: there is none.
    """
    with store.read() as connection:
        found = find(connection, name)
        return Shown(
            found, open_board(connection, found), entries_of(connection, name), site_reports(connection, name)
        )


def read_all(store: Store) -> list[tuple[Challenge, int]]:
    """Read all challenges, each with the number of its entrants."""
    with store.read() as connection:
        return [
            (one, len({entry.entrant for entry in entries_of(connection, one.name)}))
            for one in list_challenges(connection)
        ]


def take(store: Store, name: str, file: str, data: bytes, who: str, title: str) -> Entered:
    """Enter a file as it was chosen on the page: predictions, or the zip of a model."""
    now = datetime.now(UTC)
    if not file.lower().endswith(".zip"):
        return enter_file(store, name, data, file, entrant=who, title=title, now=now)
    with tempfile.TemporaryDirectory(prefix="xinglin-challenge-") as folder:
        path = Path(folder) / "model.zip"
        path.write_bytes(data)
        return enter_model(store, name, path, entrant=who, title=title, now=now)


class ChallengePage:
    """The page of one challenge."""

    def __init__(self, visitor: Visitor, name: str) -> None:
        self.visitor, self.name = visitor, name

    def build(self, shown: Shown) -> None:
        """Draw what does not change: the heading, the rules, the form."""
        visitor, one = self.visitor, shown.challenge
        say, lang = visitor.say, visitor.lang
        title = one.manifest.title.zh if lang == "zh" else one.manifest.title.en
        fragment(
            tag(
                "div",
                tag("p", tag("a", say("challenge_back"), href="/challenges")),
                tag("h1", icon("flag", 22), verbatim(title), phase_pill(one, datetime.now(UTC), lang)),
                tag("p", dates(one, lang), cls="xl-muted"),
                cls="xl-title",
            )
        )
        with ui.element("div").classes("xf-page"):
            self.left = ui.element("div").classes("xf-column")
            with ui.element("div").classes("xf-column"):
                self._form(one)
                self.mine = ui.element("div")
                fragment(rules_card(one, lang))

    def _form(self, one: Challenge) -> None:
        say, guarded = self.visitor.say, self.visitor.guarded
        with ui.element("section").classes("xl-card"):
            fragment(tag("h2", icon("plus"), say("challenge_submit")))
            if one.phase(datetime.now(UTC)) == "open":
                self.title = ui.input(say("submit_title")).classes("xc-title-field")
                self.title.props("outlined dense maxlength=200 data-key=entry-title")
                self.upload = ui.upload(on_upload=self._uploaded, auto_upload=True, max_file_size=MAX_UPLOAD)
                self.upload.on("rejected", guarded(self._refused), args=[])
                self.upload.props('accept=".csv,.json,.jsonl,.zip"').classes("xl-hidden")
                pick = ui.button(say("submit_pick")).props("unelevated no-caps data-key=enter")
                pick.classes("xc-pick").on(
                    "click", js_handler=f"() => runMethod({self.upload.id}, 'pickFiles', [])"
                )
                self.told = ui.element("div").props('aria-live="polite"')
                fragment(tag("p", tag("small", say("submit_forms")), cls="xl-muted"))
            else:
                fragment(tag("p", say("submit_closed"), cls="xl-muted"))
            with ui.element("div").classes("xc-acts"):
                if one.manifest.inputs == "public" and one.phase(datetime.now(UTC)) != "coming":
                    fragment(
                        tag(
                            "a",
                            say("submit_questions"),
                            href=f"/api/challenges/{one.name}/questions",
                            download=f"{one.name}-questions.jsonl",
                        )
                    )
                check = ui.button(say("challenge_verify"), on_click=guarded(self._verify))
                check.props("outline no-caps dense data-key=verify")

    async def _refused(self) -> None:
        raise InputTooLargeError(self.visitor.say("submit_large"))

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        await self.visitor.guarded(self._enter)(event)

    async def _enter(self, event: events.UploadEventArguments) -> None:
        visitor = self.visitor
        data, file = await event.file.read(), event.file.name
        self.upload.reset()
        title = str(self.title.value or "").strip()
        if not title:
            raise InvalidInputError(visitor.say("submit_untitled"))
        self._tell(visitor.say("submit_working"))
        try:
            made = await asyncio.to_thread(
                take, visitor.desk.store, self.name, file, data, visitor.user, title
            )
        finally:
            self._tell("")
        if made.state == "failed":
            self._tell(visitor.say("submit_failed", why=made.told["reason"]))
        elif made.state == "accepted":
            self._tell(visitor.say("submit_moved", value=f"{made.told['value']:.4f}"))
        else:
            self._tell(visitor.say("submit_kept"))
        await self.fill()

    def _tell(self, text: str) -> None:
        self.told.clear()
        if text:
            with self.told:
                fragment(tag("p", verbatim(text), cls="xc-told", data_key="entry-told"))

    async def _verify(self) -> None:
        def run() -> tuple[int, int]:
            with self.visitor.desk.store.read() as connection:
                found = verify_challenge(connection, self.name)
            return found.ledger, found.entries

        checked, entries = await asyncio.to_thread(run)
        self.visitor.notify(self.visitor.say("verify_done", ledger=checked, entries=entries))

    async def fill(self) -> None:
        """Read the board and draw it."""
        visitor, lang = self.visitor, self.visitor.lang
        shown = await asyncio.to_thread(read, visitor.desk.store, self.name)
        one = shown.challenge
        self.left.clear()
        with self.left:
            fragment(board_card(one, shown.rows, lang))
            until = min(datetime.now(UTC), one.manifest.closing)
            order = [row.entrant for row in shown.rows]
            drawn = history(shown.entries, order, until, METRICS[one.manifest.metric], lang)
            heading = tag("h2", icon("branch"), visitor.say("board_history"))
            fragment(tag("section", heading, drawn, cls="xl-card"))
            reports = sites_card(shown.reports, lang)
            if reports is not None:
                fragment(reports)
        self.mine.clear()
        with self.mine:
            own = [entry for entry in shown.entries if entry.entrant == visitor.user]
            fragment(mine_card(one, own, lang))


def register() -> None:
    """Register the pages."""

    @ui.page("/challenges")
    async def list_page(request: Request) -> None:
        visitor = visit(request)
        with frame(visitor, "challenges"):
            say = visitor.say
            heading = tag("h1", icon("flag", 22), say("challenges"))
            fragment(tag("div", heading, tag("p", say("challenges_hint"), cls="xl-muted"), cls="xl-title"))
            found = await asyncio.to_thread(read_all, visitor.desk.store)
            fragment(list_card(found, datetime.now(UTC), visitor.lang))

    @ui.page("/challenges/{name}")
    async def one_page(request: Request, name: str) -> None:
        visitor = visit(request)
        with frame(visitor, "challenges"):
            with visitor.desk.store.read() as connection:
                known = name in [one.name for one in list_challenges(connection)]
            if not known:
                fragment(tag("section", tag("p", visitor.say("challenge_gone")), cls="xl-card"))
                return
            page = ChallengePage(visitor, name)
            page.build(read(visitor.desk.store, name))
            await ui.context.client.connected()
        await visitor.guarded(page.fill)()
