"""How long, since when, how suddenly: 胸痛3天 -> ``P3D``, 突发 -> sudden.

Durations are ISO 8601 (``P3D``, ``PT2H``, ``P10Y``). Of a range (3-5天) the lower bound is kept; a
number that
is not stated (数天, *a few days*) gives none. :data:`PAST` marks a finding that is over.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Literal

from xinglin.terms.numerals import ENGLISH_NUMBER, NUMBER, number

PAST = "past"
"""``Finding.time`` of what was there before and is not stated to be there now."""
Onset = Literal["sudden", "gradual"]

_ZH_UNITS = {
    "秒": "S", "秒钟": "S", "分": "M", "分钟": "M", "小时": "H", "钟头": "H", "天": "D", "日": "D",
    "晚": "D", "周": "W",
    "星期": "W", "礼拜": "W", "月": "MO", "年": "Y",
}  # fmt: skip
_EN_UNITS = {
    "second": "S", "sec": "S", "minute": "M", "min": "M", "hour": "H", "hr": "H", "h": "H", "day": "D",
    "d": "D",
    "week": "W", "wk": "W", "w": "W", "month": "MO", "mo": "MO", "year": "Y", "yr": "Y", "y": "Y",
}  # fmt: skip
_ZH = re.compile(
    rf"(?<!年)(?<![0-9.])(?P<n>{NUMBER})(?:[-~至到](?:{NUMBER}))?(?:余|多|来)?(?:个)?(?P<half>半)?(?:余|多)?"
    r"(?P<u>秒钟?|分钟|小时|钟头|天|日|晚|周|星期|礼拜|月|年)(?P<and>半)?(?P<ago>前)?(?!龄|岁|大|"
    r"[0-9]*[月日号])"
)
_EN = re.compile(
    rf"\b(?P<n>{ENGLISH_NUMBER})(?:[- ]?(?:to|or|-)[- ]?{ENGLISH_NUMBER})?(?:[- ]an?)?(?:[- ]of)?[- ]?"
    r"(?P<u>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|months?|mos?|years?|yrs?|[hdwy])\b"
    r"(?![- ]?olds?\b)(?P<ago>[- ]ago|[- ]prior)?"
)
_SUDDEN = re.compile(r"突发|突然|骤发|骤然|猝然|急起|忽然|\b(?:sudden(?:ly)?|abrupt(?:ly)?|acute onset)\b")
_GRADUAL = re.compile(
    r"逐渐|渐渐|缓慢|慢慢|渐进性|进行性加重|隐匿|\b(?:gradual(?:ly)?|insidious(?:ly)?|progressive(?:ly)?)\b"
)
_AFTER = re.compile(
    r"(?:[一-鿿]{0,4}?(?:已|有|持续|了|约|近|大约|达|共|病史|史|不适|症状)|\s|约|近|:|for|x|×|since|over|"
    r"lasting|started|began|the|past|last|about|approximately|,)*"
)
_CLAUSE_TAIL = re.compile(r"[^,。;\n]*$")
_REACH = 24
"""Characters that may stand between a mention and its duration."""
_BEFORE = re.compile(
    r"(?:来|内|以来|余|出现|开始|起|无明显诱因|下|突发|突然|反复|逐渐|即|感|自觉|后|因|的|有|发现|发作|"
    r"患者|始|间断|持续|\s|-|history|of|worsening|progressive|intermittent|,)*"
)


@dataclass(frozen=True, slots=True)
class Duration:
    """A stated length of time with its place in the text."""

    iso: str
    start: int
    end: int
    ago: bool
    """It says when (三天前, *3 days ago*), not only how long."""


def iso_duration(amount: float, unit: str) -> str:
    """ISO 8601 for an amount of ``S M H D W MO Y`` (minutes are ``M``, months ``MO``).

    Halves become whole smaller units: half a day ``PT12H``, half a year ``P6M``.
    """
    if amount != int(amount):
        smaller = {
            "M": ("S", 60),
            "H": ("M", 60),
            "D": ("H", 24),
            "W": ("D", 7),
            "MO": ("D", 30),
            "Y": ("MO", 12),
        }
        if unit in smaller:
            unit, factor = smaller[unit]
            amount *= factor
    whole = max(round(amount), 0)
    if unit in ("S", "M", "H"):
        return f"PT{whole}{unit}"
    return f"P{whole}{unit[0]}"


def find_durations(text: str) -> list[Duration]:
    """All durations in a normalised text, by position."""
    found = []
    for match in _ZH.finditer(text):
        amount = number(match.group("n"))
        if amount is None or (match.group("u") == "日" and text[match.start() - 1 : match.start()] == "月"):
            continue  # 3月5日 is a date
        if match.group("half") or match.group("and"):
            amount += 0.5
        found.append(
            Duration(
                iso_duration(amount, _ZH_UNITS[match.group("u")]),
                match.start(),
                match.end(),
                bool(match.group("ago")),
            )
        )
    if re.search(r"[a-z]", text):
        for match in _EN.finditer(text):
            amount = number(match.group("n"))
            unit = (
                _EN_UNITS[match.group("u")]
                if match.group("u") in _EN_UNITS
                else _EN_UNITS[match.group("u")[:-1]]
            )
            if amount is not None:
                found.append(
                    Duration(iso_duration(amount, unit), match.start(), match.end(), bool(match.group("ago")))
                )
        found.sort(key=lambda d: d.start)
    return found


def duration_of(
    text: str, start: int, end: int, durations: list[Duration], starts: list[int], following: int
) -> Duration | None:
    """The duration that belongs to the mention ``text[start:end]``.

    A duration belongs to a mention when only small words stand between them: after it (胸痛已3天, *cough for
    3 days*), before it (3天前出现胸痛, *3-day history of cough*) or inside it (发了三天烧).

    Args:
        starts: the starts of ``durations``.
        following: start of the next mention, or the length of the text.
    """
    near = durations[bisect_left(starts, start - 2 * _REACH) : bisect_right(starts, end + _REACH)]
    for duration in near:
        if start < duration.start and duration.end <= end:
            return duration
        if end <= duration.start <= min(following, end + _REACH) and _AFTER.fullmatch(
            text, end, duration.start
        ):
            return duration
    for duration in reversed(near):
        if (
            duration.end <= start
            and start - duration.end < 40
            and _BEFORE.fullmatch(text, duration.end, start)
        ):
            return duration
    return None


def onset_of(text: str, start: int, end: int) -> Onset | None:
    """Whether the clause up to and with the mention calls its onset sudden or gradual."""
    left = max(start - 20, 0)
    if tail := _CLAUSE_TAIL.search(text[left:start]):
        left = start - len(tail.group())
    right = min(len(text), end + (12 if text[end : end + 1].isascii() else 4))
    if _SUDDEN.search(text, left, right):
        return "sudden"
    return "gradual" if _GRADUAL.search(text, left, right) else None
