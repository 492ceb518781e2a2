"""A folder of texts -> documents -> passages with their place in the document; every bound is stated.

Read are ``.md`` and ``.txt`` (one document a file) and ``.jsonl`` (one document a line: ``text``, and ``title`` if there
is one). A document is data: nothing in it is ever followed, run or linked to.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.terms.characters import without_surrogates

SUFFIXES = (".md", ".txt", ".jsonl")
MAX_FILES = 10_000
MAX_FILE = 16 * 1024 * 1024
"""Bytes of one file."""
MAX_CHARACTERS = 100_000_000
"""Characters of all documents together."""
MAX_PASSAGES = 200_000
PASSAGE = 300
"""Characters of a passage, unless its only sentence is longer."""
LONGEST = 1_000
"""Characters at which a sentence without an end is cut."""
_SENTENCE = re.compile(r"[^。!?！？；;\n]*[。!?！？；;\n]+|[^。!?！？；;\n]+\Z")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the folder."""

    name: str
    """Path below the folder, with the line for a ``.jsonl``."""
    title: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of one document."""

    document: str
    """Name of the document."""
    title: str
    digest: str
    """SHA-256 of the document."""
    start: int
    end: int
    text: str
    """``document.text[start:end]``."""


def read_documents(folder: Path) -> Iterator[Document]:
    """Read every document below a folder, in the order of their names; links are not followed.

    Raises:
        MissingDataError: no such folder, or nothing in it that is read.
        InvalidInputError: a file is not UTF-8, or a line is no JSON object with a ``text``; names file and line.
        InputTooLargeError: a bound is exceeded; names the bound.
    """
    if not folder.is_dir():
        raise MissingDataError(f"{folder}: expected a folder with {', '.join(SUFFIXES)} files; there is none")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink()
    )
    if not files:
        raise MissingDataError(f"{folder}: no file that ends in {', '.join(SUFFIXES)}: give another folder")
    if len(files) > MAX_FILES:
        raise InputTooLargeError(f"{folder}: at most {MAX_FILES} files; got {len(files)}: index a part")
    total = 0
    for path in files:
        for document in _documents(path, path.relative_to(folder).as_posix()):
            total += len(document.text)
            if total > MAX_CHARACTERS:
                raise InputTooLargeError(f"{folder}: at most {MAX_CHARACTERS} characters: index a part")
            if document.text.strip():
                yield document


def _documents(path: Path, name: str) -> Iterator[Document]:
    size = path.stat().st_size
    if size > MAX_FILE:
        raise InputTooLargeError(f"{name}: at most {MAX_FILE} bytes a file; got {size}: split it")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name}: expected UTF-8; byte {error.start} is not: convert it") from None
    if path.suffix.lower() != ".jsonl":
        yield Document(name, _title(text, path.stem), text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise InvalidInputError(f"{name}:{number}: expected a JSON object; this line is none") from None
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise InvalidInputError(f'{name}:{number}: expected an object with a "text"; got no such')
        title = row.get("title")
        shown = title if isinstance(title, str) and title.strip() else path.stem
        yield Document(f"{name}:{number}", without_surrogates(shown)[:200], without_surrogates(row["text"]))


def _title(text: str, stem: str) -> str:
    """The first Markdown heading, else the file's name."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first.lstrip("# ").strip()[:200] if _HEADING.match(first) else stem


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the offsets of each sentence; one without an end is cut at ``LONGEST`` characters."""
    for match in _SENTENCE.finditer(text):
        for start in range(match.start(), match.end(), LONGEST):
            end = min(start + LONGEST, match.end())
            if text[start:end].strip():
                yield start, end


def passages(document: Document) -> Iterator[Passage]:
    """Yield a document's passages: whole sentences up to ``PASSAGE`` characters; a heading begins a new one."""
    start = end = None
    for left, right in sentences(document.text):
        heading = _HEADING.match(document.text[left:right]) is not None
        if start is not None and end is not None and (right - start > PASSAGE or heading):
            yield _passage(document, start, end)
            start = None
        start, end = left if start is None else start, right
    if start is not None and end is not None:
        yield _passage(document, start, end)


def _passage(document: Document, start: int, end: int) -> Passage:
    text = document.text[start:end]
    start += len(text) - len(text.lstrip())
    end = start + len(text.strip())
    return Passage(document.name, document.title, document.digest, start, end, document.text[start:end])
