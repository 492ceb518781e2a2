"""An answer as a decision about a person: handed to a clinician where the person wishes, and accounted for afterwards.

PIPL Art. 24: who is subject to a decision made solely by automated means, with a major influence on their rights, may
refuse it and may have it explained. A refusal (``ledger.automated``) turns an answer into advice to a clinician: the level
of triage does not stand alone, while red flags stay in sight, since hiding them would harm. An account rests on what is
kept: the case, its entry in the ledger, and the digests that bind the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Text, cast, select

from xinglin.apps.diagnosis.remember import encode_answer, read_case
from xinglin.apps.diagnosis.wording import Lang, model_line
from xinglin.errors import UnknownNameError
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.keys import digest, keyed_digest
from xinglin.store.tables_ledger import ledger, salts

CLINICIAN = "clinician"
"""The level of triage of an answer that a clinician must decide."""
_HANDED = {
    "zh": "须由医师决定:本人拒绝仅由自动化作出的决定(系统仅供参考的提示:{triage})",
    "en": "A clinician must decide: the person refuses decisions made by automation alone "
    "(for the clinician, the system suggests: {triage})",
}
_ANSWERED = ("prediction", "case.save")


def for_clinician(answer: Mapping[str, Any], lang: Lang) -> dict[str, Any]:
    """Return an answer whose level of triage is a clinician's to set; what the system found stays as a suggestion."""
    return {
        **answer,
        "triage": _HANDED[lang].format(triage=answer["triage"]),
        "triage_level": CLINICIAN,
        "suggested_triage_level": answer["triage_level"],
    }


def account(store: Store, case: str, *, actor: str) -> dict[str, Any]:
    """Account for the answer of a kept case: what it was told, by which model, how it weighed, and who decided.

    Args:
        store: where.
        case: its id.
        actor: whose case it is.

    Returns:
        ``entry`` of the ledger; ``intact``: whether text and answer are those that the entry names; ``model``; ``inputs``
        as read; ``weighed``: each candidate with its evidence; ``red_flags`` that set the level whatever was weighed;
        ``decided``: the diagnosis that a clinician confirmed, ``None`` while nobody has. The act stands in the ledger.

    Raises:
        UnknownNameError: no such case of this user, or the ledger has no entry of it.
    """
    row = read_case(store, case, actor)
    answer = row["answer"]
    with store.write() as connection:
        entry = _entry(connection, row["subject"])
        salt = connection.execute(select(salts.c.salt).where(salts.c.subject == row["subject"])).scalar()
        if entry is None or salt is None:
            raise UnknownNameError(f"the ledger has no entry of the answer to case {case!r}")
        intact = {
            "text": keyed_digest(salt, row["text"].encode()) == row["subject"],
            "answer": keyed_digest(salt, digest(encode_answer(answer)).encode()) == entry.detail["answer"],
        }
        append(
            connection,
            "decision.explain",
            actor=actor,
            subjects=(row["subject"],),
            detail={"entry": entry.seq, "intact": all(intact.values())},
        )
    confirmed = None
    if row["confirmed_code"] is not None:
        confirmed = {
            "display": row["confirmed_display"],
            "code": row["confirmed_code"],
            "by": row["confirmed_by"],
            "time": row["confirmed_time"],
        }
    return {
        "case": case,
        "entry": _told(entry),
        "intact": intact,
        "model": model_line(answer["model"]),
        "inputs": {"patient": answer["patient"], "findings": answer["findings"]},
        "triage": answer["triage"],
        "red_flags": answer["red_flags"],
        "weighed": [
            {
                "candidate": item["code"]["display"],
                "level": item.get("level_display", item.get("level")),
                "probability": item["probability"],
                "evidence": item["evidence"],
            }
            for item in answer["candidates"]
        ],
        "abstained": answer["abstained"],
        "reason": answer["reason"],
        "decided": confirmed,
    }


def answers_to(connection: Connection, text: str) -> list[dict[str, Any]]:
    """Return the entries of all answers given to a text, newest first.

    The ledger keeps an HMAC of each text: who brings the text finds the entries, unless the salt has been erased.
    """
    data = text.encode()
    rows: list[tuple[str, str]] = [
        (row.subject, row.salt) for row in connection.execute(select(salts.c.subject, salts.c.salt))
    ]
    mine = [subject for subject, salt in rows if keyed_digest(salt, data) == subject]
    found = [entry for subject in mine if (entry := _entry(connection, subject)) is not None]
    return [_told(entry) for entry in sorted(found, key=lambda one: -one.seq)]


def _entry(connection: Connection, subject: str) -> Any:
    """The newest answer whose subject this is."""
    query = (
        select(ledger)
        .where(ledger.c.action.in_(_ANSWERED), cast(ledger.c.subjects, Text).contains(subject))
        .order_by(ledger.c.seq.desc())
        .limit(1)
    )
    return connection.execute(query).first()


def _told(entry: Any) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "time": entry.time,
        "actor": entry.actor,
        "model": entry.detail["model"],
        "triage": entry.detail["triage"],
        "hash": entry.hash,
    }
