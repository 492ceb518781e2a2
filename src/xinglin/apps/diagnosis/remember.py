"""Every durable act of the diagnosis app, each with its ledger entry in the same transaction."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, select, update

from xinglin.apps.diagnosis.traffic import count
from xinglin.apps.diagnosis.wording import model_line
from xinglin.errors import UnknownNameError
from xinglin.explain.basis import CaseExplanation
from xinglin.explain.basis import as_json as explained_json
from xinglin.explain.cohort import Cohort
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.keys import digest, keyed_digest, new_salt
from xinglin.store.tables import cases, feedback
from xinglin.store.tables_ledger import salts
from xinglin.terms.codes import XINGLIN
from xinglin.types import Code

_KEEP_SALT = insert(salts)


def now() -> str:
    """Return the time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def encode_answer(answer: Mapping[str, Any]) -> bytes:
    """Return an answer's JSON, keys in the order of rendering: what is sent and what the ledger digests."""
    return orjson.dumps(answer)


def remember_prediction(
    store: Store, text: str, answer: Mapping[str, Any], *, actor: str, encoded: bytes | None = None
) -> str:
    """Append a prediction to the ledger: an HMAC of the input, the model and the triage; no text is kept.

    It is counted into the day's distribution of answers as well (:mod:`.traffic`).

    Args:
        store: where.
        text: the input.
        answer: rendered answer.
        actor: who asked.
        encoded: ``encode_answer(answer)``, when the caller has it already.

    Returns:
        The subject: the HMAC under a fresh salt, which the store keeps until it is erased.
    """
    entry = _Prediction.of(text, answer, encoded or encode_answer(answer))
    with store.write() as connection:
        entry.keep(connection, "prediction", actor)
        count(connection, text, answer)
    return entry.subject


def remember_explanation(store: Store, explanation: CaseExplanation, *, actor: str) -> str:
    """Append an explanation to the ledger: HMACs of the note and of the explanation, the model; no text is kept.

    Returns:
        The subject: the HMAC under a fresh salt, which the store keeps until it is erased.
    """
    salt = new_salt()
    subject = keyed_digest(salt, explanation.text.encode())
    attribution, faithfulness = explanation.attribution, explanation.faithfulness
    versions = explanation.versions
    detail = {
        "model": {"engine": versions.engine, "pack": versions.pack, "encoder": versions.model_id},
        "target": {"system": explanation.target.system, "value": explanation.target.code},
        "method": attribution.method if attribution else None,
        "failed": list(faithfulness.failed) if faithfulness else None,
        "explanation": keyed_digest(salt, digest(orjson.dumps(explained_json(explanation))).encode()),
    }
    with store.write() as connection:
        connection.execute(_KEEP_SALT, {"subject": subject, "salt": salt})
        append(connection, "explain", actor=actor, subjects=(subject,), detail=detail)
    return subject


def remember_cohort(store: Store, cohort: Cohort, *, actor: str) -> str:
    """Append the explanation of a data set to the ledger; as :func:`remember_explanation` otherwise.

    Returns:
        The subject: the HMAC of the data set's digest under a fresh salt.
    """
    salt = new_salt()
    subject = keyed_digest(salt, cohort.digest.encode())
    versions, trust = cohort.versions, cohort.trust
    detail = {
        "model": {"engine": versions.engine, "pack": versions.pack, "encoder": versions.model_id},
        "cases": cohort.overview.cases,
        "method": cohort.method,
        "failed": [check.name for check in trust.checks if check.failed] if trust else None,
    }
    with store.write() as connection:
        connection.execute(_KEEP_SALT, {"subject": subject, "salt": salt})
        append(connection, "explain.data", actor=actor, subjects=(subject,), detail=detail)
    return subject


@dataclass(frozen=True, slots=True)
class _Prediction:
    """What the store and the ledger keep of a prediction; made before the transaction, so that it is short."""

    subject: str
    salt: str
    detail: dict[str, Any]

    @staticmethod
    def of(text: str, answer: Mapping[str, Any], encoded: bytes) -> _Prediction:
        salt = new_salt()
        # The weights of a join depend on how much was read and said: they stay out.
        detail = {
            "model": {key: value for key, value in answer["model"].items() if key != "weights"},
            "triage": answer["triage_level"],
            "abstained": answer["abstained"],
            "answer": keyed_digest(salt, digest(encoded).encode()),
        }
        return _Prediction(keyed_digest(salt, text.encode()), salt, detail)

    def keep(self, connection: Connection, action: str, actor: str) -> None:
        connection.execute(_KEEP_SALT, {"subject": self.subject, "salt": self.salt})
        append(connection, action, actor=actor, subjects=(self.subject,), detail=self.detail)


def save_case(
    store: Store,
    *,
    text: str,
    answer: Mapping[str, Any],
    note: str,
    lang: str,
    actor: str,
    case: str | None = None,
) -> str:
    """Keep a case (text, answer, note) in the store; returns its id.

    Args:
        store: where.
        text: the case's text as typed.
        answer: rendered answer.
        note: the note as edited.
        lang: language of answer and note.
        actor: user.
        case: id of a case to replace; ``None`` makes a new one.

    Raises:
        UnknownNameError: the case to replace does not exist or belongs to someone else.
    """
    title = (text.strip().splitlines() or [""])[0][:60]
    entry = _Prediction.of(text, answer, encode_answer(answer))
    with store.write() as connection:
        entry.keep(connection, "case.save", actor)
        values = {
            "time": now(),
            "title": title,
            "lang": lang,
            "text": text,
            "patient": answer["patient"],
            "answer": dict(answer),
            "note": note,
            "model": model_line(answer["model"]),
            "subject": entry.subject,
        }
        if case is None:
            case = secrets.token_hex(8)
            connection.execute(insert(cases).values(id=case, owner=actor, **values))
        else:
            _own(connection, case, actor)
            connection.execute(update(cases).where(cases.c.id == case).values(**values))
    return case


def list_cases(store: Store, actor: str, limit: int = 200) -> list[dict[str, Any]]:
    """Return a user's cases, newest first, without their texts."""
    columns = (cases.c.id, cases.c.time, cases.c.title, cases.c.answer, cases.c.confirmed_display)
    with store.read() as connection:
        rows = connection.execute(
            select(*columns).where(cases.c.owner == actor).order_by(cases.c.time.desc()).limit(limit)
        ).all()
    return [
        {
            "id": row.id,
            "time": row.time,
            "title": row.title,
            "triage": row.answer["triage"],
            "triage_level": row.answer["triage_level"],
            "top": row.answer["candidates"][0]["code"]["display"] if row.answer["candidates"] else None,
            "confirmed": row.confirmed_display,
        }
        for row in rows
    ]


def read_case(store: Store, case: str, actor: str) -> dict[str, Any]:
    """Return one whole case.

    Raises:
        UnknownNameError: it does not exist or belongs to someone else.
    """
    with store.read() as connection:
        row = connection.execute(
            select(cases).where(cases.c.id == case, cases.c.owner == actor)
        ).one_or_none()
    if row is None:
        raise UnknownNameError(f"there is no case {case!r} of {actor}")
    return dict(row._mapping)


def confirm_case(store: Store, case: str, code: Code, *, actor: str) -> None:
    """Return the confirmed diagnosis of a case as a label.

    Raises:
        UnknownNameError: the case does not exist or belongs to someone else.
    """
    with store.write() as connection:
        subject = _own(connection, case, actor)
        connection.execute(
            update(cases)
            .where(cases.c.id == case)
            .values(
                confirmed_system=code.system,
                confirmed_code=code.value,
                confirmed_display=code.display,
                confirmed_time=now(),
                confirmed_by=actor,
            )
        )
        append(
            connection,
            "case.confirm",
            actor=actor,
            subjects=(subject,),
            detail={"system": code.system, "code": code.value},
        )


def erase_case(store: Store, case: str, *, actor: str) -> None:
    """Delete a case and its salt: the ledger keeps an entry that no longer leads to anyone.

    Raises:
        UnknownNameError: the case does not exist or belongs to someone else.
    """
    with store.write() as connection:
        subject = _own(connection, case, actor)
        connection.execute(delete(cases).where(cases.c.id == case))
        connection.execute(delete(salts).where(salts.c.subject == subject))
        append(connection, "case.erase", actor=actor, subjects=(subject,))


def confirmed_cases(store: Store, actor: str) -> list[dict[str, Any]]:
    """Return a user's confirmed cases (text, patient, answers, disease): what ``xinglin calibrate`` reads."""
    with store.read() as connection:
        rows = connection.execute(
            select(cases)
            .where(cases.c.owner == actor, cases.c.confirmed_code.is_not(None))
            .order_by(cases.c.time, cases.c.id)
        ).all()
    return [
        {
            "id": row.id,
            "text": row.text,
            "patient": row.patient,
            "answers": {
                item["code"]["value"]: item["state"]
                for item in row.answer["findings"]
                if item["origin"] in ("answer", "record") and item["code"]["system"] == XINGLIN
            },
            "disease": {
                "system": row.confirmed_system,
                "value": row.confirmed_code,
                "display": row.confirmed_display,
            },
        }
        for row in rows
    ]


def remember_feedback(
    store: Store, *, service: str, card: str, outcome: str, content: Mapping[str, Any], actor: str
) -> None:
    """Keep CDS Hooks feedback on one card."""
    with store.write() as connection:
        connection.execute(
            insert(feedback).values(
                time=now(), service=service, card=card, outcome=outcome, content=dict(content)
            )
        )
        append(
            connection,
            "cds.feedback",
            actor=actor,
            detail={"service": service, "card": card, "outcome": outcome},
        )


def _own(connection: Connection, case: str, actor: str) -> str:
    subject = connection.execute(
        select(cases.c.subject).where(cases.c.id == case, cases.c.owner == actor)
    ).scalar()
    if subject is None:
        raise UnknownNameError(f"there is no case {case!r} of {actor}")
    return str(subject)
