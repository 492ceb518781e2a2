"""CSV, TSV, Parquet and Excel by a mapping file: a row is a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from xinglin.errors import XinglinError
from xinglin.records import delimited, excel, parquet
from xinglin.records.mapping import Mapping
from xinglin.records.readers.protocol import AtPath, Item, Unit, files
from xinglin.records.rows import record_from_row
from xinglin.records.table import Row, Table, positions
from xinglin.types import Record

Form = Literal["csv", "parquet", "excel"]
SUFFIXES: dict[Form, tuple[str, ...]] = {
    "csv": (".csv", ".tsv", ".csv.gz", ".tsv.gz"),
    "parquet": (".parquet",),
    "excel": (".xlsx",),
}


@dataclass(frozen=True, slots=True)
class Tables(AtPath):
    """Files of one table each."""

    mapping: Mapping
    form: Form
    resumes: ClassVar[bool] = True

    @property
    def settings(self) -> str:
        """The mapping's digest."""
        return self.mapping.digest()

    def units(self) -> Iterator[Unit]:
        """Yield the files."""
        return files(self.path, SUFFIXES[self.form])

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield the rows."""
        table = self._open(unit.path)
        at = positions(table.header, self.mapping.columns())
        for taken, row in enumerate(table.rows):
            if taken < start:
                continue
            problem = row.problem
            if problem is None:
                try:
                    record = self._record(row, at, unit)
                except XinglinError as error:
                    problem = str(error)
                else:
                    yield Item(row.place, record, encoding=table.encoding)
                    continue
            yield Item(row.place, problem=problem, encoding=table.encoding)

    def _record(self, row: Row, at: dict[str, int], unit: Unit) -> Record:
        unnamed = f"{unit.name}#{row.place.split()[-1]}"
        return record_from_row(self.mapping, lambda column: row.cells[at[column]], unnamed=unnamed)

    def _open(self, path: Path) -> Table:
        if self.form == "csv":
            return delimited.open_table(path)
        columns = self.mapping.columns()
        return (
            parquet.open_table(path, columns) if self.form == "parquet" else excel.open_table(path, columns)
        )
