"""Dates of the calendar in Chinese and English, whole or in part, and ages over 89. Folded text.

A duration (3天, 术后2周, 5 months) is no date, nor is a year alone (45 CFR 164.514(b)(2)(i)(C) lets it stand), nor a
time of day. A date that the calendar lacks (2023-2-29) is one all the same: it names a day to whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from xinglin.records.deidentify.spans import Span

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(?P<mon>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_Y = r"(?P<y>19[0-9]{2}|20[0-4][0-9])"
_M, _D = r"(?P<m>1[0-2]|0?[1-9])", r"(?P<d>3[01]|[12][0-9]|0?[1-9])"
_NOT_IN_NUMBER = r"(?<![0-9A-Za-z.])"
_HAN = "〇零○一二三四五六七八九"
_HAN_YEAR = rf"(?P<hy>[{_HAN}]{{4}})[ ]?年[ ]?"
_HAN_MONTH = r"(?P<hm>十[一二]?|[一二三四五六七八九])[ ]?月(?:份)?"
_HAN_DAY = r"(?P<hd>三十一?|二?十[一二三四五六七八九]|二十|十|[一二三四五六七八九])[ ]?[日号]"
_TIME = r"(?=[ T]{0,2}[0-9]{1,2}:[0-9]{2})"
_PATTERNS = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"(?<![0-9A-Za-z]){_Y}[ ]?年[ ]?{_M}[ ]?月[ ]?{_D}(?:[ ]?[日号]|(?![0-9:月]))",
        rf"(?<![0-9A-Za-z.]){_Y}[ ]?(?P<s>[\-/.])[ \n]?{_M}[ ]?(?P=s)[ \n]?{_D}(?:[ ]?[日号])?(?![0-9]|\.[0-9])",
        rf"(?<![0-9A-Za-z.\-]){_Y}(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12][0-9]|"
        rf"3[01])(?=[0-9]{{4}}(?:[0-9]{{2}})?(?![0-9A-Za-z])|T[0-9]|(?![0-9A-Za-z.\-]))",
        rf"(?<![0-9A-Za-z]){_Y}[ ]?年[ ]?{_M}[ ]?月(?:份)?(?![ ]?[0-9]{{1,2}}[ ]?[日号])",
        rf"(?<![0-9A-Za-z.\-/]){_Y}[\-/.](?P<m>0[1-9]|1[0-2])(?![0-9A-Za-z\-/]|\.[0-9]|[ ]?(?:%|mm|mg|g|ml|l|岁))",
        rf"{_NOT_IN_NUMBER}'?(?P<y>[0-9]{{2}})[ ]?年[ ]?{_M}[ ]?月[ ]?{_D}[ ]?[日号]",
        rf"(?<![0-9A-Za-z年]){_M}[ ]?月[ ]?{_D}[ ]?[日号](?!龄|间)",
        rf"(?<![0-9A-Za-z.\-/]){_M}(?P<s>[\-/.]){_D}(?P=s){_Y}(?![0-9])",
        rf"(?<![0-9A-Za-z.\-/]){_D}(?P<s>[\-/.]){_M}(?P=s){_Y}(?![0-9])",
        rf"(?<![0-9A-Za-z.\-/]){_M}(?P<s>[\-/]){_D}(?P=s)(?P<y>[0-9]{{2}})(?![0-9A-Za-z\-/]|\.[0-9])",
        rf"(?<![0-9A-Za-z.\-/]){_D}(?P<s>[\-/]){_M}(?P=s)(?P<y>[0-9]{{2}})(?![0-9A-Za-z\-/]|\.[0-9])",
        r"(?<![0-9A-Za-z.\-/])(?P<y>[0-9]{2})(?P<s>[\-/.])(?P<m>0[1-9]|1[0-2])(?P=s)(?P<d>3[01]|"
        r"[12][0-9]|0[1-9])(?![0-9A-Za-z\-/]|\.[0-9])",
        rf"(?<![0-9A-Za-z.\-/])(?P<m>0[1-9]|1[0-2])[\-/](?P<d>3[01]|[12][0-9]|0[1-9]){_TIME}",
        rf"(?<=\b[oO]n ){_M}/{_D}(?![0-9/])|(?<=\bsince ){_M}/{_D}(?![0-9/])".replace(
            "?P<m>", "?P<m1>", 1
        ).replace("?P<d>", "?P<d1>", 1),
        rf"(?<![A-Za-z]){_MONTH}[ ]?{_D}(?:st|nd|rd|th)?(?:[ ]?,[ ]?|[ ]+){_Y}(?![0-9])",
        rf"(?<![0-9A-Za-z.]){_D}(?:st|nd|rd|th)?[ ]?(?:-|/|of )?[ ]?{_MONTH}[ ]?[\-/,]?[ ]?{_Y}(?![0-9])",
        rf"(?<![0-9A-Za-z.]){_D}[\-/]?{_MONTH}[\-/]?'?(?P<y>[0-9]{{2}})(?![0-9A-Za-z])",
        rf"(?<![A-Za-z]){_MONTH}[ ]?,?[ ](?:of )?{_Y}(?![0-9])",
        rf"(?<![A-Za-z])(?-i:(?=[A-Z])){_MONTH}[ ]{_D}(?:st|nd|rd|th)?(?![0-9A-Za-z/.%\-])",
        rf"(?<![0-9A-Za-z.]){_D}(?:st|nd|rd|th)?[ ](?:of )?(?-i:(?=[A-Z])){_MONTH}(?![0-9A-Za-z])",
        rf"(?<![{_HAN}]){_HAN_YEAR}{_HAN_MONTH}(?:[ ]?{_HAN_DAY})?",
        rf"(?<![{_HAN}十年个]){_HAN_MONTH}[ ]?{_HAN_DAY}",
        r"(?<=[日号])[ ]?(?:至|到|-|~|、|及|和)[ ]?(?P<d>3[01]|[12][0-9]|0?[1-9])[ ]?[日号](?!龄|间)",
    )
)
_AGE = re.compile(
    r"(?<![0-9A-Za-z.\-~])(?P<v>9[0-9]|1[0-2][0-9])(?:\.[0-9])?[ ]?(?:周?岁|(?:-| )?(?:years?|"
    r"yrs?)(?:-| )?(?:old|of age)|[ -]?y/?\.?o\b|[ ]?[yY](?:rs?)?(?=[ ]?[/,]?[ ]?[MFmf]\b))"
    r"|(?:年龄|\bage[ds]?\b(?: of)?)[ ]*[::=]?[ ]*(?P<w>9[0-9]|1[0-2][0-9])(?![0-9%]|\.[0-9])"
    r"|(?P<h>一百[零〇]?[一二三四五六七八九]?|一百一?十?[一二三四五六七八九]?|"
    r"九十[一二三四五六七八九]?)[ ]?(?:多|余)?周?岁",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Part:
    """Year, month or day of a date as it is written."""

    field: str
    """``y``, ``m`` or ``d``."""
    start: int
    end: int
    value: int
    style: str
    """``digits``, ``han`` or ``name`` (an English month)."""


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date in a text by its parts; what is between them stays as it is."""

    start: int
    end: int
    parts: tuple[Part, ...]

    def value(self, field: str) -> int | None:
        """Return the year (four digits), month or day, or ``None`` when it is not written."""
        return next((part.value for part in self.parts if part.field == field), None)


def find_dates(text: str) -> Iterator[Span]:
    """Yield dates and ages over 89."""
    for found in written_dates(text):
        # A day first or without its month may as well be a house (13-1-1932): an address around it is the better reading.
        score = 0.88 if len(found.parts) > 1 and found.parts[0].field != "d" else 0.72
        yield Span(found.start, found.end, "DATE", score)
    for match in _AGE.finditer(text):
        group = "v" if match["v"] else "w" if match["w"] else "h"
        yield Span(*match.span(group), "AGE_OVER_89", 0.8)


def written_dates(text: str) -> list[WrittenDate]:
    """Return the dates of a text in order, none within another."""
    found: list[WrittenDate] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            parts = _parts(match)
            # A range's second day stands behind its separator.
            start = parts[0].start if len(parts) == 1 else match.start()
            end = match.end()
            if any(start < other.end and other.start < end for other in found):
                continue
            found.append(WrittenDate(start, end, parts))
    return sorted(found, key=lambda item: item.start)


def _parts(match: re.Match[str]) -> tuple[Part, ...]:
    parts = []
    for group, text in match.groupdict().items():
        if text is None or group == "s":
            continue
        start, end = match.span(group)
        if group == "mon":
            parts.append(Part("m", start, end, MONTHS.index(text[:3].lower()) + 1, "name"))
        elif group[0] == "h":
            parts.append(Part(group[1], start, end, read_han(text), "han"))
        else:
            value = int(text)
            if group == "y" and len(text) == 2:
                value += 1900 if value > 40 else 2000
            parts.append(Part(group[0], start, end, value, "digits"))
    return tuple(sorted(parts, key=lambda part: part.start))


def read_han(text: str) -> int:
    """Return the number that Chinese numerals write: digit by digit, or with 十."""
    digits = {char: max(0, index - 2) for index, char in enumerate(_HAN)}
    if "十" not in text:
        return int("".join(str(digits[char]) for char in text))
    tens, ones = text.split("十")
    return (digits[tens] if tens else 1) * 10 + (digits[ones] if ones else 0)


def write_han(value: int, field: str) -> str:
    """Return a number in Chinese numerals: a year digit by digit, a month or day with 十."""
    plain = "〇一二三四五六七八九"
    if field == "y":
        return "".join(plain[int(digit)] for digit in f"{value:04d}")
    tens, ones = divmod(value, 10)
    return ("" if tens == 0 else "十" if tens == 1 else plain[tens] + "十") + (plain[ones] if ones else "")
