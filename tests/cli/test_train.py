"""A stranger's road: own text to an encoder, own cases to a classifier, and a diagnosis with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xinglin.model.checkpoint import verify_checkpoint

NOTES = [
    f"患者{age}岁,{what}{days}天,{more}。"
    for age in (30, 50, 70)
    for what in ("胸痛", "腹痛", "头痛")
    for days, more in ((2, "伴恶心"), (5, "无发热"), (9, "夜间加重"))
]
SMALL = ("--size", "tiny", "--batch-size", "4", "--length", "32", "--vocabulary", "400", "--threads", "1")


def xinglin(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xinglin", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def notes(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "notes.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in NOTES), encoding="utf-8")
    return path


@pytest.mark.slow
def test_from_own_text_to_a_diagnosis_with_it(notes: Path, tmp_path: Path) -> None:
    encoder, model = tmp_path / "encoder", tmp_path / "model"
    made = xinglin("train", "encoder", "--data", str(notes), "--out", str(encoder), "--steps", "2", *SMALL)
    assert made.returncode == 0, made.stderr
    assert "tokens/s" in made.stderr
    assert "min left" in made.stderr
    cases = tmp_path / "cases.jsonl"
    rows = [{"text": text, "disease": "心梗" if "胸" in text else "急性阑尾炎"} for text in NOTES]
    cases.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    tuned = xinglin(
        *("train", "diagnosis", "--data", str(cases), "--out", str(model), "--start", str(encoder)),
        *("--epochs", "1", "--narratives", "4", "--threads", "1", "--json"),
    )
    assert tuned.returncode == 0, tuned.stderr
    said = json.loads(tuned.stdout)
    assert said["id"] == verify_checkpoint(model).id
    assert said["metrics"] == {"examples": len(rows) + 4, "classes": 1208}
    assert (model / "model.int8.onnx").is_file()
    answer = xinglin("diagnose", "胸痛3天,大汗", "--model", str(model), "--engine", "both", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["model"]["encoder"]["id"] == said["id"]
    listed = xinglin("audit", "list").stdout
    assert listed.count('"train"') == 2


def test_ctrl_c_keeps_a_state_that_the_same_command_resumes(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "encoder"
    arguments = ["train", "encoder", "--data", str(notes), "--out", str(out), "--steps", "400", "--no-graph"]
    command = [sys.executable, "-m", "xinglin", *arguments, *SMALL, "--save-every", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    state = tmp_path / ".encoder.run" / "state.json"
    deadline = time.monotonic() + 120
    while not state.is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)  # saving goes on after every step: this lands in or beside one
    assert process.wait(60) == 130
    step = json.loads(state.read_text())["step"]
    assert 0 < step < 400
    assert not out.exists()
    # What is left is what the next call reads; a truncated file would be named by it.
    changed = xinglin(*arguments[:-3], "--steps", "401", "--no-graph", *SMALL)
    assert changed.returncode == 2
    assert "other settings or data" in changed.stderr
    assert json.loads(state.read_text())["step"] == step


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("encoder", "--data", "absent.jsonl", "--out", "x"), "absent.jsonl"),
        (("encoder", "--data", "NOTES", "--out", "x", "--size", "huge"), "tiny, small, base"),
        (("encoder", "--data", "NOTES", "--out", "x", "--objective", "magic"), "contrastive or kepler"),
        (("diagnosis", "--data", "NOTES", "--out", "x"), "field disease"),
        (("department", "--data", "NOTES", "--out", "x"), "field department"),
        (("open-model", "--data", "absent", "--out", "x"), "no open text"),
    ],
)
def test_bad_input_is_one_clear_line(
    notes: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    told = [str(notes) if item == "NOTES" else item for item in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "xinglin", "train", *told],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
