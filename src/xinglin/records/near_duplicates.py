"""Texts that say nearly the same: MinHash signatures (Broder 1997) and locality-sensitive hashing.

Two texts are near-duplicates when the Jaccard index of their sets of character n-grams reaches a threshold. MinHash
(``datasketch``) finds the candidates; each candidate is then decided on the n-grams themselves, so a pair that is
reported truly reaches the threshold, and only recall depends on chance (see :func:`bands`). Groups are the connected
components of those pairs: two members of one group may be less alike than the threshold.

Where we differ from ``datasketch.MinHashLSH``: its tables of Python sets cost about 5 kB a text; sorting one band of
signatures at a time finds the same candidates in 0.5 kB a text, with the n-grams in a temporary file.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import MissingExtraError

THRESHOLD = 0.8
"""Jaccard index from which texts are near-duplicates."""
N = 3
"""Characters of an n-gram. Chinese has no spaces; three characters tell phrases apart, two only words."""
PERMUTATIONS = 128
SEED = 1
MISS = 0.001
"""Chance at most that a pair exactly at the threshold is never a candidate."""
WINDOW = 100
"""A text of a crowded bucket is compared with so many that follow it: the bucket still hangs together."""
_MARGIN = 0.15
"""A candidate whose signatures agree by so much less than the threshold is dropped unread: four standard errors."""
_BLOCK = 4096
_SPACE = re.compile(r"\s+")
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))

Ids = NDArray[np.int64]


class NearDuplicates:
    """Collects texts one by one; then tells which belong together.

    Memory: 0.5 kB a distinct text (128 permutations) and a digest; the n-grams lie in a temporary file without a name,
    which is gone when the process ends.
    """

    def __init__(
        self, *, threshold: float = THRESHOLD, n: int = N, permutations: int = PERMUTATIONS, seed: int = SEED
    ) -> None:
        if not 0 < threshold <= 1 or n < 1 or permutations < 16:
            raise ValueError(
                f"expected 0 < threshold <= 1, n >= 1, permutations >= 16; got {threshold}, {n}, {permutations}"
            )
        self.threshold, self.n = threshold, n
        self.bands, self.rows = bands(threshold, permutations)
        self._empty = _minhash(permutations, seed)
        self._signatures: list[NDArray[np.uint32]] = []
        self._file: Any = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the object)
        self._grams: NDArray[np.uint32] = np.empty(0, np.uint32)
        self._ends: list[int] = []
        self._known: dict[bytes, int] = {}
        self._texts: list[int] = []

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> None:
        """Take the next text; one without any character is like no other."""
        plain = plain_text(text)
        if not plain:
            self._texts.append(-1)
            return
        digest = hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._known.setdefault(digest, len(self._ends))
        self._texts.append(known)
        if known == len(self._ends):
            grams = ngrams(plain, self.n)
            self._file.write(grams.tobytes())
            self._ends.append((self._ends[-1] if self._ends else 0) + len(grams))
            place = known % _BLOCK
            if place == 0:
                self._signatures.append(np.empty((_BLOCK, len(self._empty.hashvalues)), np.uint32))
            signature = self._empty.copy()
            signature.update_batch(grams)
            self._signatures[-1][place] = signature.hashvalues

    def has_text(self) -> NDArray[np.bool_]:
        """Whether each text holds a character, shape (texts,)."""
        return np.asarray(self._texts, np.int64) >= 0

    def exact(self) -> Ids:
        """Group of each text with the same characters, shape (texts,): the place of the group's first text."""
        return _first_place(np.asarray(self._texts, np.int64), np.arange(len(self._ends)))

    def groups(self) -> Ids:
        """Group of each text by near-duplication, shape (texts,): the place of the group's first text."""
        parents = np.arange(len(self._ends))
        for i, j in self._alike():
            # Two that hang together already need no comparison: a crowd of n costs n of them, not n * n / 2.
            apart = _flat(parents)[i] != parents[j]
            for first, second in zip(i[apart].tolist(), j[apart].tolist(), strict=True):
                a, b = _root(parents, first), _root(parents, second)
                if a != b and self._jaccard(first, second) >= self.threshold:
                    parents[max(a, b)] = min(a, b)
        return _first_place(np.asarray(self._texts, np.int64), _flat(parents))

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of distinct texts, by number of distinct text, that truly reach the threshold."""
        for i, j in self._alike():
            for first, second in zip(i.tolist(), j.tolist(), strict=True):
                if self._jaccard(first, second) >= self.threshold:
                    yield first, second

    def _alike(self) -> Iterator[tuple[Ids, Ids]]:
        """Blocks of candidates whose signatures agree well enough to be worth reading, each pair once."""
        n = len(self._ends)
        if n < 2:
            return
        self._file.flush()
        self._grams = np.memmap(self._file, np.uint32, "r")
        signatures = np.concatenate(self._signatures)[:n, : self.bands * self.rows]
        for band in range(self.bands):
            found = _candidates(signatures[:, band * self.rows : (band + 1) * self.rows])
            for block in range(0, len(found), _BLOCK):
                i, j = np.divmod(found[block : block + _BLOCK], n)
                agree = signatures[i] == signatures[j]
                # A pair belongs to the first band that finds it.
                first = agree.reshape(-1, self.bands, self.rows).all(2).argmax(1) == band
                alike = first & (agree.mean(1) >= self.threshold - _MARGIN)
                yield i[alike], j[alike]

    def _jaccard(self, i: int, j: int) -> float:
        ends = self._ends
        a, b = (self._grams[ends[place - 1] if place else 0 : ends[place]] for place in (i, j))
        return jaccard(a, b)


def near_duplicate_groups(texts: Iterable[str], **options: Any) -> Ids:
    """Return the group of each text, shape (texts,): the place of the group's first text.

    Args:
        options: as :class:`NearDuplicates` takes them.

    Raises:
        MissingExtraError: ``datasketch`` is not installed.
    """
    collected = NearDuplicates(**options)
    for text in texts:
        collected.add(text)
    return collected.groups()


def bands(threshold: float, permutations: int, miss: float = MISS) -> tuple[int, int]:
    """Return (bands, rows a band), the strictest that miss a pair at the threshold with chance at most ``miss``.

    A pair of Jaccard index s becomes a candidate with chance ``1 - (1 - s ** rows) ** bands`` (Leskovec, Rajaraman
    and Ullman, *Mining of Massive Datasets*, section 3.4).
    """
    best = (permutations, 1)
    for rows in range(2, permutations + 1):
        count = permutations // rows
        if (1 - threshold**rows) ** count > miss:
            break
        best = (count, rows)
    return best


def plain_text(text: str) -> str:
    """Return a text as it is compared: compatibility forms folded (NFKC), lower case, no white space."""
    return _SPACE.sub("", unicodedata.normalize("NFKC", text).lower())


def ngrams(plain: str, n: int = N) -> NDArray[np.uint32]:
    """Return the set of character n-grams as sorted 32-bit hashes; a text shorter than n is one n-gram itself."""
    points = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    width = min(n, len(points))
    hashes = np.zeros(len(points) - width + 1, np.uint64)
    with np.errstate(over="ignore"):
        for k in range(width):
            hashes = (hashes ^ points[k : k + len(hashes)]) * _MIX[0]
            hashes ^= hashes >> np.uint64(29)
        hashes = (hashes ^ (hashes >> np.uint64(32))) * _MIX[1]
        hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIX[2]
    found: NDArray[np.uint32] = np.sort((hashes >> np.uint64(32)).astype(np.uint32))
    first: NDArray[np.bool_] = np.concatenate([[True], found[1:] != found[:-1]])
    return found[first]


def jaccard(a: NDArray[np.uint32], b: NDArray[np.uint32]) -> float:
    """Return the Jaccard index of two sorted sets."""
    joined = np.concatenate([a, b])
    joined.sort()
    shared = int((joined[1:] == joined[:-1]).sum())
    return shared / (len(joined) - shared)


def _minhash(permutations: int, seed: int) -> Any:
    try:
        from datasketch import MinHash
    except ImportError:
        raise MissingExtraError("finding near-duplicates", "records") from None
    # The n-grams are hashes already.
    return MinHash(num_perm=permutations, seed=seed, hashfunc=int, scheme="affine32")


def _candidates(band: NDArray[np.uint32]) -> Ids:
    """Pairs of equal rows as ``first * n + second``, first < second, each once."""
    n = len(band)
    keys = np.zeros(n, np.uint64)
    with np.errstate(over="ignore"):
        for column in band.T:
            keys = (keys ^ column) * _MIX[0]
            keys ^= keys >> np.uint64(31)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    found: list[Ids] = []
    for step in range(1, WINDOW + 1):
        same = np.flatnonzero(ordered[step:] == ordered[:-step])
        if not len(same):
            break
        found.append(order[same] * n + order[same + step])
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _root(parents: Ids, place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = int(parents[place])
    return place


def _flat(parents: Ids) -> Ids:
    """Point every place at its root, in place."""
    while not np.array_equal(parents, up := parents[parents]):
        parents[:] = up
    return parents


def _first_place(texts: Ids, parents: Ids) -> Ids:
    """Places of texts grouped by the component of their distinct text; an empty text (-1) stands alone."""
    firsts = np.full(len(parents), -1, np.int64)
    groups = np.arange(len(texts))
    for place, text in enumerate(texts.tolist()):
        if text >= 0:
            component = parents[text]
            if firsts[component] < 0:
                firsts[component] = place
            groups[place] = firsts[component]
    return groups
