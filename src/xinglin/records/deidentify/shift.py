"""Dates moved by a constant number of days for each subject, written as they were written.

The shift is a whole number of weeks between 1 and 52 in either direction, by HMAC-SHA-256 of the subject's key: all
intervals of a subject stay exact and weekdays stay true, while the date in the calendar is another. A month without a
day moves as its 15th; a day without a year takes the year of the date before it. A day that the calendar lacks counts
from the first of its month (29 February 2023 is read as 1 March), so that intervals hold there too.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import date, timedelta

from xinglin.records.deidentify.dates import Part, WrittenDate, write_han

_FULL = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_ISO = re.compile(r"(?P<y>[0-9]{4})(?:-?(?P<m>[0-9]{2})(?:-?(?P<d>[0-9]{2}))?)?(?P<rest>.*)", re.S)


def shift_days(subject_key: bytes) -> int:
    """Return the subject's shift in days: a multiple of 7 in [-364, -7] or [7, 364]."""
    number = int.from_bytes(hmac.new(subject_key, b"date shift", hashlib.sha256).digest()[:8], "big") % 104
    return 7 * (number - 52 if number < 52 else number - 51)


def shifted_date(found: WrittenDate, text: str, days: int, before: date | None) -> tuple[str, date | None]:
    """Write a date moved by ``days``.

    Args:
        found: the date in ``text``.
        text: the source.
        days: the subject's shift.
        before: the date before it in the text, for what this one leaves out.

    Returns:
        The moved date as text, and the date as it was, for the next one. The text is empty when the date leaves the
        calendar.
    """
    guess = before or date(2024, 1, 1)
    year, month, day = found.value("y"), found.value("m"), found.value("d")
    try:
        day_of_it = _counted(year or guess.year, month or guess.month, day or 15)
        moved = day_of_it + timedelta(days=days)
    except (OverflowError, ValueError):
        return "", before
    if month is None and before is not None and (before + timedelta(days=days)).month != moved.month:
        return f"{moved.month}月{moved.day}日", day_of_it  # the range now ends in another month
    written = {"y": moved.year, "m": moved.month, "d": moved.day}
    padded = _padded(found, text)
    pieces, at = [], found.start
    for part in found.parts:
        pieces += [text[at : part.start], _write(part, written[part.field], text, padded)]
        at = part.end
    pieces.append(text[at : found.end])
    return "".join(pieces), day_of_it


def shifted_iso(time: str, days: int) -> str | None:
    """Move an ISO 8601 date or time of day; a year alone stays, and what is no date is ``None``.

    A year and month keep their form and move as the month's 15th.
    """
    match = _ISO.fullmatch(time.strip())
    if match is None:
        return None
    if match["m"] is None:
        return time if not match["rest"] else None
    try:
        moved = _counted(int(match["y"]), int(match["m"]), int(match["d"] or 15)) + timedelta(days=days)
    except (OverflowError, ValueError):
        return None
    dash = "-" if time.strip()[4:5] == "-" else ""
    shown = f"{moved.year:04d}{dash}{moved.month:02d}" + (f"{dash}{moved.day:02d}" if match["d"] else "")
    return shown + match["rest"]


def _counted(year: int, month: int, day: int) -> date:
    return date(year, month, 1) + timedelta(days=day - 1)


def _write(part: Part, value: int, text: str, padded: bool) -> str:
    source = text[part.start : part.end]
    if part.style == "han":
        return write_han(value, part.field)
    if part.style == "name":
        return _month_name(value, source)
    digits = f"{value % 100:02d}" if part.field == "y" and len(source) == 2 else str(value)
    return digits.zfill(2) if padded else digits


def _padded(found: WrittenDate, text: str) -> bool:
    """Whether months and days are written in two digits: one has its zero, or none needs it and no 年月 stands between."""
    numbers = [
        text[part.start : part.end] for part in found.parts if part.field != "y" and part.style == "digits"
    ]
    if any(number.startswith("0") for number in numbers):
        return True
    return all(len(number) == 2 for number in numbers) and not re.search(
        "[年月A-Za-z]", text[found.start : found.end]
    )


def _month_name(month: int, source: str) -> str:
    full = _FULL[month - 1]
    name = full if len(source) > 4 else full[:3]
    return name.upper() if source.isupper() else name.lower() if source.islower() else name
