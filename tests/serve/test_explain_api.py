"""``/api/explain`` over a real server, and what keeps explanations."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.serve.conftest import count, ledger_of
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import BusyError, InvalidInputError
from xinglin.serve import explaining
from xinglin.serve.explaining import Explaining, Question
from xinglin.store import Store
from xinglin.types import Patient

NOTE = "胸痛,大汗"
Refused = Callable[[httpx.Response], None]


def ask(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/api/explain", json={"engine": "graph", **body})


def test_what_is_offered(client: httpx.Client) -> None:
    offered = client.get("/api/explain").json()
    assert offered["methods"] == ["auto", "exact", "permutation", "shap", "lime", "gradients"]
    assert offered["installed"]["shap"] is True
    assert "未经注册" in offered["disclaimer"][0]


def test_json_and_the_ledger(client: httpx.Client, api_store: Store) -> None:
    before = count(api_store, "explain")
    found = ask(client, text=NOTE, patient={"age": 58, "sex": "male"}).json()
    assert found["target"]["code"].startswith("I2")
    assert [unit["text"] for unit in found["attribution"]["units"]] == ["胸痛", "大汗"]
    assert found["patient"][0] == [["年龄", "Age"], ["58岁", "58 years"]]
    assert ask(client, text=NOTE, patient={"age": 58, "sex": "male"}).json() == found  # kept, to the second
    assert count(api_store, "explain") == before + 2
    assert "胸痛" not in json.dumps([entry.detail for entry in ledger_of(api_store)], ensure_ascii=False)


def test_the_report(client: httpx.Client) -> None:
    answer = ask(client, text='<script>x</script>"胸痛"', format="html", lang="en")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!DOCTYPE html>")
    assert "<script" not in answer.text
    assert "What would change the answer" in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"text": ""},
        {"text": "。。。"},
        {"text": NOTE, "method": "magic"},
        {"text": NOTE, "method": "gradients"},
        {"text": NOTE, "target": "没有的病"},
        {"text": NOTE, "target": ""},
        {"text": NOTE, "seed": -1},
        {"text": NOTE, "lang": "fr"},
        {"text": NOTE, "format": "pdf"},
        {"text": NOTE, "top": 5},
        {"text": NOTE, "patient": {"age": 500}},
        {"text": NOTE, "answers": {"no-such-finding": "present"}},
        {"text": "痛" * 20_001},
        {"text": NOTE, "record": {"resourceType": "Patient"}},
    ],
)
def test_what_does_not_fit_is_refused(client: httpx.Client, refused: Refused, body: dict[str, Any]) -> None:
    refused(ask(client, **body))


def test_erasing_a_case_drops_what_is_kept(client: httpx.Client) -> None:
    made = ask(client, text=NOTE).json()["attribution"]["seconds"]
    assert ask(client, text=NOTE).json()["attribution"]["seconds"] == made
    case = client.post("/api/cases", json={"text": NOTE}).json()["id"]
    assert client.delete(f"/api/cases/{case}").status_code == 204
    assert ask(client, text=NOTE).json()["attribution"]["seconds"] != made


def test_kept_by_everything_that_matters(differential: Differential) -> None:
    graph = differential.using("graph")
    maker = Explaining(graph, kept=2)
    question = Question(NOTE)
    first = maker.explain(question)
    assert maker.explain(question) is first
    assert maker.known(replace(question, text="胸痛,大汗,")) is None
    for change in (
        {"text": "胸痛"},
        {"patient": Patient(age=3.0)},
        {"answers": {"fever": "present"}},
        {"method": "shap"},
        {"target": "肺栓塞"},
        {"seed": 1},
    ):
        assert maker.known(replace(question, **change)) is None  # type: ignore[arg-type]
    for seed in (1, 2):
        maker.explain(Question("胸痛", seed=seed))
    assert maker.known(question) is None  # the eldest went
    assert maker.known(Question("胸痛", seed=2)) is not None
    brief = Explaining(graph, seconds=0.0)
    brief.explain(Question("胸痛"))
    assert brief.known(Question("胸痛")) is None


def test_a_failure_and_a_stop_free_the_place(
    differential: Differential, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = Explaining(differential.using("graph"))

    def stop(done: int, of: int) -> None:
        raise KeyError("stop")

    for _ in range(explaining.AT_ONCE + 1):
        with pytest.raises(InvalidInputError):
            maker.explain(Question("。"))
        with pytest.raises(KeyError):
            maker.explain(Question(NOTE), stop)
    assert maker.explain(Question("胸痛")).target.code
    monkeypatch.setattr(explaining, "PATIENCE", 0.05)
    inside: list[str] = []

    def full(done: int, of: int) -> None:
        if not inside:
            inside.append("one")
            maker.explain(Question("腹痛"), crowded)

    def crowded(done: int, of: int) -> None:
        if len(inside) == 1:
            inside.append("two")
            with pytest.raises(BusyError, match="ask again"):
                maker.explain(Question("头痛"))

    maker.explain(Question("咳嗽"), full)
    assert inside == ["one", "two"]
