"""What a page works with: the model and the store (desk), and who is looking (visitor)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from fastapi import Request
from nicegui import Client, app, ui

from xinglin.apps.assistant.assistant import Assistant
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import XinglinError
from xinglin.serve.access import cookie_token, session_of
from xinglin.serve.explaining import Explaining
from xinglin.serve.workbench.draft import Draft, draft_from
from xinglin.serve.workbench.imaging_study import Studies
from xinglin.serve.workbench.phrases import say
from xinglin.store import Store

log = logging.getLogger("xinglin.serve")
DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class Desk:
    """The loaded model, the store and the explanations, shared by all pages of one app."""

    differential: Differential
    store: Store
    explaining: Explaining
    """What makes and keeps explanations."""
    studies: Studies = field(default_factory=Studies)
    """Images that are open."""
    assistant: Assistant | None = None
    """What answers on the chat page."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """One open page: its user, language and connection."""

    desk: Desk
    user: str
    token: str | None
    """Session token when a login is required; ``None`` on this machine only."""
    lang: Lang
    client: Client

    def say(self, key: str, **values: object) -> str:
        """Return a sentence in the visitor's language."""
        return say(key, self.lang, **values)

    def notify(self, message: str, kind: str = "positive") -> None:
        """Show a short message; plain text, never markup."""
        with self.client:
            ui.notify(
                message,
                position="top",
                color=None,
                classes=f"xl-note xl-note-{kind}",
                timeout=7000 if kind == "negative" else 2600,
                close_button=say("close", self.lang) if kind == "negative" else False,
            )

    def still_in(self) -> bool:
        """Whether the session that opened this page still lives; a page outlives its cookie otherwise."""
        if self.token is None:
            return True
        session = session_of(self.desk.store, self.token)
        return session is not None and session.user == self.user

    def draft(self) -> Draft:
        """Return this tab's draft, kept in memory only and for this user only."""
        kept = app.storage.tab.get(DRAFT)
        return draft_from(kept["draft"]) if kept and kept["user"] == self.user else Draft()

    def keep(self, draft: Draft) -> None:
        """Keep this tab's draft across a reload and a look at another page."""
        with self.client:
            if self.client.has_socket_connection:
                app.storage.tab[DRAFT] = {"user": self.user, "draft": asdict(draft)}

    def guarded(self, act: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """Wrap an act: the session is checked first, and an error becomes a message, never a traceback."""

        async def run(*arguments: Any) -> None:
            with self.client:
                try:
                    if not self.still_in():
                        self.notify(self.say("session_over"), "negative")
                        ui.navigate.to("/login")
                        return
                    await act(*arguments)
                except XinglinError as error:
                    self.notify(str(error), "negative")
                except Exception as error:
                    # The message may hold patient data: log the kind and the place only.
                    log.error("unexpected %s in workbench %s", type(error).__name__, act.__qualname__)
                    self.notify(self.say("unexpected", kind=type(error).__name__), "negative")

        return run


def visit(request: Request) -> Visitor:
    """Return the visitor of a page request, and set the page's language and colours from what they chose."""
    chosen = app.storage.user
    lang: Lang = "en" if chosen.get("lang") == "en" else "zh"
    required = getattr(request.state, "csrf", None) is not None
    return Visitor(
        desk=request.state.desk,
        user=request.state.user,
        token=cookie_token(request.headers.get("cookie", "")) if required else None,
        lang=lang,
        client=ui.context.client,
    )
