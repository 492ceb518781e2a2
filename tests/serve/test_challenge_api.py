"""``/api/challenges`` over a real server: who may do what and when, entries, receipts, closing."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tests.release.challenge.contest import CLOSES, OPEN, OPENS, OVER, answers, cases, draft
from tests.release.challenge.models import write_onnx
from tests.serve.conftest import count, ledger_of, running
from xinglin.ledger.audit_keys import announce
from xinglin.ledger.heads import sign_head
from xinglin.ledger.signature import new_key
from xinglin.release.challenge.verifying import check_receipt
from xinglin.serve import access, challenge_api, login
from xinglin.serve.problem import install
from xinglin.store import Store, open_store

PASSWORD = "a long password"
BASE = "/api/challenges/triage-test"


class Clock:
    """A clock that a test sets."""

    now: datetime = OPEN

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Store, Clock]]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('challenge') / 'x.db'}")
    clock, app = Clock(), FastAPI()
    install(app)
    app.include_router(challenge_api.router(store, clock))
    app.include_router(login.router(store))
    app.add_middleware(access.Guard, store=store, required=True)
    access.add_user(store, "chen", PASSWORD, "organiser")
    for name in ("bo", "ma"):
        access.add_user(store, name, PASSWORD)
    with running(app) as address:
        yield address, store, clock
    store.close()


@pytest.fixture
def as_user(service: tuple[str, Store, Clock]) -> Callable[[str], httpx.Client]:
    address, store, _ = service

    def enter(name: str) -> httpx.Client:
        token = access.log_in(store, name, PASSWORD, "test")
        session = access.session_of(store, token)
        assert session is not None
        return httpx.Client(
            base_url=address,
            cookies={access.COOKIE: token},
            headers={"X-CSRF-Token": session.csrf},
            timeout=60,
        )

    return enter


def body() -> dict[str, object]:
    rows = [
        {"id": one.id, "text": one.text, "label": one.label, "part": one.part, "groups": dict(one.groups)}
        for one in cases()
    ]
    return {"manifest": draft(daily=3), "cases": rows}


def csv(wrong: int, seed: int = 0) -> str:
    told = answers(wrong, seed=seed)
    picked = [told.labels[place] for place in told.probabilities.argmax(1)]
    return "id,label\n" + "".join(f"{key},{label}\n" for key, label in zip(told.ids, picked, strict=True))


def test_a_challenge_over_http(
    service: tuple[str, Store, Clock],
    as_user: Callable[[str], httpx.Client],
    refused: Callable[[httpx.Response], None],
    tmp_path: Path,
) -> None:
    address, store, clock = service
    clock.now = OPENS - timedelta(days=1)
    refused(httpx.get(f"{address}/api/challenges"))
    chen, bo, ma = as_user("chen"), as_user("bo"), as_user("ma")
    # Only an organiser creates; what is created holds no case.
    answer = bo.post("/api/challenges", json=body())
    assert answer.status_code == 403
    answer = chen.post("/api/challenges", json=body())
    assert answer.status_code == 201, answer.text
    assert "第1问" not in answer.text
    assert chen.post("/api/challenges", json=body()).status_code == 409
    assert bo.get("/api/challenges").json()[0]["phase"] == "coming"
    assert bo.get(f"{BASE}/questions").status_code == 403
    entered = {"title": "first", "form": "csv"}
    assert bo.post(f"{BASE}/entries", params=entered, content=csv(20)).status_code == 409
    clock.now = OPEN
    lines = bo.get(f"{BASE}/questions").text.splitlines()
    assert len(lines) == 60
    assert set(json.loads(lines[0])) == {"id", "text"}
    first = bo.post(f"{BASE}/entries", params=entered, content=csv(20))
    assert first.status_code == 201, first.text
    assert first.json()["state"] == "accepted"
    # Others see neither one's entries nor one's receipt.
    assert ma.get(f"{BASE}/entries").json() == []
    assert [one["title"] for one in bo.get(f"{BASE}/entries").json()] == ["first"]
    number = first.json()["entry"]
    key = tmp_path / "key"
    public = new_key(key)
    with store.write() as connection:
        announce(connection, key, actor="cli")
        sign_head(connection, key)
    assert ma.get(f"{BASE}/entries/{number}/receipt").status_code == 403
    told = bo.get(f"{BASE}/entries/{number}/receipt").json()
    assert check_receipt(told, [public])["actor"] == "bo"
    # A model as a zip, and files that are refused.
    folder = write_onnx(tmp_path / "m")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    made = ma.post(f"{BASE}/entries", params={"title": "m", "form": "zip"}, content=packed.getvalue())
    assert made.status_code == 201, made.text
    assert made.json()["told"]["value"] == 1.0
    assert "resource limits" in made.json()["told"]["barriers"]
    for params, content, status in (
        (entered, "id,label\nq000,x\n", 422),
        (entered, b"\x80\x04pickle", 422),
        ({"title": "x", "form": "zip"}, b"no zip", 422),
        ({"title": "x", "form": "pkl"}, b"x", 422),
        ({"title": "", "form": "csv"}, b"x", 422),
    ):
        answer = bo.post(f"{BASE}/entries", params=params, content=content)
        refused(answer)
        assert answer.status_code == status
    assert bo.post("/api/challenges/other/entries", params=entered, content=csv(2)).status_code == 404
    assert bo.get("/api/challenges/..%2fetc").status_code in (404, 422)
    without = httpx.Client(base_url=address, cookies=dict(bo.cookies))
    assert without.post(f"{BASE}/entries", params=entered, content=csv(2)).status_code == 403
    # The cap, the board, the close.
    for seed in (1, 2):
        assert bo.post(f"{BASE}/entries", params=entered, content=csv(20, seed)).status_code == 201
    capped = bo.post(f"{BASE}/entries", params=entered, content=csv(0))
    assert capped.status_code == 403
    assert "3 entries a day" in capped.json()["detail"]
    board = bo.get(BASE).json()
    assert [row["entrant"] for row in board["board"]] == ["ma", "bo"]
    assert board["disclaimer"]["zh"]
    assert bo.get(f"{BASE}/opening").status_code == 403
    assert chen.post(f"{BASE}/close").status_code == 409
    clock.now = OVER
    assert bo.post(f"{BASE}/close").status_code == 403
    final = chen.post(f"{BASE}/close")
    assert [row["rank"] for row in final.json()] == [1, 2]
    assert chen.post(f"{BASE}/close").status_code == 409
    opening = bo.get(f"{BASE}/opening").json()
    assert len(opening["labels"]["content"].splitlines()) == 60
    assert bo.get(f"{BASE}/verify").json() == {
        "ledger": len(ledger_of(store)),
        "entries": 4,
        "sites": 0,
        "final": True,
    }
    assert count(store, "challenge.enter") == 4
    clock.now = CLOSES
    assert ma.post(f"{BASE}/entries", params=entered, content=csv(0)).status_code == 409
