# pragma version 0.4.3
# pragma evm-version paris
"""
@title Consents, as roots over commitments that say nothing without a salt kept elsewhere
@license Apache-2.0
@notice A leaf binds data set, commitment, purpose and expiry. The commitment is an HMAC under a salt of its subject
    that never leaves the vault; who destroys the salt makes the leaf a random number for good.
"""

import merkle

interface Registry:
    def steward_of(id: bytes32) -> address: view

event Anchored:
    dataset: indexed(bytes32)
    root: indexed(bytes32)
    size: uint256

event Withdrawn:
    dataset: indexed(bytes32)
    leaf: indexed(bytes32)


MAX_LEAVES: constant(uint256) = 200

REGISTRY: public(immutable(address))
batches: public(HashMap[bytes32, HashMap[bytes32, uint256]])  # data set, root -> moment of anchoring
withdrawn: public(HashMap[bytes32, HashMap[bytes32, bool]])  # data set, leaf


@deploy
def __init__(registry: address):
    assert registry.is_contract, "no registry"
    REGISTRY = registry


@internal
@view
def _is_steward(dataset: bytes32, who: address) -> bool:
    return staticcall Registry(REGISTRY).steward_of(dataset) == who


@external
def anchor(dataset: bytes32, root: bytes32, size: uint256):
    assert self._is_steward(dataset, msg.sender), "only the steward"
    assert root != empty(bytes32) and size > 0, "empty batch"
    assert self.batches[dataset][root] == 0, "anchored already"
    self.batches[dataset][root] = block.timestamp
    log Anchored(dataset=dataset, root=root, size=size)


@external
def withdraw(dataset: bytes32, leaves: DynArray[bytes32, MAX_LEAVES]):
    assert self._is_steward(dataset, msg.sender), "only the steward"
    for leaf: bytes32 in leaves:
        self.withdrawn[dataset][leaf] = True
        log Withdrawn(dataset=dataset, leaf=leaf)


@external
@view
def covered(
    dataset: bytes32,
    commitment: bytes32,
    purpose: bytes32,
    expiry: uint256,
    salt: bytes32,
    index: uint256,
    path: DynArray[bytes32, merkle.MAX_DEPTH],
) -> bool:
    leaf: bytes32 = merkle.leaf(dataset, commitment, purpose, expiry, salt)
    root: bytes32 = merkle.root(leaf, index, path)
    return (
        expiry >= block.timestamp
        and not self.withdrawn[dataset][leaf]
        and self.batches[dataset][root] != 0
    )
