"""Sentences out of documents: the best of the best passages, never one that speaks to the assistant."""

from __future__ import annotations

from dataclasses import dataclass

from xinglin.apps.assistant.bm25 import grams
from xinglin.apps.assistant.documents import sentences
from xinglin.apps.assistant.evidence import Source
from xinglin.apps.assistant.index import DocumentIndex
from xinglin.apps.assistant.safety import speaks_to_assistant
from xinglin.apps.assistant.strike import is_dose

PASSAGES = 6
"""Passages that are looked at."""
COVERED = 0.35
"""Least share of the question's index terms that a quoted sentence and its document's title cover together."""
LEAST = 8
"""Characters of a sentence that is worth quoting."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """What was taken from the documents."""

    sources: tuple[Source, ...]
    """One sentence each, best first."""
    orders: int
    """Sentences left out since they speak to the assistant."""
    doses: int
    """Sentences left out since they name a dose."""


def quote(index: DocumentIndex, question: str, limit: int = 3) -> Quoted:
    """Return the sentences of the documents that cover most of the question.

    Args:
        index: of the documents.
        question: as asked.
        limit: most sentences.
    """
    wanted = set(grams(question))
    scored: list[tuple[float, int, Source]] = []
    orders = doses = 0
    for rank, hit in enumerate(index.search(question, PASSAGES)):
        passage = hit.passage
        titled = set(grams(passage.title))
        whole = speaks_to_assistant(passage.text)
        for start, end in sentences(passage.text):
            words = passage.text[start:end].strip()
            if len(words) < LEAST or words.startswith("#"):
                continue
            # A passage that speaks to the assistant anywhere is not trusted anywhere.
            if whole:
                orders += 1
                continue
            if is_dose(words):
                doses += 1
                continue
            share = len(wanted & (set(grams(words)) | titled)) / max(1, len(wanted))
            if share >= COVERED:
                start += passage.start
                scored.append(
                    (share, rank, Source("document", passage.title, words, passage.document, None,
                                         (start, start + len(words)), passage.digest))
                )  # fmt: skip
    scored.sort(key=lambda item: (-item[0], item[1]))
    kept = dict.fromkeys(source for _, _, source in scored)
    return Quoted(tuple(kept)[:limit], orders, doses)


def passage_sources(index: DocumentIndex, question: str, limit: int = 4) -> tuple[list[Source], int]:
    """Return whole passages for a language model to draft from, and how many were left out for their orders."""
    kept, orders = [], 0
    for hit in index.search(question, PASSAGES):
        passage = hit.passage
        if speaks_to_assistant(passage.text):
            orders += 1
        else:
            span = (passage.start, passage.end)
            kept.append(
                Source("document", passage.title, passage.text, passage.document, None, span, passage.digest)
            )
    return kept[:limit], orders
