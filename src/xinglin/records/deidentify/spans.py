"""Spans and what happens when two of them overlap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xinglin.records.deidentify.entities import ENTITIES


@dataclass(frozen=True, slots=True)
class Span:
    """One identifier in a text, by half-open character offsets."""

    start: int
    end: int
    entity: str
    """A name in ``entities.ENTITIES``, or that of a recogniser of the caller's."""
    score: float = 1.0
    """Confidence in [0, 1]: 1 by checksum or explicit label, .85 by pattern and context, .6 by pattern alone."""


def resolve(spans: Iterable[Span], text: str) -> tuple[Span, ...]:
    """Return disjoint spans in order: whatever any recogniser found stays covered.

    Of two that overlap the one with the higher score stays whole, then the longer, then the one whose entity comes
    first in ``ENTITIES``, then the one that starts first; of the other the part outside is kept if a letter or a digit
    is in it.
    The result depends on the set of spans alone, not on their order.
    """
    ranked = sorted(set(spans), key=lambda s: (-s.score, s.start - s.end, _rank(s.entity), s.start, s.entity))
    kept: list[Span] = []
    for span in ranked:
        pieces = [(span.start, span.end)]
        for other in kept:
            if other.start < span.end and span.start < other.end:
                pieces = [
                    piece
                    for start, end in pieces
                    for piece in ((start, min(end, other.start)), (max(start, other.end), end))
                    if piece[0] < piece[1]
                ]
        for start, end in pieces:
            whole = (start, end) == (span.start, span.end)
            if whole or any(char.isalnum() for char in text[start:end]):
                kept.append(span if whole else Span(start, end, span.entity, span.score))
    return tuple(sorted(kept, key=lambda span: span.start))


def _rank(entity: str) -> int:
    return ENTITIES[entity].rank if entity in ENTITIES else len(ENTITIES) + 1
