"""The assistant: emergencies first, then refusals, then an answer in which every clinical sentence names its source.

With no language model the answer is taken by rule from the graph, the documents and the tools, and says so. With one,
the model drafts from the same evidence; each sentence is checked against it, doses and probabilities that no source gives
are removed, and what no source supports is marked. Documents and messages are data: nothing in them is followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from xinglin.apps.assistant import tool_answers
from xinglin.apps.assistant import tools as t
from xinglin.apps.assistant import wording as w
from xinglin.apps.assistant.conversation import Conversation
from xinglin.apps.assistant.drafting import draft
from xinglin.apps.assistant.evidence import Bibliography, Sentence
from xinglin.apps.assistant.graph_answers import answer_from_graph
from xinglin.apps.assistant.index import DocumentIndex
from xinglin.apps.assistant.medicines import answer_of_medicines
from xinglin.apps.assistant.passages import quote
from xinglin.apps.assistant.question import Asked, understand
from xinglin.apps.assistant.safety import STOPS, WORDS, Screened, screen
from xinglin.apps.assistant.support import SupportRule
from xinglin.apps.assistant.tools import Call, Tool
from xinglin.apps.assistant.writer import Sampling, Writer
from xinglin.graph.knowledge import Knowledge
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import DISCLAIMER

EXTRACTIVE = "xinglin-extractive"
NAMED_ONLY = "文中点名急危病"
"""The red flag that a text raises by naming a deadly disease: no emergency in a question about that disease."""


@dataclass
class Turn:
    """One answer while it is made; complete once its sentences have all been taken."""

    lang: w.Lang
    book: Bibliography = field(default_factory=Bibliography)
    engine: str = EXTRACTIVE
    said: list[Sentence] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What the reader should know of how the answer came about."""
    concerns: tuple[str, ...] = ()
    emergency: str | None = None
    """Level of the emergency, if there is one."""
    truncated: bool = False

    @property
    def text(self) -> str:
        """The whole answer."""
        return "\n".join(sentence.shown() for sentence in self.said)

    def as_json(self) -> dict[str, Any]:
        """Return what stands beside the text: engine, sources, tools, notes."""
        return {
            "engine": self.engine,
            "ai_generated": True,
            "emergency": self.emergency,
            "refused": list(self.concerns),
            "sentences": [
                {
                    "text": sentence.text,
                    "cites": list(sentence.cites),
                    "support": sentence.support,
                    "kind": sentence.kind,
                }
                for sentence in self.said
            ],
            "sources": self.book.as_json(),
            "tools": [{"name": call.name, "error": call.error} for call in self.calls],
            "notes": self.notes,
        }


@dataclass(frozen=True)
class Assistant:
    """Everything an answer needs; safe to share between threads."""

    knowledge: Knowledge
    vocabulary: Vocabulary
    tools: Mapping[str, Tool] = field(default_factory=dict)
    index: DocumentIndex | None = None
    writer: Writer | None = None
    """A language model; ``None`` answers by extraction."""

    @cached_property
    def rule(self) -> SupportRule:
        """What decides whether a source states a sentence."""
        return SupportRule(self.vocabulary)

    @property
    def name(self) -> str:
        """What answers."""
        return EXTRACTIVE if self.writer is None else self.writer.name

    def turn(self, conversation: Conversation) -> Turn:
        """Return an empty turn in the language of the question."""
        return Turn(w.language(conversation.question))

    def answer(self, conversation: Conversation, sampling: Sampling | None = None) -> Turn:
        """Return the whole answer at once."""
        turn = self.turn(conversation)
        for _ in self.stream(conversation, turn, sampling):
            continue
        return turn

    def stream(
        self, conversation: Conversation, turn: Turn, sampling: Sampling | None = None
    ) -> Iterator[Sentence]:
        """Yield the answer sentence by sentence; each is in ``turn.said`` when it is yielded.

        Raises:
            InputTooLargeError: it does not fit the language model's context.
            BusyError: the language model cannot be reached or is too busy.
        """
        for sentence in self._sentences(conversation, turn, sampling or Sampling()):
            turn.said.append(sentence)
            yield sentence

    def _sentences(self, conversation: Conversation, turn: Turn, sampling: Sampling) -> Iterator[Sentence]:
        lang, question = turn.lang, conversation.question
        asked = understand(question, self.vocabulary)
        screened = screen(question, self.vocabulary)
        turn.concerns = tuple(screened.concerns)
        yield from self._urgent(conversation, asked, turn)
        for concern in screened.concerns:
            if screened.stops and concern not in STOPS:
                continue
            yield Sentence(
                w.both(WORDS[concern]) if concern in ("self_harm", "harm") else w.say(WORDS[concern], lang),
                kind="refusal",
            )
        if not screened.stops:
            yield from _warned(screened, lang)
            if self.writer is None:
                yield Sentence(w.say(w.LABEL_EXTRACTIVE, lang), kind="note")
                yield from self.extract(conversation, asked, turn)
            else:
                turn.engine = self.writer.name
                yield Sentence(w.say(w.LABEL_GENERATED, lang, model=self.writer.name), kind="note")
                yield from draft(self, self.writer, conversation, asked, turn, sampling)
            if screened.claim is not None and not self.rule.check(screened.claim, turn.book.sources).sources:
                yield Sentence(w.say(w.PREMISE, lang, claim=screened.claim), kind="note")
        yield Sentence(DISCLAIMER[lang], kind="note")

    def _urgent(self, conversation: Conversation, asked: Asked, turn: Turn) -> Iterator[Sentence]:
        """The emergency, if the rules see one in the story: before anything else."""
        if asked.reading is None:
            return
        if t.RED_FLAGS not in self.tools:
            yield Sentence(w.both(w.URGENT_TOOL_MISSING), kind="note")
            return
        found = self.call(t.RED_FLAGS, {"text": conversation.story}, turn)
        if found is None:
            yield Sentence(w.both(w.URGENT_TOOL_MISSING), kind="note")
            return
        named_only = all(set(flag["facts"]) <= {NAMED_ONLY} for flag in found["red_flags"])
        if found["triage_level"] in tool_answers.URGENT and not (named_only and not asked.personal):
            turn.emergency = str(found["triage_level"])
            yield from tool_answers.urgent(found, turn.book)

    def extract(self, conversation: Conversation, asked: Asked, turn: Turn) -> Iterator[Sentence]:
        """Yield the extractive answer; nothing found is said."""
        lang, book = turn.lang, turn.book
        before = len(turn.said)
        if asked.drugs and not (asked.complaints and "medicine" not in asked.kinds):
            yield from answer_of_medicines(self.knowledge, self.vocabulary, asked, book, lang)
        if asked.complaints and (asked.personal or not asked.diseases):
            yield from self.consult(conversation, asked, turn)
        elif asked.diseases:
            yield from answer_from_graph(self.knowledge, self.vocabulary, asked, book, lang)
        yield from self._quoted(conversation.question, turn)
        if all(sentence.support != "cited" for sentence in turn.said[before:]):
            yield Sentence(w.say(w.NOTHING, lang))

    def consult(self, conversation: Conversation, asked: Asked, turn: Turn) -> Iterator[Sentence]:
        """Yield what the diagnosis tools say of a patient's story."""
        story = {"text": conversation.story, "lang": turn.lang}
        wanted = [(t.DIFFERENTIAL, tool_answers.differential)]
        if "treatment" in asked.kinds:
            wanted.append((t.PLAN, tool_answers.plans))
        if "exams" in asked.kinds or "treatment" not in asked.kinds:
            wanted.append((t.EXAMS, tool_answers.exams))
        for name, told in wanted:
            if name not in self.tools:
                yield Sentence(w.say(w.NO_TOOL, turn.lang, tool=name))
                continue
            found = self.call(name, story, turn)
            if found is None:
                yield Sentence(w.say(w.TOOL_FAILED, turn.lang, tool=name, error=turn.calls[-1].error))
                continue
            yield from told(found, turn.book, turn.lang)
            if name == t.DIFFERENTIAL and found["abstained"]:
                return

    def call(self, name: str, arguments: Any, turn: Turn) -> dict[str, Any] | None:
        """Call a tool, remember the call, and return its result; ``None`` where it failed.

        Raises:
            UnknownNameError: no such tool.
            InvalidInputError: the arguments do not fit.
        """
        made = t.call(self.tools, name, arguments)
        turn.calls.append(made)
        return made.result

    def _quoted(self, question: str, turn: Turn) -> Iterator[Sentence]:
        if self.index is None:
            return
        quoted = quote(self.index, question)
        if quoted.sources:
            yield Sentence(w.say(w.DOCUMENTS, turn.lang))
        for source in quoted.sources:
            yield turn.book.sentence(f"「{source.text}」", source)
        if quoted.doses:
            yield Sentence(w.say(w.DOSES_REMOVED, turn.lang, count=quoted.doses), kind="note")
        if quoted.orders:
            yield Sentence(w.say(w.NO_ORDERS_DOCUMENT, turn.lang, count=quoted.orders), kind="note")


def _warned(screened: Screened, lang: w.Lang) -> Iterator[Sentence]:
    """What has to be said of the question itself before it is answered."""
    if screened.absurd is not None:
        yield Sentence(w.say(w.ABSURD, lang, claim=screened.absurd), kind="note")
    for name in screened.unknown_drugs:
        yield Sentence(w.say(w.UNKNOWN_DRUG, lang, name=name), kind="note")
