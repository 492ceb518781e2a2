from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError
from xinglin.ledger import merkle

# Leaves and roots of the reference tests of Google's certificate-transparency (merkletree/merkle_tree_test.cc).
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def slow_root(leaves: list[bytes]) -> bytes:
    """The recursion of RFC 6962, 2.1, as it stands there."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


def slow_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m < k:
        return [*slow_path(m, leaves[:k]), slow_root(leaves[k:])]
    return [*slow_path(m - k, leaves[k:]), slow_root(leaves[:k])]


def slow_proof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2."""
    n = len(leaves)
    if m == n:
        return [] if whole else [slow_root(leaves)]
    k = 1
    while 2 * k < n:
        k *= 2
    if m <= k:
        return [*slow_proof(m, leaves[:k], whole), slow_root(leaves[k:])]
    return [*slow_proof(m - k, leaves[k:], False), slow_root(leaves[:k])]


@pytest.mark.parametrize("size", ROOTS)
def test_roots_are_those_of_the_reference(size: int) -> None:
    assert merkle.root(LEAVES[:size]).hex() == ROOTS[size]


def test_every_proof_of_every_small_tree_is_the_rfcs_and_holds() -> None:
    leaves = [bytes([i]) * 32 for i in range(17)]
    checked = 0
    for size in range(1, len(leaves) + 1):
        tree = leaves[:size]
        top = slow_root(tree)
        assert merkle.root(tree) == top
        for index in range(size):
            path = merkle.inclusion_proof(tree, index)
            assert path == slow_path(index, tree)
            assert merkle.included(tree[index], index, size, path, top)
            assert not merkle.included(b"other", index, size, path, top)
            assert not merkle.included(tree[index], index, size, [*path, top], top)
            if size > 1:
                assert not merkle.included(tree[index], index, size, path[:-1], top)
                assert not merkle.included(tree[index], (index + 1) % size, size, path, top)
            checked += 1
        for before in range(1, size + 1):
            proof = merkle.consistency_proof(tree, before)
            earlier = slow_root(tree[:before])
            assert proof == slow_proof(before, tree)
            assert merkle.consistent(before, size, earlier, top, proof)
            assert not merkle.consistent(before, size, b"x" * 32, top, proof)
            assert not merkle.consistent(before, size, earlier, b"x" * 32, proof)
            assert not merkle.consistent(before, size, earlier, top, [*proof, top])
            checked += 1
    assert checked == 17 * 18


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 199), st.integers(0, 7))
def test_a_tree_with_one_leaf_changed_continues_nothing(size: int, before: int, where: int, bit: int) -> None:
    before, where = min(before, size), where % size
    leaves = [i.to_bytes(4, "big") for i in range(size)]
    changed = list(leaves)
    changed[where] = bytes([leaves[where][0] ^ (1 << bit)]) + leaves[where][1:]
    proof = merkle.consistency_proof(changed, before)
    holds = merkle.consistent(before, size, merkle.root(leaves[:before]), merkle.root(changed), proof)
    assert holds == (where >= before)


def test_places_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="leaf"):
        merkle.inclusion_proof([b"a"], 1)
    with pytest.raises(InvalidInputError, match="earlier"):
        merkle.consistency_proof([b"a"], 2)
    assert not merkle.included(b"a", 0, 0, [], merkle.EMPTY)
    assert not merkle.consistent(0, 1, merkle.EMPTY, merkle.root([b"a"]), [])
