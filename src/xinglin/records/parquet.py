"""Parquet as rows of cells, read a small batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xinglin.errors import InputTooLargeError, MissingExtraError
from xinglin.records.readers.protocol import foreign
from xinglin.records.table import Row, Table, checked_header

BATCH = 500
MAX_GROUP = 4 * 2**30
"""Bytes of one row group's wanted columns, decoded from their compression."""


def open_table(path: Path, columns: Sequence[str] | None = None) -> Table:
    """Open a Parquet file.

    Text columns stay dictionary-encoded in memory, so that a file cannot grow by repeating one long cell.

    Args:
        path: the file.
        columns: to read only those of them that are there; ``None`` reads all.

    Raises:
        MissingExtraError: ``pyarrow`` is not installed.
        InvalidInputError: not a Parquet file, or damaged.
        InputTooLargeError: a row group decodes to more than 4 GiB.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingExtraError("Reading Parquet", "records") from error
    try:
        schema = pq.read_schema(path)
        texts = [
            field.name
            for field in schema
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        opened = pq.ParquetFile(path, read_dictionary=texts, memory_map=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise foreign(error, "not a Parquet file") from None
    header = checked_header(opened.schema_arrow.names)
    wanted = header if columns is None else [name for name in header if name in set(columns)]
    for number in range(opened.num_row_groups):
        group = opened.metadata.row_group(number)
        size = sum(
            group.column(i).total_uncompressed_size
            for i in range(group.num_columns)
            if group.column(i).path_in_schema.split(".")[0] in wanted
        )
        if size > MAX_GROUP:
            raise InputTooLargeError(
                f"row group {number}: at most {MAX_GROUP // 2**30} GiB decoded, got {size} bytes"
            )
    return Table(wanted, _rows(opened, wanted, pa))


def _rows(opened: Any, wanted: list[str], pa: Any) -> Iterator[Row]:
    number = 0
    try:
        for batch in opened.iter_batches(batch_size=BATCH, columns=wanted):
            arrays = [batch.column(i) for i in range(batch.num_columns)]
            for at in range(batch.num_rows):
                number += 1
                try:
                    cells = [array[at].as_py() for array in arrays]
                except (ValueError, OverflowError, pa.ArrowException) as error:
                    # A text that is not UTF-8, a time beyond the calendar.
                    yield Row(f"row {number}", [], f"a cell cannot be read ({type(error).__name__})")
                else:
                    yield Row(f"row {number}", cells)
    except (pa.ArrowException, OSError) as error:
        raise foreign(error, f"damaged after row {number}") from None
