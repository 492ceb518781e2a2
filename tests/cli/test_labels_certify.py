"""Plan, certify, verify at the command line, on files, with the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from tests.labels.audited import MANIFEST, data_set, readings
from xinglin.cli import labels_certify
from xinglin.errors import CertificateError, InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.labels.evidence import Reading, plan_from_json
from xinglin.labels.evidence_files import label_text, read_annotators, read_labels, read_readings
from xinglin.ledger import entries, verify
from xinglin.store import Store

app = typer.Typer()
app.command("audit-plan")(labels_certify.audit_plan)
app.command("certify")(labels_certify.certify)
app.command("verify-certificate")(labels_certify.verify_certificate)
TRUTH, RELEASED = data_set(2000, wrong=3)


def lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines(tmp_path / "labels.jsonl", [{"item": item, "label": label} for item, label in RELEASED.items()])
    return tmp_path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def plan(folder: Path, *more: object, name: str = "plan.json") -> Result:
    return run(
        "audit-plan", folder / "labels.jsonl", "--out", folder / name, "--manifest", MANIFEST, "--claim", "0.02",
        "--auditor", "甲", "--auditor", "乙", "--adjudicator", "丙", "--hardest", "0.1", "--seed", "1", *more,
    )  # fmt: skip


def read(folder: Path, count: int) -> Path:
    planned = plan_from_json(json.loads((folder / "plan.json").read_text("utf-8")))
    return lines(
        folder / "readings.jsonl",
        [
            {"item": r.item, "reader": r.reader, "label": r.label, "role": r.role, "saw": list(r.saw)}
            for r in readings(planned, TRUTH, count, disagree=2)
        ],
    )


def certify(folder: Path) -> Result:
    return run(
        "certify", folder / "plan.json", folder / "labels.jsonl", folder / "readings.jsonl", "--key", folder / "key",
        "--out", folder / "certificate.json", "--page", folder / "certificate.html",
    )  # fmt: skip


def test_from_plan_to_certificate(folder: Path, store: Store) -> None:
    shown = plan(folder, "--order", folder / "order.txt")
    assert shown.exit_code == 0
    assert "功效" in shown.output
    assert "未经注册" in shown.output
    assert len((folder / "order.txt").read_text("utf-8").split()) == 2000
    read(folder, 100)
    with pytest.raises(CertificateError, match="go on"):
        certify(folder)
    assert not (folder / "certificate.json").exists()
    read(folder, 500)
    done = certify(folder)
    assert "低于 2 %" in done.output
    assert "less than 2 % are wrong" in done.output
    assert "错误标注低于 2 %" in (folder / "certificate.html").read_text("utf-8")
    with store.read() as connection:
        noted = list(entries(connection))
        assert [entry.action for entry in noted] == ["annotation.plan_audit", "annotation.certify"]
        assert noted[1].subjects[2] == MANIFEST
        assert verify(connection) == 2

    checked = run(
        "verify-certificate", folder / "certificate.json", "--key", folder / "key.pub", "--manifest", MANIFEST,
        "--labels", folder / "labels.jsonl", "--readings", folder / "readings.jsonl",
    )  # fmt: skip
    assert "数据清单 manifest; 标注与读片 labels and readings" in checked.output
    alone = run(
        "verify-certificate", folder / "certificate.json", "--key", (folder / "key.pub").read_text().strip()
    )
    assert "manifest not compared" in alone.output
    with pytest.raises(CertificateError, match="changed since"):
        run(
            "verify-certificate",
            folder / "certificate.json",
            "--key",
            folder / "key.pub",
            "--manifest",
            "0" * 64,
        )


def test_power_as_json(folder: Path) -> None:
    given = json.loads(plan(folder, "--json").output)
    assert given["stops"] == sorted(given["stops"])
    first = given["power"][0]
    assert (first["true_error"], first["wrong"], first["passes"]["598"]) == (0.0, 0, 1.0)
    assert (
        given["power"][4]["expected"] > given["power"][2]["expected"] > first["expected"] == given["stops"][0]
    )


def test_a_claim_beyond_any_audit_is_said(folder: Path) -> None:
    shown = run(
        "audit-plan", folder / "labels.jsonl", "--out", folder / "p", "--manifest", MANIFEST, "--claim", "0.0004",
        "--auditor", "甲", "--auditor", "乙", "--adjudicator", "丙", "--hardest", "0.1",
    )  # fmt: skip
    assert "No audit can prove this claim" in " ".join(shown.output.split())


def test_one_plan_for_the_same_labels(folder: Path, store: Store) -> None:
    plan(folder)
    plan(folder)  # the very same again
    with pytest.raises(CertificateError, match="planned already"):
        plan(folder, "--claim", "0.03", name="second.json")
    assert not (folder / "second.json").exists()
    with store.read() as connection:
        assert verify(connection) == 1


def test_an_audit_without_a_noted_plan_is_refused(folder: Path) -> None:
    plan(folder)
    changed = json.loads((folder / "plan.json").read_text("utf-8")) | {"seed": "a luckier one"}
    (folder / "plan.json").write_text(json.dumps(changed), encoding="utf-8")
    read(folder, 700)
    with pytest.raises(CertificateError, match="not in the ledger"):
        certify(folder)


def test_the_manifest_is_needed_by_file_or_digest(folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="--manifest"):
        run("audit-plan", folder / "labels.jsonl", "--out", folder / "p")
    with pytest.raises(MissingDataError):
        run("audit-plan", folder / "labels.jsonl", "--out", folder / "p", "--manifest", folder / "none.json")
    with pytest.raises(MissingDataError):
        run("verify-certificate", folder / "none.json", "--key", "0" * 64)


def test_several_codes_are_compared_as_a_set() -> None:
    assert label_text(["b:2", "a:1", "b:2"], "") == "a:1 b:2" == label_text(["a:1", "b:2"], "")
    assert label_text([], "") == ""


@pytest.mark.parametrize(
    "line",
    ['{"item": "a"}', "[]", "{", '{"item": "", "label": "x"}', '{"item": 1, "label": "x"}', '{"item": "a", "label": 1}',
     '{"item": "a", "label": ["x y"]}', '{"item": "a", "label": "x", "more": 1}', '{"item": "a", "label": [""]}'],
)  # fmt: skip
def test_broken_lines_are_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.jsonl").write_text('{"item": "ok", "label": "x"}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"x\.jsonl:3"):
        read_labels(tmp_path / "x.jsonl")


def test_files_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"item": "a", "label": "x"}\n{"item": "a", "label": "y"}\n')
    with pytest.raises(InvalidInputError, match="twice"):
        read_labels(path)
    path.write_text('{"item": "a", "label": "' + "x" * 70_000 + '"}\n')
    with pytest.raises(InputTooLargeError, match=":1"):
        read_labels(path)
    for row in ({"role": "judge"}, {"saw": "label"}, {"saw": [1]}, {"reader": 1}):
        lines(path, [{"item": "a", "reader": "甲", "label": "x"} | row])
        with pytest.raises(InvalidInputError, match=r"x\.jsonl:1"):
            read_readings(path)
    with pytest.raises(MissingDataError):
        read_labels(tmp_path / "none.jsonl")


def test_readings_and_annotators_are_read(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "x.jsonl",
        [{"item": "a", "reader": "甲", "label": ["b:2", "a:1"], "saw": ["model", "auditors"]}],
    )
    assert read_readings(path) == [Reading("a", "甲", "a:1 b:2", "auditor", ("auditors", "model"))]
    lines(path, [{"item": "a", "annotator": "甲", "label": 1}, {"item": "a", "annotator": "乙"}])
    assert read_annotators(path) == {"a": frozenset({"甲", "乙"})}
