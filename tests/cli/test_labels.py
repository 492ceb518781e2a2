"""``xinglin labels``: a whole round, its audit and its certificate, in the terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.labels.rounds import DATASET, PEOPLE, TEXTS, fill
from xinglin.cli.labels import app
from xinglin.errors import (
    ConfigurationError,
    InvalidInputError,
    MissingDataError,
    NotPermittedError,
    UnknownNameError,
)
from xinglin.ledger import verify
from xinglin.store import Store, open_store

TABLE = "code\tzh\ten\tdefinition_zh\tdefinition_en\tinclude\texclude\texamples\n" + "".join(
    f"{code}\t{zh}\t\t\t\t\t\t\n"
    for code, zh in (("J00", "急性鼻咽炎"), ("J11", "流行性感冒"), ("J18", "肺炎"))
)


def run(*arguments: object, fails: type[Exception] | None = None) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if fails is not None:
        assert isinstance(result.exception, fails), (result.exception, result.output)
        return str(result.exception)
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result.output


@pytest.fixture
def opened(tmp_path: Path, store: Store) -> Path:
    fill(store, TEXTS, ["lead", *PEOPLE])
    store.close()
    (tmp_path / "scheme.tsv").write_text(TABLE, encoding="utf-8")
    run("new", "fever", "--dataset", DATASET, "--scheme", tmp_path / "scheme.tsv", "--as", "lead")
    for person, role in PEOPLE.items():
        run("assign", "fever", person, role, "--as", "lead")
    return tmp_path


def slot_of(output: str) -> str:
    found = re.search(r"#(\d+)", output)
    assert found, output
    return found[1]


def label(user: str, code: str, stage: str = "annotation") -> str:
    slot = slot_of(run("next", "fever", "--as", user, "--stage", stage))
    return run("decide", "fever", slot, code, "--as", user)


def test_a_round_its_audit_and_its_certificate(opened: Path) -> None:
    shown = run("next", "fever", "--as", "an")
    assert TEXTS[0] in shown
    assert "J18" in shown
    slot = slot_of(shown)
    assert "J00" in run(
        "decide", "fever", slot, "急性鼻咽炎", "--as", "an", "--span", "0:2", "--confidence", 0.9
    )
    assert slot in run("undo", "fever", "--as", "an")
    run("skip", "fever", slot, "unreadable", "--as", "an")
    run("undo", "fever", "--as", "an")
    for code in ("J00", "J11", "J18", "J00"):
        label("an", code)
    for code in ("J00", "J11", "J11", "J00"):
        label("bo", code)
    assert "没有可做的病历" in run("next", "fever", "--as", "bo")
    arbiter = run("next", "fever", "--as", "chen", "--stage", "arbitration")
    assert "标注 label 2" in arbiter
    assert " an" not in arbiter
    run("decide", "fever", slot_of(arbiter), "J18", "--as", "chen")
    told = run("status", "fever", "--as", "lead")
    assert "settled 4" in told
    assert "未经注册" in told
    assert json.loads(run("status", "fever", "--as", "lead", "--json"))["records"] == {"settled": 4}

    seed = run("draw", "fever", 4, "--seed", "dice", "--as", "lead").split("seed ")[1].strip()
    assert seed.startswith("dice:")
    folder = opened / "evidence"
    run("export", "fever", folder, "--as", "lead", "--format", "evidence")
    plan = opened / "plan.json"
    run(
        *("audit-plan", folder / "labels.jsonl", "--out", plan, "--manifest", "0" * 64, "--seed", seed),
        *(
            "--claim",
            "0.5",
            "--auditor",
            "deng",
            "--auditor",
            "fu",
            "--adjudicator",
            "gao",
            "--hardest",
            "0.05",
        ),
    )
    gold = {"r0": "J00", "r1": "J11", "r2": "J18", "r3": "J00"}
    texts = {text: gold[f"r{n}"] for n, text in enumerate(TEXTS)}
    for user in ("deng", "fu"):
        for _ in range(4):
            shown = run("next", "fever", "--as", user, "--stage", "audit")
            code = next(code for text, code in texts.items() if text in shown)
            run("decide", "fever", slot_of(shown), code, "--as", user)
    run("export", "fever", folder, "--as", "lead", "--format", "evidence")
    certificate = opened / "certificate.json"
    run(
        *("certify", plan, folder / "labels.jsonl", folder / "readings.jsonl"),
        *("--annotators", folder / "annotators.jsonl", "--key", opened / "key.pem", "--out", certificate),
    )
    assert certificate.stat().st_size > 500
    with open_store().read() as connection:
        assert verify(connection) > 60


def test_out_to_label_studio_and_back(opened: Path) -> None:
    label("an", "J00")
    file, config = opened / "tasks.json", opened / "config.xml"
    run("export", "fever", file, "--as", "lead", "--format", "label-studio")
    run("export", "fever", config, "--as", "lead", "--format", "label-studio-config")
    assert 'alias="icd10-who:J00"' in config.read_text()
    tasks = json.loads(file.read_text())
    assert len(tasks) == 4
    assert run("import", "fever", file, "--as", "lead").startswith("已导入 taken 0, 已有 known 1")
    result = {"type": "choices", "from_name": "code", "value": {"choices": ["J11"]}}
    tasks[0]["annotations"] = [{"completed_by": 10, "result": [result]}]
    file.write_text(json.dumps(tasks), encoding="utf-8")
    run("import", "fever", file, "--as", "lead", fails=InvalidInputError)
    assert "taken 1" in run("import", "fever", file, "--as", "lead", "--person", "10=bo")
    run("export", "fever", opened / "labels.jsonl", "--as", "lead")
    first = json.loads((opened / "labels.jsonl").read_text().splitlines()[0])
    assert [[code["code"] for code in one["codes"]] for one in first["labels"]] == [["J00"], ["J11"]]
    assert first["state"] == "arbitration"


def test_the_model_is_shown_in_the_terminal_after_the_label(opened: Path) -> None:
    (opened / "ids.txt").write_text("r2\nr0\n")
    run(
        *("new", "assisted", "--dataset", DATASET, "--scheme", opened / "scheme.tsv", "--as", "lead"),
        *("--assisted", "--records", opened / "ids.txt"),
    )
    run("assign", "assisted", "an", "annotator", "--as", "lead")
    shown = run("next", "assisted", "--as", "an")
    assert "模型" not in shown
    slot = slot_of(shown)
    told = run("decide", "assisted", slot, "J00", "--as", "an")
    assert "模型 model" in told
    assert "J18" in told.split("模型 model")[1]
    assert "reconsider: J18" in run("decide", "assisted", slot, "J18", "--as", "an")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("status", "nowhere", "--as", "lead"), UnknownNameError),
        (("status", "fever"), NotPermittedError),
        (("next", "fever", "--as", "stranger"), NotPermittedError),
        (("next", "fever", "--as", "an", "--stage", "dreaming"), InvalidInputError),
        (("decide", "fever", 1, "Z99", "--as", "an"), UnknownNameError),
        (("decide", "fever", 1, "J00", "--as", "an", "--span", "3-8"), InvalidInputError),
        (("skip", "fever", 1, "tired", "--as", "an"), InvalidInputError),
        (("export", "fever", "x", "--as", "lead", "--format", "xls"), InvalidInputError),
        (("export", "fever", "x", "--as", "an"), NotPermittedError),
        (("import", "fever", "absent.json", "--as", "lead"), MissingDataError),
        (("import", "fever", __file__, "--as", "lead"), InvalidInputError),
        (("import", "fever", __file__, "--as", "lead", "--person", "x"), InvalidInputError),
        (("draw", "fever", 1, "--seed", "x", "--as", "lead"), ConfigurationError),
        (("assign", "fever", "an", "king", "--as", "lead"), ConfigurationError),
        (("forget", "nowhere"), UnknownNameError),
    ],
)
def test_what_is_wrong_is_said_by_name(
    opened: Path, arguments: tuple[object, ...], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(opened)
    run(*arguments, fails=error)


def test_closing_and_listing(opened: Path) -> None:
    assert "fever" in run("status")
    assert "annotator" in run("status", "--as", "an")
    assert run("status", "--as", "stranger") == ""
    run("close", "fever", "--as", "lead")
    assert "closed" in run("status")
    run("next", "fever", "--as", "an", fails=ConfigurationError)
    assert "0 份" in run("forget", DATASET)
