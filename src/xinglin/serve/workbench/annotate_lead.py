"""The lead's page: progress, agreement, people, the audit's draw, and export."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from nicegui import ui

from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import InvalidInputError
from xinglin.labels.agreement import Agreement
from xinglin.labels.audit import draw_audit
from xinglin.labels.campaign import STAGES, Campaign, read_campaign
from xinglin.labels.export import label_studio_file, labels_file
from xinglin.labels.label_studio import labelling_config
from xinglin.labels.overview import Overview, overview
from xinglin.labels.second_looks import BUDGET, Looks, looks, open_looks
from xinglin.measure.intervals import Figure
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.phrases import say
from xinglin.serve.workbench.shell import fragment, frame

FINISHED = ("settled", "excluded", "withdrawn")


def progress_card(found: Overview, lang: Lang) -> Markup:
    """Return how far the round and its audit are."""
    everything, done = sum(found.records.values()), sum(found.records.get(name, 0) for name in FINISHED)
    share = 100.0 * done / everything if everything else 0.0
    bar = tag("i", tag("i", "", style=f"width:{share:.1f}%"), cls="xa-bar", aria_hidden="true")
    rows = []
    for stage in STAGES:
        open_, held, finished = found.queue[stage]
        if not open_ + held + finished:
            continue
        cells = [tag("td", f"{number:,}", cls="xl-number") for number in (open_, held, finished)]
        rows.append(tag("tr", tag("th", say(f"stage_{stage}", lang), scope="row"), cells))
    heads = ("lead_stage", "lead_open_places", "lead_held", "lead_finished")
    head = tag(
        "tr",
        [
            tag("th", say(word, lang), scope="col", cls="xl-number" if n else None)
            for n, word in enumerate(heads)
        ],
    )
    more = [
        tag("span", tag("small", say(word, lang)), " ", tag("b", str(found.records[name])), cls="xl-fact")
        for name, word in (("excluded", "lead_excluded"), ("withdrawn", "lead_withdrawn"))
        if found.records.get(name)
    ]
    return tag(
        "section",
        tag("h2", icon("clock"), say("lead_progress", lang)),
        tag("p", say("lead_records", lang, done=done, all=everything), cls="xa-lead-line"),
        bar,
        tag("table", tag("thead", head), tag("tbody", rows), cls="xl-table"),
        tag("div", more, cls="xl-facts") if more else None,
        cls="xl-card",
    )


def agreement_card(found: Overview, lang: Lang) -> Markup:
    """Return how far people agree with each other and with the model."""
    rows = [
        ("lead_agree", _figure(found.agreement, lang)),
        ("lead_alpha", _alpha(found.alpha, lang)),
        ("lead_model", _figure(found.model_agreement, lang)),
        ("lead_overlap", _figure(found.overlap, lang)),
        ("lead_arbitrated", _figure(found.arbitrated, lang)),
    ]
    table = [
        tag("tr", tag("th", say(word, lang), scope="row"), tag("td", value, cls="xl-number"))
        for word, value in rows
    ]
    heading = tag("h2", icon("check"), say("lead_quality", lang))
    codes = [
        tag(
            "tr",
            tag("th", code.display or code.value, scope="row"),
            tag("td", _alpha(alpha, lang), cls="xl-number"),
        )
        for code, alpha in found.by_code
    ]
    more = None
    if codes:
        summary = tag("summary", say("lead_by_code", lang))
        more = tag("details", summary, tag("table", tag("tbody", codes), cls="xl-table"), cls="xl-fold")
    return tag("section", heading, tag("table", tag("tbody", table), cls="xl-table"), more, cls="xl-card")


def looks_line(found: Looks, budget: float, lang: Lang) -> Markup:
    """Return how doubtful the labels are, and what of the experts' time is spent."""
    error = say("lead_none_yet", lang) if found.error is None else f"{found.error:.2%}"
    worst = " · ".join(f"{doubt.record} {doubt.error:.1%}" for doubt in found.doubtful[:3])
    facts = (
        ("lead_looks_error", error),
        ("lead_looks_spent", f"{found.reviews} / {budget * found.records:.0f}"),
        ("lead_looks_worst", verbatim(worst or "—")),
    )
    return tag(
        "div",
        [
            tag("span", tag("small", say(word, lang)), " ", tag("b", value), cls="xl-fact")
            for word, value in facts
        ],
        cls="xa-looks",
    )


def _figure(found: Figure | None, lang: Lang) -> Markup | str:
    if found is None:
        return tag("span", say("lead_none_yet", lang), cls="xl-muted")
    interval = f"{found.low:.0%}–{found.high:.0%}, n={found.n}"
    return tag("span", tag("b", f"{found.value:.1%}"), " ", tag("small", interval, cls="xl-muted"))


def _alpha(found: Agreement | None, lang: Lang) -> Markup | str:
    if found is None or found.value is None:
        return tag("span", say("lead_none_yet", lang), cls="xl-muted")
    interval = "" if found.low is None else f"{found.low:.2f}–{found.high:.2f}, "
    note = tag("small", f"{interval}n={found.items}", cls="xl-muted")
    return tag("span", tag("b", f"{found.value:.2f}"), " ", note)


def people_card(found: Overview, lang: Lang) -> Markup:
    """Return the people with their pace and skill."""
    heads = (
        *("lead_person", "lead_roles", "lead_labels", "lead_passed"),
        *("lead_pace", "lead_skill", "lead_upheld", "lead_changed"),
    )
    rows = []
    for person in found.people:
        roles = " · ".join(say(f"role_{role}", lang) for role in person.roles)
        upheld = "—" if person.upheld is None else f"{person.upheld.value:.0%} ({person.upheld.n})"
        cells = (
            *(str(person.labels), str(person.passed)),
            "—" if person.pace is None else f"{person.pace:.1f}",
            "—" if person.skill is None else f"{person.skill:.1%}",
            *(upheld, str(person.reconsidered)),
        )
        rows.append(
            tag(
                "tr",
                tag("th", person.name, scope="row"),
                tag("td", roles),
                [tag("td", cell, cls="xl-number") for cell in cells],
            )
        )
    head = tag(
        "tr",
        [
            tag("th", say(word, lang), scope="col", cls="xl-number" if place > 1 else None)
            for place, word in enumerate(heads)
        ],
    )
    table = tag("table", tag("thead", head), tag("tbody", rows), cls="xl-table")
    return tag(
        "section",
        tag("h2", icon("person"), say("lead_people", lang)),
        tag("div", table, cls="xl-scroll"),
        tag("p", tag("small", say("lead_skill_hint", lang)), cls="xl-muted"),
        cls="xl-card",
    )


class LeadPage:
    """The page of one campaign."""

    def __init__(self, visitor: Visitor, campaign: Campaign) -> None:
        self.visitor, self.campaign = visitor, campaign

    def build(self) -> None:
        """Draw the frame of the page."""
        say, guarded, campaign = self.visitor.say, self.visitor.guarded, self.campaign
        about = say("campaign_records", dataset=campaign.dataset, scheme=campaign.scheme.name)
        with ui.element("div").classes("xl-title xl-row"):
            fragment(tag("div", tag("h1", icon("list", 22), campaign.name), tag("p", about, cls="xl-muted")))
            ui.button(say("lead_refresh"), on_click=guarded(self.fill)).props(
                "outline no-caps data-key=refresh"
            )
        self.tables = ui.element("div").classes("xa-lead")
        with ui.element("div").classes("xa-lead"):
            with ui.element("section").classes("xl-card"):
                fragment(tag("h2", icon("shield"), say("lead_audit")))
                fragment(tag("p", say("lead_audit_hint"), cls="xl-muted"))
                with ui.element("div").classes("xa-draw"):
                    self.size = self._field("lead_size", ui.number, "audit-size", min=1, precision=0)
                    self.seed = self._field("lead_seed", ui.input, "audit-seed", value=secrets.token_hex(4))
                    draw = ui.button(say("lead_draw"), on_click=guarded(self._draw))
                    draw.props("unelevated no-caps data-key=audit-draw")
            with ui.element("section").classes("xl-card"):
                fragment(tag("h2", icon("branch"), say("lead_looks")))
                fragment(tag("p", say("lead_looks_hint"), cls="xl-muted"))
                self.looks = ui.html("", sanitize=True)
                with ui.element("div").classes("xa-draw"):
                    self.most = self._field("lead_looks_count", ui.number, "looks-most", min=1, precision=0)
                    self.budget = self._field(
                        "lead_looks_budget", ui.number, "looks-budget", value=BUDGET, min=0, max=3, step=0.05
                    )
                    button = ui.button(say("lead_looks_open"), on_click=guarded(self._open_looks))
                    button.props("unelevated no-caps data-key=looks-open")
            with ui.element("section").classes("xl-card xa-wide"):
                fragment(tag("h2", icon("page"), say("lead_export")))
                fragment(tag("p", say("export_hint"), cls="xl-muted"))
                with ui.element("div").classes("xl-actions"):
                    for name, act in (
                        ("export_labels", self._labels),
                        ("export_label_studio", self._label_studio),
                        ("export_label_studio_config", self._config),
                    ):
                        self._button(name, act)

    def _field(self, word: str, make: Callable[..., Any], key: str, **more: Any) -> Any:
        with ui.element("div"):
            fragment(tag("span", self.visitor.say(word), cls="xl-label", aria_hidden="true"))
            field = make(**more).props(f"outlined dense maxlength=100 data-key={key}")
        field.props["aria-label"] = self.visitor.say(word)
        return field

    def _button(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        button = ui.button(self.visitor.say(name), on_click=self.visitor.guarded(act))
        button.props(f"outline no-caps data-key={name.replace('_', '-')}")

    async def fill(self) -> None:
        """Read the state of the campaign and draw it."""
        store, user, lang = self.visitor.desk.store, self.visitor.user, self.visitor.lang
        found = await asyncio.to_thread(overview, store, self.campaign, by=user)
        self.tables.clear()
        with self.tables:
            for card in (progress_card, agreement_card):
                fragment(card(found, lang))
            fragment(people_card(found, lang), "xa-wide")
        doubt = await asyncio.to_thread(looks, store, self.campaign, by=user)
        self.looks.set_content(str(looks_line(doubt, float(self.budget.value or 0), lang)))

    async def _open_looks(self) -> None:
        store, user, say = self.visitor.desk.store, self.visitor.user, self.visitor.say
        if not self.most.value or self.budget.value is None:
            raise InvalidInputError(say("lead_looks_number"))
        most, budget = int(self.most.value), float(self.budget.value)
        opened = await asyncio.to_thread(open_looks, store, self.campaign, most, by=user, budget=budget)
        self.visitor.notify(say("lead_looks_opened", count=len(opened)))
        await self.fill()

    async def _draw(self) -> None:
        store, user, say = self.visitor.desk.store, self.visitor.user, self.visitor.say
        if not self.size.value:
            raise InvalidInputError(say("lead_draw_number"))
        drawn = await asyncio.to_thread(
            draw_audit, store, self.campaign, int(self.size.value), seed=str(self.seed.value or ""), by=user
        )
        self.visitor.notify(say("lead_drawn", count=drawn.drawn))
        await self.fill()

    async def _labels(self) -> None:
        store, user = self.visitor.desk.store, self.visitor.user
        content = await asyncio.to_thread(labels_file, store, self.campaign, by=user)
        ui.download.content(content, f"{self.campaign.id}-labels.jsonl", "application/jsonl")

    async def _label_studio(self) -> None:
        store, user = self.visitor.desk.store, self.visitor.user
        content = await asyncio.to_thread(label_studio_file, store, self.campaign, by=user)
        ui.download.content(content, f"{self.campaign.id}-label-studio.json", "application/json")

    async def _config(self) -> None:
        content = labelling_config(self.campaign.scheme)
        ui.download.content(content, f"{self.campaign.id}-label-studio.xml", "application/xml")


def register() -> None:
    """Register the page."""

    @ui.page("/annotate/lead")
    async def lead_page(request: Request, campaign: str) -> None:
        visitor = visit(request)
        with frame(visitor, "annotate"):
            await ui.context.client.connected()

            place = ui.element("div")

            async def show() -> None:
                found = await asyncio.to_thread(read_campaign, visitor.desk.store, campaign)
                # What may be seen is asked before anything of the campaign is drawn.
                await asyncio.to_thread(overview, visitor.desk.store, found, by=visitor.user)
                page = LeadPage(visitor, found)
                with place:
                    page.build()
                await page.fill()

            await visitor.guarded(show)()
