"""Character n-grams of short texts, many at a time.

A Chinese character (kana and hangul alike) gives itself and the pair with the next one, so that words of one and two
characters can be found; other letters and digits give the triples of their word, its beginning marked. A gram is one
integer: up to three code points of 21 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xinglin.terms.characters import normalise, without_surrogates

Grams = NDArray[np.uint64]
Ints = NDArray[np.int64]
_START = 1
"""Stands before the first letter of a word; no text holds it (it would be normalised to a space)."""
_BITS = np.uint64(21)
_LETTERS = ((0x30, 0x39), (0x61, 0x7A), (0xC0, 0x24F), (0x370, 0x52F), (0x1E00, 0x1FFF))
_IDEOGRAPHS = ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


def search_key(text: str) -> str:
    """Return a text as it is compared: characters made alike, no blanks at the ends, one between words."""
    return " ".join(normalise(without_surrogates(text)).replace("\0", " ").split())


def grams_of(keys: Sequence[str]) -> tuple[Grams, Ints]:
    """Return the distinct grams of each key.

    Args:
        keys: from :func:`search_key`.

    Returns:
        Grams and the index of the key of each, sorted by gram, then by key.
    """
    codes = np.frombuffer("\0".join([*keys, ""]).encode("utf-32-le"), np.uint32).astype(np.uint64)
    letter = _within(codes, _LETTERS)
    first = np.nonzero(letter & ~np.concatenate(([False], letter[:-1])))[0]
    codes = np.insert(codes, first, _START)
    owner = np.cumsum(codes == 0)
    ideograph = _within(codes, _IDEOGRAPHS)
    word = _within(codes, _LETTERS) | (codes == _START)
    pair = ideograph[:-1] & ideograph[1:]
    triple = word[:-2] & word[1:-1] & word[2:]
    grams = np.concatenate(
        (
            codes[ideograph],
            (codes[:-1] << _BITS | codes[1:])[pair],
            (codes[:-2] << _BITS << _BITS | codes[1:-1] << _BITS | codes[2:])[triple],
        )
    )
    owners = np.concatenate((owner[ideograph], owner[:-1][pair], owner[:-2][triple]))
    order = np.lexsort((owners, grams))
    grams, owners = grams[order], owners[order]
    fresh = np.ones(len(grams), np.bool_)
    fresh[1:] = (grams[1:] != grams[:-1]) | (owners[1:] != owners[:-1])
    return grams[fresh], owners[fresh]


def _within(codes: Grams, ranges: tuple[tuple[int, int], ...]) -> NDArray[np.bool_]:
    found = np.zeros(len(codes), np.bool_)
    for low, high in ranges:
        found |= (codes >= low) & (codes <= high)
    return found
