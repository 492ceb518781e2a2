"""Whether the registry says what the audit chain says: no version, evidence or stage was changed behind its back.

The chain itself is checked apart (``ledger.verification``, against a signed head); this compares the registry's rows with
their entries, so that whoever writes into the tables would have to rewrite the chain too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from xinglin.errors import ChainBrokenError
from xinglin.release.registry.record import canonical, manifest_digest
from xinglin.store.keys import digest
from xinglin.store.tables_ledger import ledger
from xinglin.store.tables_release import model_evidence, model_live, model_versions

REGISTER, EVIDENCE = "model.register", "model.evidence"
RELEASES = ("model.promote", "model.rollback")


def check_registry(connection: Connection) -> int:
    """Compare every version, piece of evidence and stage with the entries that recorded them.

    Returns:
        The number of entries compared.

    Raises:
        ChainBrokenError: names the first row that is not what was recorded, is recorded and missing, or is not recorded.
    """
    query = select(ledger).where(ledger.c.action.in_((REGISTER, EVIDENCE, *RELEASES))).order_by(ledger.c.seq)
    entries: Sequence[Any] = connection.execute(query).all()
    versions = {row.seq: row for row in connection.execute(select(model_versions))}
    evidence = {row.seq: row for row in connection.execute(select(model_evidence))}
    of = {row.id: row for row in versions.values()}
    live: dict[str, str] = {}
    retired: dict[tuple[str, str], int] = {}
    for entry in entries:
        told = entry.detail
        where = f"{told['model']} {told['number']}"
        if entry.action == REGISTER:
            version = versions.pop(entry.seq, None)
            registered = version and (
                *(version.name, version.number, version.change, version.time, version.actor),
                *(version.checkpoint, manifest_digest(version.manifest)),
            )
            recorded = (told["model"], told["number"], told["change"], entry.time, entry.actor)
            _agree(where, entry.seq, registered, (*recorded, *entry.subjects))
        elif entry.action == EVIDENCE:
            row = evidence.pop(entry.seq, None)
            mine = of.get(row.version) if row else None
            found = (
                row
                and mine
                and (
                    *(mine.name, mine.number, row.kind, row.time, row.actor, row.digest),
                    *(mine.checkpoint, digest(canonical(row.content))),
                )
            )
            recorded = (told["model"], told["number"], told["kind"], entry.time, entry.actor)
            _agree(
                f"{where}, {told['kind']}", entry.seq, found, (*recorded, entry.subjects[1], *entry.subjects)
            )
        else:
            if told["before"] is not None:
                retired[(told["model"], told["before"])] = entry.seq
            retired.pop((told["model"], told["number"]), None)
            live[told["model"]] = told["number"]
    for left in (*versions.values(), *evidence.values()):
        raise ChainBrokenError(f"the registry has a row of entry {left.seq}, which recorded no such thing")
    _stages(connection, live, retired)
    return len(entries)


def _agree(where: str, seq: int, found: Any, recorded: tuple[Any, ...]) -> None:
    if not found:
        raise ChainBrokenError(f"{where}: entry {seq} recorded it, the registry does not have it")
    if found != recorded:
        raise ChainBrokenError(f"{where}: it is not what entry {seq} recorded")


def _stages(connection: Connection, live: dict[str, str], retired: dict[tuple[str, str], int]) -> None:
    for row in connection.execute(select(model_versions).order_by(model_versions.c.seq)):
        ended = retired.get((row.name, row.number))
        stage = "released" if live.get(row.name) == row.number else "retired" if ended else "candidate"
        if (row.stage, row.retired) != (stage, ended if stage == "retired" else None):
            raise ChainBrokenError(
                f"{row.name} {row.number}: it is called {row.stage}, by the chain it is {stage}"
            )
    query = select(model_live.c.name, model_versions.c.number).join(
        model_versions, model_versions.c.id == model_live.c.version
    )
    rows: Sequence[Any] = connection.execute(query).all()
    if dict(map(tuple, rows)) != live:
        raise ChainBrokenError("the released versions are not those of the chain's last promotions")
