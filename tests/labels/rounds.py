"""A data set with records, grants and people, as the tests of annotation rounds need it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

from xinglin.labels.assign import Task, claim, fetch, mark_opened
from xinglin.labels.campaign import Campaign, Role, Stage, assign, open_campaign
from xinglin.labels.decide import Outcome, decide
from xinglin.labels.scheme import Scheme, SchemeClass
from xinglin.ledger.grants import give_consent, grant
from xinglin.records.codec import record_to_json
from xinglin.records.readers.jsonl import JsonLines
from xinglin.records.run import intake
from xinglin.store import Store
from xinglin.store.tables import campaign_decisions, campaign_items
from xinglin.types import Code, Record

COLD = Code("icd10-who", "J00", "急性鼻咽炎")
FLU = Code("icd10-who", "J11", "流行性感冒")
PNEUMONIA = Code("icd10-who", "J18", "肺炎")
CODES = (COLD, FLU, PNEUMONIA)
SCHEME = Scheme("respiratory", tuple(SchemeClass(code, zh=code.display) for code in CODES))
DATASET = "fever-clinic"
TEXTS = (
    "流涕、咽痛2天,无发热。",
    "高热39.5℃,全身酸痛1天。",
    "咳嗽、咳黄痰5天,右下肺湿啰音。",
    "鼻塞、打喷嚏3天。",
)


def fill(store: Store, texts: Sequence[str], people: Iterable[str], dataset: str = DATASET) -> list[str]:
    """Store one record a text, each of its own subject, and let people annotate them; returns the ids."""
    records = [Record(f"r{n}", subject=f"p{n}", text=text) for n, text in enumerate(texts)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        path.write_text(
            "".join(json.dumps(record_to_json(record), ensure_ascii=False) + "\n" for record in records),
            encoding="utf-8",
        )
        run = intake(store, JsonLines(path, stored=True), dataset=dataset, form="stored", actor="test")
    assert run.stored == len(records)
    with store.write() as connection:
        give_consent(connection, dataset, subject=None, purpose="annotation", basis="ethics 1", by="test")
        for person in people:
            grant(connection, dataset, grantee=person, purpose="annotation", by="test")
    return [record.id for record in records]


PEOPLE: dict[str, Role] = {
    "an": "annotator",
    "bo": "annotator",
    "chen": "arbiter",
    "deng": "auditor",
    "fu": "auditor",
    "gao": "arbiter",
}


def campaign_of(
    store: Store, texts: Sequence[str] = TEXTS, *, assisted: bool = False, lease: float = 900.0
) -> Campaign:
    """A campaign led by *lead*, with two annotators, two arbiters and two auditors."""
    ids = fill(store, texts, ["lead", *PEOPLE])
    made = open_campaign(
        store,
        "fever",
        dataset=DATASET,
        scheme=SCHEME,
        records=ids,
        lead="lead",
        lease=lease,
        assisted=assisted,
    )
    for person, role in PEOPLE.items():
        assign(store, made, person, role, by="lead")
    return made


def take(
    store: Store, campaign: Campaign, user: str, stage: Stage = "annotation", now: float | None = None
) -> Task:
    """Claim, fetch and open the next case."""
    held = claim(store, campaign, user, stage, now=now)
    assert held, f"nothing left for {user} in {stage}"
    task = fetch(store, campaign, held[0], user)
    mark_opened(store, campaign, task, user, now=now)
    return task


def label(
    store: Store, campaign: Campaign, user: str, code: Code, stage: Stage = "annotation"
) -> tuple[Task, Outcome]:
    """Take the next case and give it a code."""
    task = take(store, campaign, user, stage)
    return task, decide(store, campaign, task.slot, user, code)


def states(store: Store, *, audit: bool = False) -> list[str]:
    with store.read() as connection:
        rows = connection.execute(
            select(campaign_items.c.state)
            .where(campaign_items.c.audit == audit)
            .order_by(campaign_items.c.position)
        )
        return list(rows.scalars())


def finals(store: Store) -> list[str | None]:
    with store.read() as connection:
        return list(
            connection.execute(
                select(campaign_items.c.final_value)
                .where(~campaign_items.c.audit)
                .order_by(campaign_items.c.position)
            ).scalars()
        )


def decisions(store: Store) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(select(campaign_decisions).order_by(campaign_decisions.c.id)).all())
