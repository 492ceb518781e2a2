"""Does training text hold test items? Overlap of 13-grams, as GPT-3's appendix C defines it (arXiv 2005.14165).

An item is *dirty* if any 13 units of its question in a row stand in the training text. A unit is a character where the
question is Chinese, else a word; case, punctuation and spaces are dropped. A question shorter than 13 units is looked for
whole, down to 8 units (GPT-3 takes N between 8 and 13 by data set); a shorter one is not checked, for it says too little.
Beside it stands the share of an item's units that lie in matched grams, which Llama 2 reports (arXiv 2307.09288, A.6). Where
we differ: characters for Chinese, exact grams instead of a skip budget, the question alone without its options.

The test's grams are hashed (64 bits) and looked up in one pass over the training text; every hit is compared as text, so
that no collision counts. Memory is bounded by the test and one chunk.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.records.decode import decode_json
from xinglin.records.lines import lines

LONGEST, SHORTEST = 13, 8
"""Units of a gram: 13, or the whole question where it has 8 to 12."""
CHUNK = 1 << 20
"""Characters of training text that are hashed at once."""
MAX_LINE = 64_000_000
_BASE = np.uint64(0x9E3779B97F4A7C15)
_TABLE = 24
"""Bits of the first, coarse look-up."""
_CJK = re.compile("[\u3400-\u9fff]")
_DROPPED = re.compile(r"[\W_]+")
Codes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What of one item stands in the training text."""

    units: int
    """Characters or words of the question."""
    covered: float | None
    """Share of them in matched grams; ``None``: too short to be checked."""

    @property
    def dirty(self) -> bool | None:
        """Whether any gram was found; ``None``: not checked."""
        return None if self.covered is None else self.covered > 0


class _Grams:
    """The grams of all items of one kind of unit and one length, by hash."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.places: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.texts: dict[int, tuple[int, ...]] = {}

    def add(self, item: int, codes: Codes) -> None:
        for place, key in enumerate(_hashed(codes, self.length).tolist()):
            self.places[key].append((item, place))
            self.texts.setdefault(key, tuple(codes[place : place + self.length].tolist()))

    def close(self) -> None:
        self.keys = np.array(sorted(self.places), np.uint64)
        self.coarse = np.zeros(1 << _TABLE, bool)
        self.coarse[(self.keys >> np.uint64(64 - _TABLE)).astype(np.int64)] = True

    def found(self, codes: Codes) -> Iterator[int]:
        """Keys of the grams that stand in a stretch of training text."""
        hashes = _hashed(codes, self.length)
        maybe = np.flatnonzero(self.coarse[(hashes >> np.uint64(64 - _TABLE)).astype(np.int64)])
        at = np.searchsorted(self.keys, hashes[maybe])
        same = self.keys[np.minimum(at, len(self.keys) - 1)] == hashes[maybe]
        for place, key in zip(maybe[same].tolist(), hashes[maybe[same]].tolist(), strict=True):
            if tuple(codes[place : place + self.length].tolist()) == self.texts[key]:
                yield key


class _Kind:
    """Characters or words: how a text becomes numbers, and the grams of the items."""

    def __init__(self, words: bool) -> None:
        self.words = words
        self.known: dict[str, int] = {}
        self.grams: dict[int, _Grams] = {}

    def codes(self, text: str, learn: bool = False) -> Codes:
        """Numbers of a text's units; words that no item holds are all 0."""
        if not self.words:
            return np.frombuffer(_characters(text).encode("utf-32-le"), np.uint32).astype(np.uint64)
        found = _words(text)
        if learn:
            for word in found:
                self.known.setdefault(word, len(self.known) + 1)
        return np.fromiter((self.known.get(word, 0) for word in found), np.uint64, len(found))


def overlap(questions: Sequence[str], training: Iterable[str]) -> list[Overlap]:
    """Return, item by item, how much of each question stands in the training text.

    Args:
        questions: of the test.
        training: texts that the model was trained on; no gram spans two of them.
    """
    kinds = {False: _Kind(False), True: _Kind(True)}
    sizes: list[int] = []
    for item, question in enumerate(questions):
        kind = kinds[_CJK.search(question) is None]
        codes = kind.codes(question, learn=True)
        sizes.append(len(codes))
        if len(codes) >= SHORTEST:
            length = min(LONGEST, len(codes))
            kind.grams.setdefault(length, _Grams(length)).add(item, codes)
    covered = [np.zeros(size, bool) for size in sizes]
    for kind in kinds.values():
        for grams in kind.grams.values():
            grams.close()
    for chunk in _chunks(training):
        for kind in kinds.values():
            if kind.grams:
                _mark(kind, chunk, covered)
    return [
        Overlap(size, None if size < SHORTEST else float(marks.mean()))
        for size, marks in zip(sizes, covered, strict=True)
    ]


def _mark(kind: _Kind, chunk: Sequence[str], covered: list[NDArray[np.bool_]]) -> None:
    """Mark what is found; the texts of a chunk are hashed as one, with a unit of no item between them."""
    gap = np.zeros(1, np.uint64)
    codes = np.concatenate([part for text in chunk for part in (kind.codes(text), gap)])
    for grams in kind.grams.values():
        for key in set(grams.found(codes)):
            for item, place in grams.places[key]:
                covered[item][place : place + grams.length] = True


def _chunks(training: Iterable[str]) -> Iterator[list[str]]:
    """Gather short texts and cut long ones, with enough in common that no gram is lost at a cut."""
    chunk: list[str] = []
    size = 0
    for text in training:
        # A word may be long and marks are dropped later: the stretch in common is generous.
        for start in range(0, max(len(text), 1), CHUNK):
            piece = text[max(0, start - 2_000) : start + CHUNK]
            chunk.append(piece)
            size += len(piece)
            if size >= CHUNK:
                yield chunk
                chunk, size = [], 0
    if chunk:
        yield chunk


def _hashed(codes: Codes, length: int) -> Codes:
    """A number for every run of ``length`` units: a polynomial modulo 2**64."""
    count = len(codes) - length + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    total = np.zeros(count, np.uint64)
    mixed = _mixed(codes)
    for place in range(length):
        total *= _BASE
        total += mixed[place : place + count]
    return total


def _mixed(codes: Codes) -> Codes:
    """Spread small numbers over 64 bits (the finaliser of SplitMix64)."""
    mixed = (codes ^ (codes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _characters(text: str) -> str:
    return _DROPPED.sub("", unicodedata.normalize("NFKC", text)).casefold()


def _words(text: str) -> list[str]:
    return _DROPPED.sub(" ", unicodedata.normalize("NFKC", text)).casefold().split()


def training_texts(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the texts of training files: every string of JSON lines (``.jsonl``, ``.jsonl.gz``), else paragraphs.

    Raises:
        MissingDataError: a file is absent.
        InvalidInputError: damaged, not UTF-8, or a line of JSON lines that is no JSON.
        InputTooLargeError: a line beyond its bound.
    """
    for path in paths:
        if not path.is_file():
            raise MissingDataError(f"there is no training file {path}")
        as_json = path.name.removesuffix(".gz").endswith(".jsonl")
        paragraph: list[str] = []
        for number, line in enumerate(lines(path, MAX_LINE), 1):
            at = f"{path.name}:{number}"
            if line is None:
                raise InputTooLargeError(f"{at}: a line may hold at most {MAX_LINE} bytes")
            if as_json:
                if line.strip():
                    yield from _strings(decode_json(line, at))
                continue
            try:
                said = line.decode("utf-8-sig")
            except UnicodeDecodeError:
                raise InvalidInputError(f"{at}: expected UTF-8") from None
            if said.strip():
                paragraph.append(said)
            elif paragraph:
                yield "\n".join(paragraph)
                paragraph = []
        if paragraph:
            yield "\n".join(paragraph)


def _strings(decoded: Any) -> Iterator[str]:
    if isinstance(decoded, str):
        yield decoded
    elif isinstance(decoded, dict | list):
        for value in decoded.values() if isinstance(decoded, dict) else decoded:
            yield from _strings(value)
