# pragma version 0.4.3
# pragma evm-version paris
"""
@title Who answers for what: data sets, sites, audit logs and reward pools
@license Apache-2.0
@notice An id is keccak256(first steward | salt), so that whoever sees a registration on its way and sends the same
    salt first gets another id. Stewardship passes in two steps. A steward who lost the key is replaced by the recovery
    account after a delay, in which a steward who still has the key can refuse.
"""

event Registered:
    id: indexed(bytes32)
    steward: indexed(address)
    manifest: bytes32

event ManifestSet:
    id: indexed(bytes32)
    version: uint256
    manifest: bytes32

event Offered:
    id: indexed(bytes32)
    to: indexed(address)
    due: uint256

event Accepted:
    id: indexed(bytes32)
    steward: indexed(address)

event RecoverySet:
    id: indexed(bytes32)
    to: indexed(address)


RECOVERY_DELAY: public(immutable(uint256))
steward_of: public(HashMap[bytes32, address])
recovery_of: public(HashMap[bytes32, address])
offered_to: public(HashMap[bytes32, address])
due: public(HashMap[bytes32, uint256])
manifest_of: public(HashMap[bytes32, bytes32])
version_of: public(HashMap[bytes32, uint256])


@deploy
def __init__(recovery_delay: uint256):
    """
    @param recovery_delay Seconds between a recovery and its effect.
    """
    RECOVERY_DELAY = recovery_delay


@external
@pure
def id_of(steward: address, salt: bytes32) -> bytes32:
    return self._id(steward, salt)


@internal
@pure
def _id(steward: address, salt: bytes32) -> bytes32:
    return keccak256(concat(convert(steward, bytes32), salt))


@external
def register(salt: bytes32, manifest: bytes32, recovery: address) -> bytes32:
    """
    @param salt Says nothing to anyone without the data set's own salt.
    @param manifest Root of the data set's manifest; zero for what has none.
    @param recovery May replace a steward who lost the key; zero: nobody may.
    """
    id: bytes32 = self._id(msg.sender, salt)
    assert self.steward_of[id] == empty(address), "registered already"
    self.steward_of[id] = msg.sender
    if recovery != empty(address):
        self.recovery_of[id] = recovery
    if manifest != empty(bytes32):
        self.manifest_of[id] = manifest
        self.version_of[id] = 1
    log Registered(id=id, steward=msg.sender, manifest=manifest)
    return id


@external
def set_manifest(id: bytes32, manifest: bytes32):
    assert msg.sender == self.steward_of[id], "only the steward"
    assert manifest != empty(bytes32), "no manifest"
    self.version_of[id] += 1
    self.manifest_of[id] = manifest
    log ManifestSet(id=id, version=self.version_of[id], manifest=manifest)


@external
def offer(id: bytes32, to: address):
    """
    @notice Offer the stewardship; to the zero address: take an offer or a recovery back.
    """
    assert msg.sender == self.steward_of[id], "only the steward"
    self.offered_to[id] = to
    self.due[id] = block.timestamp
    log Offered(id=id, to=to, due=block.timestamp)


@external
def recover(id: bytes32, to: address):
    """
    @notice Offer the stewardship of a steward who lost the key; to be accepted after the delay.
    """
    assert msg.sender == self.recovery_of[id] and msg.sender != empty(address), "only the recovery account"
    self.offered_to[id] = to
    self.due[id] = block.timestamp + RECOVERY_DELAY
    log Offered(id=id, to=to, due=self.due[id])


@external
def accept(id: bytes32):
    assert msg.sender == self.offered_to[id] and msg.sender != empty(address), "not offered to you"
    assert block.timestamp >= self.due[id], "too early"
    self.steward_of[id] = msg.sender
    self.offered_to[id] = empty(address)
    log Accepted(id=id, steward=msg.sender)


@external
def set_recovery(id: bytes32, to: address):
    """
    @notice Name another recovery account: the present one does, or the steward where there is none yet.
    """
    allowed: address = self.recovery_of[id]
    if allowed == empty(address):
        allowed = self.steward_of[id]
    assert msg.sender == allowed and msg.sender != empty(address), "only the recovery account"
    self.recovery_of[id] = to
    log RecoverySet(id=id, to=to)
