"""The case page: what is typed on the left, the answer on the right."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from fastapi import Request
from nicegui import ui

from xinglin.apps.diagnosis import remember
from xinglin.apps.diagnosis.render import model_json
from xinglin.apps.diagnosis.wording import model_line
from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.measure.markup import Markup, tag
from xinglin.serve.fusing import Seen
from xinglin.serve.workbench import advice, candidates, image_share, verdict
from xinglin.serve.workbench.asking import Asking
from xinglin.serve.workbench.confirmation import Confirmation
from xinglin.serve.workbench.consult import Consultation, consult, question_of
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.draft import draft_of_case
from xinglin.serve.workbench.entry import Entry
from xinglin.serve.workbench.icons import blossom, icon
from xinglin.serve.workbench.image_share import seen_in_study
from xinglin.serve.workbench.papers import Papers
from xinglin.serve.workbench.report import report
from xinglin.serve.workbench.samples import SAMPLES
from xinglin.serve.workbench.shell import fragment, frame
from xinglin.serve.workbench.tabs import Tabs
from xinglin.serve.workbench.why import Why


class CasePage:
    """One open case page."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.shown: Consultation | None = None
        self.why: Why | None = None
        """Why the shown answer reads as it does."""
        self.seen: list[Seen] | None = None
        """Nodules of the CT that the shown answer counts."""
        self.opened: set[str] = set()
        """Candidates that the reader opened, kept over a new answer."""
        self.busy = asyncio.Lock()
        """One answer at a time, shown in the order asked."""
        self.asking = Asking(visitor, self.answered)
        self.papers = Papers(visitor, self)
        self.confirmation = Confirmation(visitor, self)
        self.entry = Entry(
            visitor,
            visitor.draft(),
            edited=self.edited,
            analyse=self.analyse,
            save=self.save_and_say,
            show=self.show,
        )

    def build(self) -> None:
        """Draw the page."""
        with ui.element("div").classes("xl-left"):
            self.entry.build()
            self.asking.build()
        self.right = ui.element("div").classes("xl-right")
        self.right.props("role=region data-key=answer")
        self.right.props["aria-label"] = self.visitor.say("differential")

    async def open(self, case: str | None) -> None:
        """Show the draft of this tab, or a saved case."""
        try:
            if case is not None:
                await self._reopen(case)
        finally:
            await self.show()

    async def _reopen(self, case: str) -> None:
        """Take a saved case onto the page."""
        stored = await asyncio.to_thread(remember.read_case, self.visitor.desk.store, case, self.visitor.user)
        draft = draft_of_case(stored)
        draft.asked = draft.print_of_input()
        self.entry.replace(draft)
        self.entry.before = None
        if stored["model"] != model_line(model_json(self.visitor.desk.differential)):
            self.visitor.notify(self.visitor.say("older_model", model=stored["model"]), "warning")
        ui.run_javascript("history.replaceState(null, '', '/')")

    # acts

    async def analyse(self) -> None:
        """Answer what is typed, remember the prediction, show it."""
        desk, user = self.visitor.desk, self.visitor.user
        async with self.busy:
            draft = self.entry.draft
            asked = draft.print_of_input()
            seen = await self._look_at_study()
            result = await asyncio.to_thread(
                consult, desk.differential, copy.deepcopy(draft), self.visitor.lang, seen
            )
            await asyncio.to_thread(
                remember.remember_prediction, desk.store, result.text, result.rendered, actor=user
            )
            draft.asked = asked
            if draft is self.entry.draft:
                self._show(result)

    async def answered(self, finding: str, state: str | None) -> None:
        """Take an answer to a question, or take it back, and answer the case again."""
        if self.entry.draft.stale:
            raise InvalidInputError(self.visitor.say("stale_refused"))
        answers = self.entry.draft.answers
        answers.pop(finding, None)
        if state is not None:
            answers[finding] = state
        if self.entry.draft.empty:
            await self.show()
        else:
            await self.analyse()

    def current(self) -> Consultation:
        """Return the shown answer.

        Raises:
            InvalidInputError: there is none, or it is out of date.
        """
        if self.shown is None:
            raise InvalidInputError(self.visitor.say("save_first"))
        if self.entry.draft.stale:
            raise InvalidInputError(self.visitor.say("stale_refused"))
        return self.shown

    async def save(self) -> str:
        """Keep the case with its answer and note; returns its id."""
        result, draft = self.current(), self.entry.draft
        case = await asyncio.to_thread(
            remember.save_case,
            self.visitor.desk.store,
            text=result.text,
            answer=result.rendered | {"input": draft.input()},
            note=draft.note,
            lang=self.visitor.lang,
            actor=self.visitor.user,
            case=draft.case,
        )
        draft.case = case
        self.visitor.keep(draft)
        return case

    async def save_and_say(self) -> None:
        """Save, and say so."""
        await self.save()
        self.visitor.notify(self.visitor.say("saved"))

    # display

    def edited(self) -> None:
        """Mark the shown answer out of date when what is typed has changed, and unmark it when it is back."""
        draft = self.entry.draft
        self.visitor.keep(draft)
        if self.shown is not None:
            self.right.classes(add="xl-stale") if draft.stale else self.right.classes(remove="xl-stale")
            self.notice.set_visibility(draft.stale)
            self.asking.allow(not draft.stale)

    async def show(self) -> None:
        """Show the answer of the draft if it had one, without remembering it again."""
        draft = self.entry.draft
        if draft.asked and not draft.empty and not draft.stale:
            seen = await self._look_at_study()
            self._show(consult(self.visitor.desk.differential, draft, self.visitor.lang, seen))
            return
        draft.asked = ""
        self._forget()
        self.shown = None
        self.visitor.keep(draft)
        self.asking.hide()
        self.right.classes(remove="xl-stale")
        self.right.clear()
        with self.right:
            self._waiting()

    async def _look_at_study(self) -> list[Seen] | None:
        """Look at the CT that the draft names; one that is no longer open is said to be left out."""
        draft = self.entry.draft
        self.seen = None
        if draft.study:
            try:
                self.seen = await asyncio.to_thread(seen_in_study, self.visitor, draft.study)
            except UnknownNameError:
                draft.study = ""
                self.visitor.notify(self.visitor.say("study_gone"), "warning")
        return self.seen

    def _forget(self) -> None:
        """Give up explaining an answer that is no longer shown."""
        if self.why is not None:
            self.why.stop()
            self.why = None

    def _waiting(self) -> None:
        say = self.visitor.say
        with ui.element("div").classes("xl-empty"):
            fragment(tag("div", blossom(72), tag("h2", say("empty_title")), tag("p", say("empty_body"))))
            fragment(tag("small", say("empty_try")))
            with ui.element("div").classes("xl-chips"):
                for number, sample in enumerate(SAMPLES):
                    act = self.visitor.guarded(self.entry.sampler(number))
                    ui.button(sample.name(self.visitor.lang), on_click=act).props("outline no-caps dense")

    def _show(self, result: Consultation) -> None:
        self._forget()
        self.shown, draft = result, self.entry.draft
        self.visitor.keep(draft)
        answer, lang = result.rendered, self.visitor.lang
        names = {item["code"]["value"]: item["code"]["display"] for item in answer["findings"]}
        self.asking.show(answer["question"], draft.answers, names)
        self.right.classes(remove="xl-stale")
        self.right.clear()
        with self.right:
            self.notice = fragment(
                tag("div", icon("clock"), tag("b", self.visitor.say("stale"))), "xl-stale-notice"
            ).props("role=alert")
            self.notice.set_visibility(False)
            self._fragments(verdict.triage_banner(answer, lang))
            asked, _ = question_of(self.visitor.desk.differential, draft, lang, self.seen)
            self.why = Why(self.visitor, asked, answer["candidates"])
            tabs = Tabs(self.visitor)
            with tabs.panel("answer"):
                self._answer(result)
            with tabs.panel("why", self.why.open):
                self.why.build()
            fragment(report(result, draft.answers, lang), "xl-report")
        self.edited()

    def _answer(self, result: Consultation) -> None:
        answer, lang = result.rendered, self.visitor.lang
        self._fragments(
            verdict.red_flags(answer, lang),
            verdict.reading(result.text, answer, lang),
            verdict.problems(answer, lang),
            verdict.abstention(answer, lang),
        )
        if answer["candidates"]:
            self._differential(answer)
        self._fragments(
            image_share.card(answer, lang),
            advice.cannot_exclude(answer, lang),
            advice.examinations(answer, lang),
            advice.danger_signs(answer, lang),
        )
        with ui.element("section").classes("xl-card xl-papers"):
            fragment(tag("h2", icon("page"), self.visitor.say("papers")))
            with ui.element("div").classes("xl-papers-row"):
                self.papers.build()
                self.confirmation.build()

    def _fragments(self, *parts: Markup | None) -> None:
        for part in parts:
            if part is not None:
                fragment(part)

    def _differential(self, answer: dict[str, Any]) -> None:
        lang = self.visitor.lang
        widest = max(item["score"] for item in answer["candidates"])
        with ui.element("section").classes("xl-card xl-differential"):
            fragment(tag("h2", icon("branch"), self.visitor.say("differential")))
            fragment(candidates.percent_note(answer, lang))
            for rank, item in enumerate(answer["candidates"], 1):
                key = item["code"]["id"]
                row = ui.element("details").classes("xl-cand").props(f"data-disease={key}")
                if key in self.opened:
                    row.props("open")
                row.on("toggle", self._toggled(key), js_handler="(event) => emit(event.target.open)")
                with row:
                    fragment(candidates.summary(rank, item, widest, lang), element="summary")
                    fragment(candidates.details(item, answer["model"], lang))

    def _toggled(self, key: str) -> Any:
        def change(event: Any) -> None:
            self.opened.add(key) if event.args else self.opened.discard(key)

        return change


def register() -> None:
    """Register the page."""

    @ui.page("/")
    async def case_page(request: Request, case: str | None = None) -> None:
        visitor = visit(request)
        with frame(visitor, "case"):
            await ui.context.client.connected()
            page = CasePage(visitor)
            page.build()
        await visitor.guarded(page.open)(case)
