"""The federation page: hospitals, jobs round by round, metrics by site, budget left, refused updates."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from nicegui import ui

from xinglin.apps.diagnosis.wording import Lang
from xinglin.federate.overview import Budget, JobHistory, Overview, overview
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.federation_chart import chart, metrics_of, state, table
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.phrases import say
from xinglin.serve.workbench.shell import fragment, frame

JOBS = 50
"""Newest jobs that can be chosen."""
REFUSED = 50
"""Newest refusals that are listed."""
EVERY = 5.0
"""Seconds between two looks while a job runs."""
TRY = "xinglin federate up --sites 4"


def sites_card(found: Overview, lang: Lang) -> Markup:
    """Return the hospitals: what they did in the newest round, when they answered last, their key."""
    if not found.nodes:
        return _card("home", say("sites", lang), tag("p", say("sites_none", lang), cls="xl-muted"))
    newest = found.jobs[0].rounds[-1] if found.jobs and found.jobs[0].rounds else None
    states = {} if newest is None else {site.site: site.state for site in newest.sites}
    now = datetime.now(UTC)
    rows = [
        tag(
            "tr",
            tag("th", verbatim(node.site), scope="row"),
            tag("td", state(states.get(node.site, "unasked"), lang)),
            tag("td", say("site_never", lang) if node.seen is None else ago(node.seen, now, lang)),
            tag("td", tag("code", fingerprint(node.public_key))),
        )
        for node in found.nodes
    ]
    heads = [say(word, lang) for word in ("site", "site_state", "site_seen", "site_key")]
    head = tag("tr", [tag("th", name, scope="col") for name in heads])
    grid = tag("table", tag("thead", head), tag("tbody", rows), cls="xl-table")
    return _card(
        "home",
        say("sites", lang),
        tag("div", grid, cls="xl-scroll"),
        tag("p", tag("small", say("site_state_hint", lang)), cls="xl-muted"),
    )


def budgets_card(found: Overview, lang: Lang) -> Markup:
    """Return the privacy budget of each hospital as a bar and in numbers."""
    if not found.budgets:
        return _card("shield", say("budgets", lang), tag("p", say("budget_none", lang), cls="xl-muted"))
    return _card(
        "shield",
        say("budgets", lang),
        tag("ul", [_budget(one, lang) for one in found.budgets], cls="xf-budgets"),
        tag("p", tag("small", say("budget_hint", lang)), cls="xl-muted"),
    )


def _budget(one: Budget, lang: Lang) -> Markup:
    share = 100.0 * min(1.0, one.spent / one.allowed) if one.allowed > 0 else 100.0
    look = "xf-full" if share >= 100 else "xf-low" if share >= 80 else ""
    line = say(
        "budget_line", lang, spent=f"{one.spent:.3g}", allowed=f"{one.allowed:.3g}", left=f"{one.left:.3g}"
    )
    delta = say("budget_delta", lang, delta=f"{one.delta:.1g}".replace("e-0", "e-"))
    return tag(
        "li",
        tag(
            "div",
            tag("b", verbatim(one.site)),
            tag("small", say(f"budget_unit_{one.unit}", lang), " · ", delta, cls="xl-muted"),
            cls="xf-budget-head",
        ),
        tag("i", tag("i", "", style=f"width:{share:.1f}%"), cls=f"xf-bar {look}", aria_hidden="true"),
        tag("small", line),
    )


def job_card(job: JobHistory, metric: str | None, lang: Lang) -> Markup:
    """Return one job: what it is, how far, and a metric by round and hospital."""
    done = sum(one.number > 0 for one in job.rounds)
    head = tag(
        "div",
        tag("h2", icon("branch"), verbatim(job.name)),
        tag("span", say(f"job_{job.state}", lang), cls=f"xl-pill xf-job-{job.state}"),
        tag("b", say("job_rounds", lang, done=done, planned=job.planned)),
        cls="xf-job-head",
    )
    facts = [
        ("job_task", job.task),
        ("job_purpose", job.purpose),
        ("job_mode", say(f"mode_{job.mode}", lang)),
        ("job_started", local(job.started)),
        ("job_ended", None if job.ended is None else local(job.ended)),
        ("job_model", None if job.model is None else job.model[:12]),
    ]
    told = [
        tag("span", tag("small", say(word, lang)), " ", tag("b", verbatim(value)), cls="xl-fact")
        for word, value in facts
        if value is not None
    ]
    rounds = [one for one in job.rounds if one.number > 0]
    if not rounds:
        shown: Markup = tag("p", say("rounds_none", lang), cls="xl-muted")
    elif metric is None:
        shown = tag("p", say("metrics_none", lang), cls="xl-muted")
    else:
        shown = tag("div", chart(rounds, metric, lang), table(rounds, metric, lang))
    why = tag("p", say("job_reason", lang, reason=job.reason), cls="xf-why") if job.reason else None
    return tag("section", head, tag("div", told, cls="xl-facts"), why, shown, cls="xl-card")


def refused_card(job: JobHistory, lang: Lang) -> Markup:
    """Return who was refused or refused, newest first, with the reason."""
    every = [(one.number, site) for one in reversed(job.rounds) for site in one.sites if site.state != "ok"]
    if not every:
        return _card("forbid", say("refused", lang), tag("p", say("refused_none", lang), cls="xl-muted"))
    rows = [
        tag(
            "tr",
            tag("td", say("round_admission", lang) if number == 0 else str(number)),
            tag("th", verbatim(site.site), scope="row"),
            tag("td", state(site.state, lang)),
            tag("td", verbatim(site.reason or "—")),
        )
        for number, site in every[:REFUSED]
    ]
    heads = [say(word, lang) for word in ("round", "site", "site_state", "refused_reason")]
    head = tag("tr", [tag("th", name, scope="col") for name in heads])
    grid = tag("table", tag("thead", head), tag("tbody", rows), cls="xl-table")
    more = say("refused_more", lang, count=REFUSED) if len(every) > REFUSED else None
    return _card(
        "forbid",
        say("refused", lang),
        tag("div", grid, cls="xl-scroll"),
        tag("p", tag("small", more), cls="xl-muted") if more else None,
    )


def empty_card(lang: Lang) -> Markup:
    """Return what stands where there is no federation."""
    how = say("federation_how", lang, command="\0").split("\0")
    return tag(
        "section",
        tag("p", say("federation_none", lang)),
        tag("p", how[0], tag("code", verbatim(TRY)), how[1], cls="xl-muted"),
        cls="xl-card",
    )


def fingerprint(public_key: str) -> str:
    """Return the start of the SHA-256 of a public key, in groups of four."""
    digest = hashlib.sha256(public_key.encode()).hexdigest()[:16]
    return " ".join(digest[place : place + 4] for place in range(0, 16, 4))


def local(time: str) -> str:
    """Return a UTC time as the clock on this machine's wall shows it."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M")


def ago(time: str, now: datetime, lang: Lang) -> str:
    """Return how long ago a time was."""
    seconds = max(0.0, (now - datetime.fromisoformat(time)).total_seconds())
    for word, unit, most in (("minutes", 60, 60), ("hours", 3600, 48), ("days", 86400, 10**6)):
        count = int(seconds // unit)
        if word == "minutes" and count < 1:
            return say("ago_now", lang)
        if count < most:
            return say(f"ago_{word}", lang, count=count)
    return local(time)


def _card(picture: str, heading: str, *content: Markup | None) -> Markup:
    return tag("section", tag("h2", icon(picture), heading), content, cls="xl-card")


class FederationPage:
    """The page: what is chosen, and what was read last."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.job: str | None = None
        self.metric: str | None = None
        self.found: Overview | None = None

    def build(self) -> None:
        """Draw the frame of the page."""
        say, guarded = self.visitor.say, self.visitor.guarded
        with ui.element("div").classes("xl-title xl-row"):
            fragment(
                tag(
                    "div",
                    tag("h1", icon("branch", 22), say("federation")),
                    tag("p", say("federation_hint"), cls="xl-muted"),
                )
            )
            ui.button(say("federation_refresh"), on_click=guarded(self.fill)).props(
                "outline no-caps data-key=refresh"
            )
        self.choices = ui.element("div").classes("xf-choices")
        with self.choices:
            self.jobs = self._select("job_choose", "job")
            self.metrics = self._select("metric", "metric")
        self.place = ui.element("div").classes("xf-page")
        # A page that nobody looks at any more asks nothing: NiceGUI stops the timer with its client.
        self.timer = ui.timer(EVERY, guarded(self._again), active=False)

    def _select(self, word: str, key: str) -> Any:
        with ui.element("div").classes("xf-choice"):
            fragment(tag("span", self.visitor.say(word), cls="xl-label", aria_hidden="true"))
            choose = ui.select({}, on_change=self.visitor.guarded(self._chosen))
            choose.props(f"outlined dense options-dense data-key={key}")
        choose.props["aria-label"] = self.visitor.say(word)
        return choose

    async def fill(self) -> None:
        """Read the state of the federation and draw it."""
        self.found = await asyncio.to_thread(overview, self.visitor.desk.store, jobs=JOBS)
        self._draw()

    async def _again(self) -> None:
        before = self.found
        self.found = await asyncio.to_thread(overview, self.visitor.desk.store, jobs=JOBS)
        if self.found != before:
            self._draw()

    async def _chosen(self) -> None:
        if (self.jobs.value, self.metrics.value) != (self.job, self.metric):
            self.job, self.metric = self.jobs.value, self.metrics.value
            self._draw()

    def _draw(self) -> None:
        found, lang = self.found, self.visitor.lang
        if found is None:
            return
        job = next((one for one in found.jobs if one.id == self.job), found.jobs[0] if found.jobs else None)
        self.job = None if job is None else job.id
        names = [] if job is None else metrics_of(job.rounds)
        if self.metric not in names:
            self.metric = names[0] if names else None
        self.jobs.set_options(
            {one.id: f"{one.name} · {local(one.started)}" for one in found.jobs}, value=self.job
        )
        self.metrics.set_options(names, value=self.metric)
        self.choices.set_visibility(job is not None)
        self.timer.active = any(one.state == "running" for one in found.jobs)
        self.place.clear()
        with self.place:
            if not found.nodes and not found.jobs:
                fragment(empty_card(lang))
                return
            with ui.element("div").classes("xf-column"):
                if job is None:
                    fragment(tag("section", tag("p", self.visitor.say("job_none")), cls="xl-card"))
                else:
                    fragment(job_card(job, self.metric, lang))
                    fragment(refused_card(job, lang))
            with ui.element("div").classes("xf-column"):
                fragment(budgets_card(found, lang))
                fragment(sites_card(found, lang))


def register() -> None:
    """Register the page."""

    @ui.page("/federation")
    async def federation_page(request: Request) -> None:
        visitor = visit(request)
        with frame(visitor, "federation"):
            await ui.context.client.connected()
            page = FederationPage(visitor)
            page.build()
        await visitor.guarded(page.fill)()
