"""Invented identifiers of the same form: the same for the same identifier of a subject, and nobody's own.

All draws are HMAC-SHA-256 of the subject's key over entity and identifier. Numbers keep their length, groups and
letters; those that a registry gives out are put where it gives none: mobile numbers begin with 100, North American ones
are 555-01xx, identity numbers have the area 000000, addresses on the net are of RFC 5737 and RFC 2606.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from xinglin.records.deidentify.checks import identity_check
from xinglin.records.deidentify.lexicon import words


class Dice:
    """A stream of numbers that a key and a text determine."""

    def __init__(self, key: bytes, entity: str, value: str) -> None:
        self._key, self._seed, self._turn = key, f"surrogate\0{entity}\0{value}".encode(), 0

    def below(self, bound: int) -> int:
        """Return the next number in ``[0, bound)``."""
        self._turn += 1
        block = hmac.new(self._key, self._seed + b"\0%d" % self._turn, hashlib.sha256).digest()
        return int.from_bytes(block[:8], "big") % bound

    def of(self, items: Sequence[str]) -> str:
        """Return the next item."""
        return items[self.below(len(items))]


def surrogate(entity: str, value: str, key: bytes) -> str:
    """Return an invented identifier for ``value`` (folded text, blanks as written)."""
    dice = Dice(key, entity, re.sub(r"\s", "", value).casefold())
    han = re.search("[\u4e00-\u9fff]", value) is not None
    if entity == "PERSON":
        return _person(value, han, dice)
    if entity == "ADDRESS":
        return _address(value, han, dice)
    if entity == "INSTITUTION":
        return (
            f"{dice.of(words('surrogate_hospitals'))}医院"
            if han
            else f"{dice.of(words('surrogate_english'))}{dice.of(words('surrogate_english')).lower()} Hospital"
        )
    if entity == "EMAIL":
        return f"user{dice.below(10**6):06d}@example.org"
    if entity == "URL":
        return f"https://example.org/{dice.below(10**6):06d}"
    if entity == "IP_ADDRESS":
        return f"192.0.2.{dice.below(254) + 1}"
    if entity == "ID_NUMBER" and len(re.sub("[^0-9Xx]", "", value)) == 18:
        first = f"000000{1930 + dice.below(80)}{dice.below(12) + 1:02d}{dice.below(28) + 1:02d}{dice.below(1000):03d}"
        return _into(value, first + identity_check(first))
    digits = "".join(char for char in value if char.isdigit())
    if (
        entity == "PHONE"
        and len(digits) in (11, 13)
        and digits[-11] == "1"
        and digits[-10] in "3456789"
        and "(" not in value
    ):
        return _into(value, digits[:-11] + "100" + f"{dice.below(10**8):08d}")
    if entity == "PHONE" and len(digits) == 10 and digits[0] != "0":
        return _into(value, digits[:3] + "55501" + f"{dice.below(100):02d}")
    return _shape(value, dice)


def _person(value: str, han: bool, dice: Dice) -> str:
    english = words("surrogate_english")
    (surnames,), (given,) = words("surrogate_surnames"), words("surrogate_given")
    if not han:
        parts = re.findall(r"[A-Za-z]+", value)
        if len(parts) == 2 and re.search(r"[a-z], ?[A-Z]", value):
            return f"{dice.of(english)}, {dice.of(english)}"
        return " ".join(dice.of(english) for _ in parts[:3]) or dice.of(english)
    length = len(re.sub(r"\s", "", value))
    name = dice.of(surnames) + "".join(dice.of(given) for _ in range(min(length, 4) - 1))
    return f"{name[:2]}\xb7{name[2:]}" if "\xb7" in value else name


def _address(value: str, han: bool, dice: Dice) -> str:
    if han:
        return f"某市{dice.of(words('surrogate_roads'))}路{dice.below(300) + 1}号"
    if re.fullmatch(r"[0-9\- ]+", value):
        return _shape(value, dice)
    return f"{dice.below(900) + 100} {dice.of(words('surrogate_english'))} Street"


def _into(form: str, digits: str) -> str:
    """Write the characters of ``digits`` where ``form`` has its digits and its X."""
    rest = iter(digits)
    return "".join(next(rest, "0") if char.isdigit() or char in "Xx" else char for char in form)


def _shape(value: str, dice: Dice) -> str:
    """Keep the form: another digit for a digit, another capital or small letter for a letter; the rest stays."""
    return "".join(
        str(dice.below(10))
        if char.isdigit()
        else chr(65 + dice.below(26))
        if "A" <= char <= "Z"
        else chr(97 + dice.below(26))
        if "a" <= char <= "z"
        else "某"
        if "\u4e00" <= char <= "\u9fff"
        else char
        for char in value
    )
