"""A store and its chain: replay, batches out of statements, the gate at a read, and what erasure leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select

from tests.ledger.onchain.world import DELAY, START, Clock, account
from xinglin.errors import (
    AccessError,
    ChainBrokenError,
    ConfigurationError,
    InvalidInputError,
    NotPermittedError,
    UnknownNameError,
)
from xinglin.ledger import check, entries, give_consent, grant, revoke, verify, withdraw_consent
from xinglin.ledger.onchain import (
    Chain,
    Contracts,
    anchor_audit,
    anchor_consents,
    anchor_grants,
    deployment,
    granting,
    in_force,
    standing,
)
from xinglin.ledger.onchain.audit import check_anchor
from xinglin.ledger.onchain.lineage import check_links, links
from xinglin.ledger.onchain.names import find, register
from xinglin.ledger.onchain.statements import show, statements_of
from xinglin.ledger.subjects import find_dataset, find_subject
from xinglin.records import create_dataset
from xinglin.records.archive import erase
from xinglin.records.sealing import commitment_salts, rotate
from xinglin.release.registry.contents import check_content
from xinglin.store import Store, open_store
from xinglin.store.key_files import write_key_file
from xinglin.store.keys import keyed_digest
from xinglin.store.tables import consents, grants, subjects
from xinglin.store.tables_onchain import chain_transactions

PEOPLE = ("张三-440106199001011234", "李四-440106199202022345", "王五-440106199303033456")
STAFF = "dr.wang"


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    path = tmp_path / "archive.key"
    write_key_file(path)
    monkeypatch.setenv("XINGLIN_ARCHIVE_KEY", str(path))
    opened = open_store()
    yield opened
    deployment._open.pop(opened.engine, None)
    opened.close()


def set_up(store: Store) -> tuple[Contracts, Any]:
    """Contracts in force, the data set registered, three people consenting, the staff granted."""
    steward = account(7)
    contracts = Contracts.deploy(Chain.in_process(store), steward, recovery_delay=DELAY)
    deployment.note(store, contracts, url=None, by="cli")
    with store.write() as connection:
        create_dataset(connection, "heart", by="steward")
        for person in PEOPLE:
            give_consent(connection, "heart", subject=person, purpose="training", basis="form 3", by="nurse")
        grant(connection, "heart", grantee=STAFF, purpose="training", by="steward")
    register(store, contracts, steward, "dataset", "heart")
    return contracts, steward


def read(store: Store) -> None:
    with store.read() as connection:
        check(connection, "heart", grantee=STAFF, purpose="training")


def sent(store: Store) -> bytes:
    """All that ever went to the chain: the transactions as they were signed."""
    with store.read() as connection:
        return b"".join(connection.execute(select(chain_transactions.c.raw)).scalars())


def test_the_walk(sealed: Store) -> None:
    """From statements to batches, through the gate, to erasure; on one chain, since each costs a second."""
    contracts, steward = set_up(sealed)
    salts = commitment_salts(sealed.archive_key)
    # The gate: granted in the store, not on the chain.
    with pytest.raises(NotPermittedError, match="grant on the chain"):
        read(sealed)
    # The batch is kept before it is sent: what was interrupted, here by a stranger's key, goes on later.
    with pytest.raises(NotPermittedError, match="only the steward"):
        anchor_grants(sealed, contracts, account(8), "heart")
    done = anchor_grants(sealed, contracts, steward, "heart")
    assert (done.statements, done.batches, done.struck) == (0, 1, 0)
    read(sealed)
    assert anchor_grants(sealed, contracts, steward, "heart").batches == 0  # nothing new
    # A batch whose transaction was told as lost is sent again; this one stands there after all, and counts once.
    with sealed.write() as connection:
        lost = chain_transactions.c.what == "AccessGrants.anchor"
        assert (
            connection.execute(chain_transactions.update().where(lost).values(state="replaced")).rowcount == 1
        )
    assert anchor_grants(sealed, contracts, steward, "heart").batches == 1
    assert anchor_grants(sealed, contracts, steward, "heart").batches == 0
    # Revoked in the store: at once; and struck at the next anchoring.
    with sealed.write() as connection:
        revoke(connection, "heart", grantee=STAFF, purpose="training", by="steward")
    with pytest.raises(NotPermittedError, match="revoked"):
        read(sealed)
    assert anchor_grants(sealed, contracts, steward, "heart").struck == 1
    with sealed.read() as connection:
        rows = connection.execute(select(grants).where(grants.c.given.is_(True))).all()
        (shown,) = show(connection, contracts, "grant", "heart", rows, None)
    assert not contracts.grants.allowed_in_batch(shown.leaf, shown.proof)
    # Granted by a transaction, then revoked on the chain alone: the store's word is not enough.
    granting.grant(sealed, contracts, steward, "heart", grantee=STAFF, purpose="training", by="steward")
    read(sealed)
    with sealed.read() as connection:
        id = find(connection, contracts.chain.network, "dataset", "heart")
    contracts.grants.revoke_all(steward, id)
    with pytest.raises(NotPermittedError, match="grant on the chain"):
        read(sealed)
    # Consents: three commitments, padded to 64; each can be shown by who holds the vault.
    done = anchor_consents(sealed, contracts, steward, "heart", salts)
    assert (done.statements, done.batches) == (3, 1)
    with sealed.read() as connection:
        dataset = find_dataset(connection, "heart")
        people = [find_subject(connection, dataset, person) for person in PEOPLE]
        rows = [row for one in people if one for row in statements_of(connection, "heart", one.id)]
        shown_all = show(connection, contracts, "consent", "heart", rows, salts)
    assert len(shown_all) == 3
    assert [contracts.consents.covered(one.leaf, one.proof) for one in shown_all] == [True] * 3
    leaves = {one.leaf.who for one in shown_all} | {one.leaf.salt for one in shown_all}
    with sealed.write() as connection:
        withdraw_consent(connection, "heart", subject=PEOPLE[0], purpose="training", by="nurse")
    assert anchor_consents(sealed, contracts, steward, "heart", salts).struck == 1
    assert [contracts.consents.covered(one.leaf, one.proof) for one in shown_all] == [False, True, True]
    told = standing(sealed, contracts, "heart", PEOPLE[0], salts)
    assert [(one.given, one.covered) for one in told] == [(True, False), (False, None)]
    assert [one.covered for one in standing(sealed, contracts, "heart", PEOPLE[1], salts)] == [True]
    with pytest.raises(UnknownNameError, match="stated nothing"):
        standing(sealed, contracts, "heart", "nobody", salts)
    # Nothing readable on the chain.
    whole = sent(sealed)
    assert len(whole) > 10_000
    for text in (
        *PEOPLE,
        *(person.split("-")[0] for person in PEOPLE),
        *(p.split("-")[1] for p in PEOPLE),
        STAFF,
        "heart",
        "form 3",
        "nurse",
    ):
        assert text.encode() not in whole, text
    with sealed.read() as connection:
        stored = list(connection.execute(select(subjects.c.key, subjects.c.salt)))
    for secret in (dataset.salt, *(value for row in stored for value in row if value)):
        assert bytes.fromhex(secret) not in whole
    _linked_to_a_model(sealed, contracts)
    _erased(sealed, contracts, leaves)
    # Another process: the same state from the store alone.
    again = Contracts.attach(Chain.in_process(sealed), contracts.addresses())
    assert again.registry.steward_of(id) == steward.address
    assert [again.consents.covered(one.leaf, one.proof) for one in shown_all] == [False, True, True]
    with sealed.read() as connection:
        verify(connection)


def _linked_to_a_model(store: Store, contracts: Contracts) -> None:
    """A version's evidence of consent names the chain, and the links can be followed."""
    with store.read() as connection:
        content = links(connection, contracts, "heart")
        with pytest.raises(UnknownNameError, match="no payout 7"):
            links(connection, contracts, "heart", payout=7)
    check_content(
        "consent",
        {
            "dataset": "heart",
            "basis": "form 3",
            "purposes": ["training"],
            "grants": [],
            "subjects": 3,
            "withdrawn": 1,
            "chain": content,
        },
    )
    found = check_links(contracts, content)
    assert (found["steward"], found["payout"]) == (account(7).address, None)
    for wrong in ({"network": "1:00"}, {"grants": "0x00"}, {"dataset": "00" * 32}):
        with pytest.raises(ChainBrokenError):
            check_links(contracts, content | wrong)
    for wrong in ({"dataset": "x"}, {"more": 1}):
        with pytest.raises(InvalidInputError):
            check_links(contracts, content | wrong)


def _erased(store: Store, contracts: Contracts, leaves: set[bytes]) -> None:
    """After erasure nobody with the database, its key and the chain finds the commitment of the person again."""
    salts, person = commitment_salts(store.archive_key), PEOPLE[1]

    def linked() -> bool:
        """Try whatever the database holds as a key over whatever it could have been over."""
        with store.read() as connection:
            dataset = find_dataset(connection, "heart")
            found = find_subject(connection, dataset, person)
            assert found is not None
            secrets = {
                dataset.salt,
                found.key,
                *(value.hex() for value in salts(connection, [found.id], False).values()),
            }
            for table in inspect(store.engine).get_table_names():
                for row in connection.exec_driver_sql(f"SELECT * FROM {table}"):
                    text = json.dumps([v.hex() if isinstance(v, bytes) else str(v) for v in row])
                    secrets |= set(re.findall(r"\b[0-9a-f]{64}\b", text))
            numbers = range(1, 12)
            tried = {
                bytes.fromhex(keyed_digest(secret, message))
                for secret in secrets
                for message in (
                    *(b"%b\0%d" % (name, n) for name in (b"who", b"blind") for n in numbers),
                    *(b"chain\0grant\0%d" % n for n in numbers),
                    person.encode(),
                )
            }
        return bool(tried & theirs)

    with store.read() as connection:
        dataset = find_dataset(connection, "heart")
        found = find_subject(connection, dataset, person)
        assert found is not None
        rows = statements_of(connection, "heart", found.id)
        theirs = {
            part
            for one in show(connection, contracts, "consent", "heart", rows, salts)
            for part in (one.leaf.who, one.leaf.salt)
        }
    assert len(theirs) == 2
    assert theirs < leaves
    assert linked()  # before: the test can tell
    wrapped = found.data_key
    assert wrapped
    erase(store, "heart", subject=person, actor="dpo")
    assert not linked()
    with store.read() as connection:
        (row,) = connection.execute(select(subjects).where(subjects.c.id == found.id)).all()
        assert (row.salt, row.data_key) == (None, None)
        assert connection.execute(select(consents).where(consents.c.subject == found.id)).all() == []
        with pytest.raises(UnknownNameError):
            statements_of(connection, "heart", found.id)
        # The receipt: an entry that the signed head can prove (ledger.proofs), naming nobody.
        receipt = next(entry for entry in entries(connection) if entry.action == "subject.erase")
    assert receipt.detail["destroyed"] == ["salt", "data key"]
    assert person not in json.dumps(receipt.detail, ensure_ascii=False)
    database = Path(str(store.engine.url.database))
    for path in (database, database.with_name(database.name + "-wal")):
        if path.exists():
            assert wrapped not in path.read_bytes()


def test_without_a_vault_nothing_is_committed_to(store: Store) -> None:
    with pytest.raises(ConfigurationError, match="encrypted vault"):
        commitment_salts(store.archive_key)


def test_another_archive_key_leaves_the_commitments_as_they_are(sealed: Store) -> None:
    with sealed.write() as connection:
        create_dataset(connection, "heart", by="steward")
        give_consent(connection, "heart", subject=PEOPLE[0], purpose="training", basis="form 3", by="nurse")
        found = find_subject(connection, find_dataset(connection, "heart"), PEOPLE[0])
        assert found is not None
        assert commitment_salts(sealed.archive_key)(connection, [found.id], False) == {}
        before = commitment_salts(sealed.archive_key)(connection, [found.id], True)
    new = b"\x07" * 32
    assert rotate(sealed, new, actor="admin") == 1
    with sealed.read() as connection:
        assert commitment_salts(new)(connection, [found.id], False) == before
        with pytest.raises(AccessError):
            commitment_salts(sealed.archive_key)(connection, [found.id], False)
    assert len(before[found.id]) == 32


def test_the_audit_chain_is_anchored_and_a_rewritten_one_shown(store: Store) -> None:
    steward = account(7)
    contracts = Contracts.deploy(Chain.in_process(store, clock=Clock(START)), steward)
    register(store, contracts, steward, "log", "audit")
    assert check_anchor(store, contracts) is None
    first = anchor_audit(store, contracts, steward)
    assert first.sent is not None
    second = anchor_audit(store, contracts, steward)
    assert second.size > first.size
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE ledger SET hash = ? WHERE seq = 3", ("0" * 64,))
    with pytest.raises(ChainBrokenError, match="rewritten"):
        anchor_audit(store, contracts, steward)
    # A second writer on the same store sees the first one's blocks, and the first one the second's.
    other = Contracts.attach(Chain.in_process(store, clock=Clock(START + 50)), contracts.addresses())
    id = other.registry.register(steward, b"\x44" * 32)
    assert contracts.registry.steward_of(id) == steward.address
    swapped = contracts.addresses()
    with pytest.raises(ConfigurationError, match="not the contract"):
        Contracts.attach(contracts.chain, swapped | {"Rewards": swapped["AuditAnchor"]})
    assert in_force(store) is None
