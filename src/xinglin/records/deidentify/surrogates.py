"""Invented identifiers of the same form: the same for the same identifier of a subject, and nobody's own.

All draws are HMAC-SHA-256 of the subject's key over entity and identifier. Numbers keep their length, groups and
letters; those that a registry gives out are put where it gives none: mobile numbers begin with 100, North American ones
are 555-01xx, identity numbers have the area 000000, addresses on the net are of RFC 5737 and RFC 2606.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from xinglin.records.deidentify.checks import identity_check

_SURNAMES = "苗柏水窦章云奚范彭鲁韦昌马凤花俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤"
_GIVEN = "一二以仪伊依信修允元光兆兰冬凌初勤化南卉友含启咏和喜园坤声夏天守安宜宣容少尔岑平年康弘彦彤忆念思怡恬悦愉慕惠慧成承持振敏文斯方旭星春晨景晴曼曜朗望本松果枫柔栋梁梅棋楚正民永沛泽洁浩海涵清渊温溪润澄"
_ENGLISH = "Alder Ash Bay Birch Briar Brook Clay Cliff Dale Elm Fern Field Ford Glen Grove Hazel Heath Hill Holly Ivy Lake Lane Laurel Leaf Lily Marsh Meadow Moss Oak Olive".split()
_ROADS = "朝云 晚晴 青禾 白鹭 松涛 竹溪 梅影 荷塘 枫桥 杏花 柳浪 麦香 稻浪 芦荻 桑榆 蒲草".split()
_HOSPITALS = "杏园 橘泉 青囊 悬壶 仁和 济众 普惠 博济 怀德 同春 长乐 永和".split()


class Dice:
    """A stream of numbers that a key and a text determine."""

    def __init__(self, key: bytes, entity: str, value: str) -> None:
        self._key, self._seed, self._turn = key, f"surrogate\0{entity}\0{value}".encode(), 0

    def below(self, bound: int) -> int:
        """Return the next number in ``[0, bound)``."""
        self._turn += 1
        block = hmac.new(self._key, self._seed + b"\0%d" % self._turn, hashlib.sha256).digest()
        return int.from_bytes(block[:8], "big") % bound

    def of(self, items: str | list[str]) -> str:
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
            f"{dice.of(_HOSPITALS)}医院"
            if han
            else f"{dice.of(_ENGLISH)}{dice.of(_ENGLISH).lower()} Hospital"
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
    if not han:
        words = re.findall(r"[A-Za-z]+", value)
        if len(words) == 2 and re.search(r"[a-z], ?[A-Z]", value):
            return f"{dice.of(_ENGLISH)}, {dice.of(_ENGLISH)}"
        return " ".join(dice.of(_ENGLISH) for _ in words[:3]) or dice.of(_ENGLISH)
    if "\xb7" in value:
        return f"{dice.of(_SURNAMES)}{dice.of(_GIVEN)}\xb7{dice.of(_GIVEN)}{dice.of(_GIVEN)}"
    length = len(re.sub(r"\s", "", value))
    return dice.of(_SURNAMES) + "".join(dice.of(_GIVEN) for _ in range(min(length, 4) - 1))


def _address(value: str, han: bool, dice: Dice) -> str:
    if han:
        return f"某市{dice.of(_ROADS)}路{dice.below(300) + 1}号"
    if re.fullmatch(r"[0-9\- ]+", value):
        return _shape(value, dice)
    return f"{dice.below(900) + 100} {dice.of(_ENGLISH)} Street"


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
