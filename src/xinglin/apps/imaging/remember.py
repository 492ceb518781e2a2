"""What the ledger keeps of a study: digests under a salt of its own that can be erased, counts, and the algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from xinglin.apps.imaging.measured import Algorithm
from xinglin.apps.imaging.report import Report
from xinglin.errors import MissingDataError
from xinglin.ledger import append
from xinglin.store.keys import keyed_digest, new_salt
from xinglin.store.tables_ledger import salts


def first(connection: Connection, action: str, series: str, *, actor: str, detail: Mapping[str, Any]) -> str:
    """Append the first entry about a series.

    Args:
        connection: a write transaction.
        action: what was done.
        series: what names it: its Series Instance UID, or a file's frame of reference.
        actor: who did it.
        detail: nothing of the patient.

    Returns:
        The subject: an HMAC of the name under a fresh salt, under which later entries go.
    """
    salt = new_salt()
    subject = keyed_digest(salt, series.encode())
    connection.execute(insert(salts), {"subject": subject, "salt": salt})
    append(connection, action, actor=actor, subjects=(subject,), detail=dict(detail))
    return subject


def keyed(connection: Connection, subject: str, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return the digests of what was made of a series, under its salt.

    Raises:
        MissingDataError: the salt was erased.
    """
    salt = connection.execute(select(salts.c.salt).where(salts.c.subject == subject)).scalar()
    if salt is None:
        raise MissingDataError("the salt of this series was erased: nothing more can be noted of it")
    return {name: keyed_digest(salt, content) for name, content in contents.items()}


def told_of(report: Report) -> dict[str, Any]:
    """What an entry says of a report."""
    comparing = {"prior": report.comparison is not None, "screening": report.screening}
    return told(report.algorithm, len(report.nodules)) | comparing


def told(algorithm: Algorithm, nodules: int) -> dict[str, Any]:
    """What an entry says of a search."""
    return {"algorithm": algorithm.name, "version": algorithm.version, "nodules": nodules}
