"""A laboratory's table of assay results: which molecules were measured, how they came out, and which are still open.

Nothing is dropped silently: a row that cannot be read is named by its line with the reason; repeats of one structure are
found by InChIKey however they were written, and those that disagree are named; a value beyond the assay's range
(``>10000``) stays a bound. Concentrations are compared as p = -log10(mol/L), the field's scale (pIC50, pKi).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from xinglin.errors import InvalidInputError
from xinglin.records.molecules.standard import Molecule
from xinglin.records.molecules.tables import ListedMolecule, read_molecules

EXPONENTS = {"m": 0, "mm": 3, "um": 6, "nm": 9, "pm": 12}
"""Decimal exponent of the unit below one mole a litre."""
OTHER_UNITS = {"p": "p", "%": "%", "percent": "%", "none": "none"}
VALUE_COLUMNS = re.compile(
    r"p?(ic50|ec50|ki|kd|gi50|ac50)|p_?activity|activity|inhibition|value|result|结果|活性|抑制率|测定值",
    re.I,
)
UNIT_COLUMNS = ("unit", "units", "单位")
UNMEASURED = frozenset(("", "na", "n/a", "nan", "nd", "n.d.", "none", "-", "未测", "待测"))
_CELL = re.compile(r"(>=|<=|≥|≤|>|<|＞|＜|~|≈|=)?\s*([-+]?[0-9][0-9.,]*(?:[eE][-+]?\d+)?)\s*(\S*)")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
TENFOLD = 1.0
"""Repeats on the p scale that differ by more disagree."""
TWENTY_POINTS = 20.0
"""Repeats in percent that differ by more disagree."""
LEAST_P, MOST_P = -2.0, 16.0
"""A concentration beyond is a wrong unit: 100 mol/L, 0.1 fmol/L."""


@dataclass(frozen=True, slots=True)
class AssayOptions:
    """How the table is read."""

    value: str | None = None
    """Column of the values; None: the one that is named like one."""
    unit: str | None = None
    """M, mM, uM, nM, pM (a concentration: lower is better), p (pIC50), % or none; None: from the header, a column of
    units or the cells."""
    lower_is_better: bool = False
    """Of % or none: small values are wanted."""
    smiles: str | None = None
    """Column of the structures; None: ``smiles``."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One molecule with its result."""

    molecule: Molecule
    value: float
    """On the scale of the table, higher is better: the mean of its repeats, or a bound."""
    side: Literal[-1, 0, 1]
    """-1: the true value lies below (an inactive ``> 10000 nM``), 1 above, 0 exact."""
    repeats: int
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Repeats of one molecule that contradict each other; it is kept, at the mean of the exact ones."""

    smiles: str
    places: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class AssayTable:
    """What a table of results says."""

    measured: tuple[Measured, ...]
    open_: tuple[Molecule, ...]
    """Molecules of rows without a value, not measured in another row: what may be picked."""
    scale: Literal["p", "%", "none"]
    sign: Literal[-1, 1]
    """-1: the table's values were turned round, for lower was better."""
    problems: dict[str, str]
    """Place of every row that was left out, with the reason."""
    disagreements: tuple[Disagreement, ...]
    changed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Place of every structure that was changed into standard form, with what was changed."""


def read_assay(path: Path, options: AssayOptions | None = None) -> AssayTable:
    """Read a CSV, TSV or SDF file of results.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: no column of values or of structures, no unit, units of two kinds, or no row that can be read.
    """
    options = options or AssayOptions()
    entries = read_molecules(path, column=options.smiles).entries
    names = list(dict.fromkeys(name for entry in entries for name in entry.cells))
    column = _value_column(names, options.value, path.name)
    units = next((name for name in names if name.lower() in UNIT_COLUMNS), None)
    named = options.unit or _in_header(column)
    header = _unit(named, "the unit") if named else None
    problems: dict[str, str] = {}
    read: list[tuple[ListedMolecule, float, int, str]] = []
    open_: list[Molecule] = []
    for entry in entries:
        if entry.molecule is None:
            problems[entry.place] = entry.problem or "no molecule"
            continue
        cell = entry.cells.get(column, "").strip()
        if cell.lower() in UNMEASURED:
            open_.append(entry.molecule)
            continue
        try:
            read.append((entry, *_number(cell, entry.cells.get(units, "") if units else "", header)))
        except InvalidInputError as error:
            problems[entry.place] = str(error)
    kinds = {kind for *_, kind in read}
    if len(kinds) > 1:
        raise InvalidInputError(
            f"{path.name}, {column}: expected values of one kind, got {', '.join(sorted(kinds))}: split the table"
        )
    if not read and not open_:
        raise InvalidInputError(
            f"{path.name}: no row can be read; first: {next(iter(problems.items()), 'no row')}"
        )
    kind = kinds.pop() if kinds else "none"
    sign = -1 if options.lower_is_better and kind != "p" else 1
    measured, disagreements = _merged(
        [(entry, value * sign, side * sign) for entry, value, side, _ in read], kind
    )
    known = {one.molecule.inchikey for one in measured}
    fresh = {molecule.inchikey: molecule for molecule in open_ if molecule.inchikey not in known}
    changed = {e.place: e.molecule.notes for e in entries if e.molecule is not None and e.molecule.notes}
    return AssayTable(
        measured,
        tuple(fresh.values()),
        kind,  # type: ignore[arg-type]
        sign,  # type: ignore[arg-type]
        problems,
        disagreements,
        changed,
    )


def _value_column(names: Sequence[str], wanted: str | None, file: str) -> str:
    if wanted is not None:
        if wanted in names:
            return wanted
        raise InvalidInputError(f"{file}: expected a column {wanted!r}; there are: {', '.join(names[:20])}")
    found = [name for name in names if VALUE_COLUMNS.search(name) and name.lower() not in UNIT_COLUMNS]
    if len(found) != 1:
        raise InvalidInputError(
            f"{file}: expected one column of values, found {', '.join(found) or 'none'} among "
            f"{', '.join(names[:20])}: name it with --value"
        )
    return found[0]


def _in_header(column: str) -> str | None:
    """The unit that a header names: ``IC50 (nM)``, ``exp_nM``, ``pKi``, ``inhibition %``."""
    if re.match(r"p(ic50|ec50|ki|kd|gi50|ac50|_?activity)\b", column, re.I):
        return "p"
    found = re.search(r"(?:^|[\s_(\[/])([munpµμ]?M|%)(?:$|[\s_)\]])", column)
    return found.group(1) if found else ("%" if "抑制率" in column else None)


def _unit(text: str, what: str) -> str:
    """Return a unit's plain name: a key of ``EXPONENTS`` or ``OTHER_UNITS``."""
    plain = text.strip().lower().replace("µ", "u").replace("μ", "u").replace("mol/l", "m")
    if plain in EXPONENTS:
        return plain
    if plain in OTHER_UNITS:
        return OTHER_UNITS[plain]
    raise InvalidInputError(f"{what}: expected M, mM, uM, nM, pM, p, % or none, got {text.strip()[:20]!r}")


def _number(cell: str, unit_cell: str, header: str | None) -> tuple[float, int, str]:
    """Return a cell's value (higher is better where it is a concentration), its side, and the kind of scale."""
    match = _CELL.fullmatch(cell)
    if match is None:
        raise InvalidInputError(f"expected a number such as 12.5 or >10000, got {cell[:20]!r}")
    relation, digits, suffix = match.groups()
    if "," in digits:
        if not _THOUSANDS.fullmatch(digits):
            raise InvalidInputError(
                f"{cell[:20]!r}: a comma may be a decimal point or thousands: write a point"
            )
        digits = digits.replace(",", "")
    value = float(digits)
    named = suffix or unit_cell.strip()
    unit = _unit(named, "unit") if named else header
    if unit is None:
        raise InvalidInputError("no unit in the header, the row or the cell: name it with --unit")
    side = {">": 1, ">=": 1, "≥": 1, "＞": 1, "<": -1, "<=": -1, "≤": -1, "＜": -1}.get(relation or "", 0)
    if unit not in EXPONENTS:
        if not math.isfinite(value):
            raise InvalidInputError(f"expected a finite number, got {cell[:20]!r}")
        return value, side, unit
    if not (value > 0 and math.isfinite(value)):
        raise InvalidInputError(f"expected a concentration above 0, got {cell[:20]!r}")
    p = EXPONENTS[unit] - math.log10(value)
    if not LEAST_P <= p <= MOST_P:
        raise InvalidInputError(
            f"{cell[:20]!r} {unit} is p = {p:.1f}, outside of {LEAST_P:g} to {MOST_P:g}: wrong unit?"
        )
    return p, -side, "p"


def _merged(
    rows: Iterable[tuple[ListedMolecule, float, int]], kind: str
) -> tuple[tuple[Measured, ...], tuple[Disagreement, ...]]:
    """Repeats as one value each, and those that disagree."""
    groups: dict[str, list[tuple[ListedMolecule, float, int]]] = {}
    for entry, value, side in rows:
        if entry.molecule is not None:
            groups.setdefault(entry.molecule.inchikey, []).append((entry, value, side))
    every = [value for group in groups.values() for _, value, _ in group]
    spread = float(np.subtract(*np.percentile(every, [75, 25]))) if every else 0.0
    limit = {"p": TENFOLD, "%": TWENTY_POINTS}.get(kind, spread)
    measured, disagreements = [], []
    for group in groups.values():
        molecule = group[0][0].molecule
        if molecule is None:
            continue
        places = tuple(entry.place for entry, *_ in group)
        exact = [value for _, value, side in group if side == 0]
        below = [value for _, value, side in group if side < 0]
        above = [value for _, value, side in group if side > 0]
        value, side = _joined(exact, below, above)
        measured.append(Measured(molecule, value, side, max(1, len(exact)), places))
        reason = _contradiction(exact, below, above, limit)
        if reason:
            disagreements.append(Disagreement(molecule.smiles, places, reason))
    return tuple(measured), tuple(disagreements)


def _joined(exact: list[float], below: list[float], above: list[float]) -> tuple[float, Literal[-1, 0, 1]]:
    """The mean of exact repeats; else the tightest bound; bounds on both sides meet in the middle."""
    if exact:
        return float(np.mean(exact)), 0
    if below and above:
        return (min(below) + max(above)) / 2, 0
    return (min(below), -1) if below else (max(above), 1)


def _contradiction(exact: list[float], below: list[float], above: list[float], limit: float) -> str | None:
    if exact and max(exact) - min(exact) > limit:
        return f"repeats from {min(exact):.2f} to {max(exact):.2f}"
    if exact and below and np.mean(exact) > min(below) + limit:
        return f"mean {np.mean(exact):.2f}, but a repeat says below {min(below):.2f}"
    if exact and above and np.mean(exact) < max(above) - limit:
        return f"mean {np.mean(exact):.2f}, but a repeat says above {max(above):.2f}"
    if below and above and max(above) > min(below):
        return f"a repeat says above {max(above):.2f}, another below {min(below):.2f}"
    return None
