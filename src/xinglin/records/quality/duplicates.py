"""Uniqueness, and what crosses a split: records, texts and events that are there twice, subjects in two parts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

import numpy as np

from xinglin.records.context import KIND
from xinglin.records.near_duplicates import Ids, NearDuplicates
from xinglin.records.quality.options import QualityOptions
from xinglin.records.quality.row import Case
from xinglin.records.quality.tally import Check, Outcome, Tallies
from xinglin.records.split import crossing

SHORTEST = 10
"""Characters from which a text can be a copy: two patients may both write 头痛 by themselves."""


class Duplicates(Check):
    """Copies within the set, and across the parts of its split."""

    def __init__(self, options: QualityOptions) -> None:
        self._tallies = Tallies(options.examples)
        self._contents: set[bytes] = set()
        self._ids: list[str] = []
        self._parts: list[str | None] = []
        self._subjects: dict[str, dict[str, str]] = {}
        self._texts: NearDuplicates | None = None
        self._on = options.near_duplicates
        self._threshold = options.near_threshold

    def see(self, case: Case) -> None:
        """Take the next case."""
        record, name, part = case.row.record, case.id, case.row.part
        events = tuple(event for event in record.events if event.kind != KIND)
        content = (record.text, record.patient, events, record.findings, record.volumes, record.pictures)
        if any((record.text, events, record.findings, record.volumes, record.pictures)):
            digest = hashlib.blake2b(repr(content).encode("utf-8", "surrogatepass"), digest_size=16).digest()
            self._tallies.count("copied-record", digest in self._contents, name)
            self._contents.add(digest)
        seen: set[object] = set()
        for event in events:
            key = (event.code, event.kind, event.time, event.value, event.unit)
            self._tallies.count("repeated-event", key in seen, name)
            seen.add(key)
        if part is not None and record.subject is not None:
            self._subjects.setdefault(record.subject, {}).setdefault(part, name)
        self._parts.append(part)
        self._ids.append(name)
        if self._on:
            if self._texts is None:
                self._texts = NearDuplicates(threshold=self._threshold)
            self._texts.add(record.text if len(record.text) >= SHORTEST else "")

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what was found."""
        count = self._tallies.count
        split = any(part is not None for part in self._parts)
        if split:
            for name, part in zip(self._ids, self._parts, strict=True):
                count("part-missing", part is None, name)
        for parts in self._subjects.values():
            count("subject-crosses", len(parts) > 1, list(parts.values())[-1])
        note = ("", "")
        if self._texts is not None:
            note = self._near(self._texts, split)
        yield from self._tallies.outcomes(
            (
                "copied-record",
                "near-duplicate",
                "repeated-event",
                "subject-crosses",
                "part-missing",
                "text-crosses",
            ),
            {"near-duplicate": note},
        )

    def _near(self, texts: NearDuplicates, split: bool) -> tuple[str, str]:
        groups: Ids = texts.groups()
        size = Counter(groups.tolist())
        crossed = set()
        if split:
            pairs = (
                (str(g), part)
                for g, part in zip(groups.tolist(), self._parts, strict=True)
                if part is not None
            )
            crossed = {int(group) for group, _ in crossing(pairs)}
        for place in np.flatnonzero(texts.has_text()).tolist():
            group = int(groups[place])
            # The first of a group is the one that the others copy.
            self._tallies.count("near-duplicate", group != place, self._ids[place])
            if split and self._parts[place] is not None:
                self._tallies.count("text-crosses", group in crossed, self._ids[place])
        large = max((n for n in size.values() if n > 1), default=0)
        many = sum(n > 1 for n in size.values())
        return (
            (f"{many} 组,最大一组 {large} 条", f"{many} groups, the largest of {large}") if many else ("", "")
        )
