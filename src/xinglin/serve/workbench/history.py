"""The user's own cases: list, search, reopen, delete."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from fastapi import Request
from nicegui import events, ui

from xinglin.apps.diagnosis import remember
from xinglin.measure.markup import tag
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.shell import fragment, frame

COLUMNS = (
    ("time", "time"),
    ("case_title", "title"),
    ("triage", "triage"),
    ("top", "top"),
    ("confirm", "confirmed"),
)
TRIAGE_CELL = """<q-td :props="props">
<span class="xl-pill" :class="'xl-level-' + props.row.level">{{ props.value }}</span></q-td>"""
ACTION_CELL = """<q-td :props="props" class="xl-row-actions">
<q-btn flat dense no-caps :label="props.row.open" @click="$parent.$emit('open', props.row.id)" />
<q-btn flat dense no-caps class="xl-delete" :label="props.row.delete"
 @click="$parent.$emit('erase', props.row)" />
</q-td>"""


class HistoryPage:
    """The list and its dialog."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.table: Any = None

    def build(self) -> None:
        """Draw the page."""
        say = self.visitor.say
        fragment(tag("h1", icon("list", 22), say("history")), "xl-title")
        with ui.element("section").classes("xl-card"):
            search = ui.input().props("outlined dense clearable data-key=search")
            search.props["placeholder"] = search.props["aria-label"] = say("history_search")
            search.classes("xl-search")
            columns = [
                {"name": key, "label": say(word), "field": key, "align": "left", "sortable": True}
                for word, key in COLUMNS
            ]
            columns.append({"name": "actions", "label": say("actions"), "field": "id", "align": "right"})
            self.table = ui.table(columns=columns, rows=[], row_key="id", pagination=15)
            self.table.props("flat wrap-cells")
            self.table.props["no-data-label"] = say("history_empty")
            self.table.bind_filter_from(search, "value")
            self.table.add_slot("body-cell-triage", TRIAGE_CELL)
            self.table.add_slot("body-cell-actions", ACTION_CELL)
            self.table.on("open", self._reopen)
            self.table.on("erase", self._ask)

    async def fill(self) -> None:
        """Read the cases."""
        say = self.visitor.say
        rows = await asyncio.to_thread(remember.list_cases, self.visitor.desk.store, self.visitor.user)
        self.table.rows = [
            {
                "id": row["id"],
                "time": datetime.fromisoformat(row["time"]).astimezone().strftime("%Y-%m-%d %H:%M"),
                "title": row["title"],
                "triage": row["triage"],
                "level": row["triage_level"],
                "top": row["top"] or "—",
                "confirmed": row["confirmed"] or "—",
                "open": say("open"),
                "delete": say("delete"),
            }
            for row in rows
        ]

    def _reopen(self, event: events.GenericEventArguments) -> None:
        ui.navigate.to(f"/?case={event.args}")

    def _ask(self, event: events.GenericEventArguments) -> None:
        say, row = self.visitor.say, event.args

        async def erase() -> None:
            dialog.close()
            desk, user = self.visitor.desk, self.visitor.user
            await asyncio.to_thread(remember.erase_case, desk.store, row["id"], actor=user)
            desk.explaining.forget()
            draft = self.visitor.draft()
            if draft.case == row["id"]:
                draft.case = None
                self.visitor.keep(draft)
            await self.fill()
            self.visitor.notify(say("deleted"))

        with self.visitor.client, ui.dialog() as dialog, ui.card().classes("xl-dialog xl-dialog-narrow"):
            fragment(tag("p", say("delete_ask", title=row["title"])))
            with ui.element("div").classes("xl-actions xl-end"):
                ui.button(say("cancel"), on_click=dialog.close).props("flat no-caps autofocus")
                sure = ui.button(say("delete"), on_click=self.visitor.guarded(erase))
                sure.props("unelevated no-caps color=negative data-key=erase")
        dialog.on("hide", dialog.delete)
        dialog.open()


def register() -> None:
    """Register the page."""

    @ui.page("/history")
    async def history_page(request: Request) -> None:
        visitor = visit(request)
        with frame(visitor, "history"):
            await ui.context.client.connected()
            page = HistoryPage(visitor)
            page.build()
        await visitor.guarded(page.fill)()
