"""A language model that says what a test tells it to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from xinglin.apps.assistant.writer import Sampling


class Scripted:
    """A language model that says what it is told to, for what a real one might say."""

    name = "scripted"

    def __init__(self, *drafts: str | Exception, pause: float = 0.0) -> None:
        self.drafts = list(drafts)
        self.pause = pause
        """Seconds before each piece: a model that is fast enough ends before anybody can stop it."""
        self.closed = 0
        self.seen: list[Sequence[Mapping[str, str]]] = []

    def write(self, messages: Sequence[Mapping[str, str]], sampling: Sampling) -> Iterator[str]:
        self.seen.append(list(messages))
        draft = self.drafts.pop(0) if len(self.drafts) > 1 else self.drafts[0]
        try:
            if isinstance(draft, Exception):
                raise draft
            for start in range(0, len(draft), 7):
                time.sleep(self.pause)
                yield draft[start : start + 7]
        finally:
            self.closed += 1

    def notes(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        return
