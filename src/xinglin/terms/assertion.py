"""What a mention asserts: present, absent or unknown; of the patient or of someone else; now or before.

One pass over the mentions and cues of each sentence, left to right, with the open scopes in hand.

* NegEx (Chapman et al., *J Biomed Inform* 34:301-310, 2001, doi:10.1006/jbin.2001.1029): trigger terms,
  pseudo-triggers, termination terms. We differ: a scope is not a window of five tokens; it runs over an
  enumeration (无发热、咳嗽及胸痛) and ends at contrast, at a statement of presence (伴, 有, has), at too much
  text that no mention explains, or at a comma unless only bare mentions follow.
* ConText (Harkema et al., *J Biomed Inform* 42:839-851, 2009, doi:10.1016/j.jbi.2009.05.002): experiencer,
  temporality, hypothetical. We differ: Chinese kinship words at the head of a text name the patient
  (我爸68岁,胸痛 is asked *for* the father), and *resolved* is kept apart from *historical*.

How far this is right is measured on sentences in ``tests/terms/test_assertion.py``; no corpus figure is
claimed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from xinglin.terms.clauses import (
    bare_until,
    closes_list,
    is_filler,
    joined,
    post_gap,
    sentences,
    unexplained,
)
from xinglin.terms.cues import Cue, find_cues
from xinglin.terms.matcher import Match
from xinglin.terms.subject import Subject
from xinglin.types import State

Who = Literal["patient", "family", "other"]
When = Literal["now", "past", "resolved"]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the text says about one mention."""

    state: State
    who: Who = "patient"
    when: When = "now"
    hypothetical: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A mention to be judged: where it stands and two facts about its term."""

    start: int
    end: int
    chronic: bool = False
    """A disease, an exposure or a drug rather than a complaint: *in the past* does not unsay it."""
    negated: bool = False
    """A negator stands inside the mention."""


_LIMITS = {Cue.DENY: 10, Cue.NEGATE: 8, Cue.NEGATE_NEAR: 3, Cue.NEGATE_NEXT: 0}
"""Unexplained characters (a Latin word counts two) that may stand between a negation and a mention."""
_DOUBT_LIMIT = 6
_LONGEST_LIST = 40
"""Mentions that one backward cue may judge."""
_BACKWARD = (
    Cue.NEGATED, Cue.RESOLVED, Cue.AFFIRMED, Cue.DOUBTED, Cue.OPEN, Cue.HISTORY, Cue.FAMILY_HISTORY,
)  # fmt: skip
_FORWARD_TWINS = {"可能", "possible", "likely", "suspected", "questionable", "无", "没有", "未见", "未及",
"未触及", "未闻及",
                  "未扪及", "未引出", "未出现", "否认", "已排除", "可排除", "ruled out", "excluded", "abse"
                  "nt", "不详", "不确定",
                  "可疑", "不排除", "不能排除", "不除外", "不能除外", "not ruled out", "years ago", "as a "
                  "child",
                  "in childhood", "待排除", "待除外"}  # fmt: skip
"""Words that act forward and backward: backward only if no mention follows in the clause."""
_OR = re.compile(r"\b(?:or|nor)\b")
_LASTING = re.compile(r"(?:hour|day|week|month|year)s?[- ]$")
_NEEDS_END = frozenset(
    {"没有", "无", "未见", "未及", "未触及", "未闻及", "未扪及", "未出现", "否认", "均无", "均未见"}
)
_CLAUSE_ENDS = ("", *",。;、!?)\n|")
_EXAMPLES = re.compile(r"\s*(?:比如|例如|诸如|像|包括|如(?!果|有|出)|such as|including|like|e\.g)")
_ASKS = re.compile(
    r"怎么|为什么|为何|什么|咋|如何|哪|要不要|需要|严重|危险|能治|吃点|用药|\b(?:why|what|how|which|"
    r"should|can i|do i|serious)\b"
)
_BREAKS = re.compile(r"[后就才因使让]|之后|以后|的时候|\bafter\b|\bthen\b|\bwhen\b")
_INFORMS = re.compile(
    r"(?:们)?(?:代|口)?(?:诉|述|称|陪|送|发现|说|带|告|讲|介绍|提供|补充|认为|抱|扶|背着|急送|"
    r"\s*(?:reports?|reported|states?|stated|says|said|brought|noticed|noted|found|called|describes?|brings))"
)
_BEFORE_NOW = re.compile(
    r"[0-9一二两三四五六七八九十半数几](?:个)?(?:余|多)?(?:天|日|小时|周|星期|礼拜|分钟|个月|月)(?:前|来|"
    r"内|余)|近[0-9一二两三四五六七八九十半数几]"
)
_YEARS_AGO = re.compile(
    r"(?:[0-9一二两三四五六七八九十数几]+(?:余|多)?年前|[12][09][0-9]{2}年)(?!.{0,8}?(?:出现|开始|起病|"
    r"发现|诊断|确诊|无明显诱因|逐渐|反复|至今|以来|始))"
)


@dataclass(frozen=True, slots=True)
class _Sentence:
    """One sentence as the scopes see it."""

    text: str
    end: int
    spans: list[tuple[int, int]]
    stops: list[int]
    """Where contrast or a statement of presence begins."""


class _Scope:
    """The open scopes inside one sentence."""

    __slots__ = ("brief_past", "clause_of_kin", "doubt", "hypothetical", "negation", "past", "used", "who")

    def __init__(self) -> None:
        self.negation: Cue | None = None
        self.used = False
        """The open negation or doubt has met a mention."""
        self.doubt = False
        self.past = False
        self.brief_past = False
        self.hypothetical = False
        self.who: Who = "patient"
        self.clause_of_kin = 0


def assert_targets(text: str, targets: Sequence[Target]) -> list[Assertion]:
    """Judge every target of a normalised text.

    Args:
        text: from :func:`~xinglin.terms.characters.normalise`.
        targets: mentions by position, not overlapping.

    Returns:
        One assertion for each target, in order.
    """
    judged: list[Assertion] = [Assertion("present")] * len(targets)
    if not targets:
        return judged
    cues = find_cues(text, [(t.start, t.end) for t in targets])
    own_kin = Subject(text).kin
    first, first_cue = 0, 0
    for start, end in sentences(text):
        last = first
        while last < len(targets) and targets[last].start < end:
            last += 1
        last_cue = first_cue
        while last_cue < len(cues) and cues[last_cue].start < end:
            last_cue += 1
        if first < last:
            inside = cues[first_cue:last_cue]
            _forward(text, start, end, targets, range(first, last), inside, own_kin, judged)
            _backward(text, end, targets, range(first, last), inside, judged)
        first, first_cue = last, last_cue
    for i, target in enumerate(targets):
        if target.negated:
            judged[i] = replace(judged[i], state="present" if judged[i].state == "absent" else "absent")
    return judged


def _forward(
    text: str,
    start: int,
    end: int,
    targets: Sequence[Target],
    indices: range,
    cues: Sequence[Match[frozenset[Cue]]],
    own_kin: frozenset[int],
    judged: list[Assertion],
) -> None:
    """Scopes that open at a cue and reach rightward."""
    sentence = _Sentence(
        text,
        end,
        [(targets[i].start, targets[i].end) for i in indices],
        [cue.start for cue in cues if Cue.STOP in cue.payload or Cue.HAVE in cue.payload],
    )
    tokens: list[tuple[int, int, int, frozenset[Cue] | None]] = [
        (targets[i].start, targets[i].end, i, None) for i in indices
    ]
    tokens += [(cue.start, cue.end, -1, cue.payload) for cue in cues]
    tokens.sort(key=lambda t: (t[0], t[3] is None))
    scope, position = _Scope(), start
    for left, right, index, kinds in tokens:
        gap = text[position:left] if left > position else ""
        if gap:
            _cross(sentence, position, left, gap, scope)
        if kinds is None:
            judged[index] = _judge(scope, gap)
            if text[right - 1 : right + 1] == "征:":  # a heading: 脑膜刺激征: 克氏征阴性
                judged[index] = replace(judged[index], state="unknown")
            if targets[index].negated:
                scope.negation = Cue.NEGATE
        else:
            _open(text, left, right, end, gap, kinds, scope, own_kin)
        position = max(position, right)


def _judge(scope: _Scope, gap: str) -> Assertion:
    """The assertion of a mention met with these scopes open."""
    cost = unexplained(gap)
    if scope.negation is not None:
        limit = _LIMITS[scope.negation]
        listed = scope.used and (joined(gap) or (gap == "" and scope.negation is not Cue.NEGATE_NEXT))
        listed = listed and not (scope.negation is Cue.NEGATE_NEXT and "and" in gap)  # non-smoker and drinks
        if not listed and (
            cost > limit or (scope.used and scope.negation is Cue.NEGATE_NEXT) or _BREAKS.search(gap)
        ):
            scope.negation = None
    if scope.doubt and cost > _DOUBT_LIMIT:
        scope.doubt = False
    scope.used = True
    state: State = "present"
    if scope.doubt:
        state = "unknown"
    elif scope.negation is not None:
        state = "absent"
    hypothetical = scope.hypothetical and not re.search(r"[就便会]$|就会$", gap)
    when: When = "past" if scope.past or scope.brief_past else "now"
    return Assertion(state, scope.who, when, hypothetical)


def _cross(sentence: _Sentence, position: int, left: int, gap: str, scope: _Scope) -> None:
    """Let the text between two tokens end scopes: commas, dates, spaces between Chinese words."""
    text, end = sentence.text, sentence.end
    if _BEFORE_NOW.search(gap):
        scope.past = scope.brief_past = False
    elif _YEARS_AGO.search(text, position, min(end, left + 8)) and re.search(r"年前|[0-9]{4}年", gap):
        scope.brief_past = True
    for offset, char in enumerate(gap):
        if char == "," or (char == " " and _between_chinese(text, position + offset)):
            _comma(sentence, position + offset + 1, scope)


def _comma(sentence: _Sentence, after: int, scope: _Scope) -> None:
    """A comma ends brief scopes, and negation unless a bare list goes on."""
    text, end, spans, stops = sentence.text, sentence.end, sentence.spans, sentence.stops
    scope.doubt = False
    scope.brief_past = False
    if _EXAMPLES.match(text, after, end):
        return  # 没有慢性病,比如哮喘
    bare = bare_until(text, after, end, spans, stops)
    if scope.negation is Cue.DENY:
        if not bare and not _or_closes(sentence, after):
            scope.negation = None
    elif scope.negation is not None and not closes_list(text, after, end, spans, stops):
        scope.negation = None
    if scope.who != "patient" and not (
        bare
        or re.match(
            r"\s*(?:死于|因|患|也|均|都|有|于|曾|去世|享年|[0-9]+岁|and|who|had|died)", text[after:end]
        )
    ):
        scope.who = "patient"
    if scope.hypothetical and text[after:end].lstrip()[:1].isascii() and not bare:
        scope.hypothetical = False


def _or_closes(sentence: _Sentence, after: int) -> bool:
    """Whether an English list goes on to its *or* before any new statement: *denies pain, trauma to the
    knee, or*."""
    at = bisect_left(sentence.stops, after)
    stop = sentence.stops[at] if at < len(sentence.stops) else sentence.end
    return _OR.search(sentence.text, after, stop) is not None


def _between_chinese(text: str, position: int) -> bool:
    return 0 < position < len(text) - 1 and text[position - 1] >= "\u4e00" and text[position + 1] >= "\u4e00"


def _open(
    text: str,
    left: int,
    right: int,
    end: int,
    gap: str,
    kinds: frozenset[Cue],
    scope: _Scope,
    own_kin: frozenset[int],
) -> None:
    """Let a cue open or end scopes."""
    for negation in _LIMITS:
        if negation in kinds:
            scope.negation, scope.used = negation, False
            scope.doubt = False
    if Cue.STOP in kinds:
        scope.negation, scope.doubt = None, False
    if Cue.HAVE in kinds and (scope.used or not is_filler(gap)):
        scope.negation, scope.doubt = None, False
    if Cue.DOUBT in kinds:
        scope.doubt, scope.used = True, False
    if Cue.IF in kinds:
        scope.hypothetical = True
    if Cue.PAST in kinds and not _LASTING.search(text, max(0, left - 10), left):
        scope.past = True
    if Cue.PAST_BRIEF in kinds:
        scope.brief_past = True
    if Cue.NOW in kinds:
        scope.past = scope.brief_past = False
    if Cue.SELF in kinds:
        scope.past = scope.brief_past = False
        scope.who = "patient"
    if Cue.FAMILY in kinds or Cue.OTHER in kinds:
        if left not in own_kin and not _INFORMS.match(text, right, end):
            scope.who = "family" if Cue.FAMILY in kinds else "other"
    elif Cue.FAMILY_HISTORY in kinds:
        scope.who = "family"


def _backward(
    text: str,
    end: int,
    targets: Sequence[Target],
    indices: range,
    cues: Sequence[Match[frozenset[Cue]]],
    judged: list[Assertion],
) -> None:
    """Cues that judge the mention (or list of mentions) before them."""
    starts = [targets[i].start for i in indices]
    for cue in cues:
        kinds = [kind for kind in _BACKWARD if kind in cue.payload]
        if not kinds:
            continue
        index = indices.start + bisect_left(starts, cue.start) - 1
        if index < indices.start:
            continue
        word = text[cue.start : cue.end]
        gap = text[targets[index].end : cue.start]
        if not post_gap(gap, history=Cue.HISTORY in kinds or Cue.FAMILY_HISTORY in kinds):
            continue
        after = index + 1
        if (
            word in _FORWARD_TWINS
            and after < indices.stop
            and "," not in text[cue.end : targets[after].start]
        ):
            continue
        if word in _NEEDS_END and text[cue.end : cue.end + 1] not in _CLAUSE_ENDS:
            continue  # 上腹痛没有特定的位置
        if word in ("?", "??", "吗", "么") and (
            gap.strip()
            or _ASKS.search(
                text,
                targets[indices[0]].start - 12 if targets[indices[0]].start > 12 else 0,
                min(len(text), end + 1),
            )
        ):
            continue
        everything = bool(re.search(r"[均都皆全]|\ball\b|\bboth\b", gap + word))
        chosen = [index]
        if everything or not (Cue.RESOLVED in kinds and word[0] == "已"):
            for i in range(index - 1, max(indices.start, index - _LONGEST_LIST) - 1, -1):
                between = text[targets[i].end : targets[i + 1].start]
                if not joined(between, commas=everything):
                    break
                chosen.append(i)
        for i in chosen:
            judged[i] = _rejudge(judged[i], kinds[0], targets[i])


def _rejudge(old: Assertion, kind: Cue, target: Target) -> Assertion:
    """``old`` after a backward cue of that kind."""
    if kind is Cue.NEGATED:
        return replace(old, state="absent")
    if kind is Cue.RESOLVED:
        return replace(old, state="absent", when="resolved") if old.state == "present" else old
    if kind is Cue.AFFIRMED:
        return replace(old, state="present")
    if kind is Cue.DOUBTED or (kind is Cue.OPEN and target.chronic):
        return replace(old, state="unknown")
    if kind is Cue.HISTORY:
        return replace(old, when="past")
    if kind is Cue.FAMILY_HISTORY:
        return replace(old, who="family")
    return old
