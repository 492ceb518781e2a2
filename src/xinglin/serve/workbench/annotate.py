"""The annotation page: the list of one's campaigns, and the desk on which a case is decided with one key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from fastapi import Request
from nicegui import events, ui

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.labels.answer import Answer
from xinglin.labels.assign import waiting
from xinglin.labels.campaign import ROLE_OF, STAGES, Campaign, Stage, list_campaigns, own_campaign
from xinglin.labels.decide import REASONS, SkipReason, checked_spans
from xinglin.measure.markup import tag
from xinglin.serve.model_vote import model_vote
from xinglin.serve.workbench.annotate_case import Span, answered, case_card, opinions_card
from xinglin.serve.workbench.annotate_choice import Choice
from xinglin.serve.workbench.annotate_confidence import Confidence
from xinglin.serve.workbench.annotate_flow import Flow, Progress
from xinglin.serve.workbench.annotate_keys import SCRIPT
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.shell import fragment, frame
from xinglin.types import Code


async def draw_list(visitor: Visitor) -> None:
    """Draw the campaigns that a person takes part in, each with what waits there."""
    store, user, say = visitor.desk.store, visitor.user, visitor.say
    found = await asyncio.to_thread(list_campaigns, store, user)
    heading = tag("h1", icon("list", 22), say("annotate"))
    fragment(tag("div", heading, tag("p", say("annotate_hint"), cls="xl-muted")), "xl-title")
    if not found:
        fragment(tag("section", tag("p", say("annotate_none")), cls="xl-card xl-empty"))
    for campaign, roles in found:
        doors = []
        for stage in STAGES:
            if ROLE_OF[stage] not in roles or campaign.closed:
                continue
            count = await asyncio.to_thread(waiting, store, campaign, user, stage)
            told = say("cases_wait", count=count) if count else say("no_cases_wait")
            doors.append(
                tag(
                    "a",
                    tag("b", say(f"stage_{stage}")),
                    tag("small", told),
                    href=f"/annotate?campaign={campaign.id}&stage={stage}",
                    cls="xa-door" if count else "xa-door xa-door-idle",
                )
            )
        if "lead" in roles:
            words = tag("b", say("lead_open")), tag("small", say("role_lead"))
            doors.append(tag("a", words, href=f"/annotate/lead?campaign={campaign.id}", cls="xa-door"))
        about = say("campaign_records", dataset=campaign.dataset, scheme=campaign.scheme.name)
        closed = tag("span", say("campaign_closed"), cls="xl-badge") if campaign.closed else None
        head = tag("div", tag("h2", campaign.name, closed), tag("small", about), cls="xl-heading")
        fragment(tag("section", head, tag("div", doors, cls="xa-doors"), cls="xl-card"), "xa-list")


class AnnotatePage:
    """The desk of one person at one stage of one campaign."""

    def __init__(self, visitor: Visitor, campaign: Campaign, stage: Stage) -> None:
        self.visitor, self.campaign, self.stage = visitor, campaign, stage
        desk = visitor.desk
        voter = partial(model_vote, desk.differential, scheme=campaign.scheme)
        self.flow = Flow(desk.store, campaign, visitor.user, stage, lambda record: voter(record))
        self.spans: list[Span] = []
        self.busy = asyncio.Lock()
        self.ahead: asyncio.Future[None] | None = None

    def build(self) -> None:
        """Draw the empty desk."""
        say, guarded = self.visitor.say, self.visitor.guarded
        with ui.element("div").classes("xa-strip"):
            title = tag(
                "span", tag("b", self.campaign.name), tag("span", say(f"stage_{self.stage}"), cls="xl-pill")
            )
            fragment(title, "xa-campaign")
            self.progress = ui.html("", sanitize=True).classes("xa-progress").props("aria-live=off")
        with ui.element("div").classes("xa-desk") as self.desk:
            with ui.element("div").classes("xa-left"):
                self.third = ui.html("", sanitize=True).classes("xa-third")
                with ui.element("section").classes("xl-card xa-case"):
                    with ui.element("div").classes("xl-row"):
                        fragment(tag("h2", icon("page"), say("case_words")))
                        with ui.element("div").classes("xa-marking"):
                            fragment(tag("small", say("mark_hint"), cls="xl-muted"))
                            self.unmark = ui.button(say("mark_clear"), on_click=guarded(self._unmark))
                            self.unmark.props("flat no-caps dense data-key=unmark").set_visibility(False)
                    self.case = ui.html("", sanitize=True).classes("xa-record").props("data-key=case")
            with ui.element("div").classes("xa-right"):
                self.vote = ui.element("section").classes("xl-card xa-vote")
                self.vote.props("aria-live=polite")
                with self.vote:
                    self.vote_words = ui.html("", sanitize=True)
                    self.confirm = ui.button(on_click=guarded(self._confirm))
                    self.confirm.props("unelevated no-caps data-key=confirm").classes("xa-confirm")
                    with self.confirm:
                        self.confirm_words = ui.html("", sanitize=True, tag="span")
                    fragment(tag("small", say("vote_change"), cls="xl-muted"))
                self.vote.set_visibility(False)
                with ui.element("section").classes("xl-card xa-labels") as self.labels:
                    fragment(tag("h2", icon("flag"), tag("span", say("choose_label"))))
                    self.choice = Choice(self.visitor, self.campaign.scheme, self._picked)
                    self.choice.build()
                    self.sure = Confidence(self.visitor)
                    self.sure.build()
                    if self.campaign.scheme.multi:
                        self._build_giving()
                    with ui.element("div").classes("xa-acts"):
                        self.skip = self._button("pass_on", "n", "skip", self._ask_why)
                        self._button("undo", "u", "undo", self._undo)
                if self.stage == "audit":
                    fragment(tag("p", icon("shield", 15), say("audit_blind"), cls="xa-blind"))
        with ui.element("section").classes("xl-card xl-empty") as self.empty:
            back = tag("a", say("all_done_back"), href="/annotate")
            fragment(tag("div", tag("h2", say("all_done")), tag("p", say("all_done_body")), tag("p", back)))
            self._button("undo", "u", "undo-last", self._undo)
        self.empty.set_visibility(False)
        ui.on("xinglin_mark", self._marked)

    def _build_giving(self) -> None:
        """The two acts that give a label under a multi-label scheme: what is switched on, or none of the classes."""
        guarded = self.visitor.guarded
        with ui.element("div").classes("xa-giving"):
            self.give = ui.button(on_click=guarded(self._give)).props("unelevated no-caps data-key=give")
            with self.give:
                self.give_words = ui.html("", sanitize=True, tag="span")
            self._button("none_applies", "x", "none", self._none)

    def _button(self, word: str, key: str, name: str, act: Callable[[], Awaitable[None]]) -> Any:
        button = ui.button(on_click=self.visitor.guarded(act)).props(f"flat no-caps data-key={name}")
        with button:
            fragment(tag("span", self.visitor.say(word), tag("kbd", key.upper())))
        return button

    async def open(self) -> None:
        """Take up the first case."""
        await self._do(self.flow.start)

    async def _picked(self, answer: Answer) -> None:
        if self.campaign.scheme.multi:
            self._show_giving()
        else:
            await self._decide(answer)

    async def _give(self) -> None:
        if self.choice.picked:
            await self._decide(self.choice.picked)
        else:
            self.visitor.notify(self.visitor.say("give_nothing"))

    async def _none(self) -> None:
        await self._decide(())

    async def _decide(self, answer: Answer) -> None:
        await self._do(partial(self.flow.decide, answer, tuple(self.spans), self.sure.value))

    async def _confirm(self) -> None:
        if self.flow.task is None or self.flow.task.decided is None or self.flow.vote is None:
            return
        if self.campaign.scheme.multi and self.choice.picked != self.flow.task.decided:
            await self._give()
        else:
            await self._decide(self.flow.task.decided)

    async def _undo(self) -> None:
        await self._do(self.flow.undo)
        self.visitor.notify(self.visitor.say("undone"))

    async def _do(self, act: Callable[[], None]) -> None:
        """Do one act in the store, show what follows, and make the next case ready meanwhile."""
        if self.busy.locked():
            return  # a second key press while the first is written down belongs to no case
        async with self.busy:
            before = self.flow.task.slot if self.flow.task else None
            try:
                await asyncio.to_thread(act)
            finally:
                if (self.flow.task.slot if self.flow.task else None) != before or self.flow.vote is None:
                    self.spans = []
                    self.sure.set(None)
                self._show()
                self._look_ahead()

    def _look_ahead(self) -> None:
        if self.ahead is None or self.ahead.done():
            self.ahead = asyncio.ensure_future(self.visitor.guarded(self._prefetch)())

    async def _prefetch(self) -> None:
        found = await asyncio.to_thread(self.flow.prefetch)
        self._show_progress(found)

    def _show(self) -> None:
        """Draw the case at hand."""
        task, vote, lang = self.flow.task, self.flow.vote, self.visitor.lang
        self.desk.set_visibility(task is not None)
        self.empty.set_visibility(task is None)
        if task is None:
            return
        model = vote.spans if vote is not None else ()
        self.case.set_content(str(case_card(task.record, self.spans, model, lang)))
        self.unmark.set_visibility(bool(self.spans))
        scheme = self.campaign.scheme
        third = str(opinions_card(task.opinions, task.record.text, scheme, lang)) if task.opinions else ""
        self.third.set_content(third)
        self.vote.set_visibility(vote is not None)
        self.skip.set_enabled(vote is None)
        self.labels.classes(add="xa-answering") if vote else self.labels.classes(remove="xa-answering")
        if vote is not None and task.decided is not None and vote.code is not None:
            self._show_vote(task.decided, vote.code, vote.model, vote.probability, bool(vote.spans))
        self.sure.place.set_visibility(vote is None)
        self.choice.mark(task.decided or ())
        self.choice.refresh()
        if self.campaign.scheme.multi:
            self._show_giving()

    def _show_giving(self) -> None:
        """Say what the key would give, and while the vote waits what confirming would mean."""
        say, count = self.visitor.say, len(self.choice.picked)
        space = tag("kbd", "空格" if self.visitor.lang == "zh" else "Space")
        self.give.set_visibility(self.flow.vote is None)
        words = say("give", count=count) if count else say("give_first")
        self.give_words.set_content(str(tag("span", words, space)))
        if self.flow.vote is not None and self.flow.task is not None:
            kept = self.choice.picked == self.flow.task.decided
            word = say("vote_confirm") if kept else say("give", count=count)
            self.confirm_words.set_content(str(tag("span", word, space)))

    def _show_vote(
        self, own: Answer, theirs: Code, model: str, probability: float | None, pointed: bool
    ) -> None:
        say, lang, scheme = self.visitor.say, self.visitor.lang, self.campaign.scheme
        agrees = theirs in own
        share = f" {probability:.0%}" if probability is not None else ""
        rows = [
            tag(
                "div",
                tag("small", say(who)),
                tag("b", answered(scheme, answer, lang)),
                tag("code", " ".join(code.value for code in answer) + more),
            )
            for who, answer, more in (("vote_yours", own, ""), ("vote_model", (theirs,), share))
        ]
        head = tag(
            "h2", icon("check" if agrees else "branch"), say("vote_agrees" if agrees else "vote_differs")
        )
        hint = say("vote_about") if pointed else say("vote_no_spans")
        note = tag("p", hint, cls="xl-muted")
        self.vote_words.set_content(
            str(
                tag(
                    "div",
                    head,
                    tag("div", rows, cls="xa-votes"),
                    note,
                    tag("small", model, cls="xa-model-name"),
                )
            )
        )
        self.vote.classes(
            add="xa-agrees" if agrees else "xa-differs", remove="xa-differs" if agrees else "xa-agrees"
        )
        word = say("vote_confirm_same" if agrees else "vote_confirm")
        space = "空格" if lang == "zh" else "Space"
        self.confirm_words.set_content(str(tag("span", word, tag("kbd", space))))

    def _show_progress(self, found: Progress) -> None:
        say = self.visitor.say
        done, left, pace = found.pace.done, found.left, found.pace.pace
        share = 100.0 * done / (done + left) if done + left else 100.0
        numbers = [
            tag("span", tag("b", str(done)), say("progress_done")),
            tag("span", tag("b", str(left)), say("progress_left")),
        ]
        if pace is not None:
            numbers.append(tag("span", tag("b", f"{pace:.1f}"), say("progress_pace")))
        bar = tag("i", tag("i", "", style=f"width:{share:.1f}%"), cls="xa-bar", aria_hidden="true")
        self.progress.set_content(str(tag("div", numbers, bar)))

    async def _marked(self, event: events.GenericEventArguments) -> None:
        await self.visitor.guarded(self._mark)(event.args)

    async def _mark(self, told: Any) -> None:
        task = self.flow.task
        if task is None or self.flow.vote is not None or not isinstance(told, dict):
            return
        start, end = told.get("start"), told.get("end")
        if type(start) is not int or type(end) is not int:
            raise InvalidInputError("mark: expected two offsets")
        self.spans = checked_spans([*self.spans, (start, end)], len(task.record.text))
        self._show()

    async def _unmark(self) -> None:
        self.spans = []
        self._show()

    async def _ask_why(self) -> None:
        say = self.visitor.say
        if self.flow.task is None or self.flow.vote is not None:
            return

        def passing(reason: SkipReason) -> Callable[[], Awaitable[None]]:
            async def act() -> None:
                words = str(note.value or "")
                if reason == "other" and not words.strip():
                    note.run_method("focus")
                    return
                dialog.close()
                await self._do(partial(self.flow.skip, reason, words))

            return act

        with self.visitor.client, ui.dialog() as dialog, ui.card().classes("xl-dialog xl-dialog-narrow"):
            fragment(tag("h2", say("pass_on_ask")))
            for number, reason in enumerate(REASONS, 1):
                button = ui.element("button").classes("xa-choice").props("type=button")
                button.props(f"data-key=reason-{number}")
                button.on("click", self.visitor.guarded(passing(reason)), args=[])
                with button:
                    words = tag("span", tag("kbd", str(number)), tag("b", say(f"pass_{reason}")))
                    fragment(words, "xa-choice-words")
            note = ui.input().props("outlined dense maxlength=2000 data-key=reason-note")
            note.props["placeholder"] = note.props["aria-label"] = say("pass_note")
            note.on("keydown.enter", self.visitor.guarded(passing("other")), args=[])
            ui.button(say("cancel"), on_click=dialog.close).props("flat no-caps").classes("xl-end")
        dialog.props("transition-duration=0")  # the next key is for the next case
        dialog.props["aria-label"] = say("pass_on_ask")
        dialog.on("hide", dialog.delete)
        dialog.open()


def _asked(visitor: Visitor, name: str | None, stage: str | None) -> tuple[Campaign, Stage]:
    """Return what an address asks for.

    Raises:
        UnknownNameError: no such campaign of this person, or no such stage.
    """
    if stage not in STAGES:
        raise UnknownNameError(visitor.say("annotate_none"))
    return own_campaign(visitor.desk.store, name or "", visitor.user)[0], cast(Stage, stage)


def register() -> None:
    """Register the pages."""
    from xinglin.serve.workbench import annotate_lead

    @ui.page("/annotate")
    async def annotate_page(request: Request, campaign: str | None = None, stage: str | None = None) -> None:
        visitor = visit(request)
        with frame(visitor, "annotate"):
            await ui.context.client.connected()
            if campaign is None:
                await draw_list(visitor)
                return

            place = ui.element("div")

            async def desk() -> None:
                found, asked = await asyncio.to_thread(_asked, visitor, campaign, stage)
                page = AnnotatePage(visitor, found, asked)
                with place:
                    page.build()
                ui.run_javascript(SCRIPT)
                await page.open()

            await visitor.guarded(desk)()

    annotate_lead.register()
