"""Complaints built from a subject and what is said of it: 大便颜色变成了黑色, 左边的手脚都没什么力气.

Patients name a part of the body, an excretion or an activity, then talk, and only then say what is wrong
with it. Aliases would need every sentence; :mod:`xinglin.terms.gaps` needs every filler. Here a family is
a list of subjects and a table *what is said -> finding*; between the two at most a few characters may
stand that name no other part of the body, end no clause and negate nothing. A negator right before what
is said (大便颜色不黑) makes a negated match. Subjects are looked up by hash, so a text pays only for the
subjects it has.

Two further tables hold what spans clauses (肚子疼,右下腹最明显) and words that mean something else inside
other words (见红, but not 可见红斑). To add a family, add a row; to see what it yields, read the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import TypeVar

from xinglin.terms.matcher import Match, Matcher
from xinglin.terms.phrase_clauses import CLAUSES
from xinglin.terms.phrase_subjects import ROWS

P = TypeVar("P")

_CLAUSE_END = r",。;!?:、\s()\"\[\]"
_PARTS = "头颈脖胸腹腰背臀腿脚手肩膝眼耳鼻嘴唇舌牙胃肚肛尿痰乳阴"
_OTHER = "伤恶吐咳呕淋"
"""Characters of other complaints: 拇指摔伤后疼 must leave 摔伤 to be found."""
_HARMLESS = (
    "特别|非常|分别|时不时|不时|不断|不停|不由自主|不知不觉|"
    "不知道?(?:为什么|怎么)?|不明原因|无缘无故|没事就|没多久|不小心|未消化|不到|手术"
)
_GAP = f"(?:{_HARMLESS}|[^{_CLAUSE_END}{_PARTS}{_OTHER}不没无未别非])"
_REACH = 10
"""Characters that may stand between a subject and what is said of it."""
_NEG = (
    "(?P<neg>(?:并?没有?|并?不|均?无|未见|未|不是|不怎么|不太)"
    "(?:明显|觉得|感到|感觉|再|变得?|发|是|那么|出现|什么|很|怎么|太|异常|见|的){0,3})"
)
_LINK = re.compile(r"[^,。;!?:\s]{0,4}?(?:,?(?:还|也|又|而且|并且|有时候?|偶尔|且|和|、|伴)){1,3}")
"""What leads to a second complaint of the same subject: 胸口闷得慌,还疼."""
_STRADDLES = frozenset(
    {"早上", "晚上", "身上", "床上", "马上", "天前", "日前", "周前", "月前", "年前", "时前"}
    | {"期前", "钟前", "以前", "之前", "目前", "一下", "之下", "当下"}
)
"""Words whose last character is no first character of a subject: 晚上腹痛 is no 上腹, 3天前胸痛 no 前胸."""
_SUDDEN = re.compile("突然|突发|忽然|猛地|一下子")


def _subjects(row: str) -> Iterator[str]:
    """Expand a row's subjects; see ``ROWS``."""
    if row.startswith("&"):
        yield from ("".join(parts) for parts in product(*(part.split("|") for part in row[1:].split("@"))))
        return
    if row.startswith("@"):
        row = row[1:]
        side, height = row[0], row[1]
        for belly, end in product(("肚子", "肚子的", "腹部", "肚子在"), ("", "方", "边", "面", "角")):
            yield f"{belly}{side}{height}{end}"
        yield from (f"{side}{height}{end}肚子" for end in ("", "方", "方的", "边", "边的", "面的"))
        for a, b in product(("", "边", "侧"), ("面", "方", "边")):
            yield f"{side}{a}肚子{height}{b}"
    yield from row.split(" ")


@cache
def _anchors() -> tuple[Matcher[tuple[int, ...]], re.Pattern[str], dict[str, tuple[int, ...]]]:
    """Subjects, each with the rows that it heads; those of one character apart, for they are faster so."""
    heads: dict[str, list[int]] = {}
    for index, (row, _) in enumerate(ROWS):
        for subject in _subjects(row):
            if index not in (rows := heads.setdefault(subject, [])):
                rows.append(index)
    single = {subject: tuple(rows) for subject, rows in heads.items() if len(subject) == 1}
    words = Matcher((subject, tuple(rows)) for subject, rows in heads.items() if len(subject) > 1)
    return words, re.compile(f"[{''.join(single)}]"), single


@cache
def _tail(index: int) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """The pattern of all that can be said of a row's subjects, and the finding of each group."""
    said = ROWS[index][1]
    groups = "|".join(f"(?P<f{i}>{pattern})" for i, pattern in enumerate(said))
    return re.compile(f"{_GAP}{{0,{_REACH}}}?{_NEG}?(?:{groups})"), tuple(said.values())


@cache
def _clauses() -> tuple[tuple[frozenset[str], re.Pattern[str], str], ...]:
    return tuple((frozenset(gate), re.compile(pattern), name) for gate, pattern, name in CLAUSES)


def matches_of_phrases(text: str, matcher: Matcher[P]) -> list[Match[P]]:
    """Matches of subject-and-complaint phrases in normalised ``text``.

    A family whose finding the vocabulary does not have yields nothing. The caller resolves overlaps:
    ``size`` counts the subject and what is said of it, not what stands between.
    """
    found: list[Match[P]] = []
    done: set[tuple[int, int]] = set()
    words, characters, single = _anchors()
    anchors = words.all_matches(text)
    anchors += [Match(m.start(), m.end(), single[m[0]], 1) for m in characters.finditer(text)]
    for anchor in anchors:
        if anchor.start and text[anchor.start - 1 : anchor.start + 1] in _STRADDLES:
            continue
        for index in anchor.payload:
            if (anchor.end, index) not in done:  # of 说话 and 话 the longer comes first
                done.add((anchor.end, index))
                found += _of_subject(text, anchor, index, matcher)
    letters = set(text)
    for gate, pattern, name in _clauses():
        if gate.isdisjoint(letters) or (finding := matcher.get(name.lower())) is None:
            continue
        for said in pattern.finditer(text):
            start, end = _mention(said)
            found.append(Match(start, end, finding, end - start))
    return found


def _of_subject(
    text: str, anchor: Match[tuple[int, ...]], index: int, matcher: Matcher[P]
) -> Iterator[Match[P]]:
    """What the text says of one subject: a complaint and at most one more that a link word joins to it."""
    pattern, findings = _tail(index)
    start, at, size = anchor.start, anchor.end, anchor.size
    before = ""
    while said := pattern.match(text, at):
        group = said.lastgroup or "f0"
        name = findings[int(group[1:])]
        if name == before:
            return
        finding = matcher.get(_name(name, text, start, said.end()))
        if finding is not None:
            length = size + said.end() - said.start(group)
            yield Match(start, said.end(), finding, length, said["neg"] is not None)
        link = _LINK.match(text, said.end())
        if link is None or before:
            return
        start = at = link.end()
        size, before = 0, name


def _name(name: str, text: str, start: int, end: int) -> str:
    """The finding's name; after a bar stands the one for what came suddenly."""
    usual, _, sudden = name.partition("|")
    if sudden and _SUDDEN.search(text, max(0, start - 10), end):
        usual = sudden
    return usual.lower()


def _mention(said: re.Match[str]) -> tuple[int, int]:
    """The span of group ``at`` (or ``at2``) if the pattern has one, else of the whole match."""
    groups = said.groupdict()
    for group in ("at", "at2"):
        if groups.get(group) is not None:
            return said.span(group)
    return said.span()
