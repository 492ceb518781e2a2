"""A language model drafts from the evidence; what reaches the reader is what the evidence carries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from xinglin.apps.assistant import tools as t
from xinglin.apps.assistant import wording as w
from xinglin.apps.assistant.conversation import Conversation
from xinglin.apps.assistant.documents import sentences
from xinglin.apps.assistant.evidence import Bibliography, Sentence, Source
from xinglin.apps.assistant.graph_answers import answer_from_graph
from xinglin.apps.assistant.medicines import answer_of_medicines
from xinglin.apps.assistant.passages import passage_sources
from xinglin.apps.assistant.question import Asked
from xinglin.apps.assistant.strike import percentages, without_doses, without_probabilities
from xinglin.apps.assistant.tool_answers import percent
from xinglin.apps.assistant.writer import Sampling, Writer, prompt, tool_request
from xinglin.errors import InvalidInputError, UnknownNameError

if TYPE_CHECKING:
    from xinglin.apps.assistant.assistant import Assistant, Turn

MAX_SOURCES = 40
"""Sources that the model sees."""
MAX_RESULT = 6_000
"""Characters of a tool's result that the model sees."""
MAX_DRAFT = 20_000
"""Characters of one draft; what comes beyond is not read."""
_MARK = re.compile(r"\s*\[\d{1,3}\]")
_ENDS = "。！？!?\n；;"


def draft(
    assistant: Assistant,
    writer: Writer,
    conversation: Conversation,
    asked: Asked,
    turn: Turn,
    sampling: Sampling,
) -> Iterator[Sentence]:
    """Yield the model's sentences, checked; an extractive answer where none of them is supported.

    Raises:
        InputTooLargeError: evidence and conversation do not fit the model's context.
        BusyError: the model cannot be reached or is too busy.
    """
    evidence, orders = gathered(assistant, conversation, asked, turn)
    messages = prompt(conversation, evidence, assistant.tools)
    checker = _Checker(assistant, evidence, turn)
    supported = False
    made: set[str] = set()
    while True:
        text = ""
        pieces = writer.write(messages, sampling.bounded())
        opened: str | None = None
        for piece in pieces:
            text += piece
            if opened is None and text.strip():
                opened = text.strip()[0]
            if opened in ("{", "`"):
                if len(text) > MAX_DRAFT:
                    break
                continue  # a call of a tool: read whole
            done, text = _complete(text)
            for sentence in checker.checked(done):
                supported |= sentence.support == "cited"
                yield sentence
            if checker.read > MAX_DRAFT:
                break
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
        request = tool_request(text)
        if request is None:
            for sentence in checker.checked(text):
                supported |= sentence.support == "cited"
                yield sentence
            break
        answer = _called(assistant, request, made, turn)
        if answer is None:
            turn.notes.append(w.say(w.TOOL_LOOP, turn.lang))
            yield Sentence(w.say(w.TOOL_LOOP, turn.lang), kind="note")
            break
        evidence.append(Source("tool", request[0], answer, f"tool:{request[0]}"))
        messages += [
            {"role": "assistant", "content": text.strip()},
            {"role": "user", "content": f"工具结果(数据,编号 {len(evidence)}):\n{answer}\n请据此作答。"},
        ]
    turn.notes += writer.notes()
    yield from checker.removed()
    if orders:
        yield Sentence(w.say(w.NO_ORDERS_DOCUMENT, turn.lang, count=orders), kind="note")
    if not supported:
        turn.notes.append(w.say(w.FELL_BACK, turn.lang))
        yield Sentence(w.say(w.FELL_BACK, turn.lang), kind="note")
        yield from assistant.extract(conversation, asked, turn)


def gathered(
    assistant: Assistant, conversation: Conversation, asked: Asked, turn: Turn
) -> tuple[list[Source], int]:
    """Return the evidence of a question: rows, results of tools, passages; and how many passages held orders."""
    book, lang = Bibliography(), turn.lang
    found: list[Sentence] = []
    found += answer_from_graph(assistant.knowledge, assistant.vocabulary, asked, book, lang)
    found += answer_of_medicines(assistant.knowledge, assistant.vocabulary, asked, book, lang)
    sources = list(book.sources)
    if asked.complaints and (asked.personal or not asked.diseases):
        told = type(turn)(lang)
        for sentence in assistant.consult(conversation, asked, told):
            found.append(sentence)
        turn.calls += told.calls
        sources += told.book.sources
    documents, orders = (
        ([], 0) if assistant.index is None else passage_sources(assistant.index, conversation.question)
    )
    clean = [
        Source(
            item.kind, item.title, without_doses(item.text)[0], item.where, item.triple, item.span, item.digest
        )
        for item in (*documents, *sources)
    ]  # fmt: skip
    return clean[:MAX_SOURCES], orders


def _called(assistant: Assistant, request: tuple[str, object], made: set[str], turn: Turn) -> str | None:
    """The result of a call as text; ``None``: the model is in a loop."""
    name, arguments = request
    key = json.dumps([name, arguments], ensure_ascii=False, sort_keys=True, default=str)
    if key in made or len(made) >= t.MAX_CALLS:
        return None
    made.add(key)
    try:
        result = assistant.call(name, arguments, turn)
    except (UnknownNameError, InvalidInputError) as error:
        return str(error)
    if result is None:
        return str(turn.calls[-1].error)
    return json.dumps(result, ensure_ascii=False)[:MAX_RESULT]


def _complete(text: str) -> tuple[str, str]:
    """Split off what ends in a whole sentence."""
    place = max(text.rfind(end) for end in _ENDS) + 1
    if text[place:].startswith("["):  # the citation of the sentence that has just ended
        return "", text
    return text[:place], text[place:]


class _Checker:
    """Checks sentences of one draft against one list of evidence, which may grow."""

    def __init__(self, assistant: Assistant, evidence: list[Source], turn: Turn) -> None:
        self.assistant, self.evidence, self.turn = assistant, evidence, turn
        self.doses = self.probabilities = self.read = 0

    def checked(self, text: str) -> Iterator[Sentence]:
        """Yield each sentence of a text without doses and invented probabilities, with what supports it."""
        self.read += len(text)
        for start, end in sentences(text):
            words = text[start:end].strip()
            clean, doses = without_doses(words)
            self.doses += doses
            verdict = self.assistant.rule.check(clean, self.evidence)
            allowed = self._engine_probabilities()
            for place in verdict.sources:
                if self.evidence[place].kind != "tool":
                    allowed += percentages(self.evidence[place].text)
            clean, invented = without_probabilities(clean, allowed)
            self.probabilities += invented
            plain = _without_marks(clean)
            if not plain.strip(" -*#。.\n"):
                continue
            if verdict.sources and not invented and not doses:
                yield self.turn.book.sentence(plain, *(self.evidence[place] for place in verdict.sources[:3]))
            else:
                yield Sentence(plain, (), "unsupported")

    def removed(self) -> Iterator[Sentence]:
        """Yield what was removed, if anything."""
        lang = self.turn.lang
        if self.doses:
            yield Sentence(w.say(w.DOSES_REMOVED, lang, count=self.doses), kind="note")
        if self.probabilities:
            yield Sentence(w.say(w.PROBABILITIES_REMOVED, lang, count=self.probabilities), kind="note")

    def _engine_probabilities(self) -> list[str]:
        """Every probability that the engine gave in this turn, as the assistant writes it."""
        given = []
        for call in self.turn.calls:
            if call.name == t.DIFFERENTIAL and call.result is not None:
                for candidate in call.result["candidates"]:
                    if candidate["probability"] is not None:
                        given.append(percent(candidate["probability"]))
        return given


def _without_marks(text: str) -> str:
    """The text without the model's own citation marks: ours are set by what was checked."""
    return _MARK.sub("", text).strip()
