"""Where ``quality`` and ``split`` take their records from: a file, a folder, or a data set of the archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xinglin.records.quality.row import Row, Unreadable
    from xinglin.types import Record

Source = Annotated[
    Path | None,
    typer.Argument(help="文件或文件夹 A file or folder of records, of any format that intake reads."),
]
Dataset = Annotated[
    str | None, typer.Option(help="库中的数据集 A data set of the archive, instead of a path.")
]
Format = Annotated[str | None, typer.Option("--format", help="格式 Format; default: recognised.")]
MappingFile = Annotated[Path | None, typer.Option("--mapping", help="列映射 TOML Which column is what.")]
Places = Annotated[
    Path | None,
    typer.Option(
        "--places", help="TSV:id、site、label、part A table beside the records, as `split` writes it."
    ),
]
SiteByFile = Annotated[
    bool,
    typer.Option(
        "--site-by-file", help="每个文件为一个中心 Each file is a site, unless a record says its own."
    ),
]
Actor = Annotated[str, typer.Option(help="读取者 Who reads; needs a grant for a data set of the archive.")]


def rows(
    source: Path | None,
    dataset: str | None,
    *,
    form: str | None,
    mapping: Path | None,
    places: Path | None,
    site_by_file: bool,
    purpose: str,
    actor: str,
) -> Iterator[Row | Unreadable]:
    """Yield the records with what the table says of them, and what could not be read.

    Raises:
        InvalidInputError: neither a path nor a data set, or both; or the table names records that are not there.
    """
    from xinglin.errors import InvalidInputError
    from xinglin.records.placing import NOWHERE, read_places
    from xinglin.records.quality.row import Row, Unreadable

    if (source is None) == (dataset is None):
        raise InvalidInputError("expected a path or --dataset, one of them")
    if dataset is not None and (form or mapping or site_by_file):
        raise InvalidInputError("--format, --mapping and --site-by-file belong to a path, not to --dataset")
    told = read_places(places) if places is not None else {}
    met = 0
    for item, site in _read(source, dataset, form, mapping, site_by_file, purpose, actor):
        if isinstance(item, Unreadable):
            yield item
            continue
        place = told.get(item.id, NOWHERE)
        met += item.id in told
        yield Row(item, place.site or site, place.label, place.part)
    if met < len(told):
        raise InvalidInputError(
            f"{len(told) - met} of {len(told)} records of the table are not among those read"
        )


def _read(
    source: Path | None,
    dataset: str | None,
    form: str | None,
    mapping: Path | None,
    by_file: bool,
    purpose: str,
    actor: str,
) -> Iterator[tuple[Record | Unreadable, str | None]]:
    """Yield each record, or what is none, with its site by the file's name where that is asked for."""
    from xinglin.errors import XinglinError
    from xinglin.records.archive import read
    from xinglin.records.context import site_of
    from xinglin.records.mapping import read_mapping
    from xinglin.records.quality.row import Unreadable
    from xinglin.records.readers.detect import detect_format, open_reader
    from xinglin.store import open_store

    if source is None:
        for record in read(open_store(), dataset or "", purpose=purpose, actor=actor):
            yield record, None
        return
    chosen = form or detect_format(source).form
    reader = open_reader(chosen, str(source), mapping=read_mapping(mapping) if mapping else None)
    for unit in reader.units():
        name = unit.name.rpartition("/")[2].split(".")[0] if by_file else None
        try:
            for item in reader.items(unit, 0):
                if item.record is None:
                    yield Unreadable(f"{unit.name} {item.place}".strip()), None
                else:
                    yield item.record, None if site_of(item.record) else name
        except XinglinError:
            # The rest of this file is lost; the others go on.
            yield Unreadable(unit.name), None
