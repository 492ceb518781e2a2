"""My consents: what an account sees, proofs and withdrawal, over HTTP with logins and in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from tests.release.registered import checkpoint
from tests.release.registered import data as named
from tests.serve.conftest import running
from tests.serve.test_workbench import browser  # noqa: F401  (fixture)
from xinglin.apps.diagnosis.differential import Differential
from xinglin.cli import ledger_consents
from xinglin.errors import InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger import entries, give_consent, grant, verify
from xinglin.ledger.audit_keys import announce
from xinglin.ledger.consents import ACTIONS, link_account
from xinglin.ledger.grants import PURPOSES
from xinglin.ledger.heads import sign_head
from xinglin.ledger.proofs import check_proof
from xinglin.ledger.signature import new_key
from xinglin.records import archive
from xinglin.records.archive import create_dataset
from xinglin.records.codec import encode
from xinglin.records.readers.detect import open_reader
from xinglin.records.run import intake
from xinglin.release.registry.record import register
from xinglin.serve import consents
from xinglin.serve.access import add_user
from xinglin.serve.app import create_app
from xinglin.serve.workbench.consents_cards import reached, standing_row, use_row, verdict
from xinglin.serve.workbench.phrases import PHRASES
from xinglin.store import Store
from xinglin.types import Record

PEOPLE = ("王小明", "李红")
PASSWORD = "long enough 1"


@pytest.fixture
def ward(store: Store, tmp_path: Path) -> Store:
    """A data set of two people, read twice, one of them withdrawn in between; signed after the first read."""
    key = tmp_path / "audit.pem"
    new_key(key)
    with store.write() as connection:
        announce(connection, key, actor="office")
        create_dataset(connection, "other", by="zhou")
    notes = tmp_path / "notes.jsonl"
    rows = [encode(Record(f"r{n}", who, "咳嗽")) for n, who in enumerate(PEOPLE)]
    notes.write_bytes(b"".join(row + b"\n" for row in rows))
    intake(store, open_reader("records", str(notes)), dataset="ward", form="records", actor="chen")
    with store.write() as connection:
        give_consent(connection, "ward", subject=None, purpose="training", basis="伦理 2026-41", by="chen")
        give_consent(connection, "ward", subject=PEOPLE[0], purpose="care", basis="知情同意书", by="chen")
        for purpose in ("training", "care"):
            grant(connection, "ward", grantee="researcher", purpose=purpose, by="chen", expires="2099-12-31")
        link_account(connection, "ward", subject=PEOPLE[0], account="wang", by="chen")
    assert len(list(archive.read(store, "ward", purpose="training", actor="researcher"))) == 2
    archive.read_one(store, "ward", "r0", purpose="care", actor="researcher")
    archive.read_one(store, "ward", "r1", purpose="training", actor="researcher")
    with store.write() as connection:
        sign_head(connection, key)
        register(connection, checkpoint(tmp_path / "m", data=named("ward")), actor="chen")
    return store


def test_a_subject_sees_what_concerns_them_and_no_one_else(ward: Store) -> None:
    assert consents.mine(ward, "wang") == ([], ["ward"])
    assert consents.mine(ward, "chen") == (["ward"], [])
    assert consents.mine(ward, "local")[0] == ["other", "ward"]
    seen = consents.look(ward, "wang", "ward", PEOPLE[0])
    stand = {one.purpose: (one.covered, one.of) for one in seen.standings}
    assert stand["training"] == (True, "data set")
    assert stand["care"] == (True, "subject")
    assert stand["research"] == (False, "none")
    reads = [(one.purpose, one.records, one.mine) for one in seen.uses if one.action == "records.read"]
    assert reads == [("care", 1, True), ("training", 2, True)]  # the read of the other person is not shown
    whole = consents.look(ward, "chen", "ward")
    assert len([one for one in whole.uses if one.action == "records.read"]) == 3
    assert all(one.mine is None for one in whole.uses)
    assert [(one.grantee, one.purpose, one.in_force) for one in whole.grants] == [
        ("researcher", "care", True), ("researcher", "training", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("account", "dataset", "identifier"),
    [
        ("wang", "ward", None),
        ("wang", "ward", PEOPLE[1]),
        ("wang", "ward", "nobody"),
        ("wang", "other", PEOPLE[0]),
        ("chen", "ward", PEOPLE[0]),
        ("chen", "other", None),
        ("zhou", "ward", None),
    ],
)
def test_nobody_else_sees_it(account: str, dataset: str, identifier: str | None, ward: Store) -> None:
    for act in (
        lambda: consents.look(ward, account, dataset, identifier),
        lambda: consents.verify(ward, account, dataset, 3, identifier),
        lambda: consents.withdraw(ward, account, dataset, "training", identifier),
    ):
        with pytest.raises(NotPermittedError) as caught:
            act()
        assert not any(person in str(caught.value) for person in PEOPLE)
    with pytest.raises(NotPermittedError):
        consents.take_back(ward, "wang", "ward", "researcher", "training")


def test_a_withdrawal_says_what_it_reaches_and_holds_from_the_next_read(ward: Store) -> None:
    assert consents.reach(ward, "ward").models == (("nodules@1.0.0", "candidate"),)
    assert consents.reach(ward, "other") == consents.Reach((), (), ())
    consents.withdraw(ward, "wang", "ward", "training", PEOPLE[0])
    assert [one.id for one in archive.read(ward, "ward", purpose="training", actor="researcher")] == ["r1"]
    seen = consents.look(ward, "wang", "ward", PEOPLE[0])
    stand = {one.purpose: (one.covered, one.of) for one in seen.standings}
    assert stand["training"] == (False, "subject")
    assert seen.uses[0].mine is False
    with ward.read() as connection:
        verify(connection)
        told = json.dumps([[one.detail, one.actor] for one in entries(connection)], ensure_ascii=False)
    assert not any(person in told for person in PEOPLE)
    consents.take_back(ward, "chen", "ward", "researcher", "training")
    with pytest.raises(NotPermittedError, match="revoked"):
        archive.read(ward, "ward", purpose="training", actor="researcher")


def test_every_entry_shown_is_proven_or_said_to_be_unsigned(ward: Store) -> None:
    consents.withdraw(ward, "wang", "ward", "training", PEOPLE[0])
    seen = consents.look(ward, "wang", "ward", PEOPLE[0]).uses
    states = {one.seq: consents.verify(ward, "wang", "ward", one.seq, PEOPLE[0]).state for one in seen}
    assert states[max(states)] == "unsigned"
    assert [state for seq, state in states.items() if seq != max(states)] == ["proven"] * (len(states) - 1)
    with pytest.raises(InvalidInputError, match="younger"):
        consents.proof_of(ward, "wang", "ward", max(states), PEOPLE[0])
    with pytest.raises(NotPermittedError, match="not one of those about your data"):
        consents.verify(ward, "wang", "ward", 1, PEOPLE[0])
    # Somebody who can write the store changes an entry and its hash: the signed head tells.
    with ward.write() as connection:
        connection.exec_driver_sql(f"UPDATE ledger SET actor = 'nobody' WHERE seq = {min(states)}")
    assert consents.verify(ward, "wang", "ward", min(states), PEOPLE[0]).state == "broken"


def test_an_erased_subject_leaves_no_link(ward: Store) -> None:
    archive.erase(ward, "ward", subject=PEOPLE[0], actor="chen")
    assert consents.mine(ward, "wang") == ([], [])
    with pytest.raises(NotPermittedError):
        consents.look(ward, "wang", "ward", PEOPLE[0])


def test_the_command_links_and_shows(ward: Store) -> None:
    app = typer.Typer()
    ledger_consents.register(app)
    run = CliRunner()
    linked = run.invoke(
        app, ["consents", "link", "ward", "--subject", PEOPLE[1], "--account", "li", "--as", "chen"]
    )
    assert linked.exit_code == 0
    assert PEOPLE[1] not in linked.output
    shown = json.loads(
        run.invoke(app, ["consents", "show", "ward", "--subject", PEOPLE[1], "--as", "li"]).output
    )
    assert shown["as_steward"] is False
    nobody = run.invoke(app, ["consents", "link", "ward", "--subject", "nobody", "--account", "li"]).exception
    assert isinstance(nobody, UnknownNameError)


@pytest.fixture
def served(ward: Store, differential: Differential) -> Iterator[str]:
    """A server that needs a login, of which one is a patient and one the steward."""
    for name in ("wang", "chen"):
        add_user(ward, name, PASSWORD)
    app = create_app(differential, ward, host="0.0.0.0", workbench=False)
    with running(app) as address:
        yield address


@contextmanager
def entered(address: str, name: str) -> Iterator[httpx.Client]:
    """A client that has logged in."""
    with httpx.Client(base_url=address, timeout=30) as client:
        answer = client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code in (200, 303), answer.text
        yield client


def test_over_http_each_sees_their_own(served: str, ward: Store, refused: Any) -> None:
    refused(httpx.get(f"{served}/api/consents"))
    with entered(served, "wang") as wang:
        assert wang.get("/api/consents").json() == {"steward": [], "subject": ["ward"]}
        token = {"X-CSRF-Token": csrf(ward, "wang")}
        mine = {"dataset": "ward", "subject": PEOPLE[0]}
        refused(wang.post("/api/consents/look", json={"dataset": "ward"}, headers=token))
        refused(wang.post("/api/consents/look", json=mine))  # without the token
        refused(wang.post("/api/consents/look", json=mine | {"more": 1}, headers=token))
        seen = wang.post("/api/consents/look", json=mine, headers=token).json()
        seq = seen["uses"][0]["seq"]
        assert (
            wang.post("/api/consents/verify", json=mine | {"seq": seq}, headers=token).json()["state"]
            == "proven"
        )
        proof = wang.post("/api/consents/proof", json=mine | {"seq": seq}, headers=token).json()
        assert check_proof(proof, {proof["head"]["public_key"]})["seq"] == seq
        assert (
            wang.post("/api/consents/reach", json=mine, headers=token).json()["models"][0][0]
            == "nodules@1.0.0"
        )
        gone = wang.post("/api/consents/withdraw", json=mine | {"purpose": "training"}, headers=token)
        assert gone.status_code == 204
        taken = {"dataset": "ward", "grantee": "researcher", "purpose": "care"}
        refused(wang.post("/api/consents/revoke", json=taken, headers=token))
    with entered(served, "chen") as chen:
        token = {"X-CSRF-Token": csrf(ward, "chen")}
        assert chen.post("/api/consents/revoke", json=taken, headers=token).status_code == 204
    found = consents.look(ward, "chen", "ward")
    assert {one.purpose: one.in_force for one in found.grants} == {"care": False, "training": True}


def csrf(store: Store, user: str) -> str:
    from sqlalchemy import select

    from xinglin.store.tables import sessions

    with store.read() as connection:
        return str(
            connection.execute(select(sessions.c.csrf).where(sessions.c.user == user)).scalars().first()
        )


@pytest.mark.browser
def test_a_patient_checks_and_withdraws(ward: Store, differential: Differential, browser: Any) -> None:  # noqa: F811
    with ward.write() as connection:
        link_account(connection, "ward", subject=PEOPLE[0], account="local", by="chen")
    with running(create_app(differential, ward)) as url:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url}/consents")
        page.click("[data-key=dataset]")
        page.click('.q-menu .q-item:has-text("ward(本人)"), .q-menu .q-item:has-text("ward（本人）")')
        page.fill("[data-key=identifier]", PEOPLE[1])
        page.click("[data-key=look]")
        page.wait_for_selector(".xl-note-negative")
        page.fill("[data-key=identifier]", PEOPLE[0])
        page.click("[data-key=look]")
        page.wait_for_selector("[data-key=withdraw-training]")
        signed = next(
            one for one in consents.look(ward, "wang", "ward", PEOPLE[0]).uses if one.action == "records.read"
        )
        page.click(f"[data-key=verify-{signed.seq}]")
        page.wait_for_selector(".xc-verdict.xc-yes")
        with page.expect_download() as kept:
            page.click("[data-key=proof]")
        proof = json.loads(Path(kept.value.path()).read_text())
        assert check_proof(proof, {proof["head"]["public_key"]})["seq"] == signed.seq
        page.click("[data-key=close]")
        page.wait_for_selector(".xc-verdict", state="detached")
        page.click("[data-key=withdraw-training]")
        page.wait_for_selector('.q-dialog .xc-reach:has-text("nodules@1.0.0")')
        page.click("[data-key=sure]")
        page.wait_for_selector("[data-key=withdraw-training]", state="detached")
        page.wait_for_selector(".xc-row:has-text('本人声明')")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390
        assert complaints == []
        page.close()
    stand = {one.purpose: one.covered for one in consents.look(ward, "wang", "ward", PEOPLE[0]).standings}
    assert stand["training"] is False


def test_every_sentence_of_the_page_can_be_said(ward: Store) -> None:
    seen = consents.look(ward, "wang", "ward", PEOPLE[0])
    for lang in ("zh", "en"):
        for use in seen.uses:
            assert str(use.seq) in use_row(use, lang)
        for standing in seen.standings:
            assert (
                standing_row(standing, False, lang) != standing_row(standing, True, lang) or standing.covered
            )
        for state in ("proven", "unsigned", "broken"):
            assert "xc-verdict" in verdict(consents.Verified(7, state, 9, "ab" * 8, seen.uses[0].time), lang)
        assert "nodules@1.0.0" in reached(consents.reach(ward, "ward"), lang)
        assert "xc-reach" not in reached(consents.Reach((), (), ()), lang)
    assert {action for action in ACTIONS if f"act_{action}" not in PHRASES} == set()
    assert {purpose for purpose in PURPOSES if f"purpose_{purpose}" not in PHRASES} == set()
