"""Generated notes with planted identifiers, by seed; the spans are exact because the note is built around them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from xinglin.records.deidentify.checks import identity_check

Planted = tuple[int, int, str]
Set = Literal["development", "report"]
FOLDER = Path(__file__).parent


@cache
def listed(name: str) -> tuple[str, ...]:
    """Return a list of ``_deidentify_lists.tsv``."""
    for line in (FOLDER / "_deidentify_lists.tsv").read_text(encoding="utf-8").splitlines():
        key, _, items = line.partition("\t")
        if key == name:
            return (
                tuple(items.split("|")) if "|" in items else tuple(items.split() if " " in items else items)
            )
    raise KeyError(name)


@cache
def parts(templates: Set, part: str) -> tuple[str, ...]:
    """Return the templates of one set and part."""
    rows = (
        line.split("\t")
        for line in (FOLDER / "_deidentify_templates.tsv").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    return tuple(
        row[2].replace("\\n", "\n").replace("\\t", "\t") for row in rows if row[:2] == [templates, part]
    )


@dataclass(frozen=True, slots=True)
class Note:
    """One generated note."""

    text: str
    spans: tuple[Planted, ...]
    lang: str


SX_ZH = (
    "胸痛",
    "腹痛",
    "头晕",
    "咳嗽咳痰",
    "心悸气短",
    "腰痛",
    "恶心呕吐",
    "右下肢麻木",
    "视物模糊",
    "关节肿痛",
)
DX_ZH = ("冠心病", "急性胆囊炎", "2型糖尿病", "慢性支气管炎", "脑梗死", "胃癌", "肺结节", "高血压3级")
SX_EN = (
    "shortness of breath",
    "chest pain",
    "abdominal pain",
    "headache",
    "dizziness",
    "low back pain",
    "cough",
)
DX_EN = ("coronary artery disease", "asthma", "osteoarthritis", "chronic kidney disease", "pneumonia")
MONTHS = [
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
HAN = "〇一二三四五六七八九"


def notes(templates: Set, count: int, seed: int) -> list[Note]:
    """Return ``count`` notes, two Chinese to one English."""
    rng = random.Random(seed)
    return [_note(templates, "en" if i % 3 == 2 else "zh", rng) for i in range(count)]


def _note(templates: Set, lang: str, rng: random.Random) -> Note:
    head = rng.choice(parts(templates, f"{lang}_head"))
    body = rng.sample(parts(templates, f"{lang}_body"), rng.randint(3, 7))
    foot = rng.choice(parts(templates, f"{lang}_foot"))
    gap = rng.choice(("", "\n")) if lang == "zh" else rng.choice((" ", "\n"))
    template = head + ("" if head.endswith("\n") else gap) + gap.join(body) + ("\n" if foot else "") + foot
    people = _people_zh(rng) if lang == "zh" else _people_en(rng)
    makers = _ZH if lang == "zh" else _EN
    full = lang == "zh" and rng.random() < 0.12
    text, spans = "", []
    for piece in re.split(r"(\{\w+\}|<\w+>)", template):
        if piece.startswith("<"):
            text += _filler(piece[1:-1], lang, rng)
        elif piece.startswith("{"):
            slot = piece[1:-1]
            if slot in people:
                value, entity = people[slot], "PERSON"
                if lang == "zh" and len(value) == 2 and text.endswith((":", ": ")) and rng.random() < 0.15:
                    value = " ".join(value)
            elif slot == "T":
                text += people["title"]
                continue
            else:
                entity, make = makers[slot]
                value = make(rng)
            if full and entity not in ("EMAIL", "URL"):
                value = _full_width(value)
            spans.append((len(text), len(text) + len(value), entity))
            text += value
        else:
            text += _punctuated(piece, rng) if full else piece
    return Note(text, tuple(spans), lang)


def _filler(slot: str, lang: str, rng: random.Random) -> str:
    if slot == "age":
        return str(rng.randint(18, 88))
    if slot == "n":
        return str(rng.randint(2, 20))
    if slot == "dur":
        return f"{rng.randint(2, 9)}{rng.choice(('天', '周', '个月', '小时', '年'))}"
    return rng.choice({"sx": SX_ZH, "dx": DX_ZH}[slot] if lang == "zh" else {"sx": SX_EN, "dx": DX_EN}[slot])


def _full_width(value: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in value)


def _punctuated(piece: str, rng: random.Random) -> str:
    return piece.translate(str.maketrans(":,()", "：，（）"))


def _people_zh(rng: random.Random) -> dict[str, str]:
    roll = rng.random()
    patient = (
        rng.choice(listed("minority"))
        if roll < 0.06
        else rng.choice(listed("wordlike"))
        if roll < 0.12
        else _name_zh(rng)
    )
    others = {slot: _name_zh(rng) for slot in ("K", "K2", "D1", "D2", "D3", "D4")}
    return {"P": patient, **others}


def _name_zh(rng: random.Random) -> str:
    roll = rng.random()
    surname = rng.choice(listed("compound")) if roll < 0.05 else rng.choice(listed("surnames"))
    return surname + rng.choice(listed("given"))


def _people_en(rng: random.Random) -> dict[str, str]:
    def name() -> tuple[str, str]:
        return rng.choice(listed("first")), rng.choice(listed("last"))

    first, last = name()
    middle = rng.choice(("", "", f" {rng.choice('ABCDEJKLMR')}."))
    people = {
        "P": f"{first}{middle} {last}",
        "PL": last,
        "PLF": f"{last}, {first}",
        "PU": f"{first.upper()} {last.upper()}",
    }
    for slot in ("K", "D1", "D2"):
        people[slot] = " ".join(name())
    people["D1L"] = people["D1"].split()[-1]
    people["title"] = rng.choice(("Mr.", "Ms.", "Mrs."))
    return people


def _ymd(rng: random.Random) -> tuple[int, int, int]:
    return rng.randint(1935, 2024), rng.randint(1, 12), rng.randint(1, 28)


def _date_zh(rng: random.Random) -> str:
    y, m, d = _ymd(rng)
    if rng.random() < 0.03:
        return rng.choice(("2023-2-29", "2022年2月30日", "2021/4/31", "2019.02.29"))
    return rng.choice(
        (
            f"{y}年{m}月{d}日",
            f"{y}-{m:02d}-{d:02d}",
            f"{y}/{m}/{d}",
            f"{y}.{m:02d}.{d:02d}",
            f"{y}年{m:02d}月{d:02d}日",
            f"{y}-{m}-{d}",
            f"{y}年{m}月",
            f"{y}{m:02d}{d:02d}",
            f"{y} 年 {m} 月 {d} 日",
            f"{y % 100:02d}年{m}月{d}日",
        )
    )


def _date_han(rng: random.Random) -> str:
    y, m, d = _ymd(rng)
    year = "".join(HAN[int(digit)] for digit in str(y))
    return f"{year}年{_tens(m)}月{_tens(d)}日"


def _tens(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("" if not tens else "十" if tens == 1 else HAN[tens] + "十") + (HAN[ones] if ones else "")


def _date_en(rng: random.Random) -> str:
    y, m, d = _ymd(rng)
    name = MONTHS[m - 1]
    return rng.choice(
        (
            f"{m:02d}/{d:02d}/{y}",
            f"{m}/{d}/{y % 100:02d}",
            f"{name} {d}, {y}",
            f"{d} {name} {y}",
            f"{y}-{m:02d}-{d:02d}",
            f"{d:02d}-{name[:3]}-{y}",
            f"{name[:3]} {d}, {y}",
            f"{m:02d}-{d:02d}-{y}",
            f"{name} {y}",
        )
    )


def _digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choices("0123456789", k=n))


def _spread(rng: random.Random, number: str, groups: tuple[int, ...]) -> str:
    """A number as it is typed: whole, in groups, spaced out, or broken at the line's end."""
    roll = rng.random()
    if roll < 0.6:
        return number
    parts, at = [], 0
    for size in groups:
        parts.append(number[at : at + size])
        at += size
    parts = [part for part in parts if part]
    if roll < 0.8:
        return " ".join(parts)
    if roll < 0.9:
        return "-".join(parts)
    if roll < 0.95:
        return " ".join(number)
    return number[: groups[0]] + "\n" + number[groups[0] :]


def _id(rng: random.Random) -> str:
    area = rng.choice(("370102", "110105", "320583", "510104", "440305", "610113", "330106", "420106"))
    y, m, d = _ymd(rng)
    if rng.random() < 0.12:
        return f"{area}{y % 100:02d}{m:02d}{d:02d}{_digits(rng, 3)}"
    first = f"{area}{y}{m:02d}{d:02d}{_digits(rng, 3)}"
    return _spread(rng, first + identity_check(first), (6, 8, 4))


def _mobile(rng: random.Random) -> str:
    number = "1" + rng.choice("3456789") + _digits(rng, 9)
    return rng.choice(("", "", "", "", "+86 ", "+86-", "86-")) + _spread(rng, number, (3, 4, 4))


def _tel(rng: random.Random) -> str:
    code, rest = (
        rng.choice(("010", "0531", "021", "0755", "028", "0991")),
        rng.choice("2345678") + _digits(rng, 7),
    )
    return rng.choice(
        (
            f"{code}-{rest}",
            f"({code}){rest}",
            f"{code}{rest}",
            f"{code}-{rest}-{_digits(rng, 3)}",
            f"{code} {rest}",
        )
    )


def _address_zh(rng: random.Random) -> str:
    house = rng.choice((f"{rng.randint(1, 300)}号", f"{rng.randint(1, 300)}号院", ""))
    flat = rng.choice(
        (
            f"{rng.randint(1, 30)}号楼{rng.randint(1, 5)}单元{rng.randint(101, 2604)}室",
            f"{rng.randint(1, 30)}栋{rng.randint(101, 2604)}",
            f"{rng.randint(1, 30)}-{rng.randint(1, 4)}-{rng.randint(101, 2604)}",
            "",
        )
    )
    road, estate = rng.choice(listed("roads")), rng.choice(listed("estates"))
    district, county, town, village = (
        rng.choice(items)
        for items in (listed("districts"), listed("counties"), listed("towns"), listed("villages"))
    )
    city = rng.choice(
        (
            "山东省济南市",
            "陕西省西安市",
            "四川省成都市",
            "湖南省长沙市",
            "江苏省苏州市",
            "浙江杭州市",
            "广东省深圳市",
            "济南市",
            "成都市",
            "武汉市",
            "上海市",
            "北京市",
            "重庆市",
        )
    )
    return rng.choice(
        (
            f"{city}{district}{road}{rng.randint(1, 300)}号{flat}",
            f"{city}{district}{road}{house or '18号'}{estate}{flat or '2号楼'}",
            f"{city.replace('市', '') + '市' if '市' in city else city}{county}{town}{village}",
            f"{county}{town}{village}{rng.randint(1, 400)}号",
            f"{district}{road}{rng.randint(1, 300)}号",
            f"{city}{district}{estate}{flat or '3栋'}",
        )
    )


def _hospital_zh(rng: random.Random) -> str:
    name = rng.choice(listed("hospitals"))
    return (
        rng.choice(("", "", "滨州市", "临朐县", "湘乡市")) + name if not name.endswith("县人民医院") else name
    )


def _record(rng: random.Random) -> str:
    return rng.choice(
        (
            _digits(rng, 7),
            _digits(rng, 10),
            f"ZY{_digits(rng, 8)}",
            f"{rng.randint(2015, 2024)}-{_digits(rng, 5)}",
            f"M{_digits(rng, 6)}",
            f"CT{_digits(rng, 6)}",
            f"00{_digits(rng, 6)}",
        )
    )


def _record_en(rng: random.Random) -> str:
    return rng.choice(
        (
            _digits(rng, 7),
            f"{_digits(rng, 3)}-{_digits(rng, 2)}-{_digits(rng, 3)}",
            f"A{_digits(rng, 8)}",
            f"MR-{_digits(rng, 6)}",
        )
    )


def _luhn(rng: random.Random) -> str:
    first = rng.choice(("622202", "621700", "622848", "436742", "521899")) + _digits(rng, rng.choice((9, 12)))
    total = sum(int(c) if i % 2 else sum(divmod(2 * int(c), 10)) for i, c in enumerate(reversed(first)))
    return _spread(rng, first + str(-total % 10), (4, 4, 4, 4, 4))


def _plate(rng: random.Random) -> str:
    tail = "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=4)) + rng.choice("0123456789")
    return rng.choice("京鲁沪苏浙粤川陕") + rng.choice("ABCDEF") + rng.choice(("", "·", " ")) + tail


def _email(rng: random.Random) -> str:
    user = rng.choice(("lin.xm", "zhao_1978", "happy2008", "wenjing-w", "t.abernathy", "kim99"))
    host = rng.choice(("163.com", "qq.com", "mail.example.org", "hotmail.com", "sina.com.cn"))
    return f"{user}{rng.randint(1, 99)}@{host}"


def _address_en(rng: random.Random) -> str:
    street = (
        f"{rng.randint(1, 9999)} {rng.choice(listed('streets'))} "
        f"{rng.choice(('Street', 'St', 'Avenue', 'Road', 'Rd.', 'Lane', 'Drive', 'Blvd', 'Court'))}"
    )
    flat = rng.choice(("", "", f", Apt {rng.randint(1, 40)}", f", Suite {rng.randint(100, 400)}"))
    return (
        f"{street}{flat}, {rng.choice(listed('towns_en'))}, {rng.choice(listed('states'))} "
        f"{rng.randint(10000, 99950)}"
    )


def _phone_en(rng: random.Random) -> str:
    a, b, c = rng.randint(201, 989), rng.randint(200, 999), rng.randint(0, 9999)
    return rng.choice(
        (
            f"({a}) {b}-{c:04d}",
            f"{a}-{b}-{c:04d}",
            f"{a}.{b}.{c:04d}",
            f"+1 {a} {b} {c:04d}",
            f"{a}-{b}-{c:04d} ext. {rng.randint(10, 999)}",
        )
    )


Maker = tuple[str, Callable[[random.Random], str]]
_BOTH: dict[str, Maker] = {
    "age90": ("AGE_OVER_89", lambda r: str(r.randint(90, 104))),
    "email": ("EMAIL", _email),
    "url": (
        "URL",
        lambda r: (
            r.choice(("https://", "http://", "www."))
            + r.choice(("sf.mingyi-fw.com/p/", "portal.lakeview.example.org/chart?id=", "jk.qlzx.cn/r/"))
            + _digits(r, 6)
        ),
    ),
    "ip": (
        "IP_ADDRESS",
        lambda r: r.choice(
            (
                f"10.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}",
                f"202.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}",
            )
        ),
    ),
    "dev": (
        "DEVICE",
        lambda r: r.choice(
            (
                f"PJN{_digits(r, 7)}H",
                f"SN-{_digits(r, 8)}",
                _digits(r, 10),
                f"BX{_digits(r, 4)}-{_digits(r, 3)}",
            )
        ),
    ),
}
_ZH: dict[str, Maker] = _BOTH | {
    "date": ("DATE", _date_zh),
    "hdate": ("DATE", _date_han),
    "datetime": ("DATE", _date_zh),
    "md": ("DATE", lambda r: f"{r.randint(1, 12)}月{r.randint(1, 28)}{r.choice('日号')}"),
    "id": ("ID_NUMBER", _id),
    "mobile": ("PHONE", _mobile),
    "tel": ("PHONE", _tel),
    "hot": ("PHONE", lambda r: f"400-{_digits(r, 3)}-{_digits(r, 4)}"),
    "addr": ("ADDRESS", _address_zh),
    "zip": ("ADDRESS", lambda r: _digits(r, 6)),
    "hosp": ("INSTITUTION", _hospital_zh),
    "habbr": ("INSTITUTION", lambda r: r.choice(listed("abbreviations"))),
    "work": ("INSTITUTION", lambda r: r.choice(listed("companies"))),
    "rec": ("RECORD_NUMBER", _record),
    "bed": (
        "RECORD_NUMBER",
        lambda r: r.choice((str(r.randint(1, 60)), f"+{r.randint(1, 9)}", f"{r.randint(1, 60):02d}")),
    ),
    "ins": (
        "INSURANCE",
        lambda r: r.choice((_digits(r, 10), f"{r.choice('ABCDE')}{_digits(r, 8)}", _digits(r, 12))),
    ),
    "wx": (
        "SOCIAL_ACCOUNT",
        lambda r: r.choice((f"wxid_{_digits(r, 8)}", f"sunny{_digits(r, 4)}", f"Li_hua-{_digits(r, 3)}")),
    ),
    "qq": ("SOCIAL_ACCOUNT", lambda r: str(r.randint(10**6, 10**10))),
    "card": ("BANK_CARD", _luhn),
    "plate": ("PLATE", _plate),
    "passport": (
        "ID_NUMBER",
        lambda r: r.choice(
            (
                f"E{r.choice('ABCDEF')}{_digits(r, 7)}",
                f"G{_digits(r, 8)}",
                f"{r.choice('KLMN')}{_digits(r, 7)}",
            )
        ),
    ),
    "permit": ("ID_NUMBER", lambda r: r.choice((f"H{_digits(r, 8)}", f"M{_digits(r, 10)}", _digits(r, 8)))),
    "lic": ("LICENSE", lambda r: r.choice((_digits(r, 6), f"11{_digits(r, 13)}"))),
}
_EN: dict[str, Maker] = _BOTH | {
    "date": ("DATE", _date_en),
    "phone": ("PHONE", _phone_en),
    "addr": ("ADDRESS", _address_en),
    "hosp": ("INSTITUTION", lambda r: r.choice(listed("hospitals_en"))),
    "rec": ("RECORD_NUMBER", _record_en),
    "ssn": (
        "SOCIAL_SECURITY",
        lambda r: f"{r.randint(100, 665)}-{r.randint(10, 99)}-{r.randint(1000, 9999)}",
    ),
    "ins": ("INSURANCE", lambda r: r.choice((f"XJH{_digits(r, 9)}", _digits(r, 11)))),
    "lic": ("LICENSE", lambda r: f"{r.choice('ABCD')}{_digits(r, 7)}"),
    "plateen": ("PLATE", lambda r: r.choice((f"{_digits(r, 3)} KXR", f"GHT-{_digits(r, 4)}"))),
}
