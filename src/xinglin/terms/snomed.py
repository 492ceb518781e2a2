"""SNOMED CT from a release a user is licensed for: RF2 snapshot, zip or folder, read in place.

Format: SNOMED International, *Release File Specifications*, 4.2 (tab-separated, CRLF, UTF-8, no quoting).
Nothing is extracted to disk and nothing is bundled; sizes are bounded before a byte is decompressed.
Search is by words: the first three characters of each word (each pair of Chinese characters) find the
candidates, the Dice coefficient of character trigrams ranks them.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError, UnknownNameError
from xinglin.terms.codes import SNOMEDCT
from xinglin.types import Code

MAX_BYTES = 6 * 1024**3
"""Bound on the three files together, uncompressed; the International Edition needs about 0.6 GB."""
MAX_RATIO = 200
"""Bound on uncompressed over compressed size of one member; RF2 text reaches about 15."""
MAX_MEMBERS = 20_000
_MAX_LINE = 65_536
_IS_A = 116680003
_FSN = "900000000000003001"
_SYNONYM = "900000000000013009"
_FILE = re.compile(r"(?:^|/)x?sct2_(Concept|Description|Relationship)_[^/]*Snapshot[^/]*\.txt$")
_COLUMNS = {
    "Concept": ("id", "effectiveTime", "active", "moduleId", "definitionStatusId"),
    "Description": ("id", "effectiveTime", "active", "moduleId", "conceptId", "languageCode", "typeId",
    "term",
                    "caseSignificanceId"),
    "Relationship": ("id", "effectiveTime", "active", "moduleId", "sourceId", "destinationId", "relationsh"
    "ipGroup",
                     "typeId", "characteristicTypeId", "modifierId"),
}  # fmt: skip
_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_P = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip


def valid_sctid(text: str) -> bool:
    """Whether the text is a SNOMED CT identifier: 6 to 18 digits with a Verhoeff check digit."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", text):
        return False
    check = 0
    for i, digit in enumerate(reversed(text)):
        check = _D[check][_P[i % 8][int(digit)]]
    return check == 0


@dataclass(frozen=True, slots=True)
class SnomedMatch:
    """One concept found by text."""

    code: Code
    term: str
    """The description that matched."""
    score: float
    """Dice coefficient of character trigrams, 1 for the same text."""


class Snomed:
    """The active concepts, descriptions and is-a links of one release; built by :func:`load_snomed`."""

    def __init__(
        self,
        concepts: set[int],
        names: dict[int, str],
        terms: dict[int, list[str]],
        parents: dict[int, list[int]],
    ) -> None:
        self._concepts, self._names, self._terms, self._parents = concepts, names, terms, parents
        self._index: dict[str, list[tuple[int, str]]] | None = None

    def __len__(self) -> int:
        return len(self._concepts)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and value.isdigit() and int(value) in self._concepts

    def code(self, value: str) -> Code:
        """The code with its fully specified name.

        Raises:
            UnknownNameError: no active concept of this release.
        """
        concept = self._known(value)
        return Code(SNOMEDCT, value, self._names.get(concept, ""))

    def terms(self, value: str) -> tuple[str, ...]:
        """All active descriptions of a concept, the fully specified name first."""
        concept = self._known(value)
        name = self._names.get(concept)
        return ((name,) if name else ()) + tuple(self._terms.get(concept, ()))

    def parents(self, value: str) -> tuple[Code, ...]:
        """Direct is-a targets."""
        return tuple(
            self.code(str(p)) for p in self._parents.get(self._known(value), ()) if p in self._concepts
        )

    def ancestors(self, value: str) -> frozenset[str]:
        """Ids of everything the concept is a kind of, itself excluded; a cycle in the data does no harm."""
        start = self._known(value)
        seen: set[int] = set()
        queue = list(self._parents.get(start, ()))
        while queue:
            concept = queue.pop()
            if concept not in seen and concept != start:
                seen.add(concept)
                queue += self._parents.get(concept, ())
        return frozenset(str(concept) for concept in seen if concept in self._concepts)

    def is_a(self, value: str, ancestor: str) -> bool:
        """Whether a concept is, or is a kind of, another."""
        return value == ancestor or ancestor in self.ancestors(value)

    def search(self, text: str, limit: int = 10) -> tuple[SnomedMatch, ...]:
        """Concepts whose descriptions look like ``text``, best first, one a concept."""
        query = text.lower().strip()
        if self._index is None:
            self._index = self._build()
        candidates: dict[tuple[int, str], None] = {}
        for key in _keys(query):
            candidates.update(dict.fromkeys(self._index.get(key, ())))
        wanted = _trigrams(query)
        best: dict[int, tuple[float, str]] = {}
        for concept, term in candidates:
            grams = _trigrams(term.lower())
            score = 2 * len(wanted & grams) / (len(wanted) + len(grams)) if wanted and grams else 0.0
            if score > best.get(concept, (0.0, ""))[0]:
                best[concept] = (score, term)
        ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[: max(limit, 0)]
        return tuple(SnomedMatch(self.code(str(c)), term, round(score, 4)) for c, (score, term) in ranked)

    def _known(self, value: str) -> int:
        if value not in self:
            raise UnknownNameError(
                f"expected an active concept of the loaded SNOMED CT release; got {value!r}: "
                + (
                    "check the release's edition and date"
                    if valid_sctid(value)
                    else "the check digit is wrong, correct the id"
                )
            )
        return int(value)

    def _build(self) -> dict[str, list[tuple[int, str]]]:
        index: dict[str, list[tuple[int, str]]] = {}
        for concept in self._concepts:
            for term in self.terms(str(concept)):
                for key in _keys(term.lower()):
                    index.setdefault(key, []).append((concept, term))
        return index


def _keys(text: str) -> set[str]:
    words = {word[:3] for word in re.findall(r"[a-z0-9\u00c0-\u024f]+", text)}
    for run in re.findall(r"[\u4e00-\u9fff]+", text):
        words.update(run[i : i + 2] for i in range(max(len(run) - 1, 1)))
    return words


def _trigrams(text: str) -> set[str]:
    padded = f"  {re.sub(r' [(][^)]*[)]$', '', text)} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


def load_snomed(path: Path, *, max_bytes: int = MAX_BYTES) -> Snomed:
    """Read an RF2 snapshot.

    Args:
        path: the release's zip file, or a folder with its files.
        max_bytes: bound on the uncompressed size of the files read.

    Raises:
        MissingDataError: no such path, or no snapshot files in it.
        InputTooLargeError: more than ``max_bytes``, too many members, or a compression ratio of a zip bomb.
        InvalidInputError: no zip file, or a file that is not RF2; the message names file and line.
    """
    path = Path(path)
    if not path.exists():
        raise MissingDataError(
            f"expected a SNOMED CT RF2 release at {path}; it is absent: give its zip or folder"
        )
    concepts: set[int] = set()
    names: dict[int, str] = {}
    terms: dict[int, list[str]] = {}
    parents: dict[int, list[int]] = {}
    with _members(path, max_bytes) as members:
        for kind in ("Concept", "Description", "Relationship"):
            files = [opened for name, opened in members if (m := _FILE.search(name)) and m.group(1) == kind]
            if not files:
                raise MissingDataError(
                    f"expected a file sct2_{kind}_*Snapshot*.txt in {path}; there is none: use a release "
                    f"with its Snapshot"
                )
            for opened in files:
                for row in _rows(opened, kind):
                    if kind == "Concept":
                        concepts.add(int(row[0]))
                    elif kind == "Description":
                        concept, what, term = int(row[4]), row[6], row[7]
                        if concept in concepts and what == _FSN:
                            names[concept] = term
                        elif concept in concepts and what == _SYNONYM:
                            terms.setdefault(concept, []).append(term)
                    elif int(row[7]) == _IS_A and int(row[4]) in concepts:
                        parents.setdefault(int(row[4]), []).append(int(row[5]))
    return Snomed(concepts, names, terms, parents)


class _Opened:
    """A member that can be read once, line by line, and knows its name."""

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        self.name, self.stream = name, stream


@contextmanager
def _members(path: Path, max_bytes: int) -> Iterator[list[tuple[str, _Opened]]]:
    """RF2 files under ``path`` by name, open; their sizes are checked first."""
    if path.is_dir():
        files = [p for p in sorted(path.rglob("*.txt")) if _FILE.search(p.as_posix())]
        _check_sizes(path, ((p.stat().st_size, 0) for p in files), len(files), max_bytes)
        streams = [(p.as_posix(), p.open("rb")) for p in files]
        try:
            yield [(name, _Opened(name, stream)) for name, stream in streams]
        finally:
            for _, stream in streams:
                stream.close()
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidInputError(
            f"expected a zip file or a folder; {path} is neither ({error}): give the release's zip"
        ) from None
    with archive:
        infos = [info for info in archive.infolist() if _FILE.search(info.filename)]
        _check_sizes(
            path, ((i.file_size, i.compress_size) for i in infos), len(archive.infolist()), max_bytes
        )
        try:
            yield [(i.filename, _Opened(i.filename, archive.open(i))) for i in infos]
        except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
            raise InvalidInputError(
                f"{path} cannot be unpacked ({error}): download the release again"
            ) from None


def _check_sizes(path: Path, sizes: Iterable[tuple[int, int]], members: int, max_bytes: int) -> None:
    total = 0
    for size, compressed in sizes:
        total += size
        if compressed and size > 1_000_000 and size / compressed > MAX_RATIO:
            raise InputTooLargeError(
                f"expected RF2 text in {path}; a member unpacks to {size / compressed:.0f} times its size "
                f"(bound {MAX_RATIO}): this is no SNOMED CT release"
            )
    if total > max_bytes or members > MAX_MEMBERS:
        raise InputTooLargeError(
            f"expected at most {max_bytes} bytes in at most {MAX_MEMBERS} files; {path} has {total} in "
            f"{members}: "
            "use the release's Snapshot only, or raise max_bytes"
        )


def _rows(opened: _Opened, kind: str) -> Iterator[list[str]]:
    """Active rows of one file; lines that begin with ``#`` are comments (test fixtures of Snowstorm)."""
    columns = _COLUMNS[kind]
    header = False
    reader = io.TextIOWrapper(opened.stream, encoding="utf-8-sig", newline="\n")
    number = 0
    try:
        while line := reader.readline(_MAX_LINE):
            number += 1
            cells = line.rstrip("\r\n").split("\t")
            if not line.strip() or line.startswith("#"):
                continue
            if not header:
                if tuple(cells) != columns:
                    raise InvalidInputError(
                        f"{opened.name}:{number}: expected the RF2 columns {', '.join(columns)}; got "
                        f"{line[:80]!r}: "
                        "check that this is an RF2 snapshot file"
                    )
                header = True
            elif len(cells) != len(columns) or not (cells[0].isdigit() and cells[4].isdigit()):
                raise InvalidInputError(
                    f"{opened.name}:{number}: expected {len(columns)} cells with numeric ids; got "
                    f"{len(cells)}: file damaged"
                )
            elif cells[2] == "1":
                yield cells
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{opened.name}:{number + 1}: expected UTF-8; {error}: file damaged"
        ) from None
