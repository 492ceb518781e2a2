"""One text without its identifiers, and where each went."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from xinglin.errors import ConfigurationError
from xinglin.records.deidentify.analyzer import find_identifiers
from xinglin.records.deidentify.dates import WrittenDate, written_dates
from xinglin.records.deidentify.entities import ENTITIES
from xinglin.records.deidentify.fold import fold
from xinglin.records.deidentify.options import Options
from xinglin.records.deidentify.shift import shift_days, shifted_date
from xinglin.records.deidentify.spans import Span
from xinglin.records.deidentify.surrogates import surrogate

MIN_KEY = 16
"""Bytes that a key must have at least."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """One identifier and what stands in its place; half-open character offsets, the original itself is not kept."""

    start: int
    end: int
    new_start: int
    new_end: int
    entity: str
    score: float


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A text without its identifiers."""

    text: str
    spans: tuple[Replaced, ...]

    def moved(self, span: tuple[int, int]) -> tuple[int, int] | None:
        """Return where a span of the source lies now; ``None`` if an identifier was replaced within it."""
        start, end = span
        if any(item.start < end and start < item.end for item in self.spans):
            return None
        by = sum(
            (item.new_end - item.new_start) - (item.end - item.start)
            for item in self.spans
            if item.end <= start
        )
        return start + by, end + by


def deidentify_text(
    text: str,
    *,
    subject_key: bytes,
    options: Options | None = None,
    names: Sequence[str] = (),
    recognisers: Iterable[Any] = (),
) -> Deidentified:
    """Replace the identifiers of a text.

    Args:
        text: Chinese, English or both.
        subject_key: at least 16 secret bytes of the subject (``Vault.subject_key``, or an HMAC): from them come the
            shift of the dates and the surrogates.
        options: what is done with what is found.
        names: names known to belong to the text, found wherever they stand.
        recognisers: further presidio recognisers for language ``zh``.

    Raises:
        ConfigurationError: the key is too short.
        MissingExtraError: presidio is not installed.
    """
    if len(subject_key) < MIN_KEY:
        raise ConfigurationError(f"subject_key: expected at least {MIN_KEY} bytes, got {len(subject_key)}")
    chosen = options or Options()
    spans = find_identifiers(text, names=names, recognisers=recognisers)
    writer = _Writer(fold(text), subject_key, chosen)
    pieces, replaced, at, length = [], [], 0, 0
    for span in spans:
        new = writer.write(span)
        pieces += [text[at : span.start], new]
        length += span.start - at
        replaced.append(Replaced(span.start, span.end, length, length + len(new), span.entity, span.score))
        length += len(new)
        at = span.end
    pieces.append(text[at:])
    return Deidentified("".join(pieces), tuple(replaced))


class _Writer:
    """What stands for each identifier of one text."""

    def __init__(self, folded: str, key: bytes, options: Options) -> None:
        self.folded, self.key, self.options = folded, key, options
        self.chinese = re.search("[\u4e00-\u9fff]", folded) is not None
        self.numbers: dict[tuple[str, str], int] = {}
        self.dates = {(item.start, item.end): item for item in written_dates(folded)}
        self.before: date | None = None

    def write(self, span: Span) -> str:
        value = self.folded[span.start : span.end]
        if span.entity == "AGE_OVER_89":
            return "90+"
        if span.entity == "DATE" and self.options.dates != "placeholder":
            found = self.dates.get((span.start, span.end)) or _date_in(value, span)
            written = self._date(found) if found is not None else ""
            return written or self.placeholder(span.entity, value)
        if self.options.mode == "surrogate" and span.entity in ENTITIES and span.entity != "DATE":
            return surrogate(span.entity, value, self.key)
        return self.placeholder(span.entity, value)

    def _date(self, found: WrittenDate) -> str:
        if self.options.dates == "year":
            year = found.value("y")
            return "" if year is None else f"{year}年" if self.chinese else str(year)
        text, self.before = shifted_date(found, self.folded, shift_days(self.key), self.before)
        return text

    def placeholder(self, entity: str, value: str) -> str:
        """Return ``[姓名1]`` or ``[NAME1]``: the same number for the same identifier of the text."""
        known = ENTITIES.get(entity)
        word = (known.zh if self.chinese else known.en) if known else entity
        seen = self.numbers.setdefault((entity, re.sub(r"[\s\-]", "", value).casefold()), 0)
        if not seen:
            seen = sum(1 for other, _ in self.numbers if other == entity)
            self.numbers[(entity, re.sub(r"[\s\-]", "", value).casefold())] = seen
        return f"[{word}{seen}]"


def _date_in(value: str, span: Span) -> WrittenDate | None:
    """A date whose span another recogniser cut, or that one of the caller's found."""
    found = written_dates(value)
    if len(found) != 1:
        return None
    return WrittenDate(
        span.start,
        span.end,
        tuple(
            type(part)(part.field, part.start + span.start, part.end + span.start, part.value, part.style)
            for part in found[0].parts
        ),
    )
