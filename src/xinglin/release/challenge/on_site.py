"""A hospital scores a model at home and gives away signed figures alone.

The report holds the figure with n and interval, those of subgroups that are large enough, the model's digest and a
commitment to the data (HMAC under a salt that stays at home): so the hospital can show later, to whom it chooses, which
data it scored. No text, no id, no single answer leaves. The board takes a report whose signature is by a key that the
manifest names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError
from xinglin.ledger import append
from xinglin.ledger.signature import check_signature, public_key, sign
from xinglin.measure import Figure
from xinglin.release.challenge.board import SMALL, figures_of, interval, subgroups
from xinglin.release.challenge.manifest import Manifest
from xinglin.release.challenge.metrics import METRICS
from xinglin.release.challenge.parts import Case, cases_bytes, commitment_of
from xinglin.release.challenge.predictions import Predictions
from xinglin.release.challenge.record import find
from xinglin.store import Store
from xinglin.store.keys import canonical_json, digest
from xinglin.store.tables_challenge import challenge_entries, challenge_sites

KIND, CONTEXT = "xinglin-challenge-on-site-1", "challenge-on-site"
FIELDS = {
    *(
        "kind",
        "challenge",
        "manifest",
        "site",
        "model",
        "data",
        "metric",
        "n",
        "value",
        "low",
        "high",
        "groups",
    ),
    *("barriers", "time"),
}
NUMBERS = {"value", "low", "high"}
MAX_GROUPS = 200


def score_on_site(
    manifest: Manifest,
    cases: Sequence[Case],
    predictions: Predictions,
    *,
    model: str,
    salt: str,
    key: Path,
    now: datetime,
    barriers: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the signed report, as JSON values: all that leaves.

    Args:
        manifest: of the challenge.
        cases: the hospital's own, labelled.
        predictions: the model's answers to them.
        model: digest of the model's files.
        salt: of the data's commitment, 64 hexadecimal digits; to be kept at home.
        key: file of the hospital's private key (Ed25519).
        now: the present moment.
        barriers: what confined the model.

    Raises:
        InvalidInputError: fewer than ``board.SMALL`` cases, or the key is none that the manifest names.
        ConfigurationError, MissingDataError, MissingExtraError: as ``ledger.signature.sign``.
    """
    if len(cases) < SMALL:
        raise InvalidInputError(
            f"expected at least {SMALL} cases: a figure of fewer could tell of single patients"
        )
    mine = public_key(key)
    site = next((one.name for one in manifest.sites if one.public_key == mine), None)
    if site is None:
        raise InvalidInputError(
            f"{manifest.name}: its manifest names no site with the key {mine[:16]}…: send the organiser your "
            "public key first"
        )
    metric = METRICS[manifest.metric]
    if metric.needs_probabilities and predictions.bare:
        raise InvalidInputError(f"{metric.name} scores probabilities, got bare labels")
    groups = subgroups(metric, predictions, cases)
    body = {
        "kind": KIND,
        "challenge": manifest.name,
        "manifest": manifest.digest,
        "site": site,
        "model": model,
        "data": commitment_of(manifest.name, "labels", cases_bytes(cases), salt),
        "metric": metric.name,
        **_told(interval(figures_of(metric, predictions, cases))),
        "groups": {name: None if figure is None else _told(figure) for name, figure in groups.items()},
        "barriers": list(barriers),
        "time": now.astimezone(UTC).isoformat(timespec="seconds"),
    }
    return body | {"signature": sign(digest(canonical_json(body)), key, CONTEXT)}


def check_report(report: Any, manifest: Manifest) -> dict[str, Any]:
    """Check a report's form and its signature; return what it says, without the signature.

    Raises:
        InvalidInputError: not a report of this challenge, a figure out of its range, or not signed by the site's key.
    """
    if not isinstance(report, dict) or set(report) != FIELDS | {"signature"} or report["kind"] != KIND:
        raise InvalidInputError(f"expected a report of kind {KIND}")
    body = {name: report[name] for name in FIELDS}
    expected = {"challenge": manifest.name, "manifest": manifest.digest, "metric": manifest.metric}
    wrong = [name for name, value in expected.items() if body[name] != value]
    if wrong:
        raise InvalidInputError(
            f"report: {', '.join(wrong)}: it is of another challenge or of another version of it"
        )
    site = next((one for one in manifest.sites if one.name == body["site"]), None)
    if site is None:
        raise InvalidInputError("report: its site is none that the manifest names")
    check_signature(report["signature"], digest(canonical_json(body)), CONTEXT, site.public_key)
    groups = body["groups"]
    if not isinstance(groups, dict) or len(groups) > MAX_GROUPS:
        raise InvalidInputError(f"report: at most {MAX_GROUPS} subgroups")
    for figure in (body, *(one for one in groups.values() if one is not None)):
        _check_figure(figure)
    for name in ("model", "data"):
        if not isinstance(body[name], str) or len(body[name]) != 64:
            raise InvalidInputError(f"report: {name}: expected a SHA-256")
    return body


def accept_report(store: Store, name: str, report: Any, *, by: str, now: datetime) -> dict[str, Any]:
    """Take a hospital's report of a model that was entered.

    Raises:
        InvalidInputError: as :func:`check_report`.
        NotPermittedError: the model was not entered.
        ConflictError: the report is there already, or the challenge has not opened.
    """
    with store.write() as connection:
        challenge = find(connection, name, lock=True)
        if challenge.phase(now) == "coming":
            raise ConflictError(f"{name}: it opens at {challenge.manifest.opens}")
        body = check_report(report, challenge.manifest)
        query = select(challenge_entries.c.id).where(
            challenge_entries.c.challenge == name, challenge_entries.c.model == body["model"]
        )
        if connection.execute(query).first() is None:
            raise NotPermittedError(f"{name}: no entry has the model {body['model'][:16]}…")
        what = digest(canonical_json(body))
        there = select(challenge_sites.c.id).where(
            challenge_sites.c.challenge == name, challenge_sites.c.digest == what
        )
        if connection.execute(there).first() is not None:
            raise ConflictError(f"{name}: this report is there already")
        entry = append(
            connection,
            "challenge.site",
            actor=by,
            subjects=(what, body["model"], body["data"]),
            detail={"challenge": name, "site": body["site"]},
        )
        connection.execute(
            insert(challenge_sites).values(
                challenge=name,
                site=body["site"],
                model=body["model"],
                report=dict(report),
                digest=what,
                seq=entry.seq,
            )
        )
    return body


def _told(figure: Figure) -> dict[str, float]:
    told: dict[str, float] = figure.as_json() | {"n": figure.n}
    return told


def _check_figure(figure: Any) -> None:
    sound = isinstance(figure, Mapping) and all(
        isinstance(figure.get(name), int | float) and not isinstance(figure.get(name), bool)
        for name in NUMBERS
    )
    if not sound or not isinstance(figure.get("n"), int) or figure["n"] < SMALL:
        raise InvalidInputError(f"report: expected value, low, high and n >= {SMALL}")
    if not 0 <= figure["low"] <= figure["high"] < 100 or not 0 <= figure["value"] < 100:
        raise InvalidInputError("report: figures out of their range")
