"""Whether a unit is written in UCUM, and the same unit as laboratories print it.

Grammar: *The Unified Code for Units of Measure*, version 2.1, section 2, case-sensitive form. The table holds the
atoms that occur in clinical records, not all three hundred: a unit of physics or of old trade is reported as unknown.
"""

from __future__ import annotations

import re

_PREFIXES = (
    "da",
    "Y",
    "Z",
    "E",
    "P",
    "T",
    "G",
    "M",
    "k",
    "h",
    "d",
    "c",
    "m",
    "u",
    "n",
    "p",
    "f",
    "a",
    "z",
    "y",
)
_METRIC = frozenset(
    [
        "m",
        "s",
        "g",
        "K",
        "C",
        "cd",
        "rad",
        "mol",
        "sr",
        "Hz",
        "N",
        "Pa",
        "J",
        "W",
        "A",
        "V",
        "F",
        "Ohm",
        "S",
        "Wb",
        "Cel",
        "T",
        "H",
        "lm",
        "lx",
        "Bq",
        "Gy",
        "Sv",
        "l",
        "L",
        "t",
        "bar",
        "u",
        "eV",
        "cal",
        "m[H2O]",
        "m[Hg]",
        "eq",
        "osm",
        "g%",
        "kat",
        "U",
        "[iU]",
        "[IU]",
        "B",
        "bit",
        "By",
        "Ci",
        "R",
        "dyn",
        "erg",
        "P",
        "St",
    ]
)
"""Atoms that take a prefix."""
_PLAIN = frozenset(
    [
        "10*",
        "10^",
        "%",
        "[ppth]",
        "[ppm]",
        "[ppb]",
        "deg",
        "'",
        "''",
        "min",
        "h",
        "d",
        "wk",
        "mo",
        "a",
        "a_j",
        "mo_j",
        "[lb_av]",
        "[oz_av]",
        "[in_i]",
        "[ft_i]",
        "[degF]",
        "[Cal]",
        "[pH]",
        "[HPF]",
        "[LPF]",
        "[arb'U]",
        "[GPL'U]",
        "[MPL'U]",
        "[APL'U]",
        "[beth'U]",
        "[anti'Xa'U]",
        "[todd'U]",
        "[CFU]",
        "[PFU]",
        "[TCID_50]",
        "[EU]",
        "[FEU]",
        "[AU]",
        "[BAU]",
        "[diop]",
        "[MET]",
        "[drp]",
        "[S]",
        "[gr]",
        "[foz_us]",
        "[tsp_us]",
        "[tbs_us]",
        "[cup_us]",
        "[Ch]",
        "[wood'U]",
        "[PRU]",
        "[IR]",
        "[Amb'a'1'U]",
        "[PNU]",
        "[D'ag'U]",
        "atm",
    ]
)
_MAX = 100
_ATOM = re.compile(r"10[*^]|(?:[A-Za-z%']|\[[^\[\]{}\s]+\]|_[a-z])+")
_EXPONENT = re.compile(r"[+-]?[1-9][0-9]*")
_FACTOR = re.compile(r"[1-9][0-9]*")
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
_SPELLINGS = (
    ("{1.73_m2}", "1.73m2"), ("1.73.m2", "1.73m2"), ("[Hg]", "Hg"), ("[H2O]", "H2O"), ("[degF]", "℉"), ("Cel", "℃"),
    ("[iU]", "IU"), ("[IU]", "IU"), ("[lb_av]", "lb"), ("[in_i]", "in"), ("[HPF]", "HPF"), ("[pH]", "pH单位"),
    ("{FEU}", " FEU"),
)  # fmt: skip


def is_ucum(unit: str) -> bool:
    """Whether a text is a unit of UCUM (case-sensitive), of the atoms known here."""
    if not unit or len(unit) > _MAX or not unit.isascii():
        return False
    start = 1 if unit.startswith("/") else 0
    return _term(unit, start) == len(unit)


def plain_unit(unit: str) -> str:
    """Return a UCUM unit as it is printed: ``mm[Hg]`` -> ``mmHg``, ``Cel`` -> ``℃``; annotations are dropped.

    A unit that is annotation alone, such as ``{score}``, is the empty text: a number without dimension.
    """
    for ucum, printed in _SPELLINGS:
        unit = unit.replace(ucum, printed)
    unit = _ANNOTATION.sub("", unit)
    return "" if unit == "1" else unit


def _term(unit: str, at: int) -> int | None:
    """Where the longest term from ``at`` ends; ``None`` if none begins there."""
    end = _component(unit, at)
    while end is not None and end < len(unit) and unit[end] in "./":
        end = _component(unit, end + 1)
    return end


def _component(unit: str, at: int) -> int | None:
    if unit.startswith("(", at):
        inner = _term(unit, at + 2 if unit.startswith("/", at + 1) else at + 1)
        if inner is None or not unit.startswith(")", inner):
            return None
        return _annotated(unit, inner + 1)
    if unit.startswith("{", at):
        return _annotated(unit, at)
    for end in range(min(len(unit), at + 20), at, -1):
        if _atom(unit[at:end]):
            exponent = _EXPONENT.match(unit, end)
            return _annotated(unit, exponent.end() if exponent else end)
    factor = _FACTOR.match(unit, at)
    return _annotated(unit, factor.end()) if factor else None


def _annotated(unit: str, at: int) -> int | None:
    if not unit.startswith("{", at):
        return at
    match = _ANNOTATION.match(unit, at)
    return match.end() if match else None


def _atom(text: str) -> bool:
    if not _ATOM.fullmatch(text):
        return False
    if text in _METRIC or text in _PLAIN:
        return True
    return any(text.startswith(prefix) and text[len(prefix) :] in _METRIC for prefix in _PREFIXES)
