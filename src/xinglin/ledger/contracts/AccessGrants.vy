# pragma version 0.4.3
# pragma evm-version paris
"""
@title Who may read which data set for what, until when
@license Apache-2.0
@notice The steward of a data set grants by a transaction, by an EIP-712 signature that anyone may bring, or by the root
    of a batch. The newest statement about (data set, grantee, purpose) holds. Each statement of the steward about the
    three raises their nonce, so that a signature that was not brought before a revocation cannot undo it.
"""

import merkle

interface Registry:
    def steward_of(id: bytes32) -> address: view

event Stated:
    dataset: indexed(bytes32)
    grantee: indexed(bytes32)
    purpose: indexed(bytes32)
    expiry: uint256
    nonce: uint256

event Anchored:
    dataset: indexed(bytes32)
    root: indexed(bytes32)
    size: uint256

event Struck:
    dataset: indexed(bytes32)
    leaf: indexed(bytes32)

event AllRevoked:
    dataset: indexed(bytes32)
    epoch: uint256


struct Statement:
    expiry: uint256  # last second of validity; 0: revoked
    nonce: uint256
    epoch: uint256


MAX_LEAVES: constant(uint256) = 200
NAME: constant(String[20]) = "Xinglin AccessGrants"
DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
GRANT_TYPE: constant(bytes32) = keccak256(
    "Grant(bytes32 dataset,bytes32 grantee,bytes32 purpose,uint256 expiry,uint256 nonce,uint256 deadline)"
)
HALF_N: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168  # of secp256k1 (EIP-2)

REGISTRY: public(immutable(address))
statements: public(HashMap[bytes32, Statement])
epoch_of: public(HashMap[bytes32, uint256])
batches: public(HashMap[bytes32, HashMap[bytes32, uint256]])  # data set, root -> epoch + 1
struck: public(HashMap[bytes32, HashMap[bytes32, bool]])  # data set, leaf


@deploy
def __init__(registry: address):
    assert registry.is_contract, "no registry"
    REGISTRY = registry


@internal
@view
def _is_steward(dataset: bytes32, who: address) -> bool:
    return who != empty(address) and staticcall Registry(REGISTRY).steward_of(dataset) == who


@internal
@pure
def _key(dataset: bytes32, grantee: bytes32, purpose: bytes32) -> bytes32:
    return keccak256(concat(dataset, grantee, purpose))


@external
@view
def nonce_of(dataset: bytes32, grantee: bytes32, purpose: bytes32) -> uint256:
    return self.statements[self._key(dataset, grantee, purpose)].nonce


@external
@view
def domain() -> bytes32:
    return self._domain()


@internal
@view
def _domain() -> bytes32:
    # Reckoned at every call: after a fork of the network the id differs, and the signature is void on one side.
    return keccak256(
        abi_encode(DOMAIN_TYPE, keccak256(NAME), keccak256("1"), chain.id, self)
    )


@internal
def _state(dataset: bytes32, grantee: bytes32, purpose: bytes32, expiry: uint256):
    key: bytes32 = self._key(dataset, grantee, purpose)
    nonce: uint256 = self.statements[key].nonce + 1
    self.statements[key] = Statement(expiry=expiry, nonce=nonce, epoch=self.epoch_of[dataset])
    log Stated(dataset=dataset, grantee=grantee, purpose=purpose, expiry=expiry, nonce=nonce)


@external
def grant(dataset: bytes32, grantee: bytes32, purpose: bytes32, expiry: uint256):
    assert self._is_steward(dataset, msg.sender), "only the steward"
    assert expiry >= block.timestamp, "has passed"
    self._state(dataset, grantee, purpose, expiry)


@external
def revoke(dataset: bytes32, grantee: bytes32, purpose: bytes32):
    assert self._is_steward(dataset, msg.sender), "only the steward"
    self._state(dataset, grantee, purpose, 0)


@external
def state_signed(
    dataset: bytes32,
    grantee: bytes32,
    purpose: bytes32,
    expiry: uint256,
    nonce: uint256,
    deadline: uint256,
    v: uint256,
    r: uint256,
    s: uint256,
):
    """
    @notice Bring a statement that the steward signed; an expiry of 0 revokes.
    """
    assert block.timestamp <= deadline, "the signature has passed its deadline"
    assert expiry == 0 or expiry >= block.timestamp, "has passed"
    assert nonce == self.statements[self._key(dataset, grantee, purpose)].nonce, "the nonce was used"
    assert s <= HALF_N, "malleable signature"
    body: bytes32 = keccak256(abi_encode(GRANT_TYPE, dataset, grantee, purpose, expiry, nonce, deadline))
    digest: bytes32 = keccak256(concat(b"\x19\x01", self._domain(), body))
    assert self._is_steward(dataset, ecrecover(digest, v, r, s)), "only the steward"
    self._state(dataset, grantee, purpose, expiry)


@external
def revoke_all(dataset: bytes32):
    """
    @notice End everything that was granted before, in whatever way; for the day after a key was stolen.
    """
    assert self._is_steward(dataset, msg.sender), "only the steward"
    self.epoch_of[dataset] += 1
    log AllRevoked(dataset=dataset, epoch=self.epoch_of[dataset])


@external
def anchor(dataset: bytes32, root: bytes32, size: uint256):
    """
    @notice Grant at once what stands in the batch with this root.
    """
    assert self._is_steward(dataset, msg.sender), "only the steward"
    assert root != empty(bytes32) and size > 0, "empty batch"
    assert self.batches[dataset][root] == 0, "anchored already"
    self.batches[dataset][root] = self.epoch_of[dataset] + 1
    log Anchored(dataset=dataset, root=root, size=size)


@external
def strike(dataset: bytes32, leaves: DynArray[bytes32, MAX_LEAVES]):
    """
    @notice Revoke single grants of a batch.
    """
    assert self._is_steward(dataset, msg.sender), "only the steward"
    for leaf: bytes32 in leaves:
        self.struck[dataset][leaf] = True
        log Struck(dataset=dataset, leaf=leaf)


@external
@view
def allowed(dataset: bytes32, grantee: bytes32, purpose: bytes32) -> bool:
    found: Statement = self.statements[self._key(dataset, grantee, purpose)]
    return found.expiry >= block.timestamp and found.epoch == self.epoch_of[dataset]


@external
@view
def expiry_of(dataset: bytes32, grantee: bytes32, purpose: bytes32) -> uint256:
    """
    @notice The last second of a grant in force; 0: none is.
    """
    found: Statement = self.statements[self._key(dataset, grantee, purpose)]
    if found.expiry >= block.timestamp and found.epoch == self.epoch_of[dataset]:
        return found.expiry
    return 0


@external
@view
def allowed_in_batch(
    dataset: bytes32,
    grantee: bytes32,
    purpose: bytes32,
    expiry: uint256,
    salt: bytes32,
    index: uint256,
    path: DynArray[bytes32, merkle.MAX_DEPTH],
) -> bool:
    leaf: bytes32 = merkle.leaf(dataset, grantee, purpose, expiry, salt)
    root: bytes32 = merkle.root(leaf, index, path)
    return (
        expiry >= block.timestamp
        and not self.struck[dataset][leaf]
        and self.batches[dataset][root] == self.epoch_of[dataset] + 1
    )
