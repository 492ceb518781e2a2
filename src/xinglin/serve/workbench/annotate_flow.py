"""One person's way through the cases of a stage: the case at hand, the ones ahead, the vote; no drawing here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from xinglin.errors import ConflictError
from xinglin.labels.answer import Answer
from xinglin.labels.assign import Task, claim, fetch, mark_opened, waiting
from xinglin.labels.campaign import Campaign, Stage
from xinglin.labels.decide import SkipReason, answer_vote, decide, skip, undo
from xinglin.labels.overview import Pace, own_pace
from xinglin.labels.verify import ModelVote, has_vote, keep_vote, see_vote
from xinglin.store import Store
from xinglin.types import Code, Record

AHEAD = 2
"""Cases held at once: the one at hand and the next."""
Voter = Callable[[Record], ModelVote]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Progress:
    """One's own progress in the stage."""

    pace: Pace
    left: int
    """Cases that are open to this person, the one at hand included."""


class Flow:
    """The desk of one person at one stage. Every act is safe in the store when it returns; call it off the page's loop.

    Attributes:
        task: the case at hand; ``None`` when there is none.
        vote: the model's vote on it, once the label is given.
    """

    def __init__(
        self, store: Store, campaign: Campaign, user: str, stage: Stage, voter: Voter | None = None
    ) -> None:
        self.store, self.campaign, self.user, self.stage = store, campaign, user, stage
        self.task: Task | None = None
        self.vote: ModelVote | None = None
        self._voter = voter if campaign.assisted and stage in ("annotation", "arbitration") else None
        self._ahead: list[Task] = []
        self._lock = threading.RLock()

    def start(self) -> None:
        """Take up the first case."""
        with self._lock:
            self._advance()

    def decide(
        self, codes: Code | Answer, spans: Sequence[Span] = (), confidence: float | None = None
    ) -> None:
        """Give the label, or answer the model's vote on it; then go on, or show the vote."""
        with self._lock:
            task = self._at_hand()
            with self._going_on_if_lost():
                case = (self.store, self.campaign, task.slot, self.user, codes)
                if self.vote is not None:
                    answer_vote(*case, spans=spans)
                elif decide(*case, spans=spans, confidence=confidence).vote_waits:
                    self.task = replace(task, decided=self.campaign.answer(codes))
                    self.vote = see_vote(self.store, self.campaign, task.slot, self.user)
                    return
            self._advance()

    def skip(self, reason: SkipReason, note: str = "") -> None:
        """Pass the case on and go to the next."""
        with self._lock:
            task = self._at_hand()
            with self._going_on_if_lost():
                skip(self.store, self.campaign, task.slot, self.user, reason, note)
            self._advance()

    def undo(self) -> None:
        """Take the last decision back; its case is at hand again and the present one is next."""
        with self._lock:
            slot = undo(self.store, self.campaign, self.user)
            if self.task is not None and self.task.slot != slot and self.vote is None:
                self._ahead.insert(0, self.task)
            self._ahead = [task for task in self._ahead if task.slot != slot]
            self._take(fetch(self.store, self.campaign, slot, self.user))

    def prefetch(self) -> Progress:
        """Have the next case ready, with the model's vote on it; returns one's progress."""
        with self._lock:
            self._fill()
            return Progress(
                own_pace(self.store, self.campaign, self.user, self.stage),
                waiting(self.store, self.campaign, self.user, self.stage),
            )

    def _at_hand(self) -> Task:
        if self.task is None:
            raise ConflictError("there is no case at hand")
        return self.task

    @contextmanager
    def _going_on_if_lost(self) -> Iterator[None]:
        """Leave a case behind that is lost meanwhile; the error still says so."""
        try:
            yield
        except ConflictError:
            self._advance()
            raise

    def _advance(self) -> None:
        self.task, self.vote = None, None
        while self.task is None:
            if not self._ahead and not self._fill():
                return
            try:
                self._take(self._ahead.pop(0))
            except ConflictError:  # it was handed on while it waited here
                self.task, self.vote = None, None

    def _take(self, task: Task) -> None:
        mark_opened(self.store, self.campaign, task, self.user)
        self.task = task
        self.vote = (
            see_vote(self.store, self.campaign, task.slot, self.user) if task.decided is not None else None
        )

    def _fill(self) -> bool:
        """Hold cases up to ``AHEAD`` and read those that are new; returns whether one waits."""
        gone: set[int] = set()
        while True:
            held = claim(self.store, self.campaign, self.user, self.stage, hold=AHEAD)
            known = {task.slot for task in self._ahead} | ({self.task.slot} if self.task else set())
            fresh = [slot for slot in held if slot not in known and slot not in gone]
            if not fresh:
                return bool(self._ahead)
            for slot in fresh:
                try:
                    task = fetch(self.store, self.campaign, slot, self.user)
                except ConflictError:  # it left the campaign: the next claim brings another
                    gone.add(slot)
                    continue
                if self._voter is not None and not has_vote(self.store, task.item):
                    keep_vote(self.store, self.campaign, task, self._voter(task.record))
                self._ahead.append(task)
