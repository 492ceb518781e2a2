"""How answers are read, and how whoever keeps the tables falsifies them: every digest and hash in reach is mended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._trace_mlflow import Logged
from benchmarks._trace_world import MODEL, World, call

Ours = tuple[Callable[[World], str], Callable[[World], None]]
Theirs = tuple[Callable[[World, Logged], str], Callable[[World, Logged], None]]


def rows(world: World, statement: str, *values: object) -> list[Any]:
    with sqlite3.connect(world.folder / "home" / "xinglin.db") as raw:
        return raw.execute(statement, values).fetchall()


def entries(world: World, action: str) -> list[dict[str, Any]]:
    """The entries of one action, as ``xinglin audit list`` prints them."""
    told = (json.loads(line) for line in call("audit", "list", "--last", "100000").splitlines())
    return [one for one in told if one["action"] == action]


def shown(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call("model", "show", f"{MODEL}@1.0.0", "--json"))
    return found


def proof(world: World, kind: str, number: str = "1.0.0") -> list[dict[str, Any]]:
    found = json.loads(call("model", "show", f"{MODEL}@{number}", "--json"))["evidence"]
    return [one["content"] for one in found if one["kind"] == kind]


def rechained(world: World) -> None:
    """Compute every hash of the chain anew, and the head: what remains is the signature kept elsewhere."""
    from xinglin.ledger.chain import GENESIS, entry_hash

    with sqlite3.connect(world.folder / "home" / "xinglin.db") as raw:
        found = raw.execute(
            "SELECT rowid, time, actor, action, subjects, detail FROM ledger ORDER BY seq"
        ).fetchall()
        previous = GENESIS
        raw.execute("UPDATE ledger SET hash = 'x' || seq")
        for seq, (row, time, actor, action, subjects, detail) in enumerate(found, start=1):
            hash_ = entry_hash(seq, previous, time, actor, action, json.loads(subjects), json.loads(detail))
            raw.execute(
                "UPDATE ledger SET seq = ?, previous = ?, hash = ? WHERE rowid = ?",
                (seq, previous, hash_, row),
            )
            previous = hash_
        raw.execute("UPDATE ledger_head SET seq = ?, hash = ?", (len(found), previous))


def entry(action: str, old: str, new: str) -> Callable[[World], None]:
    """Falsify what the entries of an action say."""

    def forge(world: World) -> None:
        for column in ("detail", "actor", "time"):
            rows(
                world,
                f"UPDATE ledger SET {column} = replace({column}, ?, ?) WHERE action = ?",
                old,
                new,
                action,
            )
        rechained(world)

    return forge


def manifest(old: str, new: str, name: str = MODEL) -> Callable[[World], None]:
    """Falsify a registered manifest, with its digest in the chain."""

    def forge(world: World) -> None:
        from xinglin.release.registry.record import manifest_digest

        for seq, text in rows(world, "SELECT seq, manifest FROM model_versions WHERE name = ?", name):
            changed = json.loads(text.replace(old, new))
            rows(world, "UPDATE model_versions SET manifest = ? WHERE seq = ?", json.dumps(changed), seq)
            before = manifest_digest(json.loads(text))
            rows(
                world,
                "UPDATE ledger SET subjects = replace(subjects, ?, ?)",
                before,
                manifest_digest(changed),
            )
        rechained(world)

    return forge


def content(kind: str, old: str, new: str) -> Callable[[World], None]:
    """Falsify evidence, with its digest in the table and in the chain."""

    def forge(world: World) -> None:
        from xinglin.release.registry.record import canonical
        from xinglin.store.keys import digest

        for row, text, before in rows(
            world, "SELECT id, content, digest FROM model_evidence WHERE kind = ?", kind
        ):
            changed = json.loads(text.replace(old, new))
            after = digest(canonical(changed))
            rows(
                world,
                "UPDATE model_evidence SET content = ?, digest = ? WHERE id = ?",
                json.dumps(changed),
                after,
                row,
            )
            rows(world, "UPDATE ledger SET subjects = replace(subjects, ?, ?)", before, after)
        rechained(world)

    return forge


def removed(action: str, kind: str | None = None) -> Callable[[World], None]:
    """Take entries out of the chain, and what they recorded out of the registry."""

    def forge(world: World) -> None:
        if kind is None:
            rows(world, "DELETE FROM ledger WHERE action = ?", action)
        else:
            rows(
                world,
                "DELETE FROM ledger WHERE seq IN (SELECT seq FROM model_evidence WHERE kind = ?)",
                kind,
            )
            rows(world, "DELETE FROM model_evidence WHERE kind = ?", kind)
        rechained(world)

    return forge


def flipped(path: Path) -> None:
    bytes_ = bytearray(path.read_bytes())
    bytes_[-20] ^= 1
    path.write_bytes(bytes_)


def tag(name: str, new: str, run: str = "first") -> Theirs:
    """An answer that stands in a tag."""

    def forge(_world: World, logged: Logged) -> None:
        logged.forge(
            "UPDATE tags SET value = ? WHERE key = ? AND run_uuid = ?", new, name, getattr(logged, run)
        )

    return (lambda _world, logged: logged.tag(name, getattr(logged, run))), forge


def metric(name: str, new: float) -> Theirs:
    def forge(_world: World, logged: Logged) -> None:
        for table in ("metrics", "latest_metrics"):
            logged.forge(
                f"UPDATE {table} SET value = ? WHERE key = ? AND run_uuid = ?", new, name, logged.first
            )

    return (lambda _world, logged: str(logged.client.get_run(logged.first).data.metrics[name])), forge


def file(name: str, read: Callable[[Any], str], old: str, new: str) -> Theirs:
    """An answer that stands in a logged file."""

    def path(logged: Logged) -> Path:
        return logged.artifacts / logged.first / "artifacts" / name

    def forge(_world: World, logged: Logged) -> None:
        text = path(logged).read_text(encoding="utf-8")
        if old not in text:
            raise RuntimeError(f"nothing to forge in {name}")
        path(logged).write_text(text.replace(old, new), encoding="utf-8")

    return (lambda _world, logged: read(json.loads(path(logged).read_text(encoding="utf-8")))), forge
