"""Checking a challenge: by whoever keeps it, by an entrant with a receipt, by anybody once it is closed."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from xinglin.errors import ChainBrokenError, InvalidInputError, MissingDataError
from xinglin.ledger import entries, verify
from xinglin.ledger.proofs import check_proof, prove_entry
from xinglin.records.decode import decode_json
from xinglin.release.challenge.board import figures_of
from xinglin.release.challenge.closing import final_rows
from xinglin.release.challenge.ladder import climb
from xinglin.release.challenge.manifest import MAX_BYTES as MANIFEST_BYTES
from xinglin.release.challenge.manifest import Manifest, manifest_from
from xinglin.release.challenge.metrics import METRICS
from xinglin.release.challenge.on_site import check_report
from xinglin.release.challenge.parts import MAX_BYTES, Case, Which, check_opening, join
from xinglin.release.challenge.predictions import Predictions, read_canonical
from xinglin.release.challenge.record import (
    Challenge,
    Entered,
    entries_of,
    find,
    find_entry,
    hidden_cases,
    hidden_part,
    site_reports,
)
from xinglin.store.keys import canonical_json, digest
from xinglin.store.tables_challenge import challenge_entries

RECEIPT = "xinglin-challenge-receipt-1"
FILES: dict[Which, str] = {"inputs": "inputs.jsonl", "labels": "labels.jsonl"}


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked and holds."""

    ledger: int
    """Entries of the chain."""
    entries: int
    """Of the challenge, each scored again."""
    sites: int
    final: bool
    """Whether the board at close was made again, too."""


def verify_challenge(connection: Connection, name: str) -> Verified:
    """Check a challenge in its store: the chain, the commitments, every score told, the board at close.

    Raises:
        ChainBrokenError: something is not as the ledger says, or not as it follows from the entries.
        InvalidInputError: the hidden data do not open their commitments.
    """
    checked = verify(connection)
    challenge = find(connection, name)
    _same(challenge.manifest.digest, _subjects(connection, challenge.seq)[:1], f"{name}: its manifest")
    cases = hidden_cases(connection, challenge)
    kept = entries_of(connection, name)
    for one in kept:
        _same(one.digest, _subjects(connection, one.seq)[:1], f"{name}: entry {one.id}")
    _climb_again(connection, challenge, kept, [case for case in cases if case.part == "board"])
    reports = site_reports(connection, name)
    for report in reports:
        check_report(report, challenge.manifest)
    if challenge.closed and challenge.closed_seq is not None:
        told = [row.as_json() for row in challenge.final]
        named = _subjects(connection, challenge.closed_seq)[1:2]
        _same(digest(canonical_json(told)), named, f"{name}: its final board")
        if told != [row.as_json() for row in final_rows(connection, challenge, cases)]:
            raise ChainBrokenError(f"{name}: the final board does not follow from the entries")
    return Verified(checked, len(kept), len(reports), challenge.closed)


def _climb_again(
    connection: Connection, challenge: Challenge, kept: list[Entered], shown: list[Case]
) -> None:
    """Walk every person's ladder again from the kept predictions."""
    metric = METRICS[challenge.manifest.metric]
    best: dict[str, tuple[Any, float]] = {}
    for one in kept:
        if one.state == "failed":
            continue
        query = select(challenge_entries.c.content).where(challenge_entries.c.id == one.id)
        answers = read_canonical(connection.execute(query).scalar_one())
        _same(answers.digest, (one.digest,), f"{challenge.name}: predictions of entry {one.id}")
        losses = metric.losses(figures_of(metric, answers, shown))
        before, told = best.get(one.entrant, (None, None))
        rung = climb(losses, before, told)
        if rung.accepted != (one.state == "accepted") or not math.isclose(rung.told, one.told["loss"]):
            raise ChainBrokenError(
                f"{challenge.name}: the score told of entry {one.id} does not follow from it"
            )
        if rung.accepted:
            best[one.entrant] = np.asarray(losses), rung.told


def write_opening(connection: Connection, challenge: Challenge, folder: Path) -> None:
    """Write what a closed challenge tells: manifest, hidden questions and labels, salts, the board.

    Raises:
        InvalidInputError: it is not closed.
    """
    if not challenge.closed:
        raise InvalidInputError(f"{challenge.name}: nothing is told before it is closed")
    folder.mkdir(parents=True, exist_ok=True)
    salts = {}
    for which, file in FILES.items():
        salts[which], content = hidden_part(connection, challenge.name, which)
        (folder / file).write_bytes(content)
    for file, told in (
        ("manifest.json", challenge.manifest.as_json()),
        ("salts.json", salts),
        ("board.json", [row.as_json() for row in challenge.final]),
    ):
        (folder / file).write_bytes(canonical_json(told) + b"\n")


def check_files(folder: Path) -> tuple[Manifest, list[Case]]:
    """Check a folder as :func:`write_opening` wrote it, with nothing else at hand.

    Returns:
        The manifest, and the hidden cases that open its commitment.

    Raises:
        MissingDataError: a file lacks.
        InvalidInputError: the files do not open the commitments.
    """
    manifest = manifest_from(decode_json(_read(folder / "manifest.json", MANIFEST_BYTES), "manifest.json"))
    salts = decode_json(_read(folder / "salts.json", 4096), "salts.json")
    if not isinstance(salts, dict) or set(salts) != set(FILES) or not all(map(_text, salts.values())):
        raise InvalidInputError("salts.json: expected inputs and labels, 64 hexadecimal digits each")
    found = {}
    for which, file in FILES.items():
        found[which] = _read(folder / file, MAX_BYTES)
        check_opening(manifest.name, manifest.committed(), which, found[which], salts[which])
    return manifest, join(found["inputs"], found["labels"], manifest.labels)


def receipt(connection: Connection, name: str, number: int) -> dict[str, Any]:
    """Return an entry's receipt: its digest, and the proof that its ledger entry is in a signed head.

    Raises:
        InvalidInputError: no head was signed since it was made (``xinglin audit sign``).
        UnknownNameError: there is no such entry.
    """
    one = find_entry(connection, name, number)
    return {
        "kind": RECEIPT,
        "challenge": name,
        "entry": number,
        "digest": one.digest,
        "proof": prove_entry(connection, one.seq),
    }


def check_receipt(
    told: Any, public_keys: Collection[str], predictions: Predictions | None = None
) -> dict[str, Any]:
    """Check a receipt under the keys that its holder trusts.

    Args:
        told: the receipt.
        public_keys: of the ledger.
        predictions: what was entered, to be compared with; ``None``: only that such an entry is in the ledger.

    Returns:
        What the ledger says of the entry.

    Raises:
        InvalidInputError: not a receipt, or of other predictions.
        ChainBrokenError: its proof proves nothing.
    """
    if not isinstance(told, dict) or told.get("kind") != RECEIPT:
        raise InvalidInputError(f"expected a receipt of kind {RECEIPT}")
    said = check_proof(told.get("proof"), public_keys)
    subjects, detail = said.get("subjects") or [], said.get("detail") or {}
    if (
        said.get("action") != "challenge.enter"
        or told.get("digest") not in subjects[:1]
        or detail.get("challenge") != told.get("challenge")
    ):
        raise InvalidInputError("receipt: its proof is of something else")
    if predictions is not None and predictions.digest != told["digest"]:
        raise InvalidInputError("receipt: it is of other predictions")
    return said


def _subjects(connection: Connection, seq: int) -> tuple[str, ...]:
    found: tuple[str, ...] = next(entries(connection, start=seq, batch=1)).subjects
    return found


def _same(found: str, expected: Collection[str], what: str) -> None:
    if found not in expected:
        raise ChainBrokenError(f"{what}: not what the ledger names: it was changed afterwards")


def _read(path: Path, most: int) -> bytes:
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    if path.stat().st_size > most:
        raise InvalidInputError(f"{path.name}: at most {most} bytes")
    return path.read_bytes()


def _text(value: object) -> bool:
    return isinstance(value, str)
