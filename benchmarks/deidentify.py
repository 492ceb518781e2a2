"""De-identification: recall and precision on generated notes, false alarms on real text, burned-in text, speed."""

from __future__ import annotations

import gzip
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks._deidentify_notes import Note, Set, listed, notes
from benchmarks._deidentify_pixels import pixel_lines
from benchmarks._line import Line, aim
from xinglin.measure import proportion

SEEDS = {"development": 11, "report": 20_261_128}
PARTS = ("notes", "text", "pixels")
DATA = Path(os.environ.get("XINGLIN_DATA", Path(__file__).resolve().parents[1].parent / "shared" / "data"))
PEER = "presidio-analyzer out of the box (English recognisers, no model), same run"
# What presidio calls what it finds, in our words; LOCATION, PERSON and NRP come from a language model alone.
PEER_ENTITIES = {
    "EMAIL_ADDRESS": "EMAIL",
    "URL": "URL",
    "IP_ADDRESS": "IP_ADDRESS",
    "MAC_ADDRESS": "IP_ADDRESS",
    "CREDIT_CARD": "BANK_CARD",
    "US_BANK_NUMBER": "BANK_CARD",
    "US_SSN": "SOCIAL_SECURITY",
    "PHONE_NUMBER": "PHONE",
    "DATE_TIME": "DATE",
    "US_PASSPORT": "ID_NUMBER",
    "US_DRIVER_LICENSE": "LICENSE",
    "MEDICAL_LICENSE": "LICENSE",
}
Found = tuple[int, int, str]
Finder = Callable[[str], Sequence[Found]]


def run(quick: bool, parts: Sequence[str] | None = None) -> list[Line]:
    chosen = parts or PARTS
    lines: list[Line] = []
    if "notes" in chosen:
        lines += _notes(quick)
    if "text" in chosen:
        lines += _false_alarms(quick)
    if "pixels" in chosen:
        lines += pixel_lines(DATA, quick)
    return lines


def _ours(text: str) -> Sequence[Found]:
    from xinglin.records.deidentify import find_identifiers

    return [(span.start, span.end, span.entity) for span in find_identifiers(text)]


def _peer() -> Finder:
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    # Its e-mail recogniser would fetch a list of suffixes: give it the one that the package holds.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    engine = NoOpNlpEngine([{"lang_code": "en", "model_name": ""}])
    engine.load()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])

    def find(text: str) -> Sequence[Found]:
        return [
            (r.start, r.end, PEER_ENTITIES.get(r.entity_type, r.entity_type))
            for r in analyzer.analyze(text, "en", score_threshold=0.3)
        ]

    return find


def _check_disjoint() -> None:
    """Planted names, districts, roads and hospitals stand in no list of the package."""
    from xinglin.records.deidentify.lexicon import words

    ours = {
        word
        for name in ("provinces", "cities", "surrogate_roads", "surrogate_hospitals", "surrogate_english")
        for word in words(name)
    }
    planted = {
        item
        for name in (
            "given",
            "districts",
            "counties",
            "towns",
            "villages",
            "roads",
            "estates",
            "hospitals",
            "first",
            "last",
            "hospitals_en",
        )
        for item in listed(name)
    }
    if ours & planted:
        raise RuntimeError(f"planted and known at once: {sorted(ours & planted)}")


def _notes(quick: bool) -> list[Line]:
    _check_disjoint()
    lines = []
    sets: tuple[Set, ...] = ("report", "development")
    for name in sets:
        made = notes(name, 60 if quick else 2400, SEEDS[name])
        size = sum(len(note.text) for note in made)
        _ours("warm")
        started = time.process_time()
        found = [_ours(note.text) for note in made]
        seconds = time.process_time() - started
        scores = _Scores(made, found)
        lines += scores.lines(f"{name} templates", f"{len(made)} notes, seed {SEEDS[name]}")
        if name == "report":
            lines += scores.by_entity(f"{name} templates")
            lines.append(Line("throughput", "characters a second of CPU", size / seconds, "1/s", len(made)))
            peer = _peer()
            theirs = _Scores(made, [peer(note.text) for note in made])
            lines += theirs.lines(f"{name} templates, presidio out of the box", PEER)
    return lines


class _Scores:
    """Planted against found spans."""

    def __init__(self, made: Sequence[Note], found: Sequence[Sequence[Found]]) -> None:
        self.planted: Counter[str] = Counter()
        self.exact: Counter[str] = Counter()
        self.overlap: Counter[str] = Counter()
        self.predicted = self.right = self.characters = self.left = 0
        for note, spans in zip(made, found, strict=True):
            for start, end, entity in note.spans:
                self.planted[entity] += 1
                self.exact[entity] += (start, end, entity) in spans
                self.overlap[entity] += any(a < end and start < b and e == entity for a, b, e in spans)
                covered = {at for a, b, _ in spans for at in range(max(a, start), min(b, end))}
                self.characters += end - start
                self.left += end - start - len(covered)
            self.predicted += len(spans)
            self.right += sum(
                any(a < end and start < b and e == entity for start, end, entity in note.spans)
                for a, b, e in spans
            )

    def lines(self, name: str, note: str) -> list[Line]:
        n = self.planted.total()
        rows = [
            ("recall, overlapping span of the right kind", proportion(self.overlap.total(), n), 0.99),
            ("recall, exact span", proportion(self.exact.total(), n), None),
            ("precision, overlapping", proportion(self.right, max(1, self.predicted)), 0.95),
            ("characters of identifiers left in clear", proportion(self.left, self.characters), None),
        ]
        return [
            Line(
                name, figure, got.value, "share", got.n, got.low, got.high,
                note=note if limit is None or "presidio" in name else f"{note}; {aim(got.value, limit, '', at_most=False)}",
            )
            for figure, got, limit in rows
        ]  # fmt: skip

    def by_entity(self, name: str) -> list[Line]:
        lines = []
        for entity, n in sorted(self.planted.items()):
            got, exact = proportion(self.overlap[entity], n), proportion(self.exact[entity], n)
            note = f"exact {exact.value:.4f} [{exact.low:.4f}, {exact.high:.4f}]"
            lines.append(
                Line(
                    f"{name}: {entity}",
                    "recall, overlapping",
                    got.value,
                    "share",
                    n,
                    got.low,
                    got.high,
                    note=note,
                )
            )
        return lines


def _texts() -> Iterator[tuple[str, list[str]]]:
    def rows(path: str) -> list[Any]:
        with gzip.open(DATA / "text" / path, "rt", encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    yield (
        "toyhom questions",
        [row["title"] + "\n" + row["ask"] for row in rows("toyhom_internal_medicine_dialogue/dev.jsonl.gz")],
    )
    yield (
        "ai_hospital dialogues",
        [
            "\n".join(turn["content"] for turn in row["dialogue_gpt4_doctor"])
            for row in rows("ai_hospital_cases/dev.jsonl.gz")
        ],
    )
    yield "zh_disease_handbook", [row["text"] for row in rows("zh_disease_handbook_mit/text.jsonl.gz")]
    yield "medquad", [row["answer"] for row in rows("medquad/dev.jsonl.gz")]


def _false_alarms(quick: bool) -> list[Line]:
    """Hits a 10,000 characters of text that holds no patient's identifiers; many are real names, dates and links."""
    if not (DATA / "text").is_dir():
        return [
            Line("false alarms", "per 10,000 characters", None, "1", 0, note="no data sets: set XINGLIN_DATA")
        ]
    lines = []
    for name, texts in _texts():
        random.Random(5).shuffle(texts)
        budget, chosen = (20_000 if quick else 400_000), []
        for text in texts:
            if budget <= 0:
                break
            chosen.append(text)
            budget -= len(text)
        size = sum(map(len, chosen))
        counts = Counter(entity for text in chosen for _, _, entity in _ours(text))
        kinds = ", ".join(f"{entity} {count}" for entity, count in counts.most_common())
        other = counts.total() - counts["DATE"] - counts["URL"]
        lines.append(
            Line(
                f"{name}, without patients' identifiers", "hits but dates and URLs", other / size * 10_000,
                "per 10,000 characters",
                size, note=f"all hits {counts.total() / size * 10_000:.2f}: {kinds or 'none'}",
            )
        )  # fmt: skip
    return lines
