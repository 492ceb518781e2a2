"""What runs in the tab, run here: the same JSON as the server's, and every malformed request named."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.serve.conftest import PATIENT
from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.model.runtime import TextClassifier
from xinglin.serve.app import create_app
from xinglin.serve.edge import build
from xinglin.serve.edge.tab import Tab, read_request
from xinglin.store import Store

CASES: list[dict[str, Any]] = [
    {"text": PATIENT},
    {"text": "58 yo man, chest pain for 3 days, ST depression on ECG", "lang": "en", "top": 9},
    {"text": "头晕2天", "answers": {}, "patient": {"age": 30, "sex": "female", "pregnant": True}},
    {"text": "咽痛3天,发热", "patient": {"allergies": ["青霉素"], "drugs": ["华法林"], "egfr": 40}},
    {"text": "发热、咳嗽3天", "engine": "graph"},
    {"text": "😀😀😀"},
]


@pytest.fixture(scope="module")
def both() -> Differential:
    return load_differential()


@pytest.fixture(scope="module")
def tab(both: Differential, tmp_path_factory: pytest.TempPathFactory) -> Tab:
    folder: Path = tmp_path_factory.mktemp("edge")
    assert isinstance(both.encoder, TextClassifier)
    settings = build.settings_of(both, both.encoder)
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return Tab.open(str(folder))


@pytest.fixture
def client(both: Differential, store: Store) -> Iterator[TestClient]:
    with TestClient(create_app(both, store, workbench=False), base_url="http://127.0.0.1") as opened:
        yield opened


@pytest.mark.parametrize("body", CASES, ids=lambda body: body["text"][:12])
def test_the_same_json_as_the_server(
    tab: Tab, both: Differential, client: TestClient, body: dict[str, Any]
) -> None:
    sent = json.dumps(body)
    words = tab.words(sent)
    assert bool(words) == (body.get("engine") != "graph")
    try:
        logits = [float(value) for value in both.encoder.logits([words])[0]] if words else None  # type: ignore[union-attr]
    except InvalidInputError:
        logits = None
    reply = json.loads(tab.respond(sent, logits))
    assert reply["status"] == 200
    assert reply["body"] == client.post("/api/diagnose", json=body).json()


def test_unknown_answers_move_to_the_next_question(tab: Tab, client: TestClient) -> None:
    first = json.loads(tab.respond(json.dumps({"text": "头晕2天", "engine": "graph"})))["body"]["question"]
    body = {"text": "头晕2天", "engine": "graph", "answers": {first["finding"]: "unknown"}}
    reply = json.loads(tab.respond(json.dumps(body)))
    assert reply["body"]["question"]["finding"] != first["finding"]
    assert reply["body"] == client.post("/api/diagnose", json=body).json()


def test_the_windows_are_the_servers(tab: Tab, both: Differential) -> None:
    encoder = both.encoder
    assert isinstance(encoder, TextClassifier)
    text = "反复咳嗽咳痰伴气促,夜间加重。" * 60
    ids = encoder._tokenizer.encode(text, add_special_tokens=False).ids
    windows = tab.windows(ids)
    assert len(windows) > 1
    assert windows == encoder._windows(text, 0)
    assert tab.windows([]) == []


def test_every_vector_agrees(tab: Tab) -> None:
    found = json.loads(tab.vectors())
    assert found["of"] >= 100
    assert found["agreed"] == found["of"]


def test_what_a_page_offers_is_in_both_languages(tab: Tab) -> None:
    rows, names = json.loads(tab.choices()), json.loads(tab.names())
    assert len(rows) > 1000
    assert all(len(row) == 3 and all(row) for row in rows)
    assert names["收缩压"]
    assert json.loads(tab.model())["engine"] == "both"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("[]", "expected a JSON object"),
        ("{", "body"),
        ('{"text": 3}', "text: expected a string"),
        ('{"record": {}}', "unknown field 'record'"),
        ('{"text": "a", "top": 0}', "top: expected"),
        ('{"text": "a", "top": true}', "top: expected"),
        ('{"text": "a", "lang": "fr"}', "lang: expected"),
        ('{"answers": {"cough": "maybe"}}', "answers: expected"),
        ('{"text": "a", "patient": {"age": 131}}', "patient.age"),
        ('{"text": "a", "patient": {"age": NaN}}', "body"),
        ('{"text": "a", "patient": {"age": "9"}}', "patient.age"),
        ('{"text": "a", "patient": {"sex": "x"}}', "patient.sex"),
        ('{"text": "a", "patient": {"pregnant": 1}}', "patient.pregnant"),
        ('{"text": "a", "patient": {"drugs": [1]}}', "patient.drugs"),
        ('{"text": "a", "patient": {"name": "王"}}', "patient: unknown field"),
        ('{"text": "a", "patient": []}', "patient: expected"),
    ],
)
def test_a_malformed_request_is_named(body: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_request(body)


def test_bad_input_is_a_problem_as_on_the_server(tab: Tab) -> None:
    for body, status in (
        ('{"text": ""}', 422),
        (json.dumps({"text": "咳" * 20_001}), 413),
        ('{"x": 1}', 422),
    ):
        assert tab.words(body) == ""
        reply = json.loads(tab.respond(body))
        assert reply["status"] == reply["body"]["status"] == status
        assert "咳咳" not in reply["body"]["detail"]
    unknown = json.loads(tab.respond('{"answers": {"no-such-finding": "present"}}'))
    assert unknown["status"] == 422
    with pytest.raises(InputTooLargeError):
        read_request(json.dumps({"text": "😀" * 20_001}))
    assert len(read_request(json.dumps({"text": "😀" * 20_000})).text) == 20_000


def test_the_archive_needs_numpy_and_nothing_else(tmp_path: Path) -> None:
    """The package as the tab carries it, in a Python that finds no other library but NumPy."""
    import numpy

    archive = tmp_path / build.PACKAGE
    build._write_package(archive, {"engine": "graph", "encoder": None}, None, None)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "site")
    code = (
        "import sys, json\n"
        f"sys.path[:0] = [{str(tmp_path / 'site')!r}]\n"
        "import importlib.abc\n"
        "class Refuse(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        top = name.partition('.')[0]\n"
        "        if top not in sys.stdlib_module_names and top not in ('numpy', 'xinglin'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from xinglin.serve.edge.tab import Tab\n"
        f"tab = Tab.open({str(tmp_path / 'site' / 'edge')!r})\n"
        "import xinglin\n"
        f"assert xinglin.__file__.startswith({str(tmp_path)!r}), xinglin.__file__\n"
        "print(json.loads(tab.respond('{\"text\": \"胸痛3天,大汗\"}'))['status'], tab.vectors())\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path.append({str(Path(numpy.__file__).parents[1])!r})\n{code}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={"PATH": "/usr/bin", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("200 ")
