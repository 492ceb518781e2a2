"""Which format a source is, by its content and its name; and the reader for it."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from xinglin.errors import InvalidInputError, MissingDataError, UnknownNameError
from xinglin.records.lines import GZIP
from xinglin.records.mapping import Mapping
from xinglin.records.readers.protocol import Reader, walk

FORMATS = {
    "json": "一文件一份 JSON:FHIR R4 Bundle 或本系统格式 one JSON a file: FHIR R4 Bundle or our own",
    "jsonl": "JSON 行 JSON lines: our own, FHIR R4 Bundles, or any objects with --mapping",
    "records": "`xinglin records read` 的输出 what `xinglin records read` wrote",
    "fhir-bulk": "FHIR 批量导出 NDJSON,按患者合并 bulk export, grouped by patient",
    "fhir-r4b": "FHIR R4B Bundle",
    "fhir-r5": "FHIR R5 Bundle",
    "dicom": "DICOM 序列 series",
    "csv": "CSV、TSV,需要 needs --mapping",
    "parquet": "Parquet,需要 needs --mapping",
    "excel": "Excel .xlsx 第一张表 first sheet,需要 needs --mapping",
    "notes": "纯文本病历 plain notes, .txt",
    "omop": "OMOP CDM 5.4 表 tables, a folder of CSV or Parquet",
    "hl7": "HL7 v2 消息 messages",
    "sql": "SQL 视图或查询 view or query,需要 needs --query and --mapping",
}
LOOKED_AT = 50
"""Files of a folder that are looked at."""
HEAD = 65_536
PLUGIN = "plugin:"
"""Before the name of a reader that another distribution brings."""
MAPPED = ("csv", "parquet", "excel", "sql")


@dataclass(frozen=True, slots=True)
class Detected:
    """A format, and what it was known by."""

    form: str
    why: str


def detect_format(source: Path) -> Detected:
    """Return the format of a file or a folder.

    Raises:
        MissingDataError: there is no such file or folder, or the folder is empty.
        InvalidInputError: none of the formats that are read.
    """
    looked = list(islice(walk(source), LOOKED_AT))
    if not looked:
        raise MissingDataError(f"the folder {source} holds no file: hidden files and links are not read")
    names = {unit.name.lower().rpartition("/")[2].split(".")[0] for unit in looked}
    if (
        source.is_dir()
        and "person" in names
        and names & {"measurement", "condition_occurrence", "visit_occurrence"}
    ):
        return Detected("omop", "表名 table names person, ...")
    found = [form for unit in looked if (form := _of_file(unit.path))]
    if not found:
        raise InvalidInputError(
            f"{source.name}: none of the formats {', '.join(FORMATS)} was recognised: name one with --format"
        )
    form, count = Counter(found).most_common(1)[0]
    why = f"内容与名称 content and name of {count} / {len(looked)} files"
    return Detected(form, why)


def _of_file(path: Path) -> str | None:
    """The format of one file; ``None`` if it is none that is read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
        zipped = head.startswith(GZIP)
        if zipped:
            with gzip.open(path) as unpacked:
                head = unpacked.read(HEAD)
    except (OSError, EOFError):
        return None
    name = path.name.lower().removesuffix(".gz")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "excel" if _is_workbook(path) else None
    if head[128:132] == b"DICM":
        return "dicom"
    bare = head.lstrip(b"\xef\xbb\xbf\x0b \r\n\t")
    if bare[:4] in (b"MSH|", b"FHS|", b"BHS|"):
        return "hl7"
    if bare.startswith(b"{"):
        return _of_json(bare, name)
    if name.endswith((".csv", ".tsv")):
        return "csv"
    return "notes" if name.endswith(".txt") and not zipped else None


def _of_json(bare: bytes, name: str) -> str:
    first = bare.split(b"\n", 1)[0]
    try:
        decoded = json.loads(first)
    except (ValueError, RecursionError):
        # The first line is no whole document: a document over many lines, or a line longer than what was read.
        return "jsonl" if name.endswith((".jsonl", ".ndjson")) else "json"
    if not isinstance(decoded, dict):
        return "jsonl"
    kind = decoded.get("resourceType")
    if name.endswith(".json") and len(bare.strip()) == len(first.strip()):
        return "json"
    if isinstance(kind, str) and kind != "Bundle":
        return "fhir-bulk"
    return (
        "records"
        if kind is None and decoded.keys() & {"subject", "events", "volumes"} and "id" in decoded
        else "jsonl"
    )


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return False


def open_reader(
    form: str,
    source: str,
    *,
    mapping: Mapping | None = None,
    query: str | None = None,
    volumes: Path | None = None,
) -> Reader:
    """Return the reader of a source.

    Args:
        form: one of ``FORMATS``, or ``plugin:NAME`` for an installed reader.
        source: path of a file or a folder; for ``sql`` a SQLAlchemy URL.
        mapping: which column is what; needed for csv, parquet, excel and sql.
        query: for ``sql``, the view or the SELECT.
        volumes: for ``dicom``, the folder for image arrays; ``None`` reads headers only.

    Raises:
        UnknownNameError: no such format; the nearest is named.
        InvalidInputError: a mapping or a query is missing, or given where it means nothing.
        PluginError: the plugin cannot be used.
    """
    if form.startswith(PLUGIN):
        from xinglin.records.readers.plugged import plugged

        if mapping is not None or query is not None:
            raise InvalidInputError(f"{form} reads by itself: leave --mapping and --query out")
        return plugged(form.removeprefix(PLUGIN), Path(source))
    if form not in FORMATS:
        near = get_close_matches(form, FORMATS, n=1)
        raise UnknownNameError(
            f"format: expected one of {', '.join(FORMATS)}; got {form!r}"
            + (f": did you mean {near[0]}?" if near else "")
        )
    if form in MAPPED and mapping is None:
        raise InvalidInputError(
            f"{form} needs a mapping file that says which column is what: --mapping FILE.toml"
        )
    if mapping is not None and form not in (*MAPPED, "jsonl"):
        raise InvalidInputError(f"{form} has no columns to map: leave --mapping out")
    if (form == "sql") != (query is not None):
        raise InvalidInputError("sql needs --query, and only sql has one")
    path = Path(source)
    from xinglin.records.readers import dicom, documents, fhir_bulk, hl7v2, jsonl, notes, omop, sql, tables

    if form in ("csv", "parquet", "excel") and mapping is not None:
        return tables.Tables(path, mapping, form)  # type: ignore[arg-type]
    if form == "sql" and mapping is not None and query is not None:
        return sql.SqlQuery(source, query, mapping)
    readers: dict[str, Reader] = {
        "json": documents.Documents(path),
        "fhir-r4b": documents.Documents(path, "R4B"),
        "fhir-r5": documents.Documents(path, "R5"),
        "jsonl": jsonl.JsonLines(path, mapping),
        "records": jsonl.JsonLines(path, stored=True),
        "fhir-bulk": fhir_bulk.FhirBulk(path),
        "dicom": dicom.Dicom(path, volumes),
        "notes": notes.Notes(path),
        "omop": omop.Omop(path),
        "hl7": hl7v2.Hl7Files(path),
    }
    return readers[form]


def passed_over(reader: Reader, source: Path) -> list[str]:
    """Return the files of a folder that the reader does not read, since their names end otherwise; at most 1,000."""
    if not source.is_dir():
        return []
    units = reader.units()
    unit = next(units, None)
    if unit is not None and unit.path == source:  # The folder is read as a whole.
        return []
    names: list[str] = []
    for file in walk(source):
        if unit is not None and file.name == unit.name:
            unit = next(units, None)
        elif len(names) < 1000:
            names.append(file.name)
    return names
