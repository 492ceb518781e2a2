"""A whole round over HTTP against a real server with logins: same checks and same ledger as the functions beneath."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.labels.rounds import COLD, DATASET, FLU, PEOPLE, PNEUMONIA, SCHEME, TEXTS, fill
from tests.serve.conftest import count, ledger_of, running
from xinglin.apps.diagnosis.differential import Differential
from xinglin.labels.campaign import read_campaign
from xinglin.labels.results import results
from xinglin.labels.scheme import scheme_to_json
from xinglin.serve.access import add_user
from xinglin.serve.app import create_app
from xinglin.store import Store, open_store
from xinglin.types import Code

PASSWORD = "a long password"
API = "/api/labels/campaigns"
Refused = Callable[[httpx.Response], None]


@pytest.fixture(scope="module")
def ward_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('labels') / 'x.db'}")
    for user in ("lead", "stranger", *PEOPLE):
        add_user(store, user, PASSWORD)
    fill(store, TEXTS, ["lead", *PEOPLE])
    yield store
    store.close()


@pytest.fixture(scope="module")
def people(differential: Differential, ward_store: Store) -> Iterator[dict[str, httpx.Client]]:
    """Everybody with a session, the CSRF token in the headers."""
    app = create_app(differential, ward_store, host="0.0.0.0", workbench=False)
    with running(app) as address:
        clients = {}
        for user in ("lead", "stranger", *PEOPLE):
            client = httpx.Client(base_url=address, timeout=30)
            client.post("/login", data={"name": user, "password": PASSWORD})
            client.headers["x-csrf-token"] = client.get("/api/session").json()["csrf"]
            clients[user] = client
        yield clients
        for client in clients.values():
            client.close()


def opened(people: dict[str, httpx.Client], name: str, **more: Any) -> str:
    body = {"name": name, "dataset": DATASET, "scheme": scheme_to_json(SCHEME), **more}
    answer = people["lead"].post(API, json=body)
    assert answer.status_code == 201, answer.text
    made = str(answer.json()["id"])
    for person, role in PEOPLE.items():
        given = people["lead"].post(f"{API}/{made}/roles", json={"user": person, "role": role})
        assert given.status_code == 204
    return f"{API}/{made}"


def good(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, (answer.status_code, answer.text)
    return answer.json()


def next_(client: httpx.Client, at: str, stage: str = "annotation") -> Any:
    return good(client.post(f"{at}/next", json={"stage": stage}))["task"]


def label(client: httpx.Client, at: str, *codes: Code, stage: str = "annotation", **more: Any) -> Any:
    slot = next_(client, at, stage)["slot"]
    given = {"codes": [code.value for code in codes], **more}
    return good(client.post(f"{at}/cases/{slot}/label", json=given))


def test_a_round_from_opening_to_the_audit(people: dict[str, httpx.Client], ward_store: Store) -> None:
    at = opened(people, "round")
    listed = {row["name"]: row for row in good(people["an"].get(API))}
    assert listed["round"]["roles"] == ["annotator"]
    assert listed["round"]["waiting"] == {"annotation": 4}
    assert good(people["an"].get(f"{at}/scheme")) == scheme_to_json(SCHEME)
    assert [row["code"] for row in good(people["an"].get(f"{at}/classes", params={"q": "肺"}))] == ["J18"]
    task = next_(people["an"], at)
    assert task["record"]["text"] == TEXTS[0]
    assert (task["opinions"], task["decided"]) == ([], None)
    assert next_(people["an"], at) == task, "the case that is held comes again"
    before = count(ward_store, "annotation.decide")
    done = label(people["an"], at, COLD, spans=[[0, 2]], confidence=0.67)
    assert (done["kind"], done["vote_waits"]) == ("label", False)
    assert count(ward_store, "annotation.decide") == before + 1
    assert good(people["an"].post(f"{at}/undo"))["slot"] == done["slot"]
    for code in (COLD, FLU, PNEUMONIA, COLD):
        label(people["an"], at, code, confidence=1)
    assert next_(people["an"], at) is None
    for code in (COLD, FLU, PNEUMONIA):
        label(people["bo"], at, code)
    slot = next_(people["bo"], at)["slot"]
    good(people["bo"].post(f"{at}/cases/{slot}/skip", json={"reason": "other", "note": "两种病"}))
    assign_third(people, at)
    arbiter = next_(people["chen"], at, "arbitration")
    assert {opinion["reason"] for opinion in arbiter["opinions"]} >= {"other: 两种病"}
    assert "bo" not in str(arbiter)
    label(people["chen"], at, COLD, stage="arbitration")
    doubt = good(people["lead"].get(f"{at}/second-looks"))
    assert (doubt["records"], doubt["settled"], doubt["reviews"]) == (4, 4, 1)
    look = good(people["lead"].post(f"{at}/second-looks", json={"most": 1, "budget": 0.5}))["opened"]
    assert len(look) == 1
    again = next_(people["gao"], at, "arbitration")
    assert (again["record"]["id"], again["opinions"]) == (look[0], [])
    truth = {"r0": COLD, "r1": FLU, "r2": PNEUMONIA, "r3": COLD}
    label(people["gao"], at, truth[look[0]], stage="arbitration")
    state = good(people["lead"].get(f"{at}/overview"))
    assert state["records"] == {"settled": 4}
    drawn = good(people["lead"].post(f"{at}/audit", json={"size": 2, "seed": "dice"}))
    assert (drawn["drawn"], drawn["population"]) == (2, 4)
    for user in ("deng", "fu"):
        for _ in range(2):
            label(people[user], at, COLD, stage="audit")
    files = good(people["lead"].get(f"{at}/results", params={"form": "evidence"}))
    assert {name: text.count("\n") for name, text in files.items()}["readings.jsonl"] == 4
    lines = people["lead"].get(f"{at}/results").text.splitlines()
    assert len(lines) == 6
    config = people["lead"].get(f"{at}/results", params={"form": "label-studio-config"})
    assert config.headers["content-type"].startswith("application/xml")
    assert people["lead"].post(f"{at}/close").status_code == 204
    actors = {entry.actor for entry in ledger_of(ward_store) if entry.action == "annotation.decide"}
    assert actors >= {"an", "bo", "chen", "gao", "deng", "fu"}


def assign_third(people: dict[str, httpx.Client], at: str) -> None:
    """The case that bo passed on is opened again: the second person who passes it on sends it to the arbiter."""
    given = people["lead"].post(f"{at}/roles", json={"user": "gao", "role": "annotator"})
    assert given.status_code == 204
    slot = next_(people["gao"], at)["slot"]
    good(people["gao"].post(f"{at}/cases/{slot}/skip", json={"reason": "not_covered"}))


def test_the_models_vote_is_seen_after_the_label_and_answered(
    people: dict[str, httpx.Client], ward_store: Store, refused: Refused
) -> None:
    at = opened(people, "assisted", records=["r0"], assisted=True)
    slot = next_(people["an"], at)["slot"]
    early = people["an"].post(f"{at}/cases/{slot}/vote")
    refused(early)
    assert early.status_code == 403
    assert label(people["an"], at, FLU)["vote_waits"] is True
    unseen = people["an"].post(f"{at}/cases/{slot}/answer", json={"codes": ["J00"]})
    refused(unseen)
    assert "look at the model's vote" in unseen.json()["detail"]
    assert next_(people["an"], at)["decided"][0]["code"] == "J11"
    vote = good(people["an"].post(f"{at}/cases/{slot}/vote"))
    assert vote["code"]["code"] == "J00"
    assert [TEXTS[0][start:end] for start, end in vote["spans"]] == ["流涕", "咽痛"]
    done = good(people["an"].post(f"{at}/cases/{slot}/answer", json={"codes": ["急性鼻咽炎"]}))
    assert done["kind"] == "reconsider"
    (found,) = results(ward_store, read_campaign(ward_store, "assisted"), by="lead")
    assert [(one.blind, one.codes) for one in found.given] == [((FLU,), (COLD,))]


def test_several_codes_and_label_studio_there_and_back(
    people: dict[str, httpx.Client], ward_store: Store
) -> None:
    several = {**scheme_to_json(SCHEME), "multi": True}
    at = opened(people, "several", scheme=several, limit=2)
    label(people["an"], at, FLU, PNEUMONIA, spans=[[0, 2]])
    label(people["an"], at)
    tasks = people["lead"].get(f"{at}/results", params={"form": "label-studio"}).json()
    again = opened(people, "again", scheme=several, limit=2)
    assert good(people["lead"].post(f"{again}/import", json={"tasks": tasks})) == {
        "taken": 2,
        "known": 0,
        "left": 0,
    }
    found = results(ward_store, read_campaign(ward_store, "again"), by="lead")
    assert [[one.codes for one in result.given] for result in found] == [[(FLU, PNEUMONIA)], [()]]


def test_nobody_gets_into_what_is_not_theirs(people: dict[str, httpx.Client], refused: Refused) -> None:
    at = opened(people, "closed door", records=["r0", "r1"])
    slot = next_(people["an"], at)["slot"]
    attempts: list[tuple[str, str, str, Any, int]] = [
        ("stranger", "GET", f"{at}/scheme", None, 404),
        ("stranger", "POST", f"{at}/next", {"stage": "annotation"}, 404),
        ("stranger", "POST", API, {"name": "x", "dataset": DATASET, "scheme": scheme_to_json(SCHEME)}, 403),
        ("an", "POST", f"{at}/next", {"stage": "audit"}, 403),
        ("an", "GET", f"{at}/overview", None, 403),
        ("an", "GET", f"{at}/results", None, 403),
        ("an", "GET", f"{at}/second-looks", None, 403),
        ("an", "POST", f"{at}/second-looks", {"most": 1}, 403),
        ("an", "POST", f"{at}/audit", {"size": 1, "seed": ""}, 403),
        ("an", "POST", f"{at}/roles", {"user": "an", "role": "auditor"}, 403),
        ("an", "POST", f"{at}/close", None, 403),
        ("an", "POST", f"{at}/import", {"tasks": [{}]}, 422),
        ("lead", "POST", f"{at}/next", {"stage": "annotation"}, 403),
        ("bo", "POST", f"{at}/cases/{slot}/label", {"codes": ["J00"]}, 409),
        ("bo", "POST", f"{at}/cases/999999/label", {"codes": ["J00"]}, 404),
        ("bo", "POST", f"{at}/undo", None, 409),
    ]
    assert len(attempts) == 16
    for user, method, path, body, status in attempts:
        answer = people[user].request(method, path, json=body)
        refused(answer)
        assert answer.status_code == status, (user, method, path, answer.text)
    nobody = httpx.Client(base_url=people["an"].base_url)
    assert nobody.get(API).status_code == 401
    without = {**people["an"].headers, "x-csrf-token": "wrong"}
    assert people["an"].post(f"{at}/undo", headers=without).status_code == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("next", {"stage": "lunch"}),
        ("next", {"stage": "annotation", "more": 1}),
        ("cases/{slot}/label", {"codes": []}),
        ("cases/{slot}/label", {"codes": ["J00", "J11"]}),
        ("cases/{slot}/label", {"codes": "J00"}),
        ("cases/{slot}/label", {"codes": ["J00"], "spans": [[5, 2]]}),
        ("cases/{slot}/label", {"codes": ["J00"], "spans": [[0, 9999]]}),
        ("cases/{slot}/label", {"codes": ["J00"], "confidence": 1.5}),
        ("cases/{slot}/label", {"code": "J00"}),
        ("cases/{slot}/skip", {"reason": "lazy"}),
        ("cases/{slot}/skip", {"reason": "other", "note": " "}),
        ("cases/0/label", {"codes": ["J00"]}),
    ],
)
def test_a_body_that_does_not_fit_changes_nothing(
    people: dict[str, httpx.Client], ward_store: Store, refused: Refused, path: str, body: Any
) -> None:
    listed = {row["name"]: row["id"] for row in good(people["bo"].get(API))}
    at = f"{API}/{listed['strict']}" if "strict" in listed else opened(people, "strict", records=["r0"])
    slot = next_(people["bo"], at)["slot"]
    before = count(ward_store, "annotation.decide")
    answer = people["bo"].post(f"{at}/{path.format(slot=slot)}", json=body)
    refused(answer)
    assert answer.status_code == 422
    assert count(ward_store, "annotation.decide") == before
