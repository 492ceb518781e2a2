"""A pasted laboratory report (检验报告单): one item a line, or one cell a line, whatever the separator.

Cells are told apart by what they are (a number, a range, a unit, a mark), so the order of the columns and a
missing one do not matter; a header line only proves that a table is there. Rows look like
``白细胞计数 WBC 15.2 10^9/L 3.5-9.5 ↑``; tabs, ``|``, commas and spaces all separate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from xinglin.terms.mention import Problem
from xinglin.terms.quantity import Flag, Quantity, implausible
from xinglin.terms.units import other_unit_at, to_canonical, unit_at
from xinglin.terms.vocabulary import Analyte, Term, Vocabulary
from xinglin.types import State


@dataclass(frozen=True, slots=True)
class Result:
    """A qualitative row: HBsAg 阳性."""

    term: Term
    state: State
    span: tuple[int, int]


@dataclass(slots=True)
class LabTable:
    """What the table rows of a text hold."""

    quantities: list[Quantity] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    """Stretches of the text that belong to rows."""


@dataclass(slots=True)
class _Row:
    """Cells of one row as they are met."""

    start: int
    end: int
    analyte: Analyte
    value: float | None = None
    comparator: Literal["", "<", ">"] = ""
    unit: str | None = None
    limits: tuple[float | None, float | None] | None = None
    flag: Flag | None = None
    firm: bool = False
    """It sits under a header, has tabs or bars, or its cells run down the page."""

    @property
    def cells(self) -> int:
        return sum(x is not None for x in (self.value, self.unit, self.limits, self.flag))


_HEADER = re.compile(
    r"项目|名称|结果|测定值|检测值|单位|参考|范围|提示|标志|\b(?:test|item|result|value|units?|reference|"
    r"range|flag)\b"
)
_SEPARATOR = re.compile(r"[ \t|,;:]*")
_ORDINAL = re.compile(r"[ \t|]*(?:[0-9]{1,3}[.、\t |)]+)?[★*▲△☆·•#-]*[ \t|]*")
_NUM = r"[0-9]+(?:\.[0-9]+)?"
_INTERVAL = re.compile(
    rf"[(\[]?\s*(?:(?P<lo>{_NUM})\s*(?:-{{1,3}}|~|至|to)\s*(?P<hi>{_NUM})|"
    rf"(?P<sign>[<>≤≥])=?\s*(?P<edge>{_NUM}))\s*[)\]]?"
)
_VALUE = re.compile(rf"(?P<sign>[<>≤≥])?\s*(?P<n>{_NUM})(?!\.?[0-9])(?!\s*(?:-|~|至)\s*[0-9])")
_MARK = re.compile(
    r"[(\[]?(?:(?P<up>↑+|h(?![a-z0-9])|偏?高|升高)|(?P<down>↓+|l(?![a-z0-9/])|偏?低|降低)|(?P<ok>正常|"
    r"n(?![a-z0-9])))[)\]]?"
)
_CODE = re.compile(r"[(\[]?[a-z][a-z0-9+#%-]{0,9}[)\]]?(?![a-z0-9])")
_JUDGED = re.compile(
    r"(?P<item>[^\t|:,;\n]{1,30}?)[ \t|:,;]+(?:结果[ :]*)?(?P<pos>弱?阳性|\(\++\)|\++(?![0-9a-z])|"
    r"positive|reactive)|(?P<item2>[^\t|:,;\n]{1,30}?)[ \t|:,;]+(?:结果[ :]*)?(?P<neg>阴性|\(-\)|-(?=\s|"
    r"$)|negative|non-?reactive)"
)


def read_lab_table(text: str, vocabulary: Vocabulary) -> LabTable:
    """Rows of laboratory reports in a normalised text; prose is left alone."""
    table = LabTable()
    if (
        "\n" not in text
        and "\t" not in text
        and "|" not in text
        and not re.search(r"[0-9]\s*[-~]+\s*[0-9]", text)
    ):
        return table
    rows: list[tuple[int, _Row]] = []
    under_header = False
    covered = -1
    for number, (start, end) in enumerate(_lines(text)):
        if start < covered:
            continue
        line = text[start:end]
        if len(set(_HEADER.findall(line))) >= 2 and not any(char.isdigit() for char in line):
            under_header = True
            table.spans.append((start, end))
            continue
        if not line.strip():
            under_header = False
            continue
        row = _row(text, start, end, vocabulary)
        if row is not None:
            row.firm = row.firm or under_header or "\t" in line or "|" in line
            rows.append((number, row))
            covered = row.end
        elif under_header or "\t" in line or "|" in line:
            _judge(text, start, end, vocabulary, table)
    numbers = {number for number, _ in rows}
    for number, row in rows:
        neighbours = number - 1 in numbers or number + 1 in numbers
        if row.firm or row.cells >= 3 or (neighbours and row.cells >= 2):
            _accept(row, table)
    return table


def _lines(text: str) -> list[tuple[int, int]]:
    lines, start = [], 0
    for part in text.split("\n"):
        lines.append((start, start + len(part)))
        start += len(part) + 1
    return lines


def _row(text: str, start: int, end: int, vocabulary: Vocabulary) -> _Row | None:
    """The row on this line (or from this line downwards, one cell a line), if it begins with an analyte."""
    ordinal = _ORDINAL.match(text, start, end)
    left = ordinal.end() if ordinal else start
    names = [m for m in vocabulary.analyte_names.all_matches(text[left:end]) if m.start == 0]
    if not names:
        return None
    name = max(names, key=lambda m: m.size)
    row = _Row(left, left + name.end, name.payload)
    _cells(text, row, end)
    if row.value is None and not text[row.end : end].strip():
        for stop in range(4):
            following = text.find("\n", row.end + 1)
            following = len(text) if following < 0 else following
            before = row.cells
            row.end += 1
            _cells(text, row, following)
            if text[row.end : following].strip() or row.cells == before:
                break
            row.firm = stop >= 0
    return row if row.value is not None else None


def _cells(text: str, row: _Row, end: int) -> None:
    """Read cells from ``row.end`` on while they make sense; moves ``row.end`` to the last one's end."""
    position = row.end
    while position < end:
        separator = _SEPARATOR.match(text, position, end)
        position = separator.end() if separator else position
        if position >= end:
            break
        step = _cell(text, row, position, end)
        if step is None:
            break
        position = row.end = step


def _cell(text: str, row: _Row, position: int, end: int) -> int | None:
    """Take the cell at ``position`` into ``row``; where it ends, or ``None`` if it is none."""
    if row.unit is None and text[position] in "1×*x" and (power := unit_at(row.analyte, text, position)):
        row.unit = power[0]  # 10^9/L before the result
        return power[1]
    if row.value is None and (value := _VALUE.match(text, position, end)) and not _is_limit(value, text, row):
        if not unit_at(row.analyte, text, value.end()) and other_unit_at(text, value.end()):
            return None
        sign = value.group("sign")
        row.value = float(value.group("n"))
        row.comparator = "<" if sign in ("<", "≤") else ">" if sign else ""
        return value.end()
    if row.limits is None and (own := _INTERVAL.match(text, position, end)):
        if own.group("lo"):
            row.limits = float(own.group("lo")), float(own.group("hi"))
        else:
            edge = float(own.group("edge"))
            row.limits = (None, edge) if own.group("sign") in ("<", "≤") else (edge, None)
        return own.end()
    if row.value is not None and row.flag is None and (mark := _MARK.match(text, position, end)):
        row.flag = "high" if mark.group("up") else "low" if mark.group("down") else "normal"
        return mark.end()
    if row.unit is None and (unit := unit_at(row.analyte, text, position)) and unit[1] <= end:
        row.unit = unit[0]
        return unit[1]
    if row.value is None and (code := _CODE.match(text, position, end)):
        return code.end()
    return None


def _is_limit(value: re.Match[str], text: str, row: _Row) -> bool:
    """``<0.04`` before the result's own number is a range, if another bare number follows on the line."""
    if not value.group("sign"):
        return False
    rest = text[value.end() : value.end() + 40].split("\n")[0]
    return row.limits is None and re.search(rf"(?:^|[\s|,]){_NUM}(?=[\s|,]|$)", rest) is not None


def _accept(row: _Row, table: LabTable) -> None:
    unit = row.unit or row.analyte.unit
    value = to_canonical(row.analyte, row.value or 0.0, unit)
    if value is None:
        return
    limits = [None if x is None else to_canonical(row.analyte, x, unit) for x in row.limits or (None, None)]
    quantity = Quantity(
        row.analyte, float(f"{value:.6g}"), (row.start, row.end), row.comparator, limits[0], limits[1],
        row.flag,
        row.unit is not None,
    )  # fmt: skip
    table.spans.append((row.start, row.end))
    problem = implausible(quantity)
    if problem is None:
        table.quantities.append(quantity)
    else:
        table.problems.append(problem)


def _judge(text: str, start: int, end: int, vocabulary: Vocabulary, table: LabTable) -> None:
    """A row whose result is 阳性 or 阴性."""
    ordinal = _ORDINAL.match(text, start, end)
    left = ordinal.end() if ordinal else start
    match = _JUDGED.match(text, left, end)
    if match is None:
        return
    item = (match.group("item") or match.group("item2")).strip()
    bare = re.sub(r"\([^)]*\)$", "", item)
    inner = re.search(r"\(([^)]*)\)$", item)
    for name in (item, bare, *([inner.group(1)] if inner else [])):
        for spelling in (f"{name}阳性", f"{name}(+)", f"{name}+", f"{name} positive", f"positive {name}"):
            for term in vocabulary.spelled(spelling):
                state: State = "present" if match.group("pos") else "absent"
                table.results.append(Result(term, state, (left, match.end())))
                table.spans.append((left, match.end()))
                return
