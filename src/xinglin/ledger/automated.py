"""Refusal of decisions made by automation alone: a standing statement of a subject, in the ledger.

PIPL Art. 24 gives the individual the right to refuse a decision made solely by automated means that has a major influence
on their rights and interests, and to have it explained. Here the subject states it once; every door that answers from a
stored record asks first, and then hands its answer to a clinician.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from xinglin.ledger.grants import AUTOMATED, state_automated
from xinglin.ledger.subjects import find_dataset, find_subject
from xinglin.store.tables import consents


def refuse_automated(connection: Connection, dataset: str, *, subject: str, by: str) -> None:
    """State that a subject refuses decisions made by automation alone; holds until taken back.

    Raises:
        UnknownNameError: no such data set, or a subject who has neither records nor statements in it.
    """
    state_automated(connection, dataset, subject, False, by)


def accept_automated(connection: Connection, dataset: str, *, subject: str, by: str) -> None:
    """Take the refusal back.

    Raises:
        UnknownNameError: as :func:`refuse_automated`.
    """
    state_automated(connection, dataset, subject, True, by)


def refuses_automated(connection: Connection, dataset: str, subject: str) -> bool:
    """Tell whether a subject's newest statement refuses decisions made by automation alone.

    Raises:
        UnknownNameError: no such data set.
    """
    found = find_dataset(connection, dataset)
    person = find_subject(connection, found, subject)
    if person is None:
        return False
    query = (
        select(consents.c.given)
        .where(consents.c.dataset == found.id, consents.c.subject == person.id)
        .where(consents.c.purpose == AUTOMATED)
        .order_by(consents.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() is False
