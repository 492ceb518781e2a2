"""Check digits and dates of identity and card numbers.

Sources: GB 11643-1999 (18 digits: weights 2^(18-i) mod 11, check characters 10X98765432; 15 digits: two-digit year,
no check), ISO/IEC 7812-1 (Luhn), the published check rules of Hong Kong and Taiwan identity cards.
"""

from __future__ import annotations

from datetime import date

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
"""First two digits: GB/T 2260 provinces; 81, 82, 83 residence permits of Hong Kong, Macau, Taiwan."""
_TAIWAN = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


def identity_18(number: str) -> bool:
    """Whether an 18-character number has a province, a possible birth date and the right check character."""
    return (
        identity_shape(number)
        and _CHECK[sum(int(d) * w for d, w in zip(number[:17], _WEIGHTS, strict=True)) % 11]
        == number[17].upper()
    )


def identity_shape(number: str) -> bool:
    """Whether an 18-character number has a province and a possible birth date, whatever its check character."""
    return number[:2] in _PROVINCES and possible_date(number[6:10], number[10:12], number[12:14])


def identity_15(number: str) -> bool:
    """Whether a 15-digit number of before 1999 has a province and a possible birth date."""
    return number[:2] in _PROVINCES and possible_date("19" + number[6:8], number[8:10], number[10:12])


def identity_check(first_17: str) -> str:
    """Return the check character of 17 digits."""
    return _CHECK[sum(int(d) * w for d, w in zip(first_17, _WEIGHTS, strict=True)) % 11]


def possible_date(year: str, month: str, day: str) -> bool:
    """Whether the digits are a date of the calendar between 1850 and 2100."""
    try:
        return 1850 <= date(int(year), int(month), int(day)).year <= 2100
    except ValueError:
        return False


def luhn(number: str) -> bool:
    """Whether the digits pass the Luhn check."""
    doubled = sum(sum(divmod(2 * int(d), 10)) for d in number[-2::-2])
    return (sum(int(d) for d in number[-1::-2]) + doubled) % 10 == 0


def hong_kong(letters: str, digits: str, check: str) -> bool:
    """Whether a Hong Kong identity card number has the right check character."""
    padded = letters.rjust(2)
    values = [36 if char == " " else ord(char) - 55 for char in padded] + [int(d) for d in digits]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return (total + (10 if check == "A" else int(check))) % 11 == 0


def taiwan(number: str) -> bool:
    """Whether a Taiwan identity card number (letter, nine digits) has the right check digit."""
    area = _TAIWAN.index(number[0]) + 10
    values = [area // 10, area % 10, *(int(d) for d in number[1:])]
    return sum(v * w for v, w in zip(values, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0
