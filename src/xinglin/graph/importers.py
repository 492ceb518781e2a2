"""Other people's graphs as triples: xywy, 39, Baidu ACL 2020, ChatDoctor, Disease Ontology.

Each reads one gzipped JSONL file of the named set and yields triples whose source is file and row. The
xywy and 39 sets carry no licence: they are for use where you may use them, never for redistribution.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.types import Code, Triple

MAX_LINE = 4_000_000


@dataclass(frozen=True, slots=True)
class GraphFormat:
    """One importable graph."""

    name: str
    lang: str
    licence: str
    rows: Callable[[dict[str, Any]], list[tuple[str, str, str]]]
    """A decoded line -> (disease, relation, target)."""


def _list(row: dict[str, Any], key: str) -> list[str]:
    value = row.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidInputError(f"{key}: expected a list of strings")
    return [item.strip() for item in value if item.strip()]


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"{key}: expected a name")
    return value.strip()


def _chinese(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    name = _text(row, "name")
    columns = (
        ("symptoms", "has_finding"),
        ("exams", "exam"),
        ("complications", "complication"),
        ("departments", "department"),
        ("drugs", "drug"),
        ("treatments", "treatment"),
        ("alias", "alias"),
    )
    return [(name, relation, item) for column, relation in columns for item in _list(row, column)]


def _baidu(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(_text(row, "disease"), "has_finding", _text(row, "finding"))]


def _chatdoctor(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    name = _text(row, "disease").lower()
    columns = (("symptoms", "has_finding"), ("exams_and_procedures", "exam"), ("medications", "drug"))
    return [(name, relation, item.lower()) for column, relation in columns for item in _list(row, column)]


def _ontology(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    name = _text(row, "label")
    found = [(name, "is_a", parent) for parent in _list(row, "parents")]
    xrefs = row.get("xrefs") or {}
    if not isinstance(xrefs, dict):
        raise InvalidInputError("xrefs: expected an object")
    for system, values in xrefs.items():
        found += [
            (name, "xref", f"{system}:{value}")
            for value in (values if isinstance(values, list) else [values])
        ]
    return found


FORMATS = {
    item.name: item
    for item in (
        GraphFormat("xywy", "zh", "none stated; do not redistribute", _chinese),
        GraphFormat("39", "zh", "none stated; do not redistribute", _chinese),
        GraphFormat("baidu_acl2020", "zh", "Apache-2.0", _baidu),
        GraphFormat("chatdoctor", "en", "Apache-2.0", _chatdoctor),
        GraphFormat("disease_ontology", "en", "CC0-1.0", _ontology),
    )
}


def read_graph(name: str, path: Path) -> Iterator[Triple]:
    """Yield the triples of an importable graph.

    Args:
        name: one of ``FORMATS``.
        path: the gzipped JSONL file.

    Raises:
        InvalidInputError: unknown format, damaged file, or a line of a wrong shape (named by number).
        MissingDataError: there is no such file.
    """
    if name not in FORMATS:
        raise InvalidInputError(f"unknown graph format {name!r}; known: {', '.join(FORMATS)}")
    form = FORMATS[name]
    for number, row in read_lines(path):
        source = f"{path.parent.name}/{path.name}:{number}"
        try:
            edges = form.rows(row)
        except InvalidInputError as error:
            raise InvalidInputError(f"{path.name}:{number}: {error}") from None
        for head, relation, tail in edges:
            yield Triple(Code(name, head, head), relation, Code(name, tail, tail), source)


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of a gzipped or plain JSONL file.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: damaged gzip, not UTF-8, a line that is no JSON object or is over 4 MB.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    opener = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            while line := lines.readline(MAX_LINE):
                number += 1
                if not line.strip():
                    continue
                row = _decoded(line, f"{path.name}:{number}")
                if not isinstance(row, dict):
                    raise InvalidInputError(f"{path.name}:{number}: expected a JSON object")
                yield number, row
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path.name}: damaged after line {number}: {error}") from None


def _decoded(line: str, at: str) -> Any:
    if len(line) >= MAX_LINE:
        raise InvalidInputError(f"{at}: a line may hold at most {MAX_LINE} characters")
    try:
        return json.loads(line)
    except RecursionError:
        raise InvalidInputError(f"{at}: nested too deeply") from None
    except ValueError as error:
        raise InvalidInputError(f"{at}: not JSON: {error}") from None
