"""One data set from intake to a released model; its dossier rebuilt elsewhere; every artefact tampered with in turn."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.labels.audited import data_set, planned, readings
from tests.text_models import word_checkpoint
from xinglin.cli.main import app
from xinglin.errors import XinglinError
from xinglin.labels.certificate import certify, sign_certificate
from xinglin.labels.evidence import tally
from xinglin.ledger.signature import new_key
from xinglin.measure.intervals import proportion
from xinglin.model.checkpoint import MANIFEST
from xinglin.model.runtime import TextClassifier

DEPARTMENTS = ("内分泌科", "呼吸科", "消化科")
POLICY = """
name = "departments"
[error]
name = "error"
at_most = 0.9
min_n = 20
weak = true
[worst_subgroup]
name = "accuracy"
at_least = 0.05
groups = ["sex"]
min_n = 10
[certificate]
claim_at_most = 0.02
issuers = ["ISSUER"]
[approvals]
roles = ["clinical"]
"""


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        raise XinglinError(result.output)
    return result


def written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store (home), the data, the model, its signature, the journal and the dossier."""
    folder = tmp_path_factory.mktemp("walk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XINGLIN_HOME", str(folder / "home"))
        patch.delenv("XINGLIN_DATABASE_URL", raising=False)
        _walk(folder)
    return folder


def _walk(folder: Path) -> None:
    call("audit", "key", "new", "--out", folder / "audit.pem")
    # Intake, consent, and a reading for training that both permit.
    rows = [
        {
            "id": f"{i}",
            "text": f"病人{DEPARTMENTS[i % 3][:2]}不适第{i}天",
            "sex": "女" if i % 2 else "男",
            "label": DEPARTMENTS[i % 3],
        }
        for i in range(120)
    ]
    source = folder / "data"
    source.mkdir()
    with gzip.open(source / "notes.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    mapping = folder / "mapping.toml"
    mapping.write_text('id = "id"\ntext = "text"\n', encoding="utf-8")
    call("records", "intake", source / "notes.jsonl.gz", "--dataset", "notes", "--mapping", mapping)
    call("records", "consent", "notes", "--purpose", "training", "--basis", "ethics 2026-41")
    call("records", "grant", "notes", "--to", "lab", "--purpose", "training", "--until", "2099-12-31")
    call("records", "withdraw", "notes", "--subject", "7", "--purpose", "training")
    read = call("records", "read", "notes", "--purpose", "training", "--as", "lab").stdout
    kept = {row["id"] for row in map(json.loads, read.splitlines())}
    assert len(kept) == 119
    manifest = folder / "data.json"
    call(
        "records",
        "manifest",
        source,
        "--licence",
        "CC0-1.0",
        "--consent",
        "ethics 2026-41",
        "--out",
        manifest,
    )
    digest = json.loads(call("audit", "list", "--last", "1").stdout)["detail"]["manifest"]
    # A certificate of the labels' error, for this manifest.
    issuer = new_key(folder / "issuer.pem")
    truth, released = data_set(2000)
    plan = planned(released, manifest=digest)
    result = tally(plan, released, readings(plan, truth, 600))
    certificate = sign_certificate(certify(plan, result, issued="2026-01-01"), folder / "issuer.pem")
    # Training: each class by the text that names it; the head is measured on rows that it was not made from.
    data = [{"name": "notes", "sha256": digest, "records": len(kept), "licence": "CC0-1.0", "weak": True}]
    taught = {word: f"病人{word[:2]}不适" for word in DEPARTMENTS}
    model = word_checkpoint(
        folder / "model", DEPARTMENTS, taught, name="departments", data=data, limits="a test"
    )
    texts = [row for row in rows if row["id"] in kept]
    logits = TextClassifier.load(model).logits([row["text"] for row in texts])
    hits: dict[str, list[bool]] = {"女": [], "男": []}
    for best, row in zip(np.argmax(logits, axis=1), texts, strict=True):
        hits[row["sex"]].append(DEPARTMENTS[best] == row["label"])
    whole = hits["女"] + hits["男"]
    call("model", "register", model, "--actor", "lead")
    wrong = proportion(len(whole) - sum(whole), len(whole))
    figures = [figure("error", wrong, weak=True)]
    for sex, right in hits.items():
        figures.append(
            figure("accuracy", proportion(sum(right), len(right)), group={"kind": "sex", "value": sex})
        )
    attach("departments", "metric", written(folder / "figures.json", figures))
    attach("departments", "certificate", written(folder / "certificate.json", certificate))
    approval = {"person": "chen", "role": "clinical", "decision": "approve", "statement": "read the errors"}
    attach("departments", "approval", written(folder / "approval.json", approval))
    stated = {"dataset": "notes", "basis": "ethics 2026-41", "purposes": ["training"], "grants": ["lab"]}
    consent = stated | {"subjects": 120, "withdrawn": 1}
    attach("departments", "consent", written(folder / "consent.json", consent))
    policy = folder / "policy.toml"
    policy.write_text(POLICY.replace("ISSUER", issuer), encoding="utf-8")
    call("model", "key", "--out", folder / "model.pem")
    call("model", "sign", model, "--key", folder / "model.pem")
    call(
        *("model", "promote", "departments", "--policy", policy, "--folder", model),
        *("--public-key", folder / "model.pem.pub", "--key", folder / "audit.pem"),
    )
    call("audit", "sign", "--key", folder / "audit.pem", "--out", folder / "head.json")
    call("audit", "export", "--out", folder / "journal.txt")


def figure(name: str, found: Any, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "data": "notes",
    } | more


def attach(name: str, kind: str, file: Path) -> None:
    call("model", "attach", name, "--kind", kind, "--file", file)


def at(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("XINGLIN_HOME", str(folder / "home"))
    patch.delenv("XINGLIN_DATABASE_URL", raising=False)


def test_an_auditor_finds_every_answer(walked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(walked, monkeypatch)
    shown = json.loads(call("model", "show", "departments@1.0.0", "--json").stdout)
    assert shown["stage"] == "released"
    assert {item["kind"] for item in shown["evidence"]} >= {
        "metric",
        "certificate",
        "approval",
        "consent",
        "environment",
        "gate",
    }
    journal, public = walked / "journal.txt", walked / "audit.pem.pub"
    done = call(
        "audit", "verify", "--journal", journal, "--public-key", public, "--head", walked / "head.json"
    )
    assert "signed heads 2" in done.output
    assert "departments@1.0.0" in call("model", "touched", "notes").output
    text = journal.read_text(encoding="utf-8")
    assert "病人" not in text
    for action in (
        "intake.finish",
        "consent.give",
        "grant.give",
        "consent.withdraw",
        "manifest.make",
        "model.promote",
    ):
        assert f'"action":"{action}"' in text, action


def test_a_withdrawal_names_the_models_that_it_comes_too_late_for(
    walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(walked, tmp_path / "copy")
    at(tmp_path / "copy", monkeypatch)
    for verb in (("withdraw", "notes", "--subject", "11"), ("erase", "notes", "--subject", "12", "--yes")):
        assert "departments@1.0.0 (released)" in call("records", *verb).output
    before = call("records", "read", "notes", "--purpose", "training", "--as", "lab").stdout
    assert {row["id"] for row in map(json.loads, before.splitlines())}.isdisjoint({"7", "11", "12"})


@pytest.mark.parametrize("authority", ["nmpa", "fda", "eu", "pipl"])
def test_the_dossier_is_the_same_bytes_elsewhere(
    walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: str
) -> None:
    at(walked, monkeypatch)
    call("dossier", "departments", "--for", authority, "--out", tmp_path / "here")
    elsewhere = tmp_path / "another machine"
    shutil.copytree(walked / "home", elsewhere / "home")
    at(elsewhere, monkeypatch)
    call("dossier", "departments@1.0.0", "--for", authority, "--out", elsewhere / "out")
    files = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert f"dossier-{authority}.pdf" in files
    assert len(files) == 6
    for name in files:
        assert (tmp_path / "here" / name).read_bytes() == (elsewhere / "out" / name).read_bytes(), name


def flip(path: Path, at_byte: int = -20) -> None:
    content = bytearray(path.read_bytes())
    content[at_byte] ^= 1
    path.write_bytes(content)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def sql(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "home" / "xinglin.db") as raw:
        raw.execute(statement)


def checked_model(folder: Path) -> None:
    call("model", "check", folder / "model", "--public-key", folder / "model.pem.pub")


def checked_chain(folder: Path) -> None:
    call("audit", "verify", "--public-key", folder / "audit.pem.pub", "--head", folder / "head.json")


def checked_journal(folder: Path) -> None:
    call("audit", "verify", "--journal", folder / "journal.txt", "--public-key", folder / "audit.pem.pub")


def checked_dossier(folder: Path) -> None:
    call("dossier", "departments", "--for", "nmpa", "--out", folder / "out")


def checked_data(folder: Path) -> None:
    call("records", "verify", folder / "data.json", folder / "data")


TAMPER: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "a weight": (lambda f: flip(f / "model" / "model.safetensors"), checked_model),
    "the model's manifest": (
        lambda f: (
            (f / "model" / MANIFEST).write_text(
                (f / "model" / MANIFEST).read_text().replace("a test", "a cure")
            )
            and None
        ),
        checked_model,
    ),
    "the model's signature": (lambda f: flip(f / "model.sig", 200), checked_model),
    "a file of the data": (lambda f: flip(f / "data" / "notes.jsonl.gz"), checked_data),
    "a metric": (
        lambda f: sql(
            f, "UPDATE model_evidence SET content = replace(content, '\"weak\":true', '\"weak\":false')"
        ),
        checked_dossier,
    ),
    "a row of the ledger": (
        lambda f: sql(f, "UPDATE ledger SET actor = 'nobody' WHERE action = 'grant.give'"),
        checked_chain,
    ),
    "the end of the ledger": (
        lambda f: sql(f, "DELETE FROM ledger WHERE seq = (SELECT max(seq) FROM ledger)"),
        checked_chain,
    ),
    "the journal": (lambda f: flip(f / "journal.txt"), checked_journal),
    "a signed head": (
        lambda f: sql(f, "UPDATE ledger_signed_heads SET time = '2020-01-01T00:00:00.000000+00:00'"),
        checked_chain,
    ),
}


@pytest.mark.parametrize(("tamper", "check"), TAMPER.values(), ids=TAMPER)
def test_every_artefact_tampered_with_is_caught(
    walked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tamper: Callable[[Path], None],
    check: Callable[[Path], None],
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(walked, copy)
    at(copy, monkeypatch)
    check(copy)
    tamper(copy)
    with pytest.raises(XinglinError):
        check(copy)
