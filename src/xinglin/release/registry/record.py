"""Registering versions, hanging evidence on them, and reading both back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select
from sqlalchemy.exc import IntegrityError

from xinglin.errors import ConflictError, InputTooLargeError, InvalidInputError, UnknownNameError
from xinglin.ledger import append
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.release.registry.change import Comparison, classify, next_number, number_key
from xinglin.release.registry.contents import check_content
from xinglin.release.registry.version import KINDS, Evidence, Kind, Version
from xinglin.store.keys import canonical_json, digest
from xinglin.store.tables_release import model_evidence, model_live, model_versions

MAX_CONTENT = 4 << 20
"""Bytes of one piece of evidence; larger things are files, named here by digest."""


def register(
    connection: Connection,
    folder: Path,
    *,
    actor: str,
    comparison: Comparison | None = None,
    same_code: str | None = None,
) -> Version:
    """Register a checkpoint as the next version of the model that its manifest names.

    Args:
        connection: from ``Store.write()``.
        folder: of the checkpoint; every byte is checked against the manifest.
        actor: who registers it.
        comparison: with the last registered version, for a data-driven update (:mod:`.change`).
        same_code: the statement that the algorithm's code did not change although the commit did.

    Raises:
        CheckpointError: the folder is not whole.
        ConflictError: this checkpoint is registered already, or two registrations met.
        UnknownNameError: a parent is not registered: register it first.
        InvalidInputError: as :func:`.change.classify`.
    """
    checkpoint = verify_checkpoint(folder)
    manifest = checkpoint.manifest
    name = manifest["name"]
    for parent in manifest["parents"]:
        if connection.execute(_of(model_versions.c.checkpoint == parent)).first() is None:
            raise UnknownNameError(
                f"{name}: its parent {parent[:16]}… is not registered: register that one first"
            )
    known = versions(connection, name)
    if any(one.checkpoint == checkpoint.id and one.manifest == manifest for one in known):
        raise ConflictError(f"{name}: this checkpoint is registered already")
    last = known[-1] if known else None
    change = classify(last.manifest if last else None, manifest, comparison, same_code=same_code)
    number = next_number(last.number if last else None, change)
    said: dict[str, Any] = {
        "model": name,
        "number": number,
        "change": change.kind,
        "major": change.major,
        "why": change.why,
        "before": last.number if last else None,
        "comparison": comparison.as_json() if comparison else None,
    }
    subjects = (checkpoint.id, manifest_digest(manifest))
    entry = append(connection, "model.register", actor=actor, subjects=subjects, detail=said)
    row = {
        "name": name,
        "number": number,
        "checkpoint": checkpoint.id,
        "manifest": manifest,
        "stage": "candidate",
        "change": change.kind,
        "seq": entry.seq,
        "time": entry.time,
        "actor": actor,
    }
    try:
        connection.execute(insert(model_versions).values(**row))
    except IntegrityError:
        raise ConflictError(f"{name} {number} was registered by somebody else meanwhile: try again") from None
    return find(connection, name, number)


def attach(
    connection: Connection, name: str, number: str, kind: Kind, content: Mapping[str, Any], *, actor: str
) -> Evidence:
    """Hang a piece of evidence on a version. Evidence is only ever added.

    Args:
        connection: from ``Store.write()``.
        name: of the model.
        number: of the version.
        kind: what it is.
        content: as ``version.Kind`` lists; JSON values without patient data.
        actor: who adds it.

    Raises:
        UnknownNameError: there is no such version.
        InvalidInputError: an unknown kind, or content that does not have its fields.
        InputTooLargeError: more than ``MAX_CONTENT`` bytes.
    """
    if kind not in KINDS:
        raise InvalidInputError(f"evidence: expected one of {', '.join(KINDS)}, got {kind!r}")
    row = _row(connection, name, number)
    check_content(kind, content)
    text = canonical(content)
    if len(text) > MAX_CONTENT:
        raise InputTooLargeError(f"evidence: expected at most {MAX_CONTENT} bytes, got {len(text)}")
    said = {"model": name, "number": number, "kind": kind}
    what = digest(text)
    entry = append(connection, "model.evidence", actor=actor, subjects=(row.checkpoint, what), detail=said)
    values = {"kind": kind, "content": dict(content), "digest": what, "seq": entry.seq, "time": entry.time}
    connection.execute(insert(model_evidence).values(version=row.id, actor=actor, **values))
    return Evidence(kind, dict(content), what, entry.seq, entry.time, actor)


def find(connection: Connection, name: str, number: str | None = None) -> Version:
    """Return a version with its evidence.

    Args:
        connection: a transaction.
        name: of the model.
        number: of the version; ``None``: the released one, else the newest.

    Raises:
        UnknownNameError: there is none; the message lists what is there.
    """
    if number is None:
        live = released(connection, name)
        number = (
            live
            if live is not None
            else versions(connection, name)[-1].number
            if _known(connection, name)
            else ""
        )
    return _version(connection, _row(connection, name, number))


def versions(connection: Connection, name: str) -> list[Version]:
    """Return all versions of a model without their evidence, oldest first."""
    rows = connection.execute(_of(model_versions.c.name == name)).all()
    return [_bare(row) for row in sorted(rows, key=lambda row: number_key(row.number))]


def models(connection: Connection) -> list[str]:
    """Return the names of all registered models."""
    query = select(model_versions.c.name).distinct().order_by(model_versions.c.name)
    return list(connection.execute(query).scalars())


def released(connection: Connection, name: str) -> str | None:
    """Return the number of the released version of a model."""
    query = (
        select(model_versions.c.number)
        .join(model_live, model_live.c.version == model_versions.c.id)
        .where(model_live.c.name == name)
    )
    return connection.execute(query).scalar()


def lineage(connection: Connection, version: Version) -> list[tuple[Version, Version]]:
    """Return the edges (child, parent) from a version up to checkpoints without parents, each once."""
    edges, queue, seen = [], [version], {version.checkpoint}
    while queue:
        child = queue.pop(0)
        for parent in child.manifest["parents"]:
            row = connection.execute(_of(model_versions.c.checkpoint == parent)).first()
            if row is None:
                raise UnknownNameError(
                    f"{child.name} {child.number}: its parent {parent[:16]}… is not registered"
                )
            found = _bare(row)
            edges.append((child, found))
            if parent not in seen:
                seen.add(parent)
                queue.append(found)
    return edges


def touched(connection: Connection, data: str) -> list[Version]:
    """Return the versions that a data set reached, oldest first.

    Reached is a version whose manifest names it, whose evidence of consent or privacy names it, or one of whose parents
    was reached.

    Args:
        connection: a transaction.
        data: name of the data set, or SHA-256 of its manifest.
    """
    query = select(model_evidence.c.version, model_evidence.c.content)
    told: Sequence[Any] = connection.execute(
        query.where(model_evidence.c.kind.in_(("consent", "privacy")))
    ).all()
    named = {version for version, content in told if content.get("dataset") == data}
    found: dict[str, Version] = {}
    reached: set[str] = set()
    for row in connection.execute(select(model_versions).order_by(model_versions.c.seq)):
        names = {str(item.get(key)) for item in row.manifest["data"] for key in ("sha256", "name")}
        if data in names or row.id in named or reached & set(row.manifest["parents"]):
            reached.add(row.checkpoint)
            found[f"{row.name}@{row.number}"] = _bare(row)
    return list(found.values())


def canonical(content: Any) -> bytes:
    """Return JSON with sorted keys and no blanks.

    Raises:
        InvalidInputError: values that are no JSON.
    """
    try:
        return canonical_json(content)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"evidence: expected values of JSON without NaN; {error}") from None


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest's canonical JSON."""
    return digest(canonical(manifest))


def _of(where: Any) -> Select[Any]:
    return select(model_versions).where(where)


def _known(connection: Connection, name: str) -> bool:
    return connection.execute(_of(model_versions.c.name == name)).first() is not None


def _row(connection: Connection, name: str, number: str) -> Row[Any]:
    query = _of(model_versions.c.name == name).where(model_versions.c.number == number)
    row = connection.execute(query).first()
    if row is None:
        there = [one.number for one in versions(connection, name)]
        names = get_close_matches(name, models(connection), n=3, cutoff=0.4) or models(connection)[:5]
        listed = (
            f"its versions: {', '.join(there)}"
            if there
            else f"models: {', '.join(names) or 'none registered yet'}"
        )
        raise UnknownNameError(f"there is no version {number or '?'} of a model {name!r}; {listed}")
    return row


def _version(connection: Connection, row: Row[Any]) -> Version:
    query = select(model_evidence).where(model_evidence.c.version == row.id).order_by(model_evidence.c.seq)
    evidence = tuple(
        Evidence(one.kind, one.content, one.digest, one.seq, one.time, one.actor)
        for one in connection.execute(query)
    )
    return _bare(row, evidence)


def _bare(row: Row[Any], evidence: tuple[Evidence, ...] = ()) -> Version:
    return Version(
        row.name,
        row.number,
        row.checkpoint,
        row.manifest,
        row.stage,
        row.change,
        row.seq,
        row.time,
        row.actor,
        evidence,
    )
