"""Numbers with units in running text: vital signs and laboratory values.

``BP 80/50mmHg``, ``体温39度5``, ``WBC 15.2×10^9/L↑ (3.5-9.5)``, ``肌钙蛋白 <0.01 ng/mL``. Values are
converted to the
analyte's canonical unit; an implausible one is reported and not used. Without a stated unit the canonical
one is taken, which is what Chinese notes omit; Fahrenheit alone is recognised by its size, and said so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from xinglin.terms.matcher import Match
from xinglin.terms.mention import Problem
from xinglin.terms.numerals import number
from xinglin.terms.units import is_temperature, other_unit_at, to_canonical, unit_at, unknown_unit_at
from xinglin.terms.vocabulary import Analyte, Vocabulary

Flag = Literal["high", "low", "normal"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured value of the patient."""

    analyte: Analyte
    value: float
    """In ``analyte.unit``."""
    span: tuple[int, int]
    comparator: Literal["", "<", ">"] = ""
    """``<``: the true value lies below ``value`` (``<0.01``)."""
    low: float | None = None
    """Lower limit of the report's own range, canonical unit."""
    high: float | None = None
    flag: Flag | None = None
    """The report's own mark (↑, H)."""
    unit_stated: bool = True


_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+(?:\.[0-9]+)?)"
_LEAD = re.compile(
    r"(?:[\s:=\"]|一分钟|每分钟|每分|才|只有|仅|就|不到|快到|都|为|是|约|左右|高达|达|最高|最低|升高至|升高到|升至|升到|升高|增高|降低至|下降至|降至|"
    r"降到|降低|下降|波动在|波动于|控制在|在|至|到|测得|自测|测|复查|"
    r"查|提示|示|检测|值|结果|浓度|水平|计数|定量|评分|偏高|偏低|[高低快慢]|[↑↓]|,(?=[\s]?[0-9])|"
    r"\([a-z0-9+#%-]{1,12}\)|"
    r"\b[0-9]{1,2} ?(?:h|hr|hrs|hours?)\b:?(?= *[0-9])|"
    r"\b(?:was|is|of|at|to|level|count|reading|measured|around|about|up|down|elevated|low|high)\b)*"
)
_VALUE = re.compile(rf"\s*(?P<sign>[<>≤≥])?=?\s*(?P<a>{_NUMBER})(?:\s?[-~]\s?(?P<b>{_NUMBER}))?")
_FLAG = re.compile(r"\s*(?:(?P<up>↑+|\(?\bh\b\)?|\(↑+\))|(?P<down>↓+|\(?\bl\b\)?|\(↓+\)))")
_RANGE = re.compile(
    rf"\s*,?\s*(?P<open>[(\[])?\s*(?P<word>参考(?:值|范围|区间)?|正常(?:参考)?(?:值|范围|区间)?|"
    rf"\bref(?:erence)?(?: range| interval)?|\bnormal(?: range)?)?[:\s]*"
    rf"(?:(?P<lo>{_NUMBER})\s*(?:-{{1,3}}|~|至|to)\s*(?P<hi>{_NUMBER})|"
    rf"(?P<sign>[<>≤≥])=?\s*(?P<edge>{_NUMBER}))"
    r"(?P<unit>\s*[a-zμ%^*×0-9/.]{0,14})?\s*(?P<close>[)\]])?"
)
_PRESSURE = re.compile(
    r"(?:血压|(?<![a-z])bp(?![a-z])|"
    r"\bblood "
    r"pressure\b)(?P<lead>[^0-9。;\n]{0,12}?)(?P<s>[0-9]{2,3})(?P<rest>\s*/\s*(?P<d>[0-9]{2,3}))?(?![0-9.])"
    r"|(?<![0-9/])(?P<s2>[0-9]{2,3})\s*/\s*(?P<d2>[0-9]{2,3})(?=\s*(?:mmhg|毫米汞柱))"
)
_WARMTH = re.compile(
    r"(?<![0-9.])(?P<n>[34][0-9](?:\.[0-9]+)?)\s*(?P<u>℃|°c|摄氏度|度)(?P<tenth>[0-9半](?![0-9]))?"
    r"|(?P<zh>[三四]十[一二三四五六七八九]?)度(?P<zhtenth>[一二三四五六七八九半])?"
    r"|(?<![0-9.])(?P<f>(?:9[5-9]|10[0-9])(?:\.[0-9]+)?)\s*(?:℉|°\s?f|degrees f\w*|f)\b"
)
_NOT_BODY = re.compile(r"室温|水温|气温|环境|油温|屈|伸|外展|角|旋|纬|烧伤|烫伤|近视|[Ⅰ-Ⅹ]")
_FEVER = re.compile(r"热|烧|体温|烫|温|\bt\b|fever|temp")
_GCS = re.compile(r"\be([1-4])\s*v([1-5])\s*m([1-6])\b")
_UNIT_NAMES = frozenset({"mg"})
"""Names of analytes that are units as well; after a number they are the unit."""


def read_quantities(
    text: str, vocabulary: Vocabulary, skip: tuple[tuple[int, int], ...] = ()
) -> tuple[list[Quantity], list[Problem]]:
    """Quantities of a normalised text, by position, and what could not be used.

    Args:
        skip: stretches that something else has read (a pasted table).
    """
    quantities: list[Quantity] = []
    problems: list[Problem] = []
    if not re.search(r"[0-9]|十.{0,2}度", text):
        return quantities, problems
    taken = bytearray(len(text))
    for start, end in skip:
        taken[start:end] = b"\1" * (end - start)
    found = _pressures(text, vocabulary) + _temperatures(text, vocabulary) + _coma(text, vocabulary)
    for name in vocabulary.analyte_names.longest(text):
        if not taken[name.start]:
            item = _named(text, name)
            if item is not None:
                found.append(item)
    for item in found:
        if isinstance(item, Problem):
            if item.span is not None and 1 not in taken[item.span[0] : item.span[1]]:
                problems.append(item)
            continue
        digits = next(
            (i for i in range(item.span[1] - 1, item.span[0] - 1, -1) if text[i].isdigit()), item.span[0]
        )
        if taken[digits] and item.analyte.name != "舒张压":
            continue
        taken[item.span[0] : item.span[1]] = b"\1" * (item.span[1] - item.span[0])
        problem = implausible(item)
        if problem is None:
            quantities.append(item)
        elif len(text[item.span[0] : item.span[1]]) > 1:
            problems.append(problem)
    quantities.sort(key=lambda q: q.span)
    return quantities, problems


def implausible(quantity: Quantity) -> Problem | None:
    """The problem of a value outside its analyte's plausible bounds, if it is."""
    analyte, value = quantity.analyte, quantity.value
    low, high = analyte.plausible_min, analyte.plausible_max
    if (low is None or value >= low or quantity.comparator == "<") and (high is None or value <= high):
        return None
    bounds = f"{low if low is not None else '-'}~{high if high is not None else '-'} {analyte.unit}"
    return Problem(
        "implausible_value",
        f"{analyte.name} {value:g} {analyte.unit} 超出合理范围 ({bounds}),未采用:请核对数值和单位",
        f"{analyte.en} {value:g} {analyte.unit} lies outside the plausible range ({bounds}) and was not "
        f"used: "
        "check number and unit",
        quantity.span,
    )


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _named(text: str, name: Match[Analyte]) -> Quantity | Problem | None:
    """The value that follows an analyte's name, or what is wrong with it."""
    analyte = name.payload
    word = text[name.start : name.end]
    if word in _UNIT_NAMES and re.search(r"[0-9]\s?$", text[max(0, name.start - 3) : name.start]):
        return None
    lead = _LEAD.match(text, name.end, min(len(text), name.end + 24))
    position = lead.end() if lead else name.end
    match = _VALUE.match(text, position)
    if match is None or text[match.end() : match.end() + 1] == "+":
        return None  # 4+ is a dipstick's reading
    if (
        match.group("sign") is None
        and not unit_at(analyte, text, match.end())
        and other_unit_at(text, match.end())
    ):
        return None
    if text[match.end() : match.end() + 1] in ("/", "：") and not unit_at(analyte, text, match.end()):
        return None
    value = _number(match.group("b") or match.group("a"))
    end, flag, limits, unit = _tail(text, match.end(), analyte)
    if (
        match.group("b")
        and flag is None
        and unit is None
        and limits == (None, None)
        and analyte.kind == "lab"
    ):
        return None  # 白细胞 3.5-9.5 alone is a range, not a result
    if unit is None:
        strange = unknown_unit_at(text, match.end())
        if strange and len(word) > 1:
            return Problem(
                "unknown_unit",
                f"{analyte.name} 的单位 {strange} 不认识,未采用:可用单位如 {analyte.unit}",
                f"the unit {strange} of {analyte.en} is not known, the value was not used: write e.g. "
                f"{analyte.unit}",
                (name.start, end),
            )
        if len(word) <= 2 and re.match(
            r"\s?(?!(?:with|and|on|in|but|now|today)\b)[a-z]{2,}", text[match.end() : match.end() + 8]
        ):
            return None
        if len(word) == 1 and text[name.start - 1 : name.start] > "\u4e00":
            return None  # 维生素K1
    sign = match.group("sign")
    return _quantity(
        analyte, value, unit, (name.start, end), "<" if sign in ("<", "≤") else ">" if sign else "",
        limits, flag,
        timid=len(word) == 1 and unit is None,
    )  # fmt: skip


def _quantity(
    analyte: Analyte,
    value: float,
    unit: str | None,
    span: tuple[int, int],
    comparator: Literal["", "<", ">"] = "",
    limits: tuple[float | None, float | None] = (None, None),
    flag: Flag | None = None,
    *,
    timid: bool = False,
) -> Quantity | None:
    """A quantity in the canonical unit; ``None`` if ``timid`` (a one-letter name) and implausible or a p
    < 0.05."""

    def canonical(number: float | None) -> float | None:
        return None if number is None else to_canonical(analyte, number, unit or analyte.unit)

    result = canonical(value)
    if result is None:
        return None
    if unit is None and is_temperature(analyte) and 90.0 <= value <= 110.0:
        result = to_canonical(analyte, value, "°F") or result
    result = float(f"{result:.6g}")
    quantity = Quantity(
        analyte, result, span, comparator, canonical(limits[0]), canonical(limits[1]), flag, unit is not None
    )
    return None if timid and (comparator or implausible(quantity)) else quantity


def _tail(
    text: str, position: int, analyte: Analyte
) -> tuple[int, Flag | None, tuple[float | None, float | None], str | None]:
    """Unit, mark and the report's own range after a number, in whatever order they come."""
    unit: str | None = None
    flag: Flag | None = None
    limits: tuple[float | None, float | None] = (None, None)
    for _ in range(4):
        if unit is None and (found := unit_at(analyte, text, position)):
            unit, position = found
        elif flag is None and (mark := _FLAG.match(text, position)):
            flag, position = ("high" if mark.group("up") else "low"), mark.end()
        elif (
            limits == (None, None)
            and (own := _RANGE.match(text, position))
            and (own.group("open") or own.group("word"))
        ):
            limits, position = limits_of(own), own.end()
        else:
            break
    return position, flag, limits, unit


def limits_of(match: re.Match[str]) -> tuple[float | None, float | None]:
    """Lower and upper limit of a matched reference range."""
    if match.group("lo"):
        return _number(match.group("lo")), _number(match.group("hi"))
    edge = _number(match.group("edge"))
    return (None, edge) if match.group("sign") in ("<", "≤") else (edge, None)


def parse_limits(cell: str) -> tuple[float | None, float | None]:
    """Lower and upper limit of a table cell such as ``3.5-9.5``, ``<0.04``, ``0--10``; ``None`` where
    open."""
    match = _RANGE.match(cell)
    return limits_of(match) if match else (None, None)


def _pressures(text: str, vocabulary: Vocabulary) -> list[Quantity | Problem]:
    systolic, diastolic = vocabulary.analytes.get("收缩压"), vocabulary.analytes.get("舒张压")
    if systolic is None or diastolic is None:
        return []
    found: list[Quantity | Problem] = []
    for match in _PRESSURE.finditer(text):
        if match.group("s") and re.search(
            r"[a-z]{4,}|[,、]", (match.group("lead") or "").replace("reading", "")
        ):
            continue
        upper, lower = match.group("s") or match.group("s2"), match.group("d") or match.group("d2")
        unit = unit_at(systolic, text, match.end())
        end = unit[1] if unit else match.end()
        if unit is None and (other_unit_at(text, match.end()) or (lower is None and float(upper) < 60)):
            continue
        stated = unit[0] if unit else None
        pairs = [(systolic, upper)] + ([(diastolic, lower)] if lower else [])
        for analyte, digits in pairs:
            quantity = _quantity(analyte, float(digits), stated, (match.start(), end))
            if quantity is not None:
                found.append(quantity)
    return found


def _temperatures(text: str, vocabulary: Vocabulary) -> list[Quantity | Problem]:
    analyte = vocabulary.analytes.get("体温")
    if analyte is None:
        return []
    found: list[Quantity | Problem] = []
    for match in _WARMTH.finditer(text):
        before = text[max(0, match.start() - 12) : match.start()]
        if _NOT_BODY.search(before):
            continue
        if match.group("f"):
            quantity = _quantity(analyte, float(match.group("f")), "°F", match.span())
        else:
            whole = float(match.group("n")) if match.group("n") else (number(match.group("zh")) or 0.0)
            tenth = match.group("tenth") or match.group("zhtenth")
            part = 0.0 if not tenth else (0.5 if tenth == "半" else (number(tenth) or 0.0) / 10)
            vague = match.group("u") in ("度", None)
            if vague and not tenth and whole == int(whole) and not _FEVER.search(before):
                continue
            name = re.search(r"(?:体温|发热|发烧|高热|高烧|t)[^0-9,。;]{0,6}$", before)
            start = match.start() - len(name.group()) if name else match.start()
            quantity = _quantity(analyte, round(whole + part, 2), "℃", (start, match.end()))
        if quantity is not None and not implausible(quantity):
            found.append(quantity)
    return found


def _coma(text: str, vocabulary: Vocabulary) -> list[Quantity | Problem]:
    """Glasgow coma scale by parts: E3V4M5 -> 12."""
    analyte = vocabulary.analytes.get("GCS评分")
    if analyte is None:
        return []
    sums = ((match, sum(map(int, match.groups()))) for match in _GCS.finditer(text))
    return [
        q for match, total in sums if (q := _quantity(analyte, float(total), None, match.span())) is not None
    ]
