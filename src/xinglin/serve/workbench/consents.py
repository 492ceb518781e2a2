"""The consents page: what holds now, who was granted what, who used it and when; verify, withdraw, revoke."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Request
from nicegui import ui

from xinglin.ledger.consents import MOST, GrantStanding, Standing, Use
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.serve import consents
from xinglin.serve.workbench.consents_cards import (
    grant_row,
    purpose,
    reached,
    standing_row,
    use_row,
    verdict,
)
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.shell import fragment, frame

LINK = "xinglin ledger consents link DATASET --subject ID --account NAME"


class ConsentsPage:
    """The page: which data set is looked at, and as whom. The identifier lives in this object only."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.dataset = ""
        self.identifier: str | None = None

    def build(self) -> None:
        """Draw the frame of the page."""
        say = self.visitor.say
        head = tag("h1", icon("shield", 22), say("consents"))
        fragment(tag("div", head, tag("p", say("consents_hint"), cls="xl-muted"), cls="xl-title"))
        with ui.element("div").classes("xc-choices") as self.choices:
            with self._labelled("consent_choose"):
                self.chosen = ui.select({}, on_change=self.visitor.guarded(self._chosen))
                self.chosen.props("outlined dense options-dense data-key=dataset")
            self.chosen.props["aria-label"] = say("consent_choose")
            with self._labelled("consent_identifier") as self.asked:
                self.typed = ui.input().props(
                    "outlined dense autocomplete=off maxlength=200 data-key=identifier"
                )
            self.typed.props["aria-label"] = say("consent_identifier")
            self.show = ui.button(say("consent_look"), on_click=self.visitor.guarded(self._identified))
            self.show.props("unelevated no-caps data-key=look")
            self.typed.on("keydown.enter", self.visitor.guarded(self._identified))
            self.hint = fragment(tag("small", say("consent_identifier_hint"), cls="xl-muted"))
        self.place = ui.element("div").classes("xc-column")

    def _labelled(self, word: str) -> Any:
        place = ui.element("div").classes("xc-choice")
        with place:
            fragment(tag("span", self.visitor.say(word), cls="xl-label", aria_hidden="true"))
        return place

    async def open(self) -> None:
        """Find out what the visitor may see; a steward's first data set is shown at once."""
        say, visitor = self.visitor.say, self.visitor
        steward, subject = await asyncio.to_thread(consents.mine, visitor.desk.store, visitor.user)
        options = {f"steward:{name}": say("consent_as_steward", name=name) for name in steward}
        options |= {f"subject:{name}": say("consent_as_subject", name=name) for name in subject}
        self.choices.set_visibility(bool(options))
        if not options:
            with self.place:
                how = say("consents_how", command="\0").split("\0")
                fragment(
                    tag(
                        "section",
                        tag("p", say("consents_none")),
                        tag("p", how[0], tag("code", verbatim(LINK)), how[1], cls="xl-muted"),
                        cls="xl-card",
                    )
                )
            return
        self.chosen.set_options(options, value=next(iter(options)))

    async def _chosen(self) -> None:
        role, _, name = str(self.chosen.value or "").partition(":")
        self.dataset, self.identifier = name, None
        for one in (self.asked, self.show, self.hint):
            one.set_visibility(role == "subject")
        self.typed.value = ""
        self.place.clear()
        if role == "steward":
            await self.fill()

    async def _identified(self) -> None:
        self.identifier = str(self.typed.value or "").strip() or None
        self.place.clear()
        if self.identifier is not None:
            await self.fill()

    async def fill(self) -> None:
        """Read the data set and draw it."""
        visitor = self.visitor
        found = await asyncio.to_thread(
            consents.look, visitor.desk.store, visitor.user, self.dataset, self.identifier
        )
        say, lang = visitor.say, visitor.lang
        self.place.clear()
        with self.place:
            with self._card("check", say("consent_now")):
                for standing in found.standings:
                    with self._row(standing_row(standing, found.as_steward, lang)):
                        if standing.covered:
                            self._button(
                                "consent_withdraw", f"withdraw-{standing.purpose}", self._ask, standing
                            )
            with self._card("door", say("consent_grants")):
                for grant in found.grants:
                    with self._row(grant_row(grant, lang)):
                        if found.as_steward and grant.in_force:
                            self._button("consent_revoke", f"revoke-{grant.grantee}", self._ask_back, grant)
                if not found.grants:
                    fragment(tag("p", say("consent_no_grants"), cls="xl-muted"))
            with self._card("list", say("consent_uses")):
                for use in found.uses:
                    with self._row(use_row(use, lang)):
                        self._button("consent_verify", f"verify-{use.seq}", self._verify, use)
                if not found.uses:
                    fragment(tag("p", say("consent_no_uses"), cls="xl-muted"))
                if len(found.uses) == MOST:
                    fragment(tag("small", say("consent_uses_more", count=MOST), cls="xl-muted"))

    def _card(self, picture: str, heading: str) -> Any:
        with ui.element("section").classes("xl-card"):
            fragment(tag("h2", icon(picture), heading))
            return ui.element("div").classes("xc-list")

    def _row(self, content: Markup) -> Any:
        row = ui.element("div").classes("xc-row")
        with row:
            fragment(content)
        return row

    def _button(self, word: str, key: str, act: Callable[[Any], Awaitable[None]], what: Any) -> None:
        async def run() -> None:
            await act(what)

        button = ui.button(self.visitor.say(word), on_click=self.visitor.guarded(run)).props(
            "flat dense no-caps"
        )
        button.props["data-key"] = key

    async def _verify(self, use: Use) -> None:
        visitor, say = self.visitor, self.visitor.say
        mine = (visitor.desk.store, visitor.user, self.dataset, use.seq, self.identifier)
        found = await asyncio.to_thread(consents.verify, *mine)

        async def download() -> None:
            proof = await asyncio.to_thread(consents.proof_of, *mine)
            ui.download.content(json.dumps(proof, ensure_ascii=False, indent=2), f"proof-{use.seq}.json")

        with self._dialog() as dialog:
            fragment(tag("h2", say("consent_verify_title", seq=use.seq)))
            fragment(use_row(use, visitor.lang))
            fragment(verdict(found, visitor.lang))
            with ui.element("div").classes("xl-actions xl-end"):
                if found.state != "unsigned":
                    keep = ui.button(say("consent_keep_proof"), on_click=visitor.guarded(download))
                    keep.props("flat no-caps data-key=proof")
                ui.button(say("close"), on_click=dialog.close).props(
                    "unelevated no-caps data-key=close autofocus"
                )

    async def _ask(self, standing: Standing) -> None:
        visitor, say = self.visitor, self.visitor.say
        reach = await asyncio.to_thread(consents.reach, visitor.desk.store, self.dataset)
        name = purpose(standing.purpose, visitor.lang)
        whole = None if self.identifier else tag("p", tag("b", say("consent_withdraw_dataset")))
        told = tag(
            "div", tag("p", say("consent_withdraw_ask", purpose=name)), whole, reached(reach, visitor.lang)
        )

        def act() -> None:
            consents.withdraw(
                visitor.desk.store, visitor.user, self.dataset, standing.purpose, self.identifier
            )

        self._confirm(told, "consent_withdraw", "consent_withdrawn", act)

    async def _ask_back(self, grant: GrantStanding) -> None:
        visitor, say = self.visitor, self.visitor.say
        name = purpose(grant.purpose, visitor.lang)
        told = tag("p", verbatim(say("consent_revoke_ask", grantee=grant.grantee, purpose=name)))

        def act() -> None:
            consents.take_back(visitor.desk.store, visitor.user, self.dataset, grant.grantee, grant.purpose)

        self._confirm(told, "consent_revoke", "consent_revoked", act)

    def _confirm(self, told: Markup, word: str, done: str, act: Callable[[], None]) -> None:
        say = self.visitor.say

        async def sure() -> None:
            dialog.close()
            await asyncio.to_thread(act)
            await self.fill()
            self.visitor.notify(say(done))

        with self._dialog() as dialog:
            fragment(told)
            with ui.element("div").classes("xl-actions xl-end"):
                ui.button(say("cancel"), on_click=dialog.close).props("flat no-caps autofocus")
                button = ui.button(say(word), on_click=self.visitor.guarded(sure))
                button.props("unelevated no-caps color=negative data-key=sure")

    @contextmanager
    def _dialog(self) -> Iterator[Any]:
        """Draw a dialog, open it, and forget it once it is closed."""
        with (
            self.visitor.client,
            ui.dialog() as dialog,
            ui.card().classes("xl-dialog xl-dialog-narrow xl-consents"),
        ):
            yield dialog
        dialog.on("hide", dialog.delete)
        dialog.open()


def register() -> None:
    """Register the page."""

    @ui.page("/consents")
    async def consents_page(request: Request) -> None:
        visitor = visit(request)
        with frame(visitor, "consents"):
            await ui.context.client.connected()
            page = ConsentsPage(visitor)
            page.build()
        await visitor.guarded(page.open)()
