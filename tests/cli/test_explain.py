"""``xinglin explain`` as a user runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.test_cli import good, process, refused
from tests.text_models import word_checkpoint
from xinglin.apps.diagnosis import load_differential

NOTE = "胸痛,大汗,无发热"
GRAPH = ("--engine", "graph")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = [disease.name for disease in load_differential(engine="graph").pack.diseases]
    return word_checkpoint(tmp_path_factory.mktemp("words") / "model", labels)


def test_the_summary_in_a_process_of_its_own() -> None:
    done = process("explain", NOTE, *GRAPH)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no bar in a pipe
    said = done.stdout
    for word in (
        "分诊 Triage",
        "首位候选 First candidate",
        "精确 Shapley 值",
        "胸痛",
        "█",
        "随机顺序 random order",
    ):
        assert word in said, word
    for word in ("知识图谱中的路径", "自行编写", "什么会改变答案", "未经注册", "Not registered"):
        assert word in said, word
    assert said.index("分诊") < said.index("胸痛 ") < said.index("什么会改变")
    (entry,) = [json.loads(line) for line in good("audit", "list").splitlines()]
    assert entry["action"] == "explain"
    assert entry["actor"] == "cli"
    assert "胸痛" not in json.dumps(entry, ensure_ascii=False)


def test_one_language(folder: Path) -> None:
    zh = good("explain", NOTE, *GRAPH, "--lang", "zh", "--no-ledger")
    en = good("explain", NOTE, *GRAPH, "--lang", "en", "--no-ledger")
    assert "Triage" not in zh
    assert "分诊" not in en
    assert "fever" in en
    assert good("audit", "list") == ""
    model = good("explain", NOTE, "--model", str(folder), "--engine", "model", "--lang", "en")
    assert "words" in model
    assert "(model)" in model


def test_json_and_a_chosen_disease() -> None:
    found = json.loads(
        good("explain", "-", *GRAPH, "--json", "--target", "肺栓塞", "--method", "shap", stdin=NOTE)
    )
    assert found["target"]["name"] == ["肺栓塞", "pulmonary embolism"]
    assert found["attribution"]["method"] == "shap"
    assert found["text"] == NOTE
    assert found["disclaimer"][0].startswith("未经注册")


def test_the_report(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    said = good("explain", '<script>alert("x")</script>胸痛', *GRAPH, "--out", str(out), "--lang", "zh")
    assert str(out) in said
    html = out.read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    said = good("explain", NOTE, *GRAPH, "--out", str(out), "--json")
    assert json.loads(said)["text"] == NOTE


@pytest.mark.browser
@pytest.mark.skipif(
    shutil.which("chromium") is None, reason="NO PDF WAS MADE: apt-get install chromium fonts-noto-cjk"
)
def test_the_report_as_pdf(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    said = good("explain", NOTE, *GRAPH, "--out", str(out), "--pdf")
    assert str(tmp_path / "report.pdf") in said
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    only = tmp_path / "only.pdf"
    good("explain", NOTE, *GRAPH, "--out", str(only))
    assert only.read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["only.pdf", "report.html", "report.pdf"]


def test_a_pdf_without_a_browser_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "report.html"
    said = refused_after_writing("explain", NOTE, *GRAPH, "--out", str(out), "--pdf")
    assert "Chromium" in said
    assert "apt-get install chromium fonts-noto-cjk" in said
    assert out.is_file()
    assert not out.with_suffix(".pdf").exists()


def refused_after_writing(*arguments: str) -> str:
    from tests.cli.test_cli import run

    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_mistakes_are_one_line(tmp_path: Path, folder: Path) -> None:
    assert "got nothing to read" in refused("explain", "", *GRAPH)
    assert "没有可解释的内容" in refused("explain", "。。!", *GRAPH)
    assert "expected auto, exact, permutation, shap, lime, gradients" in refused(
        "explain", NOTE, "--method", "magic"
    )
    assert "expected zh, en or both" in refused("explain", NOTE, "--lang", "fr")
    assert "give --out" in refused("explain", NOTE, "--pdf")
    assert ".html or .pdf" in refused("explain", NOTE, "--out", str(tmp_path / "a.docx"))
    assert "there is no folder" in refused("explain", NOTE, "--out", str(tmp_path / "no" / "a.html"))
    assert "nearest" in refused("explain", NOTE, *GRAPH, "--target", "肺栓塞子")
    assert "use --engine model" in refused("explain", NOTE, *GRAPH, "--method", "gradients")
    assert "20000" in refused("explain", "-", *GRAPH, stdin="痛" * 100_000)
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    tokenizer = json.loads((broken / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"]["别的模型"] = len(tokenizer["model"]["vocab"])
    (broken / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    assert "tokenizer.json" in refused("explain", NOTE, "--model", str(broken))
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_a_whole_data_set(tmp_path: Path) -> None:
    data, out = tmp_path / "cases.jsonl", tmp_path / "seen.html"
    lines = [
        {"text": note, "patient": {"sex": "female"}, "label": 1}
        for note in ("胸痛,大汗", "胸痛", "胸痛,咳嗽")
    ]
    data.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    said = good("explain", "--data", str(data), *GRAPH, "--check", "1")
    for word in ("胸痛 chest pain", "cases.jsonl", "病例数", "未经注册"):
        assert word in said, word
    found = json.loads(
        good("explain", "--data", str(data), *GRAPH, "--out", str(out), "--json", "--most", "2")
    )
    assert found["overview"]["cases"] == 2
    assert "Not registered" in out.read_text(encoding="utf-8")
    actions = [json.loads(line)["action"] for line in good("audit", "list").splitlines()]
    assert actions == ["explain.data", "explain.data"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"text": "胸痛"}\n{"text": 3}', "line 2"),
        ('{"text": "胸痛"}\n[1]', "line 2"),
        ('{"text": "胸痛", "patient": {"age": -3}}', "line 1: patient.age"),
        ("\n\n", "the file has none"),
        ('{"text": "胸痛"', "line 1"),
    ],
)
def test_a_broken_data_set_is_named_by_its_line(tmp_path: Path, content: str, said: str) -> None:
    data = tmp_path / "cases.jsonl"
    data.write_text(content, encoding="utf-8")
    assert said in refused("explain", "--data", str(data), *GRAPH)


def test_a_data_set_stands_alone(tmp_path: Path) -> None:
    assert "leave out the text" in refused("explain", NOTE, "--data", str(tmp_path / "x"), *GRAPH)
    assert "there is no file" in refused("explain", "--data", str(tmp_path / "x"), *GRAPH)
