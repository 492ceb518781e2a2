"""Files that list molecules: CSV, TSV, SMILES files and SDF; nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.records.delimited import open_table
from xinglin.records.lines import lines
from xinglin.records.molecules.parsing import logged, rdkit
from xinglin.records.molecules.standard import STRICT, Molecule, StandardOptions, standardise
from xinglin.records.table import positions

MAX_ROWS = 2_000_000
MAX_LINE = 1_000_000
"""Bytes."""
MAX_RECORD_LINES = 20_000
"""Lines of one SDF record."""
_DELIMITED = (".csv", ".tsv", ".txt")
_SMILES = (".smi", ".smiles", ".ism")
_SDF = (".sdf", ".sd", ".mol")


@dataclass(frozen=True, slots=True)
class ListedMolecule:
    """One entry of a file: its molecule, or the problem with it."""

    place: str
    """``line 7``: where the entry begins; the header of a table is line 1."""
    text: str
    """The SMILES as written (of an SDF record, as RDKit reads it)."""
    cells: dict[str, str] = field(default_factory=dict)
    """The columns of a table, ``name`` and the data fields of an SDF record, ``name`` of a SMILES file."""
    molecule: Molecule | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class MoleculeTable:
    """All entries of a file, in its order."""

    entries: tuple[ListedMolecule, ...]

    @property
    def problems(self) -> dict[str, str]:
        """Place of every entry that is no molecule, with the reason."""
        return {entry.place: entry.problem for entry in self.entries if entry.problem}

    @property
    def duplicates(self) -> dict[str, tuple[str, ...]]:
        """InChIKey of every molecule that stands there more than once, with its places."""
        places: dict[str, list[str]] = {}
        for entry in self.entries:
            if entry.molecule and entry.molecule.inchikey:
                places.setdefault(entry.molecule.inchikey, []).append(entry.place)
        return {key: tuple(found) for key, found in places.items() if len(found) > 1}


def read_molecules(
    path: Path,
    *,
    column: str | None = None,
    options: StandardOptions = STRICT,
    wanted: Callable[[dict[str, str]], bool] | None = None,
) -> MoleculeTable:
    """Return the molecules of a file, each in standard form or with its problem.

    Args:
        path: ``.csv``, ``.tsv`` (with a header), ``.smi`` (SMILES, blank, name) or ``.sdf``; each also gzipped.
        column: of a table, the one with the SMILES; None: the one that is named so in any case of letters.
        options: strict or lenient reading.
        wanted: told an entry's cells, whether to read it; None: all.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: another kind of file, no header, no SMILES column, a damaged gzip stream.
        InputTooLargeError: more than two million entries.
    """
    if not path.is_file():
        raise MissingDataError(f"expected a file of molecules, there is none at {path.name}")
    entries: list[ListedMolecule] = []
    for place, text, cells, problem in _entries(path, column):
        if len(entries) == MAX_ROWS:
            raise InputTooLargeError(f"expected at most {MAX_ROWS:,} molecules in {path.name}")
        if wanted and cells and not wanted(cells):
            continue
        molecule = None
        if problem is None:
            try:
                molecule = standardise(text, options=options)
            except InvalidInputError as error:
                problem = str(error)
        entries.append(ListedMolecule(place, text, cells, molecule, problem))
    return MoleculeTable(tuple(entries))


_Entry = tuple[str, str, dict[str, str], str | None]


def _entries(path: Path, column: str | None) -> Iterator[_Entry]:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    kind = suffixes[-1] if suffixes else ""
    if kind in _DELIMITED:
        return _of_table(path, column)
    if kind in _SMILES:
        return _of_smiles(path)
    if kind in _SDF:
        return _of_sdf(path)
    raise InvalidInputError(f"expected .csv, .tsv, .smi or .sdf (also .gz), got {path.name!r}")


def _of_table(path: Path, column: str | None) -> Iterator[_Entry]:
    table = open_table(path)
    if column is None:
        found = [name for name in table.header if name.lower() == "smiles"]
        if len(found) != 1:
            raise InvalidInputError(
                f"{path.name}: expected one column 'smiles', found {len(found)}; there are: "
                + ", ".join(table.header[:20])
            )
        column = found[0]
    at = positions(table.header, [column])[column]
    for row in table.rows:
        if row.problem:
            yield row.place, "", {}, row.problem
            continue
        cells = ["" if cell is None else str(cell) for cell in row.cells]
        yield row.place, cells[at].strip(), dict(zip(table.header, cells, strict=True)), None


def _of_smiles(path: Path) -> Iterator[_Entry]:
    for number, line in enumerate(lines(path, MAX_LINE), 1):
        place = f"line {number}"
        if line is None:
            yield place, "", {}, f"expected at most {MAX_LINE:,} bytes in a line"
            continue
        text, *name = line.decode("utf-8", "replace").split(maxsplit=1) or [""]
        if text:
            yield place, text, {"name": name[0].strip()} if name else {}, None


def _of_sdf(path: Path) -> Iterator[_Entry]:
    record: list[str] = []
    start, too_long = 1, False
    number = 0
    for number, line in enumerate(lines(path, MAX_LINE), 1):
        text = "" if line is None else line.decode("utf-8", "replace")
        too_long = too_long or line is None or len(record) >= MAX_RECORD_LINES
        if text.startswith("$$$$"):
            yield _of_record(record, f"line {start}", too_long)
            record, start, too_long = [], number + 1, False
        elif not too_long:
            record.append(text)
    if too_long or any(line.strip() for line in record):
        yield _of_record(record, f"line {start}", too_long)


def _of_record(record: list[str], place: str, too_long: bool) -> _Entry:
    """The SMILES and the fields of one SDF record (CTfile formats, BIOVIA 2020)."""
    if too_long:
        return place, "", {}, f"expected at most {MAX_RECORD_LINES:,} lines in an SDF record"
    chem, base, _ = rdkit()
    end = next((at for at, line in enumerate(record) if line.startswith("M  END")), None)
    if end is None:
        return place, "", {}, "expected an SDF record with a line 'M  END', found none"
    block = "\n".join(record[: end + 1]) + "\n"
    cells = {"name": record[0].strip()} | _fields(record[end + 1 :])
    with base.BlockLogs():
        molecule = chem.MolFromMolBlock(block)
    if molecule is None:
        said = logged(lambda: chem.MolFromMolBlock(block)) or "RDKit cannot read it"
        return place, "", cells, f"expected a valid connection table: {said}"
    return place, str(chem.MolToSmiles(molecule)), cells, None


def _fields(rows: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    name = None
    for line in rows:
        if line.startswith(">"):
            name = line[line.find("<") + 1 : line.rfind(">")].strip() if "<" in line else None
            if name:
                found[name] = []
        elif name and line.strip():
            found[name].append(line.strip())
    return {key: "\n".join(value) for key, value in found.items()}
