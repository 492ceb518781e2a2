"""Consent and grants: who may read what, when, and what the ledger says of it."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from tests.stores import both, name
from xinglin.errors import InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger import check, entries, give_consent, grant, grants, revoke, verify, withdraw_consent
from xinglin.ledger.grants import covered, newest_statements, withheld
from xinglin.ledger.subjects import enrol, find_dataset, find_subject
from xinglin.records import create_dataset
from xinglin.store import Store
from xinglin.store.tables import subjects

__all__ = ["both", "name"]


def make(store: Store, name: str, *people: str) -> dict[str, int]:
    """A data set with these subjects; returns their row numbers."""
    with store.write() as connection:
        dataset = create_dataset(connection, name, by="steward")
        found = enrol(connection, dataset, [dataset.subject_key(person) for person in people])
        return {person: found[dataset.subject_key(person)].id for person in people}


def hidden(store: Store, name: str, people: dict[str, int], purpose: str = "training") -> set[str]:
    """Whom a check leaves out, found in two ways that must agree: by page, and by the counting query."""
    with store.read() as connection:
        permission = check(connection, name, grantee="researcher", purpose=purpose)
        by_page = withheld(connection, permission, people.values())
        own = newest_statements(permission)
        query = (
            select(subjects.c.id)
            .select_from(subjects.outerjoin(own, own.c.subject == subjects.c.id))
            .where(subjects.c.dataset == permission.dataset.id, covered(permission, own))
        )
        by_query = set(people.values()) - {row.id for row in connection.execute(query)}
    assert by_page == by_query
    return {person for person, number in people.items() if number in by_page}


def test_nobody_reads_without_a_grant_and_a_consent(both: Store, name: str) -> None:
    people = make(both, name, "甲", "乙")
    with both.read() as connection, pytest.raises(NotPermittedError, match="none was given"):
        check(connection, name, grantee="researcher", purpose="training")
    with both.write() as connection:
        grant(connection, name, grantee="researcher", purpose="training", by="steward")
    with both.read() as connection, pytest.raises(NotPermittedError, match="no consent in force"):
        check(connection, name, grantee="researcher", purpose="training")
    with both.write() as connection:
        give_consent(connection, name, subject="甲", purpose="training", basis="form 3", by="nurse")
    assert hidden(both, name, people) == {"乙"}
    # Another purpose, another grantee: nothing.
    for grantee, purpose in (("researcher", "research"), ("other", "training")):
        with both.read() as connection, pytest.raises(NotPermittedError):
            check(connection, name, grantee=grantee, purpose=purpose)


def test_what_a_subject_stated_prevails_both_ways(both: Store, name: str) -> None:
    people = make(both, name, "甲", "乙", "丙")
    with both.write() as connection:
        grant(connection, name, grantee="researcher", purpose="training", by="steward")
        give_consent(connection, name, subject=None, purpose="training", basis="waiver", by="board")
        withdraw_consent(connection, name, subject="乙", purpose="training", by="乙")
    assert hidden(both, name, people) == {"乙"}
    with both.write() as connection:
        give_consent(connection, name, subject="乙", purpose="training", basis="form", by="乙")
        give_consent(connection, name, subject="丙", purpose="training", basis="form", by="丙")
    assert hidden(both, name, people) == set()
    with both.write() as connection:
        withdraw_consent(connection, name, subject=None, purpose="training", by="board")
    assert hidden(both, name, people) == {"甲"}


def test_statements_expire(both: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    people = make(both, name, "甲", "乙")
    monkeypatch.setattr(grants, "_now", lambda: "2026-01-01T00:00:00+00:00")
    with both.write() as connection:
        grant(connection, name, grantee="researcher", purpose="training", by="s", expires="2026-06-30")
        give_consent(connection, name, subject=None, purpose="training", basis="waiver", by="s")
        moment = "2026-03-01T00:00:00+08:00"
        give_consent(connection, name, subject="甲", purpose="training", basis="f", by="s", expires=moment)
    for now, expected in (
        ("2026-02-28T16:00:00+00:00", set()),  # the very second
        ("2026-02-28T16:00:01+00:00", {"甲"}),  # expired consent of one's own is not the data set's basis
        ("2026-06-30T23:59:59+00:00", {"甲"}),  # the last day counts
    ):
        monkeypatch.setattr(grants, "_now", lambda now=now: now)
        assert hidden(both, name, people) == expected
    monkeypatch.setattr(grants, "_now", lambda: "2026-07-01T00:00:00+00:00")
    with both.read() as connection, pytest.raises(NotPermittedError, match="it has expired"):
        check(connection, name, grantee="researcher", purpose="training")


def test_a_grant_can_be_revoked_and_given_again(both: Store, name: str) -> None:
    make(both, name)
    with both.write() as connection:
        give_consent(connection, name, subject=None, purpose="care", basis="b", by="s")
        grant(connection, name, grantee="a", purpose="care", by="s")
        revoke(connection, name, grantee="a", purpose="care", by="s")
        with pytest.raises(NotPermittedError, match="it was revoked"):
            check(connection, name, grantee="a", purpose="care")
        grant(connection, name, grantee="a", purpose="care", by="s")
        assert check(connection, name, grantee="a", purpose="care").by_default


def test_the_ledger_names_no_subject(both: Store, name: str) -> None:
    make(both, name, "王小明")
    with both.write() as connection:
        give_consent(connection, name, subject="王小明", purpose="care", basis="王小明签字", by="nurse")
        withdraw_consent(connection, name, subject="王小明", purpose="care", by="nurse")
        give_consent(
            connection, name, subject=None, purpose="care", basis="waiver 7", by="board", expires="2099-01-01"
        )
    with both.read() as connection:
        verify(connection)
        mine = [entry for entry in entries(connection) if entry.detail.get("dataset") == name]
    assert [entry.action for entry in mine] == [
        *("dataset.create", "consent.give", "consent.withdraw", "consent.give")
    ]
    told = json.dumps([[entry.subjects, entry.detail] for entry in mine], ensure_ascii=False)
    assert "王小明" not in told
    assert mine[1].subjects == mine[2].subjects != ()
    assert mine[3].subjects == ()
    assert mine[3].detail["basis"] == "waiver 7"
    assert mine[3].detail["expires"] == "2099-01-01T23:59:59+00:00"


def test_what_is_wrong_is_named(both: Store, name: str) -> None:
    make(both, name)
    with both.write() as connection:
        with pytest.raises(UnknownNameError, match="did you mean training"):
            grant(connection, name, grantee="a", purpose="trainig", by="s")
        with pytest.raises(UnknownNameError, match=name):
            grant(connection, name + "x", grantee="a", purpose="training", by="s")
        with pytest.raises(InvalidInputError, match="grantee"):
            grant(connection, name, grantee=" ", purpose="training", by="s")
        with pytest.raises(UnknownNameError, match="no such subject"):
            withdraw_consent(connection, name, subject="nobody", purpose="training", by="s")
        for basis in ("", " ", "x" * 401):
            with pytest.raises(InvalidInputError, match="basis"):
                give_consent(connection, name, subject=None, purpose="care", basis=basis, by="s")
        for expires in ("tomorrow", "2026-13-01", "2030-01-01T00:00:00", "2001-01-01", ""):
            with pytest.raises(InvalidInputError, match="expires"):
                grant(connection, name, grantee="a", purpose="care", by="s", expires=expires)


def test_consent_may_come_before_the_records(both: Store, name: str) -> None:
    make(both, name)
    with both.write() as connection:
        give_consent(connection, name, subject="first", purpose="care", basis="form", by="s")
        dataset = find_dataset(connection, name)
        assert find_subject(connection, dataset, "first") is not None
        assert find_subject(connection, dataset, "second") is None
