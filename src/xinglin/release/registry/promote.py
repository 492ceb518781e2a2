"""Releasing a version, and going back. What misses a threshold is not released; the refusal is in the ledger too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from xinglin.errors import ConflictError, GateClosedError, InvalidInputError
from xinglin.ledger import append
from xinglin.ledger.signature import sign
from xinglin.release.gates.policy import Policy
from xinglin.release.gates.verdict import Check, Verdict, judge
from xinglin.release.registry.record import attach, find, manifest_digest
from xinglin.release.registry.signing import verify_folder
from xinglin.release.registry.version import Version
from xinglin.store import Store
from xinglin.store.tables_release import model_live, model_versions

CONTEXT = "model-gate"


@dataclass(frozen=True, slots=True)
class Released:
    """What a promotion did."""

    version: Version
    before: str | None
    """Number of the version that was released until now."""
    verdict: Verdict | None
    """``None`` for a rollback."""


def promote(
    store: Store,
    name: str,
    number: str,
    policy: Policy,
    *,
    actor: str,
    folder: Path | None = None,
    public_key: Path | None = None,
    key: Path | None = None,
) -> Released:
    """Release a version if it meets every threshold.

    The verdict is written in any case: as evidence of the version, with an entry in the ledger.

    Args:
        store: where.
        name: of the model.
        number: of the version.
        policy: the thresholds.
        actor: who asks.
        folder: of the checkpoint, whose signature is checked.
        public_key: PEM file of the key that must have signed it.
        key: Ed25519 key file to sign the verdict with; ``None``: it is not signed.

    Raises:
        GateClosedError: a threshold is missed; names each.
        ConflictError: the version is released already or retired.
        CheckpointError: the folder is not this version's, is not whole, or is not signed by that key.
        InvalidInputError: the policy asks for a signature and no folder and key are given.
    """
    with store.write() as connection:
        live = _live(connection, name)
        version = find(connection, name, number)
        if version.stage == "released":
            raise ConflictError(f"{name} {number} is released already")
        if version.stage == "retired":
            raise ConflictError(f"{name} {number} is retired: use rollback to go back to it")
        verdict = judge(version, policy, now=datetime.now(UTC).isoformat(), last_promotion=live.since)
        if policy.signature:
            check = _signed(version, folder, public_key)
            verdict = Verdict(
                verdict.model, verdict.number, verdict.checkpoint, verdict.policy, (*verdict.checks, check)
            )
        content: dict[str, Any] = {**verdict.as_json(), "digest": verdict.digest}
        if key is not None:
            content["signature"] = sign(verdict.digest, key, CONTEXT)
        attach(connection, name, number, "gate", content, actor=actor)
        before = _released_number(connection, live)
        if verdict.passed:
            _release(
                connection,
                live,
                version,
                actor=actor,
                action="model.promote",
                detail={"gate": verdict.digest},
            )
    if not verdict.passed:
        failed = [
            f"  {check.name}: wanted {check.wanted}; found {check.found}"
            for check in verdict.checks
            if not check.passed
        ] or ["  the policy asks nothing"]
        raise GateClosedError("\n".join([f"{name} {number} is not released:", *failed]))
    with store.read() as connection:
        return Released(find(connection, name, number), before, verdict)


def rollback(store: Store, name: str, *, actor: str, reason: str, number: str | None = None) -> Released:
    """Go back to a version that was released before.

    No threshold is asked: it had met them when it was released, and going back must always be possible.

    Args:
        store: where.
        name: of the model.
        actor: who does it.
        reason: why; readable by every auditor.
        number: of the version to go back to; ``None``: the one released last before the present one.

    Raises:
        InvalidInputError: no reason.
        ConflictError: there is none to go back to, or the one named was never released.
    """
    if not reason.strip():
        raise InvalidInputError("rollback: expected a reason: every auditor will ask for it")
    with store.write() as connection:
        live = _live(connection, name)
        retired = retired_versions(connection, name)
        if not retired or (number is not None and number not in retired):
            there = ", ".join(retired) or "none"
            raise ConflictError(f"{name}: no such version was released before; to go back to: {there}")
        version = find(connection, name, number or retired[0])
        before = _released_number(connection, live)
        _release(connection, live, version, actor=actor, action="model.rollback", detail={"reason": reason})
    with store.read() as connection:
        return Released(find(connection, name, version.number), before, None)


def retired_versions(connection: Connection, name: str) -> list[str]:
    """Return the numbers of the versions that a rollback may go back to, the one released last first."""
    query = (
        select(model_versions.c.number)
        .where(model_versions.c.name == name, model_versions.c.stage == "retired")
        .order_by(model_versions.c.retired.desc())
    )
    return list(connection.execute(query).scalars())


def _live(connection: Connection, name: str) -> Row[Any]:
    """Return the row of the released version, locked, so that two promotions take turns."""
    query = select(model_live).where(model_live.c.name == name).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        connection.execute(insert(model_live).values(name=name, version=None, since=None))
        row = connection.execute(query).one()
    return row


def _released_number(connection: Connection, live: Row[Any]) -> str | None:
    query = select(model_versions.c.number).where(model_versions.c.id == live.version)
    return connection.execute(query).scalar() if live.version is not None else None


def _release(
    connection: Connection,
    live: Row[Any],
    version: Version,
    *,
    actor: str,
    action: str,
    detail: dict[str, Any],
) -> None:
    before = _released_number(connection, live)
    said = {
        "model": version.name,
        "number": version.number,
        "before": before,
        "manifest": manifest_digest(version.manifest),
        **detail,
    }
    entry = append(connection, action, actor=actor, subjects=(version.checkpoint,), detail=said)
    if live.version is not None:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.id == live.version)
            .values(stage="retired", retired=entry.seq)
        )
    mine = (model_versions.c.name == version.name, model_versions.c.number == version.number)
    connection.execute(update(model_versions).where(*mine).values(stage="released", retired=None))
    row: int = connection.execute(select(model_versions.c.id).where(*mine)).scalar_one()
    since = entry.time if action == "model.promote" else live.since
    connection.execute(
        update(model_live).where(model_live.c.name == version.name).values(version=row, since=since)
    )


def _signed(version: Version, folder: Path | None, public_key: Path | None) -> Check:
    wanted = "the folder's files are those registered, signed by the key given"
    if folder is None or public_key is None:
        raise InvalidInputError(
            "the policy asks for a signature: give the checkpoint's folder and the public key"
        )
    checkpoint = verify_folder(folder, public_key)
    if checkpoint.id != version.checkpoint or checkpoint.manifest != version.manifest:
        return Check(
            "signature", False, f"{folder.name} holds {checkpoint.id[:12]}..., another model", wanted
        )
    return Check("signature", True, f"{checkpoint.id[:12]}...", wanted)
