"""What leaves a campaign, for its lead: labels as JSON lines, or everything as Label Studio tasks."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from xinglin.labels.answer import Answer
from xinglin.labels.audit import evidence
from xinglin.labels.campaign import PURPOSE, STAGES, Campaign
from xinglin.labels.label_studio import StudioTask, write_tasks
from xinglin.labels.results import results
from xinglin.labels.verify import ModelVote
from xinglin.ledger import append
from xinglin.ledger.subjects import find_dataset
from xinglin.records.archive import read, read_one
from xinglin.store import Store
from xinglin.store.keys import digest
from xinglin.store.tables import campaign_items
from xinglin.store.tables import records as archive


def labels_file(store: Store, campaign: Campaign, *, by: str) -> bytes:
    """Return one JSON line a record: its settled codes, the model's vote, and every label with who gave it at which stage.

    Raises:
        NotPermittedError: ``by`` is not the lead.
    """
    lines = [
        json.dumps(
            {
                "record": result.record,
                "audit": result.audit,
                "state": result.state,
                "codes": _codes(result.final),
                "vote": None if result.vote is None else _vote(result.vote),
                "labels": [
                    {
                        "annotator": one.annotator,
                        "stage": one.stage,
                        "round": STAGES.index(one.stage),
                        "codes": _codes(one.codes),
                        "blind": _codes(one.blind),
                        "confidence": one.confidence,
                        "spans": [list(span) for span in one.spans],
                        "marked": [list(span) for span in one.marked],
                        "reason": one.reason,
                        "seconds": one.seconds,
                        "time": one.time,
                    }
                    for one in result.given
                ],
            },
            ensure_ascii=False,
        )
        for result in results(store, campaign, by=by)
    ]
    return _exported(store, campaign, "jsonl", "".join(f"{line}\n" for line in lines), by)


def label_studio_file(store: Store, campaign: Campaign, *, by: str) -> bytes:
    """Return every record with its text, labels and the model's vote as Label Studio tasks.

    The records are read from the archive for annotation in the lead's name; one that may no longer be read is left
    out.

    Raises:
        NotPermittedError: ``by`` is not the lead, or has no grant for annotation.
    """
    found = results(store, campaign, by=by)
    texts = _texts(store, campaign, by)
    tasks = [
        StudioTask(result.record, texts[result.record], result.audit, result.given, result.vote, result.final)
        for result in found
        if result.record in texts and result.state != "withdrawn"
    ]
    return _exported(store, campaign, "label-studio", write_tasks(tasks), by)


def evidence_files(store: Store, campaign: Campaign, *, by: str) -> dict[str, bytes]:
    """Return the audit's evidence by file name, as ``xinglin labels certify`` reads it.

    Raises:
        NotPermittedError: ``by`` is not the lead.
    """
    found = evidence(store, campaign, by=by)
    rows: dict[str, list[dict[str, Any]]] = {
        "labels.jsonl": [{"item": item, "label": label} for item, label in found.labels.items()],
        "readings.jsonl": [asdict(reading) for reading in found.readings],
        "annotators.jsonl": [
            {"item": item, "annotator": who}
            for item, people in found.annotators.items()
            for who in sorted(people)
        ],
    }
    files = {
        name: "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        for name, lines in rows.items()
    }
    return {name: _exported(store, campaign, f"evidence {name}", text, by) for name, text in files.items()}


def _texts(store: Store, campaign: Campaign, by: str) -> dict[str, str]:
    """Texts of the versions that were labelled; the latest ones are read in one go."""
    items = campaign_items.c
    with store.read() as connection:
        dataset = find_dataset(connection, campaign.dataset)
        rows = connection.execute(
            select(items.record, items.version, archive.c.version.label("latest"))
            .join(
                archive,
                (archive.c.key == items.key) & (archive.c.dataset == dataset.id) & archive.c.latest.is_(True),
            )
            .where(items.campaign == campaign.id, ~items.audit)
        ).all()
    latest = {row.record for row in rows if row.version == row.latest}
    texts = {
        record.id: record.text
        for record in read(store, campaign.dataset, purpose=PURPOSE, actor=by)
        if record.id in latest
    }
    for row in rows:
        if row.version != row.latest:
            older = read_one(
                store, campaign.dataset, row.record, purpose=PURPOSE, actor=by, version=row.version
            )
            texts[row.record] = older.text
    return texts


def _exported(store: Store, campaign: Campaign, form: str, content: str, by: str) -> bytes:
    data = content.encode()
    with store.write() as connection:
        append(
            connection,
            "annotation.export",
            actor=by,
            subjects=(digest(data),),
            detail={"campaign": campaign.id, "form": form, "bytes": len(data)},
        )
    return data


def _vote(vote: ModelVote) -> dict[str, Any]:
    return {
        "model": vote.model,
        "codes": _codes(None if vote.code is None else (vote.code,)),
        "probability": vote.probability,
        "spans": [list(span) for span in vote.spans],
    }


def _codes(answer: Answer | None) -> list[dict[str, str]] | None:
    if answer is None:
        return None
    return [{"system": code.system, "code": code.value, "display": code.display} for code in answer]
