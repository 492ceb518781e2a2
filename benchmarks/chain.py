"""The ledger on an EVM chain: gas per action, 10,000 grants in batches, and a year of 100 hospitals with a million subjects.

Gas is what the receipts of the in-process EVM say (py-evm, Prague rules; contracts compiled for Paris). It does not
depend on the machine; a range in the note is from the least to the greatest of the repeats. Published figures stand
beside ours as references for the nearest act of another system, never the same act; each is from a page that was
opened, named in the note. The year is simulated: every tree of the year is built and one hospital's transactions of the
year are executed; the other 99 are counted as the same again, since no cost here depends on another hospital's state.
Time of blocks, network and consensus is not in any figure.
"""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._line import Line, aim

TRAINING = b"training".ljust(32, b"\0")
FAR = 2**40
RHM = "PMC7146265 (Sensors 2020, 20(6):1656), table 1"
EMR = "run log in GitHub alifmaulidanar/dapps-emr-react, notes.md; a student project, not a paper"
PUBLISHED = {
    "grant, by transaction": (746_108, "remote health monitoring: requestData, once a session", RHM),
    "grant, signed and brought by another": (193_415, "dapps-emr-react: temporary access of a doctor", EMR),
    "register a data set": (457_989, "dapps-emr-react: add a patient account", EMR),
    "set a manifest": (68_724, "dapps-emr-react: update a patient account", EMR),
    "anchor the audit chain": (63_251, "remote health monitoring: endOfStream, once a session", RHM),
}
HOSPITALS, SUBJECTS, MONTHS, WEEKS = 100, 1_000_000, 12, 52


def run(quick: bool) -> list[Line]:
    from eth_account import Account

    from xinglin.ledger.onchain import Chain, Contracts

    chain = Chain.in_process(None, clock=_Clock())
    account, other = Account.from_key(b"\7" * 32), Account.from_key(b"\x08" * 32)
    contracts = Contracts.deploy(chain, account)
    acts = _acts(contracts, account, other, sites=2 if quick else 20, repeats=1 if quick else 3)
    lines = [_line(name, used) for name, used in acts.items()]
    lines += _grants(200 if quick else 10_000)
    lines += _year(contracts, account, quick)
    return lines


class _Clock:
    """A clock that goes on by a minute whenever it is asked, and further when told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 60
        return self.now


def _line(name: str, used: list[int]) -> Line:
    reference, whose, source = PUBLISHED.get(name, (None, None, ""))
    note = f"nearest act of another system, not the same: {source}" if source else ""
    if min(used) < max(used):
        note = f"{min(used):,} to {max(used):,}" + (f"; {note}" if note else "")
    value = statistics.median(used)
    return Line(name, "gas", value, "gas", len(used), reference=reference, reference_name=whose, note=note)


def _acts(contracts: Any, account: Any, other: Any, *, sites: int, repeats: int) -> dict[str, list[int]]:
    """Return the gas of each act, a few times."""
    from xinglin.ledger.onchain.artifacts import NAMES, artifact

    chain = contracts.chain
    used: dict[str, list[int]] = {}

    def told(name: str, gas: int) -> None:
        used.setdefault(name, []).append(gas)

    for name in NAMES:
        found = artifact(name)
        kind = chain.web3.eth.contract(abi=found["abi"], bytecode=found["bytecode"])
        argument = 60 if name == NAMES[0] else contracts.registry.contract.address
        told(f"deploy {name}", chain.send(kind.constructor(argument), account, "deploy").gas)
    functions = contracts.registry.contract.functions
    for n in range(repeats):
        seed = bytes([n + 1]) * 32
        call = functions.register(seed, seed, other.address)
        told("register a data set", chain.send(call, account, "register").gas)
        dataset = contracts.registry.id_of(account.address, seed)
        told("set a manifest", contracts.registry.set_manifest(account, dataset, b"\x09" * 32).gas)
        grants, who = contracts.grants, bytes([n + 1, 1]) * 16
        told("grant, by transaction", grants.grant(account, dataset, who, TRAINING, FAR).gas)
        told("grant anew, by transaction", grants.grant(account, dataset, who, TRAINING, FAR + 1).gas)
        told("revoke", grants.revoke(account, dataset, who, TRAINING).gas)
        signed = grants.sign(account, dataset, bytes([n + 1, 2]) * 16, TRAINING, FAR, FAR)
        told("grant, signed and brought by another", grants.bring(other, signed).gas)
        told("anchor a batch of grants", grants.anchor(account, dataset, _hash(b"g%d" % n), 4096).gas)
        told(
            "anchor a batch of consents",
            contracts.consents.anchor(account, dataset, _hash(b"c%d" % n), 4096).gas,
        )
        leaves = [_hash(b"%d %d" % (n, m)) for m in range(100)]
        told("withdraw 100 consents, each", contracts.consents.withdraw(account, dataset, leaves).gas // 100)
        told("anchor the audit chain", contracts.audit.anchor(account, dataset, 10 * (n + 1), seed).gas)
    _rewards(contracts, account, sites, told)
    return used


def _rewards(contracts: Any, account: Any, sites: int, told: Callable[[str, int], None]) -> None:
    registry, rewards = contracts.registry, contracts.rewards
    pool = registry.register(account, _hash(b"pool"))
    ids = sorted(registry.register(account, _hash(b"site %d" % n)) for n in range(sites))
    told("open a pool", rewards.open_pool(account, pool, pool, 3600).gas)
    shares = dict.fromkeys(ids, 10_000 // sites)
    shares[ids[0]] += 10_000 - sum(shares.values())
    call = rewards.contract.functions.propose(
        pool, _hash(b"why"), 1_000_000, ids, [shares[one] for one in ids]
    )
    told(f"propose a payout to {sites} sites", contracts.chain.send(call, account, "propose").gas)
    told("challenge", rewards.challenge(account, 1, _hash(b"no")).gas)
    contracts.chain._clock.now += 3600
    told("decide", rewards.decide(account, 1, upheld=False).gas)
    told("finalise", rewards.finalise(account, 1).gas)
    for id in ids[:3]:
        call = rewards.contract.functions.claim(1, id)
        told("claim", contracts.chain.send(call, account, "claim").gas)


def _grants(count: int) -> list[Line]:
    """Anchor grants of a store in batches; return the time, and what one costs."""
    from eth_account import Account
    from sqlalchemy import insert

    from xinglin.ledger.onchain import Chain, Contracts, anchor_grants
    from xinglin.ledger.onchain.batches import keccak
    from xinglin.ledger.onchain.names import find, register
    from xinglin.ledger.onchain.statements import grant_leaf, show
    from xinglin.ledger.subjects import find_dataset
    from xinglin.records import create_dataset
    from xinglin.store import open_store
    from xinglin.store.tables import grants

    account = Account.from_key(b"\7" * 32)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'store.db'}")
        contracts = Contracts.deploy(Chain.in_process(store), account)
        with store.write() as connection:
            create_dataset(connection, "heart", by="steward")
            dataset = find_dataset(connection, "heart")
            given = {"dataset": dataset.id, "purpose": "training", "given": True, "by": "steward"}
            time_, rows = "2026-01-01T00:00:00+00:00", range(count)
            connection.execute(insert(grants), [given | {"grantee": f"lab {n}", "time": time_} for n in rows])
        register(store, contracts, account, "dataset", "heart")
        started = time.perf_counter()
        done = anchor_grants(store, contracts, account, "heart")
        seconds = time.perf_counter() - started
        with store.read() as connection:
            id = find(connection, contracts.chain.network, "dataset", "heart")
            some = connection.execute(grants.select().where(grants.c.id.in_([1, count // 2, count]))).all()
            shown = show(connection, contracts, "grant", "heart", some, None)
            hashed = keccak()
            known = {grant_leaf(dataset, id, row).digest(hashed) for row in some}
        right = [contracts.grants.allowed_in_batch(one.leaf, one.proof) for one in shown]
        if len(shown) != len(some) or not all(right) or {one.leaf.digest(hashed) for one in shown} != known:
            raise RuntimeError("a grant of the batches is not allowed on the chain")
        proof = shown[0].proof
        call = contracts.grants.contract.functions.allowed_in_batch(
            id,
            shown[0].leaf.who,
            TRAINING,
            shown[0].leaf.expiry,
            shown[0].leaf.salt,
            proof.index,
            list(proof.path),
        )
        view = contracts.chain.estimate(call, account).gas
        store.close()
    batches = f"{done.batches} batches, each a transaction"
    return [
        Line(f"{count} grants anchored", "time", seconds, "s", 1, note=f"{batches}; {aim(seconds, 60, 's')}"),
        Line(f"{count} grants anchored", "gas each", done.gas / count, "gas", count, note=batches),
        Line("proof of one of them", "size", proof.size(), "B", len(shown), note="3 checked on the chain: all right"),
        Line("check of a proof on the chain", "gas", view, "gas", 1, note="free as a view; this much inside a transaction"),
    ]  # fmt: skip


def _year(contracts: Any, account: Any, quick: bool) -> list[Line]:
    """Build every tree of the year, execute one hospital's transactions, and count the hundred."""
    from xinglin.ledger.onchain.batches import Tree, filled

    hospitals, subjects = (2, 2_000) if quick else (HOSPITALS, SUBJECTS)
    each = subjects // hospitals
    dataset = contracts.registry.register(account, _hash(b"year"))
    started, paths, nodes = time.process_time(), set(), 0
    roots: list[tuple[bytes, int]] = []
    for hospital in range(hospitals):
        for month in range(MONTHS):
            count = each // MONTHS + (month < each % MONTHS)
            leaves = filled([_hash(b"%d/%d/%d" % (hospital, month, n)) for n in range(count)])
            tree = Tree(leaves)
            paths.add(tree.prove(leaves[0]).size())
            nodes += 2 * len(leaves) - 1
            if hospital == 0:
                roots.append((tree.root, len(leaves)))
    building = time.process_time() - started
    gas = {"consents": 0, "grants": 0, "withdrawals": 0, "audit": 0}
    for root, size in roots:
        gas["consents"] += contracts.consents.anchor(account, dataset, root, size).gas
        gas["grants"] += contracts.grants.anchor(account, dataset, _hash(root), 128).gas
        leaves = [_hash(root + bytes([n])) for n in range(max(1, each // 100 // MONTHS))]
        gas["withdrawals"] += contracts.consents.withdraw(account, dataset, leaves).gas
    for week in range(WEEKS):
        gas["audit"] += contracts.audit.anchor(account, dataset, 1000 * (week + 1), _hash(b"%d" % week)).gas
    sent = 3 * MONTHS + WEEKS
    total = hospitals * sum(gas.values())
    whose = f"{hospitals} hospitals, {subjects:,} subjects"
    one = f"one hospital's {sent} transactions executed, times {hospitals}"
    held = {
        "consents": f"a batch a month, {each:,} a hospital in the year",
        "grants": "a batch of 128 a month",
        "withdrawals": f"{max(1, each // 100 // MONTHS)} a month and hospital, about 1 in 100 consents",
        "audit": "the audit chain anchored once a week",
    }
    lines = [
        Line(f"a year, {whose}", "gas", total, "gas", hospitals * sent, note=one),
        Line("of it a subject", "gas", total / subjects, "gas", subjects),
        Line("proof of a consent", "size", max(paths), "B", hospitals * MONTHS, note="every tree of the year was built"),
        Line("all trees of the year", "CPU", building, "s", nodes, note="n: hashes; no salts taken from a vault"),
    ]  # fmt: skip
    lines += [
        Line(f"a year: {name}", "gas", hospitals * used, "gas", hospitals, note=held[name])
        for name, used in gas.items()
    ]
    for gwei in (0, 1, 20):
        price = "0 on a network without fees (Besu)" if gwei == 0 else f"{gwei} gwei a gas"
        lines.append(
            Line(
                "a year's fee", price, total * gwei / 1e9, "ETH", 1, note="an assumed price, not a quoted one"
            )
        )
    return lines


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
