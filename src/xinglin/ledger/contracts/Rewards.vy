# pragma version 0.4.3
# pragma evm-version paris
"""
@title Credit points for contribution: proposed, challenged, then pulled
@license Apache-2.0
@notice Points are entries of this ledger, not tokens: nothing here sends them on. Shares are basis points of sites
    (ids of the registry, whose steward pulls), so that a site that changes its key keeps what it earned. The contract
    calls nobody but the registry, and that only to read.
"""

interface Registry:
    def steward_of(id: bytes32) -> address: view

event PoolOpened:
    pool: indexed(bytes32)
    arbiter: indexed(bytes32)
    window: uint256

event Proposed:
    number: indexed(uint256)
    pool: indexed(bytes32)
    evidence: bytes32
    points: uint256
    ends: uint256

event Challenged:
    number: indexed(uint256)
    by: indexed(address)
    evidence: bytes32

event Decided:
    number: indexed(uint256)
    upheld: bool

event Retracted:
    number: indexed(uint256)

event Finalised:
    number: indexed(uint256)

event Claimed:
    number: indexed(uint256)
    site: indexed(bytes32)
    points: uint256


flag State:
    PROPOSED
    CHALLENGED
    DISMISSED
    REFUSED
    FINAL


struct Pool:
    arbiter: bytes32
    window: uint256


struct Proposal:
    pool: bytes32
    points: uint256
    ends: uint256  # last second in which it can be challenged
    state: State


MAX_SITES: constant(uint256) = 200
WHOLE: constant(uint256) = 10_000
MAX_POINTS: constant(uint256) = 2**128
MIN_WINDOW: constant(uint256) = 3_600
MAX_WINDOW: constant(uint256) = 31_536_000

REGISTRY: public(immutable(address))
pools: public(HashMap[bytes32, Pool])
proposals: public(HashMap[uint256, Proposal])
share_of: public(HashMap[uint256, HashMap[bytes32, uint256]])
claimed: public(HashMap[uint256, HashMap[bytes32, bool]])
used: public(HashMap[bytes32, HashMap[bytes32, bool]])  # pool, evidence
balance_of: public(HashMap[bytes32, uint256])
count: public(uint256)


@deploy
def __init__(registry: address):
    assert registry.is_contract, "no registry"
    REGISTRY = registry


@internal
@view
def _is_steward(id: bytes32, who: address) -> bool:
    return staticcall Registry(REGISTRY).steward_of(id) == who


@external
def open_pool(pool: bytes32, arbiter: bytes32, window: uint256):
    """
    @param pool Id of the registry; its steward proposes.
    @param arbiter Id of the registry; its steward decides on challenges.
    @param window Seconds in which a proposal can be challenged.
    """
    assert self._is_steward(pool, msg.sender), "only the steward"
    assert self.pools[pool].window == 0, "open already"
    assert window >= MIN_WINDOW and window <= MAX_WINDOW, "window out of range"
    assert staticcall Registry(REGISTRY).steward_of(arbiter) != empty(address), "no such arbiter"
    self.pools[pool] = Pool(arbiter=arbiter, window=window)
    log PoolOpened(pool=pool, arbiter=arbiter, window=window)


@external
def propose(
    pool: bytes32,
    evidence: bytes32,
    points: uint256,
    sites: DynArray[bytes32, MAX_SITES],
    shares: DynArray[uint256, MAX_SITES],
) -> uint256:
    """
    @param evidence Digest of how the shares came about; each serves once.
    @param points A multiple of 10,000, so that no share needs rounding.
    @param sites In strictly rising order: none stands there twice.
    @param shares Basis points, together 10,000.
    """
    assert self._is_steward(pool, msg.sender), "only the steward"
    window: uint256 = self.pools[pool].window
    assert window != 0, "no such pool"
    assert evidence != empty(bytes32) and not self.used[pool][evidence], "the evidence was used"
    assert points > 0 and points <= MAX_POINTS and points % WHOLE == 0, "points: a multiple of 10000"
    assert len(sites) == len(shares), "a share each"
    self.count += 1
    number: uint256 = self.count
    total: uint256 = 0
    last: uint256 = 0
    for i: uint256 in range(len(sites), bound=MAX_SITES):
        place: uint256 = convert(sites[i], uint256)
        assert place > last, "sites: strictly rising"
        last = place
        total += shares[i]
        if shares[i] > 0:
            self.share_of[number][sites[i]] = shares[i]
    assert total == WHOLE, "shares must sum to 10000"
    self.used[pool][evidence] = True
    ends: uint256 = block.timestamp + window
    self.proposals[number] = Proposal(pool=pool, points=points, ends=ends, state=State.PROPOSED)
    log Proposed(number=number, pool=pool, evidence=evidence, points=points, ends=ends)
    return number


@external
def challenge(number: uint256, evidence: bytes32):
    """
    @notice Anyone may object within the window; the arbiter then decides once.
    """
    found: Proposal = self.proposals[number]
    assert found.state in (State.PROPOSED | State.CHALLENGED), "not open"
    assert block.timestamp <= found.ends, "the window has closed"
    assert evidence != empty(bytes32), "no evidence"
    self.proposals[number].state = State.CHALLENGED
    log Challenged(number=number, by=msg.sender, evidence=evidence)


@external
def decide(number: uint256, upheld: bool):
    """
    @notice After the window, so that one decision answers all challenges.
    """
    found: Proposal = self.proposals[number]
    assert found.state == State.CHALLENGED, "not challenged"
    assert block.timestamp > found.ends, "the window is open"
    assert self._is_steward(self.pools[found.pool].arbiter, msg.sender), "only the arbiter"
    self.proposals[number].state = State.REFUSED if upheld else State.DISMISSED
    log Decided(number=number, upheld=upheld)


@external
def retract(number: uint256):
    found: Proposal = self.proposals[number]
    assert self._is_steward(found.pool, msg.sender), "only the steward"
    assert found.state in (State.PROPOSED | State.CHALLENGED), "not open"
    self.proposals[number].state = State.REFUSED
    log Retracted(number=number)


@external
def finalise(number: uint256):
    found: Proposal = self.proposals[number]
    assert found.state in (State.PROPOSED | State.DISMISSED), "not open"
    assert block.timestamp > found.ends, "the window is open"
    self.proposals[number].state = State.FINAL
    log Finalised(number=number)


@external
def claim(number: uint256, site: bytes32) -> uint256:
    """
    @notice The steward of a site pulls its points, once.
    """
    found: Proposal = self.proposals[number]
    assert found.state == State.FINAL, "not final"
    assert self._is_steward(site, msg.sender), "only the steward"
    assert not self.claimed[number][site], "claimed already"
    share: uint256 = self.share_of[number][site]
    assert share > 0, "no share"
    self.claimed[number][site] = True
    points: uint256 = found.points * share // WHOLE
    self.balance_of[site] += points
    log Claimed(number=number, site=site, points=points)
    return points
