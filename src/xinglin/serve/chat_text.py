"""An answer as plain text: how it is cut, counted, and closed with its sources."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from xinglin.apps.assistant import wording as w
from xinglin.apps.assistant.assistant import Turn
from xinglin.apps.assistant.evidence import Sentence
from xinglin.apps.assistant.writer import Sampling
from xinglin.errors import MissingDataError, UnknownNameError

NEVER_CUT = ("emergency", "refusal")
"""Kinds of sentences that no limit and no stop string shortens."""


@cache
def _tokenizer() -> object | None:
    from xinglin.model.shipped import shipped_folder
    from xinglin.model.tokenizer import load_tokenizer

    try:
        return load_tokenizer(shipped_folder())
    except (UnknownNameError, MissingDataError):
        return None


def offsets(text: str) -> list[int]:
    """Return where each token of a text ends, by the shipped tokenizer; by characters where none is shipped."""
    tokenizer = _tokenizer()
    if tokenizer is None:
        return list(range(1, len(text) + 1))
    found = tokenizer.encode(text, add_special_tokens=False)  # type: ignore[attr-defined]
    return [end for _, end in found.offsets]


def tokens(text: str) -> int:
    """Return the number of tokens of a text."""
    return len(offsets(text))


class Cutter:
    """Cuts an answer at a stop string or at a number of tokens, piece by piece."""

    def __init__(self, sampling: Sampling) -> None:
        self.left, self.stops = sampling.max_tokens, sampling.stop
        self.ended = self.length = False
        """Whether nothing more is to come; whether the limit of tokens is why."""

    def piece(self, sentence: Sentence, first: bool) -> str:
        """Return what is to be sent of a sentence."""
        text = ("" if first else "\n") + sentence.shown()
        return text if sentence.kind in NEVER_CUT else self.cut(text)

    def cut(self, text: str) -> str:
        """Return as much of a text as stop strings and the limit leave."""
        if self.ended:
            return ""
        places = [place for stop in self.stops if (place := text.find(stop)) >= 0]
        if places:
            text, self.ended = text[: min(places)], True
        if self.left is not None:
            ends = offsets(text)
            if len(ends) > self.left:
                text = text[: ends[self.left - 1]] if self.left else ""
                self.ended = self.length = True
            self.left = max(0, self.left - len(ends))
        return text


def bibliography(turn: Turn) -> Iterator[str]:
    """Yield the lines of the sources that an answer cites."""
    cited = {number for sentence in turn.said for number in sentence.cites}
    if cited:
        yield w.say(w.SOURCES, "zh") + " " + w.say(w.SOURCES, "en") + ":"
    for number, source in enumerate(turn.book.sources, 1):
        if number in cited:
            place = f" #{source.span[0]}-{source.span[1]}" if source.span else ""
            yield f"[{number}] {source.title} ({source.where}{place})"
