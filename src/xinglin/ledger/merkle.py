"""The Merkle tree of RFC 6962 (section 2.1) over the ledger's entries: roots, and proofs that need only a few hashes.

The data of leaf ``i`` (from 0) are the 32 bytes of the hash of entry ``i + 1``, which binds all that the entry says.
A leaf is SHA-256(0x00 | data), a node SHA-256(0x01 | left | right); a tree of n leaves splits at the largest power
of two below n. Whoever holds a signed root can check, without the ledger, that an entry is in it (inclusion) and
that a later root continues an earlier one (consistency).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from xinglin.errors import InvalidInputError

EMPTY = hashlib.sha256().digest()
"""Root of the tree without leaves."""
_sha256 = hashlib.sha256


def leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return _sha256(b"\0" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return _sha256(b"\1" + left + right).digest()


class Frontier:
    """A growing tree, kept as the roots of its full subtrees: log2(n) hashes whatever n.

    Attributes:
        size: leaves so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._full: list[bytes] = []

    def add(self, data: bytes) -> None:
        """Append a leaf with these data."""
        grown, size = _sha256(b"\0" + data).digest(), self.size
        while size & 1:
            grown = _sha256(b"\1" + self._full.pop() + grown).digest()
            size >>= 1
        self._full.append(grown)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the tree as it is now."""
        if not self._full:
            return EMPTY
        found = self._full[-1]
        for left in reversed(self._full[:-1]):
            found = node(left, found)
        return found


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over these leaves' data."""
    frontier = Frontier()
    for data in leaves:
        frontier.add(data)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path of a leaf (RFC 6962, 2.1.1): the sibling subtrees' roots, from the leaf upward.

    Args:
        leaves: data of all leaves of the tree.
        index: of the leaf, from 0.

    Raises:
        InvalidInputError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise InvalidInputError(f"expected a leaf of 0 to {len(leaves) - 1}, got {index}")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root(leaves[middle:high]))
            high = middle
        else:
            path.append(root(leaves[low:middle]))
            low = middle
    return path[::-1]


def included(data: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Tell whether a leaf is where it is said to be in the tree with this root (RFC 9162, 2.1.3.2).

    Args:
        data: the leaf's.
        index: its place, from 0.
        size: leaves of the tree.
        path: from :func:`inclusion_proof`.
        expected: the root that the reader trusts.
    """
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf(data)
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == expected


def consistency_proof(leaves: Sequence[bytes], before: int) -> list[bytes]:
    """Return the nodes that show that the tree continues its own first leaves (RFC 6962, 2.1.2).

    Args:
        leaves: data of all leaves of the later tree.
        before: leaves of the earlier one, at least 1.

    Raises:
        InvalidInputError: the earlier tree is empty or larger.
    """
    if not 1 <= before <= len(leaves):
        raise InvalidInputError(f"expected an earlier size of 1 to {len(leaves)}, got {before}")
    proof: list[bytes] = []
    low, high, whole = 0, len(leaves), True
    while before - low != high - low:
        middle = low + _split(high - low)
        if before <= middle:
            proof.append(root(leaves[middle:high]))
            high = middle
        else:
            proof.append(root(leaves[low:middle]))
            low, whole = middle, False
    if not whole:
        proof.append(root(leaves[low:high]))
    return proof[::-1]


def consistent(before: int, after: int, earlier: bytes, later: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the later root continues the earlier one (RFC 9162, 2.1.4.2).

    Args:
        before: leaves of the earlier tree, at least 1.
        after: leaves of the later one.
        earlier: the earlier root.
        later: the later root.
        proof: from :func:`consistency_proof`.
    """
    if not 1 <= before <= after:
        return False
    if before == after:
        return not proof and earlier == later
    nodes = list(proof)
    if before & (before - 1) == 0:
        nodes.insert(0, earlier)
    if not nodes:
        return False
    place, last = before - 1, after - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node(sibling, first), node(sibling, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node(second, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and first == earlier and second == later


def _split(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1
