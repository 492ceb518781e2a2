"""Grants by signature: brought by anyone, once, here, in time; and front-running, which gains nothing."""

from __future__ import annotations

import pytest

from tests.ledger.onchain.world import DELAY, START, TRAINING, World, account
from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError
from xinglin.ledger.onchain import Contracts
from xinglin.ledger.onchain.artifacts import NAMES, artifact, compiled
from xinglin.ledger.onchain.batches import Leaf, Tree, filled, keccak

WHO = b"\x33" * 32


@pytest.mark.slow
def test_what_is_shipped_is_what_the_source_gives() -> None:
    assert len(NAMES) == 5
    for name in NAMES:
        assert compiled(name) == artifact(name), name


def test_a_signed_grant_counts_once(world: World) -> None:
    grants = world.contracts.grants
    signed = grants.sign(world.steward, world.dataset, WHO, TRAINING, START + 900, START + 600)
    grants.bring(world.other, signed)
    assert grants.until(world.dataset, WHO, TRAINING) == START + 900
    with pytest.raises(ConflictError, match="nonce"):
        grants.bring(world.other, signed)
    grants.revoke(world.steward, world.dataset, WHO, TRAINING)
    with pytest.raises(ConflictError, match="nonce"):
        grants.bring(world.other, signed)  # replayed after a revocation: still nothing
    assert grants.until(world.dataset, WHO, TRAINING) is None
    world.clock.now = START + 901


def test_a_signature_that_was_not_brought_dies_with_a_revocation(world: World) -> None:
    grants = world.contracts.grants
    signed = grants.sign(world.steward, world.dataset, WHO, TRAINING, START + 900, START + 600)
    grants.revoke(world.steward, world.dataset, WHO, TRAINING)
    with pytest.raises(ConflictError, match="nonce"):
        grants.bring(world.other, signed)


def test_a_signature_is_good_for_nothing_else(world: World) -> None:
    grants = world.contracts.grants
    good = grants.sign(world.steward, world.dataset, WHO, TRAINING, START + 900, START + 600)
    changed = {
        "grantee": "44" * 32,
        "purpose": b"research".ljust(32, b"\0").hex(),
        "dataset": "55" * 32,
        "expiry": START + 9000,
        "deadline": START + 6000,
    }
    for name, value in changed.items():
        with pytest.raises(NotPermittedError, match="only the steward"):
            grants.bring(world.other, good | {name: value})
    stranger = grants.sign(world.other, world.dataset, WHO, TRAINING, START + 900, START + 600)
    with pytest.raises(NotPermittedError, match="only the steward"):
        grants.bring(world.other, stranger)
    # The other root of the same signature (EIP-2).
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    raw = bytes.fromhex(good["signature"])
    twin = raw[:32] + (order - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big") + bytes([55 - raw[64]])
    with pytest.raises(ConflictError, match="malleable"):
        grants.bring(world.other, good | {"signature": twin.hex()})
    for bad in ({}, good | {"signature": "00"}, good | {"expiry": "x"}, good | {"dataset": 3}):
        with pytest.raises(InvalidInputError):
            grants.bring(world.other, bad)
    world.clock.now = START + 601
    with pytest.raises(ConflictError, match="deadline"):
        grants.bring(world.other, good)


def test_a_signature_is_bound_to_contract_and_chain(world: World) -> None:
    grants, chain = world.contracts.grants, world.contracts.chain
    found = artifact("AccessGrants")
    kind = chain.web3.eth.contract(abi=found["abi"], bytecode=found["bytecode"])
    twin = chain.send(kind.constructor(world.contracts.registry.contract.address), world.steward, "twin")
    second = Contracts.attach(chain, world.contracts.addresses() | {"AccessGrants": twin.contract or ""})
    signed = second.grants.sign(world.steward, world.dataset, WHO, TRAINING, START + 900, START + 600)
    with pytest.raises(NotPermittedError, match="only the steward"):
        grants.bring(world.other, signed)
    typed = grants._typed({"dataset": world.dataset, "grantee": WHO, "purpose": TRAINING})
    assert typed["domain"]["chainId"] == chain.web3.eth.chain_id
    # The contract's own domain is that of EIP-712 for these four fields.
    hashed, abi = keccak(), chain.web3.codec
    kinds = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    domain = abi.encode(
        ["bytes32", "bytes32", "bytes32", "uint256", "address"],
        [
            hashed(kinds.encode()),
            hashed(b"Xinglin AccessGrants"),
            hashed(b"1"),
            chain.web3.eth.chain_id,
            grants.contract.address,
        ],
    )
    assert bytes(chain.read(grants.contract.functions.domain())) == hashed(domain)


def test_front_running_a_grant_changes_nothing(world: World) -> None:
    """An observer brings the signature first: the grant is the same, the slower transaction is refused."""
    grants = world.contracts.grants
    signed = grants.sign(world.steward, world.dataset, WHO, TRAINING, START + 900, START + 600)
    grants.bring(account(66), signed)
    with pytest.raises(ConflictError, match="nonce"):
        grants.bring(world.steward, signed)
    assert grants.until(world.dataset, WHO, TRAINING) == START + 900


def test_front_running_a_registration_takes_nothing(world: World) -> None:
    """An observer registers the same salt first: another id, and the first one is free."""
    registry = world.contracts.registry
    salt = b"\x77" * 32
    stolen = registry.register(world.other, salt)
    mine = registry.register(world.steward, salt)
    assert stolen != mine
    assert registry.steward_of(mine) == world.steward.address
    with pytest.raises(ConflictError, match="registered already"):
        registry.register(world.steward, salt)


def test_a_batch_is_checked_on_chain(world: World) -> None:
    grants = world.contracts.grants
    leaves = [
        Leaf(world.dataset, bytes([n]) * 32, TRAINING, START + 500, n.to_bytes(32, "big")) for n in range(100)
    ]
    hashed = keccak()
    tree = Tree(filled([leaf.digest(hashed) for leaf in leaves]))
    assert len(tree.levels[0]) == 128
    grants.anchor(world.steward, world.dataset, tree.root, 128)
    with pytest.raises(ConflictError, match="anchored already"):
        grants.anchor(world.steward, world.dataset, tree.root, 128)
    leaf = leaves[41]
    proof = tree.prove(leaf.digest(hashed))
    assert proof.size() == 7 * 32
    assert grants.allowed_in_batch(leaf, proof)
    other = leaves[42]
    wrong = [
        (other, proof),
        (leaf, tree.prove(other.digest(hashed))),
        (leaf, type(proof)(proof.index ^ 1, proof.path)),
        (leaf, type(proof)(proof.index + 128, proof.path)),
        (leaf, type(proof)(proof.index, proof.path[:-1])),
        (type(leaf)(leaf.dataset, leaf.who, leaf.purpose, START + 501, leaf.salt), proof),
    ]
    assert [grants.allowed_in_batch(*pair) for pair in wrong] == [False] * 6
    # A node of the tree is no leaf: its two children do not pass for a statement.
    assert not grants.allowed_in_batch(leaf, type(proof)(proof.index >> 1, proof.path[1:]))
    grants.strike(world.steward, world.dataset, [leaf.digest(hashed)])
    assert not grants.allowed_in_batch(leaf, proof)
    assert grants.allowed_in_batch(other, tree.prove(other.digest(hashed)))
    world.clock.now = START + 501  # no block is mined: the client judges by its own clock
    assert not grants.allowed_in_batch(other, tree.prove(other.digest(hashed)))


def test_a_lost_key_is_replaced_after_the_delay(world: World) -> None:
    registry, new = world.contracts.registry, account(55)
    with pytest.raises(NotPermittedError, match="recovery account"):
        registry.recover(world.other, world.dataset, world.other.address)
    registry.recover(world.cold, world.dataset, new.address)
    with pytest.raises(ConflictError, match="too early"):
        registry.accept(new, world.dataset)
    world.clock.now += DELAY + 60
    registry.accept(new, world.dataset)
    assert registry.steward_of(world.dataset) == new.address
    with pytest.raises(NotPermittedError, match="only the steward"):
        world.contracts.grants.grant(world.steward, world.dataset, WHO, TRAINING, START + 10**6)
    world.contracts.grants.revoke_all(new, world.dataset)  # what the lost key may have granted
    world.contracts.grants.grant(new, world.dataset, WHO, TRAINING, START + 10**6)


def test_a_steward_who_has_the_key_refuses_a_recovery(world: World) -> None:
    registry = world.contracts.registry
    registry.recover(world.cold, world.dataset, world.other.address)
    registry.offer(world.steward, world.dataset, "0x" + "00" * 20)
    world.clock.now += DELAY + 60
    with pytest.raises(NotPermittedError, match="not offered"):
        registry.accept(world.other, world.dataset)
    registry.set_recovery(world.cold, world.dataset, account(44).address)
    with pytest.raises(NotPermittedError):
        registry.set_recovery(world.steward, world.dataset, world.steward.address)
