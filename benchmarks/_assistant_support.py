"""Does a source state a sentence? The rule against sentences changed so that the answer is known.

Sentences of the handbook's articles. Supported: a sentence with a disease or finding named by another of its names, or
with a clause left out. Unsupported: with another disease, finding or number put in its place, with a denial put in or taken
out, or set against a passage of another article. Articles are split by the SHA-256 of their title: the threshold is
chosen on the odd half, the even half is reported.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks._line import Line
from xinglin.measure import proportion

KINDS = ("alias", "clause left out", "another name", "another number", "denial", "another article")
SUPPORTED = frozenset(KINDS[:2])
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
PER_ARTICLE = 4


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence, the source that it is set against, and what was done to it."""

    kind: str
    sentence: str
    source: Any
    reported: bool


def reported(title: str) -> bool:
    return int(hashlib.sha256(title.encode()).hexdigest(), 16) % 2 == 0


def pairs(rows: Sequence[dict[str, Any]], vocabulary: Any, knowledge: Any, seed: int = 0) -> list[Pair]:
    """Return changed sentences of every article, drawn with a seed."""
    from xinglin.apps.assistant.documents import Document, passages
    from xinglin.apps.assistant.evidence import Source

    draw = random.Random(seed)
    listed = []
    for row in rows:
        document = Document(row["title"], row["title"], row["text"])
        own = [p for p in passages(document) if len(p.text) > 80]
        listed.append((row["title"], own))
    filled = [item for item in listed if len(item[1]) > 3]
    found: list[Pair] = []
    for place, (title, own) in enumerate(filled):
        other = filled[(place + 1) % len(filled)][1]
        for passage in draw.sample(own, min(PER_ARTICLE, len(own))):
            source = Source("document", title, passage.text, title)
            far = draw.choice(other)
            elsewhere = Source("document", far.title, far.text, far.title)
            whole = [
                part.strip()
                for part in re.split(r"(?<=[。!?])", passage.text)
                if 20 < len(part.strip()) < 120
            ]
            if not whole:
                continue
            sentence = draw.choice(whole)
            for kind, changed in _changed(sentence, vocabulary, knowledge, draw):
                found.append(Pair(kind, changed, source, reported(title)))
            found.append(Pair("another article", sentence, elsewhere, reported(title)))
    return found


def _changed(
    sentence: str, vocabulary: Any, knowledge: Any, draw: random.Random
) -> Iterator[tuple[str, str]]:
    from xinglin.terms.characters import normalise

    matches = vocabulary.terms.longest(normalise(sentence))
    names = [match for match in matches if match.payload[0].kind in ("disease", "symptom", "sign")]
    if names:
        match = draw.choice(names)
        term = match.payload[0]
        same = [name for name in (term.name, *term.aliases) if name != sentence[match.start : match.end]]
        if same:
            yield "alias", sentence[: match.start] + draw.choice(same) + sentence[match.end :]
        pool = list(knowledge.diseases) if term.kind == "disease" else list(knowledge.finding_codes)
        other = draw.choice([name for name in pool if name != term.name and name not in sentence])
        yield "another name", sentence[: match.start] + other + sentence[match.end :]
    clauses = re.split("(?<=[,\uff0c])", sentence)
    if len(clauses) > 2:
        del clauses[draw.randrange(len(clauses) - 1)]
        yield "clause left out", "".join(clauses)
    number = re.search(r"\d+", sentence)
    if number:
        yield (
            "another number",
            sentence[: number.start()] + str(int(number.group()) + 7) + sentence[number.end() :],
        )
    verb = re.search(r"可以|可|会|有|是|能", sentence)
    if verb:
        yield "denial", sentence[: verb.start()] + "不" + sentence[verb.start() :]


def lines_of(rows: Sequence[dict[str, Any]], vocabulary: Any, knowledge: Any) -> list[Line]:
    """Choose the threshold on one half by balanced accuracy and report it on the other, beside two simpler rules."""
    from xinglin.apps.assistant.support import OVERLAP, SupportRule

    rule = SupportRule(vocabulary)
    scored = []
    for pair in pairs(rows, vocabulary, knowledge):
        rule.overlap = 0.0
        verdict = rule.check(pair.sentence, [pair.source])
        scored.append((pair, bool(verdict.sources), verdict.overlap))
    tuning = [item for item in scored if not item[0].reported]
    best = max(THRESHOLDS, key=lambda limit: (_balanced(tuning, limit, True), limit))
    lines = [Line("support rule", "overlap chosen on the tuning half", best, "", len(tuning),
                  reference=OVERLAP, reference_name="in use")]  # fmt: skip
    held = [item for item in scored if item[0].reported]
    arms = (("names, numbers, denials and overlap", True), ("overlap alone", False))
    for name, full in arms:
        limit = best if full else max(THRESHOLDS, key=lambda value: (_balanced(tuning, value, False), value))
        for kind in KINDS:
            these = [item for item in held if item[0].kind == kind]
            right = sum(_says(item, limit, full) == (kind in SUPPORTED) for item in these)
            if these:
                figure = proportion(right, len(these))
                note = "supported" if kind in SUPPORTED else "unsupported"
                lines.append(Line(f"support rule, {name}: {kind}", "judged right", figure.value, "", figure.n,
                                  figure.low, figure.high, note=f"{note}; overlap >= {limit:g}"))  # fmt: skip
    return lines


def _says(item: tuple[Pair, bool, float], limit: float, full: bool) -> bool:
    _, named, overlap = item
    return overlap >= limit and (named or not full)


def _balanced(items: Sequence[tuple[Pair, bool, float]], limit: float, full: bool) -> float:
    yes = [_says(item, limit, full) for item in items if item[0].kind in SUPPORTED]
    no = [not _says(item, limit, full) for item in items if item[0].kind not in SUPPORTED]
    return (sum(yes) / max(1, len(yes)) + sum(no) / max(1, len(no))) / 2
