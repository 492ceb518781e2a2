# pragma version 0.4.3
# pragma evm-version paris
"""
@title Inclusion of a statement in an anchored batch
@license Apache-2.0
@notice A leaf is keccak256(0x00 | subject matter), a node keccak256(0x01 | left | right), so that no node passes for a
    leaf. Bit i of the index says on which side the sibling at height i stands.
"""

MAX_DEPTH: constant(uint256) = 32


@internal
@pure
def leaf(dataset: bytes32, who: bytes32, purpose: bytes32, expiry: uint256, salt: bytes32) -> bytes32:
    return keccak256(concat(b"\x00", dataset, who, purpose, convert(expiry, bytes32), salt))


@internal
@pure
def root(start: bytes32, index: uint256, path: DynArray[bytes32, MAX_DEPTH]) -> bytes32:
    found: bytes32 = start
    place: uint256 = index
    for sibling: bytes32 in path:
        if place & 1 == 1:
            found = keccak256(concat(b"\x01", sibling, found))
        else:
            found = keccak256(concat(b"\x01", found, sibling))
        place = place >> 1
    if place != 0:
        return empty(bytes32)
    return found
