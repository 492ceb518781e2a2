"""There and back through a real Label Studio server; skipped, and said so, where none is named.

Start one (``label-studio start``) and name it with the token of a user:

    export XINGLIN_LABEL_STUDIO_URL=http://127.0.0.1:8080 XINGLIN_LABEL_STUDIO_TOKEN=...
    pytest tests/labels/test_label_studio_server.py
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.labels.rounds import COLD, DATASET, FLU, PNEUMONIA, SCHEME, TEXTS, fill, take
from xinglin.labels.bring_in import bring_in
from xinglin.labels.campaign import Campaign, assign, open_campaign
from xinglin.labels.decide import answer_vote, decide, skip
from xinglin.labels.export import label_studio_file
from xinglin.labels.label_studio import labelling_config, read_tasks
from xinglin.labels.results import Given, results
from xinglin.labels.scheme import Scheme
from xinglin.labels.verify import ModelVote, keep_vote, see_vote
from xinglin.store import Store

URL, TOKEN = os.environ.get("XINGLIN_LABEL_STUDIO_URL"), os.environ.get("XINGLIN_LABEL_STUDIO_TOKEN")
pytestmark = pytest.mark.skipif(
    not (URL and TOKEN), reason="no Label Studio server: set XINGLIN_LABEL_STUDIO_URL and _TOKEN"
)
ASTRAL = "𠮷🤒 发热、咳嗽3天。"
"""Characters of two UTF-16 units before the words that are marked."""


@pytest.fixture
def server() -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Token {TOKEN}"}
    with httpx.Client(base_url=URL or "", headers=headers, timeout=120) as client:
        yield client


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, (answer.status_code, answer.text[:500])
    return answer.json()


@pytest.fixture
def project(server: httpx.Client) -> Iterator[Any]:
    """Makes a project with a scheme's configuration; all are deleted at the end."""
    made = []

    def make(scheme: Scheme) -> int:
        body = {"title": f"xinglin {scheme.name}", "label_config": labelling_config(scheme)}
        made.append(int(ok(server.post("/api/projects", json=body))["id"]))
        return made[-1]

    yield make
    for number in made:
        server.delete(f"/api/projects/{number}")


def exported(server: httpx.Client, project: int) -> bytes:
    answer = server.get(f"/api/projects/{project}/export", params={"exportType": "JSON"})
    assert answer.is_success, answer.text[:500]
    return answer.content


def snapshot(server: httpx.Client, project: int) -> bytes:
    """An export that holds the predictions themselves."""
    body = {"serialization_options": {"predictions": {"only_id": False}}}
    made = ok(server.post(f"/api/projects/{project}/exports", json=body))["id"]
    for _ in range(100):
        if ok(server.get(f"/api/projects/{project}/exports/{made}"))["status"] == "completed":
            break
        time.sleep(0.1)
    answer = server.get(f"/api/projects/{project}/exports/{made}/download", params={"exportType": "JSON"})
    assert answer.is_success, answer.text[:500]
    return answer.content


def campaign(store: Store, name: str, scheme: Scheme, member: str, *, assisted: bool = False) -> Campaign:
    made = open_campaign(
        store,
        name,
        dataset=DATASET,
        scheme=scheme,
        records=[f"r{n}" for n in range(5)],
        lead="lead",
        assisted=assisted,
    )
    assign(store, made, member, "annotator", by="lead")
    return made


def said(one: Given) -> tuple[Any, ...]:
    return one.annotator, one.stage, one.codes, one.spans, one.confidence


@pytest.mark.parametrize("multi", [False, True])
def test_what_goes_into_a_real_server_comes_out_of_it(
    store: Store, server: httpx.Client, project: Any, multi: bool
) -> None:
    whoami = ok(server.get("/api/current-user/whoami"))
    # Its export names people by number; ``--person 1=an`` on the command line says who that is.
    member, people = whoami["email"], {str(whoami["id"]): whoami["email"]}
    scheme = replace(SCHEME, multi=multi)
    fill(store, [ASTRAL, *TEXTS], ["lead", member])
    made = campaign(store, "out", scheme, member, assisted=True)
    start = ASTRAL.index("咳嗽")
    answers: list[Any] = [(FLU, PNEUMONIA), (), (COLD,)] if multi else [PNEUMONIA, FLU, COLD]
    for number, answer in enumerate(answers):
        task = take(store, made, member)
        keep_vote(store, made, task, ModelVote("graph", PNEUMONIA, 0.75, ((0, 1),)))
        spans = [(start, start + 2)] if number == 0 else []
        decide(store, made, task.slot, member, answer, spans=spans, confidence=0.67)
        see_vote(store, made, task.slot, member)
        answer_vote(store, made, task.slot, member, answer)
    task = take(store, made, member)
    skip(store, made, task.slot, member, "unreadable")
    content = label_studio_file(store, made, by="lead")
    number = project(scheme)
    told = ok(server.post(f"/api/projects/{number}/import", json=json.loads(content)))
    assert (told["task_count"], told["annotation_count"]) == (5, 4)
    assert told["prediction_count"] == 3
    direct = read_tasks(exported(server, number), scheme, people=people)
    assert [task.vote for task in direct] == [None] * 4, (
        "predictions by number only, and no task without a label"
    )
    back = {task.record: task for task in read_tasks(snapshot(server, number), scheme, people=people)}
    assert [task.given for task in direct] == [back[task.record].given for task in direct]
    mine = {result.record: result for result in results(store, made, by="lead")}
    assert len(back) >= 4
    for record, result in mine.items():
        if not result.given and record not in back:
            continue
        assert [said(one) for one in back[record].given] == [said(one) for one in result.given]
        vote = back[record].vote
        assert (vote is None) == (result.vote is None)
        if vote is not None and result.vote is not None:
            assert (vote.code, vote.probability, vote.spans) == (PNEUMONIA, 0.75, ((0, 1),))
    assert [ASTRAL[a:b] for a, b in back["r0"].given[0].spans] == ["咳嗽"]
    again = campaign(store, "back", scheme, member)
    taken = bring_in(store, again, list(back.values()), by="lead", source=b"the export")
    assert taken == {"taken": 4, "known": 0, "left": 0}


def test_a_label_made_in_a_real_server_is_brought_in(
    store: Store, server: httpx.Client, project: Any
) -> None:
    whoami = ok(server.get("/api/current-user/whoami"))
    # Its export names people by number; ``--person 1=an`` on the command line says who that is.
    member, people = whoami["email"], {str(whoami["id"]): whoami["email"]}
    fill(store, [ASTRAL, *TEXTS], ["lead", member])
    made = campaign(store, "in", SCHEME, member)
    number = project(SCHEME)
    ok(
        server.post(
            f"/api/projects/{number}/import", json=json.loads(label_studio_file(store, made, by="lead"))
        )
    )
    tasks = ok(server.get("/api/tasks", params={"project": number, "fields": "all"}))["tasks"]
    (first,) = (task for task in tasks if task["data"]["record"] == "r0")
    start = ASTRAL.index("发热")
    result = [
        {"from_name": "code", "to_name": "text", "type": "choices", "value": {"choices": ["icd10-who:J11"]}},
        {
            "from_name": "spans", "to_name": "text", "type": "labels",
            "value": {"start": start, "end": start + 2, "text": "发热", "labels": ["evidence"]},
        },
        {"from_name": "confidence", "to_name": "text", "type": "number", "value": {"number": 1}},
    ]  # fmt: skip
    ok(server.post(f"/api/tasks/{first['id']}/annotations", json={"result": result, "lead_time": 3.5}))
    content = exported(server, number)
    found = read_tasks(content, SCHEME, people=people)
    assert bring_in(store, made, found, by="lead", source=content)["taken"] == 1
    (one,) = results(store, made, by="lead")[0].given
    assert (one.codes, one.confidence, one.seconds) == ((FLU,), 1.0, 3.5)
    assert [ASTRAL[a:b] for a, b in one.spans] == ["发热"]
