"""The index behind the search: flat arrays, built in batches, saved as .npy files without pickle, opened in place.

Terms stand in the order of their search keys (UTF-8), so that a beginning is a range; each gram has the ascending ids
of its terms (compressed sparse rows). A folder of an index holds one file an array and ``index.json`` with the
SHA-256 of each: a damaged file is named before it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.terms.codes import code_of, coding_system
from xinglin.terms.grams import grams_of, search_key
from xinglin.terms.snomed import Snomed
from xinglin.terms.tsv import rows
from xinglin.types import Code

Kind = Literal["preferred", "fsn", "synonym"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FORMAT = "xinglin-concepts/1"
MAX_TERMS = 20_000_000
_BATCH = 50_000
_TAG = re.compile(r" \([^()]*\)$")
_DESCRIPTION = "index.json"
_EMPTY = 128
"""Bytes of an .npy file without content, which cannot be mapped."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept as it goes into an index."""

    value: str
    terms: tuple[tuple[str, Kind], ...]
    """Descriptions; the first is the name that is shown."""
    parents: tuple[str, ...] = ()
    """Values of the concepts it is a kind of; unknown ones are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class ConceptIndex:
    """The arrays. T terms, C concepts, G grams."""

    system: str
    digest: str
    """SHA-256 (hex) over all arrays."""
    texts: NDArray[np.uint8]
    """Descriptions as written, UTF-8, one after another."""
    text_ends: NDArray[np.int64]
    """(T + 1,) where each description begins; the last is the end."""
    keys: NDArray[np.uint8]
    """Search keys, UTF-8, ascending."""
    key_ends: NDArray[np.int64]
    """(T + 1,)"""
    concept_of: NDArray[np.int32]
    """(T,) concept of a term."""
    kind_of: NDArray[np.uint8]
    """(T,) place in ``KINDS``."""
    grams_in: NDArray[np.int32]
    """(T,) distinct grams of a term."""
    grams: NDArray[np.uint64]
    """(G,) ascending."""
    starts: NDArray[np.int64]
    """(G + 1,) where a gram's postings begin."""
    postings: NDArray[np.int32]
    """Terms of each gram, ascending."""
    values: NDArray[np.uint8]
    """Codes of the concepts, ascending, UTF-8."""
    value_ends: NDArray[np.int64]
    """(C + 1,)"""
    name_of: NDArray[np.int32]
    """(C,) the term that is shown."""
    child_starts: NDArray[np.int64]
    """(C + 1,)"""
    children: NDArray[np.int32]
    """Concepts directly under each."""

    def __len__(self) -> int:
        return len(self.name_of)

    def text(self, term: int) -> str:
        """The description as written."""
        return _slice(self.texts, self.text_ends, term).decode()

    def raw_key(self, term: int) -> bytes:
        """The search key as stored."""
        return _slice(self.keys, self.key_ends, term)

    def key(self, term: int) -> str:
        """The search key."""
        return self.raw_key(term).decode()

    def code(self, concept: int) -> Code:
        """The code of a concept, with its name."""
        value = _slice(self.values, self.value_ends, concept).decode()
        return Code(self.system, value, self.text(int(self.name_of[concept])))

    def concept(self, value: str) -> int | None:
        """The place of a code; ``None`` if it is not here."""
        wanted, low, high = value.encode(), 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if _slice(self.values, self.value_ends, middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and _slice(self.values, self.value_ends, low) == wanted else None

    def descendants(self, concept: int) -> NDArray[np.bool_]:
        """Which concepts are the given one or a kind of it, (C,); a cycle in the data does no harm."""
        seen = np.zeros(len(self), np.bool_)
        front = np.asarray([concept])
        while len(front):
            seen[front] = True
            sizes = self.child_starts[front + 1] - self.child_starts[front]
            offsets = np.repeat(self.child_starts[front] - np.cumsum(sizes) + sizes, sizes)
            below = np.unique(self.children[offsets + np.arange(int(sizes.sum()))])
            front = below[~seen[below]]
        return seen


def build_index(concepts: Iterable[Concept], system: str) -> ConceptIndex:
    """Build an index.

    Args:
        concepts: each once, with at least one term; a fully specified name loses its semantic tag in the search key.
        system: coding system of all of them.

    Raises:
        UnknownNameError: no such coding system.
        InvalidInputError: no concept, a concept twice, or without a term.
        InputTooLargeError: more than ``MAX_TERMS`` terms.
    """
    coding_system(system)
    given = sorted(concepts, key=lambda concept: concept.value)
    if not given:
        raise InvalidInputError("concept index: expected at least one concept, got none")
    for one, following in zip(given, [*given[1:], None], strict=True):
        if not any(search_key(text) for text, _ in one.terms):
            raise InvalidInputError(f"concept index: {one.value!r} has no term: give it a name")
        if following is not None and following.value == one.value:
            raise InvalidInputError(f"concept index: {one.value!r} stands twice: join its terms")
    terms = sorted(
        (key.encode(), place, KINDS.index(kind), text, number)
        for place, concept in enumerate(given)
        for number, (text, kind) in enumerate(concept.terms)
        if (key := search_key(_TAG.sub("", text) if kind == "fsn" else text))
    )
    if len(terms) > MAX_TERMS:
        raise InputTooLargeError(f"concept index: at most {MAX_TERMS} terms, got {len(terms)}")
    name_of = np.full(len(given), -1, np.int64)
    shown = np.full(len(given), np.iinfo(np.int64).max)
    for term, (_, place, _, _, number) in enumerate(terms):
        if number < shown[place]:
            name_of[place], shown[place] = term, number
    grams, starts, postings, grams_in = _postings([key.decode() for key, *_ in terms])
    child_starts, children = _children(given)
    texts, text_ends = _blob(text.encode() for _, _, _, text, _ in terms)
    keys, key_ends = _blob(key for key, *_ in terms)
    values, value_ends = _blob(concept.value.encode() for concept in given)
    arrays: dict[str, Any] = {
        "texts": texts, "text_ends": text_ends, "keys": keys, "key_ends": key_ends,
        "concept_of": np.asarray([place for _, place, *_ in terms], np.int32),
        "kind_of": np.asarray([kind for _, _, kind, *_ in terms], np.uint8),
        "grams_in": grams_in, "grams": grams, "starts": starts, "postings": postings,
        "values": values, "value_ends": value_ends, "name_of": name_of.astype(np.int32),
        "child_starts": child_starts, "children": children,
    }  # fmt: skip
    return ConceptIndex(system, _digest(system, {n: _sha256(a) for n, a in arrays.items()}), **arrays)


def concepts_of(snomed: Snomed) -> Iterator[Concept]:
    """Yield the concepts of a SNOMED CT release: preferred terms, the fully specified name, synonyms."""
    for value in snomed:
        first = snomed.preferred(value)
        full = snomed.code(value).display
        terms: dict[str, Kind] = dict.fromkeys(first, "preferred")
        if full:
            terms.setdefault(full, "fsn")
        for term in snomed.terms(value):
            terms.setdefault(term, "synonym")
        if terms:
            yield Concept(value, tuple(terms.items()), tuple(code.value for code in snomed.parents(value)))


def concepts_from_tsv(path: Path, system: str) -> Iterator[Concept]:
    """Yield the concepts of a table with columns ``code``, ``term``, ``kind``, ``parents``: one line a term.

    Raises:
        MissingDataError, VocabularyError: absent, or not such a table; names file and line.
        InvalidInputError: a code is none of the system.
    """
    found: dict[str, tuple[dict[str, Kind], dict[str, None]]] = {}
    for row in rows(path, ("code", "term", "kind", "parents")):
        kind = next((kind for kind in KINDS if kind == row["kind"]), None)
        if kind is None:
            raise row.error(f"expected a kind of {', '.join(KINDS)}; got {row['kind']!r}: correct it")
        terms, parents = found.setdefault(code_of(system, row.required("code")).value, ({}, {}))
        terms.setdefault(row.required("term"), kind)
        parents.update(dict.fromkeys(code_of(system, parent).value for parent in row.many("parents")))
    for value, (terms, parents) in found.items():
        yield Concept(
            value, tuple(sorted(terms.items(), key=lambda item: KINDS.index(item[1]))), tuple(parents)
        )


def save_index(index: ConceptIndex, folder: Path) -> None:
    """Write an index to a new folder, whole or not at all.

    Raises:
        InvalidInputError: the folder is there already.
    """
    if folder.exists():
        raise InvalidInputError(
            f"{folder} is there already: an index is never overwritten, give another name"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    new.mkdir()
    try:
        arrays = _arrays(index)
        for name, array in arrays.items():
            np.save(new / f"{name}.npy", array, allow_pickle=False)
        described = {
            "format": FORMAT,
            "system": index.system,
            "digest": index.digest,
            "arrays": {name: _sha256(array) for name, array in arrays.items()},
        }
        (new / _DESCRIPTION).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        os.replace(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def open_index(folder: Path) -> ConceptIndex:
    """Open an index in place (memory-mapped, read-only), every array checked against its digest.

    Raises:
        MissingDataError: there is no index.
        InvalidInputError: a file is damaged, missing or not what it claims to be.
    """
    path = folder / _DESCRIPTION
    if not path.is_file():
        raise MissingDataError(f"there is no concept index in {folder}: build one")
    try:
        described = json.loads(path.read_bytes()) if path.stat().st_size < 2**20 else None
    except (ValueError, RecursionError):
        described = None
    names = [field.name for field in fields(ConceptIndex)][2:]
    if (
        not isinstance(described, dict)
        or described.get("format") != FORMAT
        or not isinstance(described.get("arrays"), dict)
    ):
        raise InvalidInputError(
            f"{folder}: {_DESCRIPTION} describes no concept index of the format {FORMAT}: build it again"
        )
    arrays: dict[str, Any] = {}
    for name in names:
        file = folder / f"{name}.npy"
        try:
            in_place: Literal["r"] | None = "r" if file.stat().st_size > _EMPTY else None
            arrays[name] = np.load(file, mmap_mode=in_place, allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError):
            raise InvalidInputError(
                f"{folder}: {name}.npy is missing or damaged: build the index again"
            ) from None
        if _sha256(arrays[name]) != described["arrays"].get(name):
            raise InvalidInputError(
                f"{folder}: {name}.npy was changed since it was written: build the index again"
            )
    system = str(described.get("system"))
    if _digest(system, described["arrays"]) != described.get("digest"):
        raise InvalidInputError(
            f"{folder}: {_DESCRIPTION} was changed since it was written: build the index again"
        )
    coding_system(system)
    return ConceptIndex(system, described["digest"], **arrays)


def _postings(keys: list[str]) -> tuple[Any, Any, Any, Any]:
    """Grams, starts, postings and grams a term, batch by batch: at no time are all grams in memory as Python objects."""
    batches = []
    grams_in = np.zeros(len(keys), np.int32)
    for base in range(0, len(keys), _BATCH):
        found, owners = grams_of(keys[base : base + _BATCH])
        first = (
            np.nonzero(np.concatenate(([True], found[1:] != found[:-1])))[0]
            if len(found)
            else np.empty(0, np.int64)
        )
        distinct, sizes = found[first], np.diff(np.append(first, len(found)))
        grams_in[base : base + _BATCH] = np.bincount(owners, minlength=min(_BATCH, len(keys) - base))
        batches.append((distinct, sizes, (owners + base).astype(np.int32)))
    grams = np.unique(np.concatenate([distinct for distinct, _, _ in batches]))
    total = np.zeros(len(grams) + 1, np.int64)
    places = [np.searchsorted(grams, distinct) for distinct, _, _ in batches]
    for place, (_, sizes, _) in zip(places, batches, strict=True):
        total[place + 1] += sizes
    starts = np.cumsum(total)
    postings = np.empty(int(starts[-1]), np.int32)
    free = starts[:-1].copy()
    for place, (_, sizes, owners) in zip(places, batches, strict=True):
        within = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        postings[np.repeat(free[place], sizes) + within] = owners
        free[place] += sizes
    return grams, starts, postings, grams_in


def _children(given: list[Concept]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    place = {concept.value: at for at, concept in enumerate(given)}
    links = np.asarray(
        [
            (place[parent], at)
            for at, concept in enumerate(given)
            for parent in concept.parents
            if parent in place
        ],
        np.int64,
    ).reshape(-1, 2)
    links = links[np.lexsort((links[:, 1], links[:, 0]))]
    starts = np.concatenate(([0], np.cumsum(np.bincount(links[:, 0], minlength=len(given)))))
    return starts.astype(np.int64), links[:, 1].astype(np.int32)


def _blob(parts: Iterable[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    listed = list(parts)
    ends = np.cumsum([0, *(len(part) for part in listed)])
    return np.frombuffer(b"".join(listed), np.uint8), ends.astype(np.int64)


def _slice(blob: NDArray[np.uint8], ends: NDArray[np.int64], at: int) -> bytes:
    return blob[ends[at] : ends[at + 1]].tobytes()


def _arrays(index: ConceptIndex) -> dict[str, NDArray[Any]]:
    return {field.name: getattr(index, field.name) for field in fields(ConceptIndex)[2:]}


def _sha256(array: NDArray[Any]) -> str:
    """SHA-256 (hex) over type, shape and content."""
    state = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
    state.update(memoryview(np.ascontiguousarray(array)).cast("B") if array.size else b"")
    return state.hexdigest()


def _digest(system: str, arrays: dict[str, str]) -> str:
    text = json.dumps([FORMAT, system, sorted(arrays.items())], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
