"""The text model behind HTTP: shared runs, failures that stay alone, a bounded queue, an orderly end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.serve.conftest import PATIENT, PROBLEM, ledger_of, running
from tests.text_models import random_checkpoint, word_checkpoint
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential, load_encoder, with_encoder
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.render import as_json
from xinglin.errors import BusyError, InputTooLargeError, InvalidInputError
from xinglin.serve.app import create_app
from xinglin.serve.batching import Batcher, alike
from xinglin.store import Store, open_store

TEXTS = [f"发热{n}天,咳嗽咳痰,伴胸闷气促" for n in range(2, 12)] + [
    f"上腹痛{n}小时,恶心呕吐,血淀粉酶 860 U/L" for n in range(2, 12)
]


@pytest.fixture(scope="module")
def folder(differential: Differential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = [disease.name for disease in differential.pack.diseases]
    return word_checkpoint(tmp_path_factory.mktemp("words") / "model", labels)


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load_encoder(folder)


@pytest.fixture(scope="module")
def joined(differential: Differential, model: Any) -> Differential:
    return with_encoder(differential, model)


@pytest.fixture(scope="module")
def joined_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('joined') / 'x.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(joined: Differential, joined_store: Store) -> Iterator[httpx.Client]:
    app = create_app(joined, joined_store, workbench=False)
    with running(app) as address, httpx.Client(base_url=address, timeout=30) as opened:
        yield opened


class Gated:
    """The same model behind a gate, so that a test can hold a run and see how many texts came together."""

    def __init__(self, model: Any) -> None:
        self.model, self.gate, self.started = model, threading.Event(), threading.Event()
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def logits(self, texts: Sequence[str]) -> Any:
        self.sizes.append(len(texts))
        self.started.set()
        assert self.gate.wait(20)
        return self.model.logits(texts)


def test_a_batch_gives_what_each_text_alone_gives(model: Any) -> None:
    batcher = Batcher(model)
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda text: batcher.logits([text])[0], TEXTS))
    batcher.close()
    for text, row in zip(TEXTS, rows, strict=True):
        assert row == pytest.approx(model.logits([text])[0], abs=1e-5)
    assert batcher.texts == len(TEXTS)
    assert (batcher.labels, batcher.id, batcher.manifest) == (model.labels, model.id, model.manifest)
    assert batcher.calibration == model.calibration


def test_what_comes_during_a_run_shares_the_next(model: Any) -> None:
    gated = Gated(model)
    batcher = Batcher(gated, largest=4)
    first = batcher.submit(TEXTS[0])
    assert gated.started.wait(10)
    rest = [batcher.submit(text) for text in TEXTS[1:8]]
    gated.gate.set()
    for text, future in zip(TEXTS[1:8], rest, strict=True):
        assert future.result(10) == pytest.approx(model.logits([text])[0], abs=1e-5)
    assert first.result(10).shape == (len(model.labels),)
    assert gated.sizes == [1, 4, 3]
    batcher.close()


def test_a_lone_text_is_not_kept_waiting_for_company(model: Any) -> None:
    batcher = Batcher(model, window=20.0)
    started = time.perf_counter()
    for text in TEXTS[:3]:
        batcher.logits([text])
    assert time.perf_counter() - started < 10, "a window of 20 s was waited for"
    batcher.close()


def test_after_a_shared_run_more_are_waited_for_but_not_long(model: Any) -> None:
    gated = Gated(model)
    batcher = Batcher(gated, window=0.3)
    futures = [batcher.submit(TEXTS[0])]
    assert gated.started.wait(10)
    futures += [batcher.submit(text) for text in TEXTS[1:3]]
    gated.gate.set()
    futures[-1].result(10)
    first = batcher.submit(TEXTS[3])
    time.sleep(0.05)
    second = batcher.submit(TEXTS[4])
    first.result(10)
    second.result(10)
    batcher.close()
    # On a machine so busy that the pause outlasted RECENT the last two run apart, which is right too.
    assert gated.sizes[:2] == [1, 2]
    assert sum(gated.sizes) == 5


def test_a_text_that_cannot_be_read_fails_alone(model: Any) -> None:
    gated = Gated(model)
    batcher = Batcher(gated)
    held = batcher.submit(TEXTS[0])
    assert gated.started.wait(10)
    good = [batcher.submit(text) for text in TEXTS[1:3]]
    empty, long = batcher.submit("  "), batcher.submit("痛" * 100_000)
    gated.gate.set()
    with pytest.raises(InputTooLargeError):
        long.result(10)
    with pytest.raises(InvalidInputError, match="empty"):
        empty.result(10)
    for text, future in zip(TEXTS[1:3], good, strict=True):
        assert future.result(10) == pytest.approx(model.logits([text])[0], abs=1e-5)
    held.result(10)
    batcher.close()


def test_the_queue_is_bounded_and_a_cancelled_text_leaves_it(model: Any) -> None:
    gated = Gated(model)
    batcher = Batcher(gated, waiting=2)
    running_now = batcher.submit(TEXTS[0])
    assert gated.started.wait(10)
    waiting = [batcher.submit(text) for text in TEXTS[1:3]]
    with pytest.raises(BusyError, match="2 texts wait") as error:
        batcher.submit(TEXTS[3])
    assert error.value.status == 503
    assert waiting[0].cancel()
    gated.gate.set()
    assert waiting[1].result(10).shape == running_now.result(10).shape
    with pytest.raises(CancelledError):
        waiting[0].result(0)
    assert batcher.texts == 2
    batcher.close()


def test_closing_finishes_what_waits_and_takes_no_more(model: Any) -> None:
    gated = Gated(model)
    batcher = Batcher(gated)
    futures = [batcher.submit(text) for text in TEXTS[:5]]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    gated.gate.set()
    closing.join(10)
    assert not closing.is_alive()
    assert all(future.result(0).shape == (len(model.labels),) for future in futures)
    with pytest.raises(BusyError, match="stopping"):
        batcher.submit(TEXTS[0])
    batcher.close()
    Batcher(model).close()


def plain(joined: Differential, text: str, engine: Any) -> dict[str, Any]:
    chosen = joined.using(engine)
    return as_json(chosen, answer(chosen, gather(chosen, text)))


def test_requests_at_the_same_time_get_their_own_answers(
    client: httpx.Client, joined: Differential, joined_store: Store
) -> None:
    engines = [None, "both", "model", "graph"]
    asked = [(text, engines[i % 4]) for i, text in enumerate(TEXTS)]

    def post(item: tuple[str, str | None]) -> dict[str, Any]:
        given = client.post("/api/diagnose", json={"text": item[0], "engine": item[1]})
        assert given.status_code == 200, given.text
        body: dict[str, Any] = given.json()
        return body

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, asked))
    for (text, engine), given in zip(asked, answers, strict=True):
        expected = plain(joined, text, engine)
        assert given["model"] == expected["model"]
        assert given["model"]["engine"] == (engine or "both")
        assert [c["code"]["display"] for c in given["candidates"]] == [
            c["code"]["display"] for c in expected["candidates"]
        ]
        for ours, theirs in zip(given["candidates"], expected["candidates"], strict=True):
            assert ours["score"] == pytest.approx(theirs["score"], abs=1e-4)
    entries = [entry for entry in ledger_of(joined_store) if entry.action == "prediction"]
    assert len(entries) == len(asked)
    assert joined.encoder is not None
    named = [entry.detail["model"]["encoder"] for entry in entries]
    assert {item["id"] for item in named if item} == {joined.encoder.id}
    assert sum(item is None for item in named) == len(asked) // 4


def test_one_bad_request_among_many_fails_alone(client: httpx.Client) -> None:
    bodies: list[Any] = [{"text": text} for text in TEXTS[:8]]
    bodies[2] = {"text": "   "}
    bodies[4] = {"text": "痛" * 20_001}
    bodies[6] = {"text": TEXTS[0], "answers": {"no-such-finding": "present"}}
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda body: client.post("/api/diagnose", json=body), bodies))
    assert [item.status_code for item in given] == [200, 200, 422, 200, 413, 200, 422, 200]


def test_an_engine_that_is_wrong_is_422(client: httpx.Client) -> None:
    given = client.post("/api/diagnose", json={"text": PATIENT, "engine": "neural"})
    assert given.status_code == 422
    assert given.headers["content-type"] == PROBLEM
    assert "graph" in given.json()["errors"][0]["message"]


def test_a_service_without_a_text_model_says_so(differential: Differential, store: Store) -> None:
    app = create_app(differential, store, workbench=False)
    with running(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        assert client.get("/api/health").json()["model"]["encoder"] is None
        for path in ("/api/diagnose", "/api/note", "/api/cases"):
            given = client.post(path, json={"text": PATIENT, "engine": "both"})
            assert given.status_code == 422
            assert "needs a text model" in given.json()["detail"]
        assert client.post("/api/diagnose", json={"text": PATIENT, "engine": "graph"}).status_code == 200


def test_every_door_goes_through_the_text_model(client: httpx.Client, joined: Differential) -> None:
    assert joined.encoder is not None
    health = client.get("/api/health").json()["model"]
    assert (health["engine"], health["encoder"]["id"]) == ("both", joined.encoder.id)
    note = client.post("/api/note", json={"text": PATIENT})
    assert joined.encoder.id[:12] in note.text
    assert (
        joined.encoder.id[:12] not in client.post("/api/note", json={"text": PATIENT, "engine": "graph"}).text
    )
    saved = client.post("/api/cases", json={"text": PATIENT}).json()["id"]
    kept = client.get(f"/api/cases/{saved}").json()
    assert joined.encoder.id[:12] in kept["model"]
    assert kept["answer"]["model"]["answered"] == "both"
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "code": {"text": "胸痛"}}
    hook = {"hook": "patient-view", "hookInstance": "x", "context": {}, "prefetch": {"c": condition}}
    assert client.post("/cds-services/xinglin-patient-view", json=hook).status_code == 200


def test_words_that_are_none_are_the_graphs(client: httpx.Client, joined: Differential) -> None:
    key = joined.knowledge.finding_codes["胸痛"].value
    given = client.post("/api/diagnose", json={"answers": {key: "present"}}).json()
    assert (given["model"]["engine"], given["model"]["answered"]) == ("both", "graph")
    assert given["candidates"]


def test_the_service_stops_in_order(joined: Differential, store: Store) -> None:
    def workers() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "xinglin-text-model"}

    before = workers()
    app = create_app(joined, store, workbench=False)
    with running(app) as address:
        assert httpx.post(f"{address}/api/diagnose", json={"text": PATIENT}, timeout=30).status_code == 200
        assert len(workers() - before) == 1
    assert workers() - before == set()


@pytest.mark.slow
def test_a_real_transformer_in_int8_answers_many_at_once(
    differential: Differential, store: Store, tmp_path: Path
) -> None:
    labels = [disease.name for disease in differential.pack.diseases]
    model = load_encoder(random_checkpoint(tmp_path / "random", labels))
    app = create_app(with_encoder(differential, model), store, workbench=False)
    with (
        running(app) as address,
        httpx.Client(base_url=address, timeout=60) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        given = list(pool.map(lambda t: client.post("/api/diagnose", json={"text": t}).json(), TEXTS))
    shifts = {item["candidates"][0]["evidence"][-1]["weight"] for item in given}
    assert len(shifts) > 5, "the texts are read"
    assert all(item["model"]["encoder"]["name"] == "random" for item in given)
    assert np.ptp(model.logits(TEXTS[:1])) > 1


def test_a_batch_is_of_texts_of_like_length_and_the_oldest_leads() -> None:
    waiting = ["长" * 200, "短", "长" * 300, "短" * 23, "短" * 24]
    assert alike(waiting, 16) == [0, 2]
    assert alike(waiting[1:], 16) == [0, 2]
    assert alike(["短"] * 9, 4) == [0, 1, 2, 3]
    assert alike([], 4) == []
