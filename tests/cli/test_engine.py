"""``--engine`` and ``--model`` with a text model, as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import PATIENT, good, process, refused
from tests.text_models import word_checkpoint
from xinglin.apps.diagnosis import load_differential


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = [disease.name for disease in load_differential(engine="graph").pack.diseases]
    return word_checkpoint(tmp_path_factory.mktemp("words") / "model", labels)


def test_the_screen_shows_the_share(folder: Path) -> None:
    said = good("diagnose", PATIENT, "--model", str(folder))
    assert "文本模型的份额 words; 未经校准" in said
    assert said.count("文本模型 ") >= 5
    assert "(both)" in said
    english = good("diagnose", "chest pain and sweating for 3 hours", "--model", str(folder), "--lang", "en")
    assert "share of the text model words; uncalibrated" in english
    graph = good("diagnose", PATIENT, "--model", str(folder), "--engine", "graph")
    assert "文本模型" not in graph


def test_the_engines_in_json(folder: Path) -> None:
    given = {
        engine: json.loads(good("diagnose", PATIENT, "--json", "--model", str(folder), "--engine", engine))
        for engine in ("graph", "model", "both")
    }
    assert {engine: answer["model"]["answered"] for engine, answer in given.items()} == {
        engine: engine for engine in given
    }
    assert given["graph"] == json.loads(good("diagnose", PATIENT, "--json", "--engine", "graph"))
    shipped = json.loads(good("diagnose", PATIENT, "--json"))["model"]
    assert (shipped["answered"], shipped["encoder"]["name"]) == ("both", "medical-open-model")
    assert given["model"]["candidates"] != given["both"]["candidates"]
    entries = [json.loads(line) for line in good("audit", "list").splitlines()]
    assert [entry["detail"]["model"]["engine"] for entry in entries] == [
        "graph",
        "model",
        "both",
        "graph",
        "both",
    ]


def test_the_dialogue_goes_on_with_a_text_model(folder: Path) -> None:
    said = good("diagnose", "胸痛2小时", "--ask", "--json", "--model", str(folder), stdin="1\n2\nq\n")
    answer = json.loads(said)
    assert sorted(i["state"] for i in answer["findings"] if i["origin"] == "answer") == ["absent", "present"]
    assert answer["model"]["answered"] == "both"


def test_a_process_of_its_own(folder: Path) -> None:
    done = process("diagnose", PATIENT, "--json", "--model", str(folder))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"]["encoder"]["name"] == "words"


def test_the_graph_alone_loads_no_runtime() -> None:
    code = (
        "import sys, xinglin; xinglin.diagnose('胸痛3天', engine='graph')\n"
        "print('onnxruntime' in sys.modules, 'tokenizers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_text_model_is_not_unsealed_by_a_calibration(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.jsonl"
    site.write_text(json.dumps({"text": "胸痛3天", "disease": "急性心肌梗死"}) + "\n", encoding="utf-8")
    assert "holds a text model" in refused("calibrate", "--site", str(site), "--out", str(folder))
    assert load_differential(folder).engine_name == "both"


def test_mistakes_are_one_line(folder: Path, tmp_path: Path) -> None:
    assert "expected graph, model or both" in refused("diagnose", PATIENT, "--engine", "neural")
    assert "expected graph, model or both" in refused("serve", "--engine", "neural")
    assert "manifest.json" in refused("diagnose", PATIENT, "--model", str(tmp_path))
    strange = word_checkpoint(tmp_path / "strange", ["急性心肌梗塞死", "qqq"])
    assert "nearest 急性心肌梗死" in refused("diagnose", PATIENT, "--model", str(strange))
    assert "no diseases" in refused("serve", "--model", str(strange), "--no-workbench")
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "tokenizer.json").write_text("{}", encoding="utf-8")
    assert "tokenizer.json" in refused("diagnose", PATIENT, "--model", str(broken))
    assert "20000" in refused("diagnose", "-", "--model", str(folder), stdin="痛" * 100_000)
