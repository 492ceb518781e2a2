"""Which column of a table is what: a TOML file read into a ``Mapping``.

    id = "visit_no"                 # the record; without it, file and line are its name
    subject = "patient_no"
    text = ["chief complaint", "history"]
    age = "age"                     # or birth = "date of birth" with time
    sex = "sex"
    time = "date"
    site = "campus"
    missing = ["-", "NA"]

    [sex_words]
    male = ["1", "男"]
    female = ["2", "女"]

    [[values]]                      # a measured value
    column = "glucose"
    system = "loinc"
    code = "14749-6"
    display = "Glucose"
    unit = "mmol/L"                 # or unit_column = "glucose unit"

    [[codes]]                       # a code that stands in the column
    column = "icd"
    system = "icd10-who"
    display_column = "diagnosis"
    kind = "condition"

A record is one row. For JSON a column is a path with dots (``visit.lab.glucose``); a list on the way stands for
all its items.
"""

from __future__ import annotations

import hashlib
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.records.decode import read_toml

MAX_BYTES = 1_000_000
KINDS = ("observation", "finding", "condition", "allergy", "medication", "procedure")


@dataclass(frozen=True, slots=True)
class Value:
    """A column that holds a measured value."""

    column: str
    code: str = ""
    """Code of what is measured; empty: the column's name, in the system ``text``."""
    system: str = ""
    display: str = ""
    unit: str | None = None
    """UCUM unit of every value in the column."""
    unit_column: str | None = None
    kind: str = "observation"
    low: float | None = None
    """Lower limit of the laboratory's reference range."""
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Codes:
    """A column that holds codes or names of conditions, drugs, procedures."""

    column: str
    system: str
    """Coding system of the cells; ``text`` for names."""
    display_column: str | None = None
    kind: str = "condition"
    separator: str = ""
    """Between several codes in one cell; empty: the cell is one code."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which column is what; ``None`` is *no such column*."""

    id: str | None = None
    subject: str | None = None
    text: tuple[str, ...] = ()
    """Joined by line breaks in this order."""
    age: str | None = None
    """A number in ``age_unit``, or a number with its unit (``9天``, ``3 months``, ``034Y``)."""
    birth: str | None = None
    """Date of birth; the age is counted to ``time``."""
    sex: str | None = None
    time: str | None = None
    site: str | None = None
    age_unit: str = "years"
    """``years``, ``months``, ``weeks`` or ``days``."""
    time_format: str | None = None
    """``strptime`` format of all dates; needed where day and month could be taken for each other."""
    missing: tuple[str, ...] = ()
    """Cells that mean *not known*; an empty one always does."""
    sex_words: tuple[tuple[str, str], ...] = ()
    """(cell, ``male`` | ``female`` | ``unknown``), besides the usual Chinese and English words."""
    values: tuple[Value, ...] = ()
    codes: tuple[Codes, ...] = ()

    def columns(self) -> tuple[str, ...]:
        """Return every column that is named, each once."""
        named = [self.id, self.subject, *self.text, self.age, self.birth, self.sex, self.time, self.site]
        for value in self.values:
            named += [value.column, value.unit_column]
        for codes in self.codes:
            named += [codes.column, codes.display_column]
        return tuple(dict.fromkeys(name for name in named if name))

    def digest(self) -> str:
        """Return the SHA-256 (hex) of what the mapping says."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: not TOML, an unknown key (the nearest is named), a value of a wrong type or range, or
            a mapping that takes neither text nor values from the table.
    """
    return mapping_from(read_toml(path, "mapping", MAX_BYTES), path.name)


def mapping_from(decoded: dict[str, Any], name: str = "mapping") -> Mapping:
    """Return the mapping of decoded TOML.

    Raises:
        InvalidInputError: as ``read_mapping``.
    """
    given = dict(decoded)
    words = given.pop("sex_words", {})
    values = tuple(_row(Value, row, f"{name}: [[values]]") for row in _rows(given, "values", name))
    codes = tuple(_row(Codes, row, f"{name}: [[codes]]") for row in _rows(given, "codes", name))
    if isinstance(given.get("text"), str):
        given["text"] = [given["text"]]
    header = _row(Mapping, given, name)
    if not isinstance(words, dict):
        raise InvalidInputError(f"{name}: [sex_words]: expected a table of lists")
    _known(words, ("male", "female", "unknown"), f"{name}: [sex_words]")
    pairs = tuple(
        (cell, sex) for sex, cells in words.items() for cell in _texts(cells, f"{name}: sex_words.{sex}")
    )
    mapping = Mapping(
        **{item.name: getattr(header, item.name) for item in fields(Mapping)}
        | {"sex_words": pairs, "values": values, "codes": codes}
    )
    _check(mapping, name)
    return mapping


def _check(mapping: Mapping, name: str) -> None:
    if not (mapping.text or mapping.values or mapping.codes):
        raise InvalidInputError(f"{name}: name at least one column of text, [[values]] or [[codes]]")
    if mapping.age_unit not in ("years", "months", "weeks", "days"):
        raise InvalidInputError(
            f"{name}: age_unit: expected years, months, weeks or days, got {mapping.age_unit!r}"
        )
    if mapping.age and mapping.birth:
        raise InvalidInputError(f"{name}: age and birth exclude each other: name one")
    for value in mapping.values:
        if value.unit and value.unit_column:
            raise InvalidInputError(
                f"{name}: {value.column}: unit and unit_column exclude each other: name one"
            )
        if bool(value.code) != bool(value.system):
            raise InvalidInputError(
                f"{name}: {value.column}: code and system belong together: give both or neither"
            )
    for kind in [value.kind for value in mapping.values] + [codes.kind for codes in mapping.codes]:
        if kind not in KINDS:
            near = get_close_matches(kind, KINDS, n=1)
            raise InvalidInputError(
                f"{name}: kind: expected one of {', '.join(KINDS)}; got {kind!r}"
                + (f": did you mean {near[0]}?" if near else "")
            )


def _rows(given: dict[str, Any], key: str, name: str) -> list[dict[str, Any]]:
    rows = given.pop(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInputError(f"{name}: {key}: expected [[{key}]] tables")
    return rows


def _row(kind: type, given: dict[str, Any], at: str) -> Any:
    """The dataclass of one table; each value is checked against what the field declares."""
    declared = {item.name: item for item in fields(kind)}
    _known(given, tuple(declared), at)
    values: dict[str, Any] = {}
    for key, value in given.items():
        hint = str(declared[key].type)
        if hint.startswith("tuple"):
            values[key] = _texts(value, f"{at}: {key}")
        elif hint.startswith("float"):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InvalidInputError(f"{at}: {key}: expected a number, got {type(value).__name__}")
            values[key] = float(value)
        elif isinstance(value, str) and (value or not declared[key].default):
            values[key] = value
        else:
            raise InvalidInputError(f"{at}: {key}: expected a text, got {type(value).__name__}")
    absent = [key for key, item in declared.items() if item.default is MISSING and not values.get(key)]
    if absent:
        raise InvalidInputError(f"{at}: {absent[0]} is missing")
    return kind(**values)


def _texts(value: Any, at: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidInputError(f"{at}: expected a list of texts")
    return tuple(value)


def _known(given: dict[str, Any], known: tuple[str, ...], at: str) -> None:
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.4)
            raise InvalidInputError(
                f"{at}: unknown key {key!r}; "
                + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")
            )
