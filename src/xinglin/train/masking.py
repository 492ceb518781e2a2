"""Text as token streams whose entities are masked whole.

In masked language modelling (Devlin et al. 2019) a token of 糖尿病 can be guessed from the rest of the word; masking
all tokens of an entity at once asks for the entity itself (whole-word masking of Cui et al. 2021, arXiv
1906.08101, applied to the entities of the graph and the vocabulary as in ERNIE, Sun et al. 2019, arXiv
1904.09223). Where we differ: entities come from the package's own vocabulary and graph, in Chinese and English,
and an entity is chosen ``ENTITY`` times as often as another token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.model.sizes import CLS, MASK, PAD, SEP

if TYPE_CHECKING:
    from tokenizers import Tokenizer

RATE = 0.2
"""Share of the tokens to be guessed."""
ENTITY = 3.0
"""How much likelier an entity is chosen than any other token."""
KEPT, RANDOM = 0.1, 0.1
"""Shares of the chosen groups left as they are, and replaced by random tokens (Devlin et al. 2019)."""
IGNORED = -100
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_WORD = re.compile(r"[a-z][a-z'-]*", re.IGNORECASE)
_CHUNK = 20_000
Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Stream:
    """A corpus as one stream of tokens; documents end with [SEP]."""

    ids: Ids
    """Token ids, shape (tokens,)."""
    group: Ids
    """Tokens of one entity share a number; any other token has its own. Shape (tokens,)."""
    entity: NDArray[np.bool_]
    """Whether a token belongs to an entity. Shape (tokens,)."""
    vocabulary: int

    def __len__(self) -> int:
        return len(self.ids)

    def windows(self, length: int) -> int:
        """Return how many windows of a length (with [CLS] and [SEP]) the stream holds."""
        return max(1, len(self.ids) // (length - 2))


class EntityFinder:
    """Finds the longest names of a list in text: Chinese by characters, English by words."""

    def __init__(self, names: Iterable[str]) -> None:
        self._chinese: set[str] = set()
        self._english: set[str] = set()
        for name in names:
            if _CHINESE.fullmatch(name):
                if 2 <= len(name) <= 12:
                    self._chinese.add(name)
            elif (words := _WORD.findall(name.lower())) and len(words) <= 5 and len(name) >= 4:
                self._english.add(" ".join(words))
        self._longest = max((len(name) for name in self._chinese), default=0)
        self._words = max((name.count(" ") + 1 for name in self._english), default=0)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield half-open character spans, longest match first, not overlapping."""
        for run in _CHINESE.finditer(text):
            piece, start, at = run.group(), run.start(), 0
            while at < len(piece) - 1:
                for size in range(min(self._longest, len(piece) - at), 1, -1):
                    if piece[at : at + size] in self._chinese:
                        yield start + at, start + at + size
                        at += size - 1
                        break
                at += 1
        if not self._words:
            return
        words = [(match.group().lower(), *match.span()) for match in _WORD.finditer(text)]
        at = 0
        while at < len(words):
            for size in range(min(self._words, len(words) - at), 0, -1):
                if " ".join(word for word, _, _ in words[at : at + size]) in self._english:
                    yield words[at][1], words[at + size - 1][2]
                    at += size - 1
                    break
            at += 1


def encode_stream(texts: Sequence[str], tokenizer: Tokenizer, finder: EntityFinder | None) -> Stream:
    """Tokenise documents into one stream.

    Args:
        texts: documents, in the order of the stream; long ones are read in pieces.
        tokenizer: the tokenizer.
        finder: marks entities; ``None``: none are marked.

    Raises:
        InvalidInputError: no token at all.
    """
    pieces = [text[i : i + _CHUNK] for text in texts for i in range(0, len(text), _CHUNK)]
    ids: list[Ids] = []
    marks: list[NDArray[np.bool_]] = []
    starts: list[NDArray[np.bool_]] = []
    for first in range(0, len(pieces), 512):
        batch = pieces[first : first + 512]
        for text, encoding in zip(
            batch, tokenizer.encode_batch(batch, add_special_tokens=False), strict=True
        ):
            mark, start = _marked(encoding.offsets, finder.spans(text) if finder else ())
            ids.append(np.array([*encoding.ids, SEP], np.int32))
            marks.append(np.append(mark, False))
            starts.append(np.append(start, True))
    if not ids or sum(map(len, ids)) == len(ids):
        raise InvalidInputError("expected text to train on; got no token")
    entity = np.concatenate(marks)
    group = np.cumsum(np.concatenate(starts)).astype(np.int32)
    return Stream(np.concatenate(ids), group, entity, tokenizer.get_vocab_size())


def _marked(
    offsets: Sequence[tuple[int, int]], spans: Iterable[tuple[int, int]]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Per token: whether it touches an entity, and whether it starts a group of its own."""
    mark, start = np.zeros(len(offsets), bool), np.ones(len(offsets), bool)
    at = 0
    for begin, end in spans:
        while at < len(offsets) and offsets[at][1] <= begin:
            at += 1
        first = at
        while at < len(offsets) and offsets[at][0] < end:
            mark[at] = True
            start[at] = at == first or not mark[at - 1]
            at += 1
    return mark, start


def masked_batch(
    stream: Stream, windows: Sequence[int], length: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return inputs and targets of masked language modelling.

    Args:
        stream: the corpus.
        windows: numbers of the windows, each below ``stream.windows(length)``.
        length: tokens a row, [CLS] and [SEP] included.
        generator: draws the masks.

    Returns:
        ``input_ids`` and ``labels``, both (rows, length); labels are -100 where nothing is asked.
    """
    inputs = np.full((len(windows), length), PAD, np.int64)
    labels = np.full((len(windows), length), IGNORED, np.int64)
    for row, window in enumerate(windows):
        begin = window * (length - 2)
        end = min(begin + length - 2, len(stream))
        ids = stream.ids[begin:end].astype(np.int64)
        asked = _asked(stream.group[begin:end], stream.entity[begin:end], ids, generator)
        labels[row, 1 : len(ids) + 1][asked] = ids[asked]
        fate = generator.random(len(ids))
        ids[asked & (fate >= KEPT + RANDOM)] = MASK
        swapped = asked & (fate < RANDOM)
        ids[swapped] = generator.integers(5, stream.vocabulary, int(swapped.sum()))
        inputs[row, 0], inputs[row, len(ids) + 1] = CLS, SEP
        inputs[row, 1 : len(ids) + 1] = ids
    return inputs, labels


def _asked(
    group: Ids, entity: NDArray[np.bool_], ids: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose whole groups, entities more often, until ``RATE`` of the tokens are asked."""
    first, place, size = np.unique(group, return_index=True, return_inverse=False, return_counts=True)
    allowed = ids[place] != SEP
    weight = np.where(entity[place], ENTITY, 1.0) * allowed
    # Exponential races: the smallest keys are a weighted sample without replacement.
    key = np.where(weight > 0, generator.exponential(size=len(first)) / np.maximum(weight, 1e-9), np.inf)
    order = np.argsort(key, kind="stable")
    order = order[np.isfinite(key[order])]
    budget = max(1, round(RATE * len(ids)))
    taken = order[: int(np.searchsorted(np.cumsum(size[order]), budget, side="left")) + 1]
    return np.isin(group, first[taken])
