"""Completeness: what is not there, and what is there without a code."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from xinglin.errors import InvalidInputError
from xinglin.records.quality.options import QualityOptions
from xinglin.records.quality.row import Case
from xinglin.records.quality.tally import Check, Outcome, Tallies
from xinglin.records.split import keyed_hash
from xinglin.terms.reading import read
from xinglin.types import Record

FIELDS = {
    "subject": ("患者编号", "subject"),
    "text": ("文本", "text"),
    "age": ("年龄", "age"),
    "sex": ("性别", "sex"),
    "allergies": ("过敏史", "allergies"),
    "drugs": ("用药史", "drugs"),
    "events": ("事件", "events"),
    "site": ("中心", "site"),
    "label": ("标签", "label"),
}
KINDS = {
    "observation": ("检查检验", "observations"),
    "finding": ("发现", "findings"),
    "condition": ("诊断", "conditions"),
    "allergy": ("过敏", "allergies"),
    "medication": ("用药", "medications"),
    "procedure": ("操作", "procedures"),
}
OTHER = ("其他", "others")
LONGEST = 4000
"""Characters of a text that are read; the beginning holds the complaint."""


class Completeness(Check):
    """Missing fields, units, times, codes; texts in which nothing is recognised, of a sample."""

    def __init__(self, options: QualityOptions) -> None:
        self._tallies = Tallies(options.examples)
        self._most, self._seed = options.read_texts, options.seed
        self._sample: list[tuple[int, str, str]] = []
        self._used = {"site": False, "label": False}

    def see(self, case: Case) -> None:
        """Take the next case."""
        record, name = case.row.record, case.id
        count = self._tallies.count
        empty = not (
            record.text.strip() or case.events or record.findings or record.volumes or record.pictures
        )
        count("empty-record", empty, name)
        for field, missing in _missing(case, record):
            count("missing-field", missing, name, FIELDS[field])
            if field in self._used:
                self._used[field] |= not missing
        for event in case.events:
            kind = KINDS.get(event.kind, OTHER)
            # A finding of our own JSON is undated by design; the record's own time covers it.
            if event.kind != "finding":
                count("missing-time", event.time is None, name, kind)
            count("uncoded", event.code.system in ("", "text"), name, kind)
            if isinstance(event.value, int | float) and not isinstance(event.value, bool):
                count("missing-unit", not event.unit, name)
        for finding in record.findings:
            count("uncoded", finding.code.system in ("", "text"), name, KINDS["finding"])
        if self._most and record.text.strip():
            # The smallest hashes are a sample that does not depend on the order of the records.
            entry = (-int(keyed_hash(self._seed, name)[:16], 16), name, record.text[:LONGEST])
            if len(self._sample) < self._most:
                heapq.heappush(self._sample, entry)
            else:
                heapq.heappushpop(self._sample, entry)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what was found."""
        found = 0
        characters = sum(len(text) for _, _, text in self._sample)
        for _, name, text in sorted(self._sample, reverse=True):
            try:
                mentions = len(read(text).findings)
            except InvalidInputError:
                mentions = 0
            found += mentions
            self._tallies.count("unread-text", not mentions, name)
        rate = 1000 * found / characters if characters else 0.0
        notes = {
            "unread-text": (f"每千字 {rate:.1f} 个发现", f"{rate:.1f} findings in a thousand characters")
        } if characters else None  # fmt: skip
        rules = ("empty-record", "missing-field", "missing-unit", "missing-time", "uncoded", "unread-text")
        # A set without sites or without labels does not lack them.
        unused = {FIELDS[name] for name in ("site", "label") if not self._used[name]}
        for outcome in self._tallies.outcomes(rules, notes):
            if outcome.rule.id != "missing-field" or outcome.item not in unused:
                yield outcome


def _missing(case: Case, record: Record) -> Iterator[tuple[str, bool]]:
    patient = record.patient
    yield "subject", record.subject is None
    yield "text", not record.text.strip()
    yield "age", patient.age is None
    yield "sex", patient.sex is None
    yield "allergies", patient.allergies is None
    yield "drugs", patient.drugs is None
    yield "events", not (case.events or record.findings)
    yield "site", case.site is None
    yield "label", case.row.label is None
