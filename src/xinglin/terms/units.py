"""Units as they are written, made comparable, and the factor to an analyte's canonical unit."""

from __future__ import annotations

import re
from functools import cache

from xinglin.terms.characters import normalise
from xinglin.terms.vocabulary import Analyte

_FAHRENHEIT = frozenset(
    {"f", "°f", "℉", "degf", "degreesf", "degf.", "华氏度", "degreesfahrenheit", "fahrenheit"}
)
_CELSIUS = frozenset({"c", "°c", "℃", "degc", "degreesc", "degreescelsius", "celsius", "度", "摄氏度"})
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_TOKEN = re.compile(
    r"\s*(?P<u>(?:[×x*]\s?)?10\s?[\^*e~]?\s?(?:1?[0-9]|[¹²³⁶⁹]+)\s*/\s*[a-zμ]+[0-9]?"
    r"|degrees? (?:celsius|fahrenheit|[cf]\b)|deg ?[cf]\b"
    r"|次/分钟?|次/min|次每分钟?|次|下/分钟?|下每分|下|毫米汞柱|摄氏度|华氏度|度|分|秒|公斤|千克|斤|克/升|"
    r"克|厘米|公分|毫升/天|米|万|比值|breaths/min|beats/min"
    r"|[a-zμ%℃℉°/㎡][a-zμ%℃℉°/^*0-9²³㎡·.]*(?:\((?:min)?[a-z·./0-9²㎡^]*\))?(?:\s?feu)?)"
)
_NOT_A_UNIT = re.compile(
    r"\s*-?\s*(?:岁|天|日|年|月|周|小时|分钟|个|片|粒|支|瓶|袋|次/日|次/天|"
    r"(?:years?|yrs?|y/?o|days?|weeks?|months?|mos?|hours?|hrs?|times|tablets?|doses?|mg|g|ug|μg|mcg|ml|"
    r"iu|u|cm|mm)(?![a-z/]))"
    r"|[hd](?![a-z/])"
)


def normal_unit(unit: str) -> str:
    """One spelling for one unit: ``×10⁹/L``, ``10*9/L``, ``10E9/l`` -> ``10^9/l``; ``µmol/L`` ->
    ``umol/l``."""
    text = normalise(unit).translate(_SUPERSCRIPT).replace(" ", "").replace("μ", "u").replace("㎡", "m2")
    text = text.replace("m^2", "m2").lstrip("×*")
    text = re.sub(r"^x(?=10)", "", text)
    power = re.fullmatch(r"10[\^*e~]?(1?[0-9])(/.*)?", text)
    return f"10^{power.group(1)}{power.group(2) or ''}" if power else text


def is_temperature(analyte: Analyte) -> bool:
    """Whether the analyte is a temperature: the one quantity whose units a factor alone does not relate."""
    return normal_unit(analyte.unit) in _CELSIUS


@cache
def unit_factors(analyte: Analyte) -> dict[str, float]:
    """Normal unit -> factor to the canonical unit of ``analyte``."""
    table: dict[str, float] = {}
    for unit, factor in (*analyte.units, (analyte.unit, 1.0)):
        table.setdefault(normal_unit(unit), factor)
        table.setdefault(normalise(unit), factor)
    if "次/分" in table:
        table |= dict.fromkeys(
            ("次/min", "bpm", "/min", "下/分", "下/分钟", "次/分钟", "beats/min", "breaths/min"), 1.0
        )
    return table


def to_canonical(analyte: Analyte, value: float, unit: str) -> float | None:
    """``value`` in the canonical unit; ``None`` if the unit is not one of the analyte's."""
    table = unit_factors(analyte)
    name = unit if unit in table else normal_unit(unit)
    if is_temperature(analyte):
        if name in _FAHRENHEIT:
            return (value - 32.0) * 5.0 / 9.0
        if name in _CELSIUS:
            return value
    factor = table.get(name)
    return None if factor is None else value * factor


def unit_at(analyte: Analyte, text: str, position: int) -> tuple[str, int] | None:
    """The analyte's unit that a normalised text has at ``position`` (spaces skipped), and where it ends."""
    match = _TOKEN.match(text, position)
    if match is None:
        return None
    token, start = match.group("u"), match.start("u")
    for length in range(len(token), 0, -1):
        end = start + length
        if end < len(text) and text[end].isascii() and text[end].isalpha() and token[length - 1].isalpha():
            continue
        if to_canonical(analyte, 1.0, token[:length]) is not None:
            return token[:length], end
    return None


def other_unit_at(text: str, position: int) -> bool:
    """Whether a duration, an age or a dose follows: the number before it is no measurement.

    Ask only after :func:`unit_at` found none of the analyte's own units.
    """
    return _NOT_A_UNIT.match(text, position) is not None


def unknown_unit_at(text: str, position: int) -> str | None:
    """The unit-like text (``mg/mL``) at ``position``, for a message; ``None`` if there is none."""
    match = re.compile(r"\s?([a-zμ]+/[a-z0-9μ]+)").match(text, position)
    return match.group(1) if match else None
