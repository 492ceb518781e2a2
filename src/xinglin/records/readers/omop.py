"""OMOP CDM 5.4 tables (a folder of CSV or Parquet) -> a record a person.

Tables and columns: https://ohdsi.github.io/CommonDataModel/cdm54.html. Read are person, visit_occurrence,
condition_occurrence, drug_exposure, procedure_occurrence, measurement, observation, note, and, where they lie there,
concept (codes and names) and care_site (the site). Rows are brought together by person outside of memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xinglin.errors import InvalidInputError, XinglinError
from xinglin.records import delimited, parquet
from xinglin.records.grouping import Groups, grouping
from xinglin.records.omop_person import LOOKED_UP, TABLES, Concepts, person_record, plain
from xinglin.records.readers.protocol import AtPath, Item, Unit, files, whole
from xinglin.records.table import Table, positions

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")


@dataclass(frozen=True, slots=True)
class Omop(AtPath):
    """A folder of tables; the whole is one unit, since a person's rows lie in many files."""

    resumes: ClassVar[bool] = True

    @property
    def settings(self) -> str:
        """Nothing to set."""
        return ""

    def units(self) -> Iterator[Unit]:
        """Yield the folder."""
        return whole(self.path, files(self.path, SUFFIXES))

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield first the rows that are broken, by file and line, then a record a person in the order of their ids.

        Raises:
            InvalidInputError: there is no table person.
        """
        tables = {_name(file.name): file for file in files(self.path, SUFFIXES)}
        if "person" not in tables:
            raise InvalidInputError("expected the table person (person.csv or person.parquet), it is absent")
        taken = 0
        with grouping() as groups, grouping() as looked_up:
            for problem in _gather(tables, groups, looked_up):
                taken += 1
                if taken > start:
                    yield problem
            groups.seal()
            looked_up.seal()
            concepts = Concepts(looked_up)
            for person in groups.keys(max(0, start - taken)):
                place = f"person {person}"
                try:
                    yield Item(place, person_record(person, groups.of(person), concepts))
                except XinglinError as error:
                    yield Item(place, problem=str(error))


def _gather(tables: dict[str, Unit], groups: Groups, looked_up: Groups) -> Iterator[Item]:
    for name, (needed, wanted) in TABLES.items():
        if name in tables:
            yield from _read(tables[name], groups, name, "person_id", needed, wanted)
    for name, columns in LOOKED_UP.items():
        if name in tables:
            yield from _read(tables[name], looked_up, name, columns[0], columns[:1], columns[1:])


def _read(
    file: Unit, into: Groups, name: str, key: str, needed: Sequence[str], wanted: Sequence[str]
) -> Iterator[Item]:
    """Take a table's rows into groups as JSON objects without what is empty."""
    waiting = []
    try:
        table = _open(file.path, {key, *needed, *wanted})
        table = Table([column.lower() for column in table.header], table.rows, table.encoding)
        positions(table.header, (key, *needed))
        at = [(column, n) for n, column in enumerate(table.header) if column in {key, *needed, *wanted}]
        where = table.header.index(key)
        for row in table.rows:
            owner = None if row.problem else plain(row.cells[where])
            if owner is None:
                problem = row.problem or f"{key} is empty"
                yield Item(f"{file.name} {row.place}", problem=problem, encoding=table.encoding)
                continue
            cells = {column: value for column, n in at if (value := plain(row.cells[n])) is not None}
            waiting.append((owner, name, json.dumps(cells).encode()))
            if len(waiting) == 1000:
                into.add(waiting)
                waiting = []
    except XinglinError as error:
        yield Item(file.name[-190:], problem=f"{file.name}: {error}")
    into.add(waiting)


def _open(path: Path, columns: set[str]) -> Table:
    if path.suffix != ".parquet":
        return delimited.open_table(path)
    return parquet.open_table(path, [*columns, *(column.upper() for column in columns)])


def _name(file: str) -> str:
    return file.rpartition("/")[2].lower().split(".")[0]
