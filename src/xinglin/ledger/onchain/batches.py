"""A batch of statements as a Merkle tree over Keccak-256, in the form that ``contracts/merkle.vy`` checks.

A leaf is keccak256(0x00 | data set | who | purpose | expiry | salt), a node keccak256(0x01 | left | right). Leaves are
sorted, so that the place of one says nothing, and filled up with random ones to a power of two, so that the number of
true ones shows neither in the size nor in the length of a proof.
"""

from __future__ import annotations

import secrets
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.ledger.onchain.library import library

FOREVER = 2**64 - 1
"""Expiry of what does not expire, seconds."""
LEAST = 64
"""Leaves of the smallest tree."""
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Leaf:
    """One statement."""

    dataset: bytes
    who: bytes
    """A grantee's keyed digest, or a commitment to a subject; 32 bytes."""
    purpose: bytes
    expiry: int
    """Last second of validity, Unix time."""
    salt: bytes

    def digest(self, keccak: Any) -> bytes:
        """Return the hash that stands in the tree."""
        whole = (b"\0", self.dataset, self.who, self.purpose, self.expiry.to_bytes(32, "big"), self.salt)
        return bytes(keccak(b"".join(whole)))


@dataclass(frozen=True, slots=True)
class Proof:
    """That a leaf stands in a batch."""

    index: int
    path: tuple[bytes, ...]

    def size(self) -> int:
        """Return the bytes of the path."""
        return 32 * len(self.path)


class Tree:
    """A batch.

    Args:
        leaves: digests, sorted, a power of two of them.

    Raises:
        InvalidInputError: they are not.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        size = len(leaves)
        if size < 1 or size & (size - 1) or any(a >= b for a, b in pairwise(leaves)):
            raise InvalidInputError(f"expected 2^n different leaves in order, got {size}")
        hashed = keccak()
        level = list(leaves)
        self.levels = [level]
        while len(level) > 1:
            level = [hashed(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level), 2)]
            self.levels.append(level)

    @property
    def root(self) -> bytes:
        """The root, 32 bytes."""
        return self.levels[-1][0]

    def prove(self, leaf: bytes) -> Proof:
        """Return the proof of a leaf.

        Raises:
            UnknownNameError: it is not in this batch.
        """
        index = find(self.levels[0], leaf)
        if index is None:
            raise UnknownNameError("there is no such statement in this batch")
        path = tuple(level[(index >> height) ^ 1] for height, level in enumerate(self.levels[:-1]))
        return Proof(index, path)


def filled(leaves: Collection[bytes]) -> list[bytes]:
    """Return the leaves sorted, with random ones up to a power of two, ``LEAST`` at least.

    The filling is the one draw here without a seed: whoever could repeat it could tell it from the rest.

    Raises:
        InvalidInputError: no leaf, or one twice.
    """
    whole = set(leaves)
    if not whole or len(whole) != len(leaves):
        raise InvalidInputError(f"expected different leaves, got {len(leaves)} of which {len(whole)} differ")
    size = max(LEAST, 1 << (len(whole) - 1).bit_length())
    while len(whole) < size:
        whole.add(secrets.token_bytes(32))
    return sorted(whole)


def find(leaves: Sequence[bytes], leaf: bytes) -> int | None:
    """Return the place of a leaf among sorted ones."""
    place = bisect_left(leaves, leaf)
    return place if place < len(leaves) and leaves[place] == leaf else None


def split(leaves: bytes) -> list[bytes]:
    """Return the leaves that stand one after the other, as a store keeps them."""
    return [bytes(leaves[at : at + 32]) for at in range(0, len(leaves), 32)]


def keccak() -> Any:
    """Return the hash function of the EVM, Keccak-256."""
    return library("eth_hash.auto", "a batch for the chain").keccak
