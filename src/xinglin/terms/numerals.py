"""Chinese and Arabic numbers in running text: 三, 十二, 两百, 半, 一万二, 3.5."""

from __future__ import annotations

import re

_DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_WORDS = {
    "one": 1.0, "a": 1.0, "an": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seve"
    "n": 7.0,
    "eight": 8.0, "nine": 9.0, "ten": 10.0, "eleven": 11.0, "twelve": 12.0, "half": 0.5, "couple": 2.0,
}  # fmt: skip
NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|[零〇一二两三四五六七八九十百千万]+|半)"
"""A regular expression for one number, without a group."""
ENGLISH_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|" + "|".join(_WORDS) + ")"


def number(text: str) -> float | None:
    """The value of one number in Chinese, Arabic or (small) English notation; ``None`` if it is none.

    一百二 counts as 120 and 一万二 as 12000, as they are spoken.
    """
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return float(text)
    if text == "半":
        return 0.5
    if text in _WORDS:
        return _WORDS[text]
    if not text or any(c not in _DIGITS and c not in _UNITS for c in text):
        return None
    return _chinese(text)


def _chinese(text: str) -> float:
    total, section, digit, last_unit = 0, 0, 0, 1
    for char in text:
        if char in _DIGITS:
            digit = digit * 10 + _DIGITS[char] if digit and last_unit == 1 else _DIGITS[char]
            if char in "零〇":
                last_unit = 1
        else:
            unit = _UNITS[char]
            if unit == 10000:
                total, section, digit = (total + section + digit) * unit, 0, 0
            else:
                section, digit = section + (digit or 1) * unit, 0
            last_unit = unit
    if digit and last_unit >= 100:
        digit *= last_unit // 10
    return float(total + section + digit)
