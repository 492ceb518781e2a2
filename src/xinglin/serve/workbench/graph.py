"""The graph page: search a concept, see its neighbours and every row, report what is wrong."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from fastapi import Request
from nicegui import events, ui

from xinglin.errors import InvalidInputError
from xinglin.graph.database import report_error
from xinglin.measure.markup import tag
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.neighbourhood import Neighbourhood, find, neighbourhood, suggestions
from xinglin.serve.workbench.radial import chosen, legend, radial
from xinglin.serve.workbench.shell import fragment, frame
from xinglin.serve.workbench.verdict import UNREVIEWED

EXAMPLES = ("急性心肌梗死", "脑梗死", "社区获得性肺炎", "发热", "心电图")
COLUMNS = (
    ("relation", "group"),
    ("to", "display"),
    ("frequency", "qualifier"),
    ("source", "source"),
    ("review", "review"),
)
TO_CELL = """<q-td :props="props">
<a :href="props.row.link">{{ props.value }}</a> <small>{{ props.row.kind }}</small></q-td>"""
REVIEW_CELL = """<q-td :props="props">
<span class="xl-badge" :class="{'xl-badge-good': props.row.good}">{{ props.value }}</span></q-td>"""
REPORT_CELL = """<q-td :props="props" class="xl-row-actions">
<q-btn flat dense no-caps :label="props.row.report" @click="$parent.$emit('report', props.row)" /></q-td>"""


class GraphPage:
    """Search, drawing and table."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor

    def build(self, node: str | None) -> None:
        """Draw the page around a concept, or the search alone."""
        say = self.visitor.say
        fragment(tag("h1", icon("branch", 22), say("graph")), "xl-title")
        with ui.element("div").classes("xl-finder"):
            search = ui.input(on_change=self._search).props(
                "outlined dense autocomplete=off debounce=120 maxlength=100 data-key=search"
            )
            search.props["placeholder"] = search.props["aria-label"] = say("graph_search")
            search.on("keydown.enter", self._first, args=[])
            self.matches = ui.element("div").classes("xl-matches")
            self.matches.set_visibility(False)
        self.found: list[tuple[str, str, str]] = []
        if node is None:
            self._start()
            return
        differential = self.visitor.desk.differential
        self._around(neighbourhood(differential, find(differential, node), self.visitor.lang))

    def _start(self) -> None:
        knowledge = self.visitor.desk.differential.knowledge
        known = {*knowledge.diseases, *knowledge.exams, *knowledge.finding_codes}
        links = [
            tag("a", name, href=f"/graph?node={quote(name)}", cls="xl-chip")
            for name in EXAMPLES
            if name in known
        ]
        hint = tag("p", self.visitor.say("graph_hint"))
        fragment(tag("div", icon("branch", 60), hint, tag("div", links, cls="xl-chips"), cls="xl-empty"))

    def _search(self, event: events.ValueChangeEventArguments[Any]) -> None:
        words = (event.value or "").strip()
        self.found = suggestions(self.visitor.desk.differential, words, self.visitor.lang) if words else []
        self.matches.clear()
        self.matches.set_visibility(bool(words))
        with self.matches:
            for kind, name, display in self.found:
                small = tag("small", self.visitor.say(f"kind_{kind}"))
                fragment(tag("a", display, small, href=f"/graph?node={quote(name)}"))
            if words and not self.found:
                fragment(tag("small", self.visitor.say("graph_none")))

    def _first(self) -> None:
        if self.found:
            ui.navigate.to(f"/graph?node={quote(self.found[0][1])}")

    def _around(self, around: Neighbourhood) -> None:
        say = self.visitor.say
        drawn, count = len(chosen(around.edges)), len(around.edges)
        facts = [tag("span", fact, cls="xl-fact") for fact in around.facts if fact]
        kind = tag("span", say(f"kind_{around.kind}"), cls="xl-pill")
        head = tag(
            "div", tag("h2", around.display), kind, tag("div", facts, cls="xl-facts"), cls="xl-node-head"
        )
        note = (
            tag("p", say("drawn_of", drawn=drawn, count=count), cls="xl-note-line") if drawn < count else None
        )
        with ui.element("section").classes("xl-card"):
            fragment(tag("div", head, legend(around), radial(around, self.visitor.lang), note))
        with ui.element("section").classes("xl-card"):
            with ui.element("div").classes("xl-row"):
                fragment(tag("h2", icon("list"), say("relations", count=count)))
                narrow = ui.input().props("outlined dense clearable data-key=filter").classes("xl-search")
                narrow.props["placeholder"] = narrow.props["aria-label"] = say("filter_table")
            self._table(around).bind_filter_from(narrow, "value")

    def _table(self, around: Neighbourhood) -> Any:
        say = self.visitor.say
        columns: list[dict[str, Any]] = [
            {"name": key, "label": say(word), "field": key, "align": "left", "sortable": True}
            for word, key in COLUMNS
        ]
        columns.append({"name": "report", "label": "", "field": "row", "align": "right"})
        rows = [
            {
                "id": number,
                "group": edge.group,
                "display": edge.display,
                "kind": say(f"kind_{edge.kind}"),
                "link": f"/graph?node={quote(edge.name)}",
                "qualifier": edge.qualifier,
                "source": say("authored") if edge.source == UNREVIEWED else edge.source,
                "review": say("reviewed_by", name=edge.reviewed_by)
                if edge.reviewed_by
                else say("verified" if edge.verified else "unreviewed"),
                "good": bool(edge.reviewed_by),
                "row": edge.row,
                "report": say("report"),
            }
            for number, edge in enumerate(around.edges)
        ]
        table = ui.table(columns=columns, rows=rows, row_key="id", pagination=20).props(
            "flat dense wrap-cells"
        )
        table.add_slot("body-cell-display", TO_CELL)
        table.add_slot("body-cell-review", REVIEW_CELL)
        table.add_slot("body-cell-report", REPORT_CELL)
        table.on("report", self._ask)
        return table

    def _ask(self, event: events.GenericEventArguments) -> None:
        say, row = self.visitor.say, str(event.args["row"])

        async def send() -> None:
            if not (message.value or "").strip():
                raise InvalidInputError(say("report_empty"))
            store, user = self.visitor.desk.store, self.visitor.user
            await asyncio.to_thread(report_error, store, subject=row, message=message.value, actor=user)
            dialog.close()
            self.visitor.notify(say("report_done"))

        with self.visitor.client, ui.dialog() as dialog, ui.card().classes("xl-dialog xl-dialog-narrow"):
            fragment(tag("h2", say("report")))
            fragment(tag("p", say("report_about", row=row), cls="xl-muted"))
            message = ui.textarea().props("outlined autofocus maxlength=5000 data-key=report-message")
            message.props["placeholder"] = message.props["aria-label"] = say("report_message")
            with ui.element("div").classes("xl-actions xl-end"):
                ui.button(say("cancel"), on_click=dialog.close).props("flat no-caps")
                ui.button(say("report_send"), on_click=self.visitor.guarded(send)).props(
                    "unelevated no-caps data-key=report-send"
                )
        dialog.on("hide", dialog.delete)
        dialog.open()


def register() -> None:
    """Register the page."""

    @ui.page("/graph")
    async def graph_page(request: Request, node: str | None = None) -> None:
        visitor = visit(request)
        with frame(visitor, "graph"):
            await ui.context.client.connected()
            place = ui.element("div").classes("xl-place")

        async def draw() -> None:
            with place:
                GraphPage(visitor).build(node)

        await visitor.guarded(draw)()
