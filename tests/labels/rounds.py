"""A data set with records, grants and people, as the tests of annotation rounds need it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import insert

from xinglin.labels.assign import Task, claim, fetch, mark_opened
from xinglin.labels.campaign import Campaign, Role, Stage, assign, open_campaign
from xinglin.labels.decide import Outcome, decide
from xinglin.labels.scheme import Scheme, SchemeClass
from xinglin.ledger.grants import give_consent, grant
from xinglin.records.archive import Encoded, create_dataset, keep
from xinglin.store import Store
from xinglin.store.tables import intake_runs
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
    with store.write() as connection:
        found = create_dataset(connection, dataset, by="test")
        row = dict.fromkeys(("taken", "stored", "changed", "known", "erased", "quarantined"), 0)
        words = {"source": "test", "form": "jsonl", "settings": "", "actor": "test", "started": ""}
        run = connection.execute(insert(intake_runs).values(dataset=found.id, **words, **row))
        assert run.inserted_primary_key is not None
        keep(connection, found, run.inserted_primary_key[0], [Encoded.of(record) for record in records])
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
