"""Explanations of one service: a few at a time, and each kept for a while, since it takes hundreds of answers.

An explanation is kept in memory only, under a digest of the whole case, the checkpoint, the pack and the method; the
eldest goes when there are too many, each goes after an hour, and all go when a case is erased. With several processes
(``--workers``) each keeps its own, and another's erasure does not reach them before their hour.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from xinglin.apps.diagnosis.differential import Differential, EngineName
from xinglin.apps.diagnosis.explain import explain
from xinglin.apps.diagnosis.explain_words import Method
from xinglin.errors import BusyError
from xinglin.explain.basis import CaseExplanation
from xinglin.explain.game import Progress
from xinglin.serve.batching import Batcher
from xinglin.types import Patient, Record, State

KEPT = 32
"""Explanations kept."""
HOUR = 3_600.0
"""Seconds for which one is kept."""
AT_ONCE = 2
"""Explanations made at the same time; diagnoses keep a processor."""
PATIENCE = 30.0
"""Seconds for which one waits for its turn before it is refused."""


@dataclass(frozen=True)
class Question:
    """What is to be explained."""

    text: str
    record: Record | None = None
    patient: Patient | None = None
    answers: Mapping[str, State] = field(default_factory=dict)
    engine: EngineName | None = None
    method: Method = "auto"
    target: str | None = None
    seed: int = 0


class Explaining:
    """Makes and keeps explanations; safe to share between threads."""

    def __init__(self, differential: Differential, *, kept: int = KEPT, seconds: float = HOUR) -> None:
        encoder = differential.encoder
        if isinstance(encoder, Batcher):  # hundreds of variants do not queue before other people's cases
            differential = replace(differential, encoder=encoder.model)
        self.differential, self.kept, self.seconds = differential, kept, seconds
        self._found: OrderedDict[str, tuple[float, CaseExplanation]] = OrderedDict()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def known(self, question: Question) -> CaseExplanation | None:
        """Return the explanation if it is kept."""
        key = self._key(question)
        with self._lock:
            found = self._found.get(key)
            if found is None:
                return None
            if time.monotonic() - found[0] > self.seconds:
                del self._found[key]
                return None
            self._found.move_to_end(key)
            return found[1]

    def explain(self, question: Question, report: Progress | None = None) -> CaseExplanation:
        """Return the explanation, kept or made now.

        Args:
            question: what.
            report: progress as (done, of 1,000); may raise to cancel.

        Raises:
            BusyError: too many explanations are being made.
            XinglinError: as :func:`xinglin.apps.diagnosis.explain.explain`.
        """
        kept = self.known(question)
        if kept is not None:
            return kept
        if not self._places.acquire(timeout=PATIENCE):
            raise BusyError(f"{AT_ONCE} explanations are being made: ask again in a moment")
        try:
            made = explain(
                self.differential.using(question.engine),
                question.text,
                record=question.record,
                patient=question.patient,
                answers=question.answers,
                method=question.method,
                target=question.target,
                seed=question.seed,
                report=report,
            )
        finally:
            self._places.release()
        with self._lock:
            now = time.monotonic()
            self._found[self._key(question)] = (now, made)
            for key in [key for key, (since, _) in self._found.items() if now - since > self.seconds]:
                del self._found[key]
            while len(self._found) > self.kept:
                self._found.popitem(last=False)
        return made

    def forget(self) -> None:
        """Drop every explanation that is kept: they hold the text of their cases, and no name to find one by."""
        with self._lock:
            self._found.clear()

    def _key(self, question: Question) -> str:
        """Digest of the case, the checkpoint, the pack and the method; frozen nouns print all they hold."""
        differential = self.differential
        encoder = differential.encoder.id if differential.encoder is not None else None
        asked = replace(question, answers=dict(sorted(question.answers.items())))
        whole = repr((asked, encoder, differential.pack.version, differential.engine_name))
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
