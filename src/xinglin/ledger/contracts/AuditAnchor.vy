# pragma version 0.4.3
# pragma evm-version paris
"""
@title How long an audit chain was, and what its Merkle root was, at some moment
@license Apache-2.0
@notice Sizes only grow. That a later root continues an earlier one is shown by a consistency proof of RFC 6962, which
    readers check beside the chain.
"""

interface Registry:
    def steward_of(id: bytes32) -> address: view

event Anchored:
    log_id: indexed(bytes32)
    size: uint256
    root: bytes32


REGISTRY: public(immutable(address))
size_of: public(HashMap[bytes32, uint256])
root_at: public(HashMap[bytes32, HashMap[uint256, bytes32]])


@deploy
def __init__(registry: address):
    assert registry.is_contract, "no registry"
    REGISTRY = registry


@external
def anchor(log_id: bytes32, size: uint256, root: bytes32):
    assert staticcall Registry(REGISTRY).steward_of(log_id) == msg.sender, "only the steward"
    assert size > self.size_of[log_id], "the size must grow"
    assert root != empty(bytes32), "no root"
    self.size_of[log_id] = size
    self.root_at[log_id][size] = root
    log Anchored(log_id=log_id, size=size, root=root)
