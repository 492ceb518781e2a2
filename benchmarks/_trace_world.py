"""One model's life, lived twice: through Xinglin's commands, and as a careful user would log it in MLflow by hand."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL, CHILD, DATA, SUBJECT = "nodules", "nodules-b", "scans", "7"
PATIENT = "患者 7:胸痛三天"
POLICY = """
name = "nodules"
[error]
name = "error"
at_most = 0.05
min_n = 100
[worst_subgroup]
name = "accuracy"
at_least = 0.8
groups = ["sex"]
min_n = 20
[privacy]
epsilon_at_most = 8.0
[certificate]
claim_at_most = 0.02
issuers = ["ISSUER"]
[approvals]
roles = ["clinical"]
"""


@dataclass(frozen=True)
class World:
    """What both systems were told, and where Xinglin kept it."""

    folder: Path
    data: str
    """SHA-256 of the data's manifest."""
    issuer: str
    certificate: dict[str, Any]
    commit: str
    predicted: str
    """The subject of the prediction: an HMAC of the patient's text."""
    moment: str
    """A time at which 2.0.0 was in use."""

    @property
    def model(self) -> Path:
        """Folder of version 1.0.0."""
        return self.folder / "model-1"


@contextmanager
def at(folder: Path) -> Iterator[None]:
    """Let Xinglin's home be in a folder."""
    before = {name: os.environ.pop(name, None) for name in ("XINGLIN_HOME", "XINGLIN_DATABASE_URL")}
    os.environ["XINGLIN_HOME"] = str(folder / "home")
    try:
        yield
    finally:
        del os.environ["XINGLIN_HOME"]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def call(*arguments: object, fails: bool = False) -> str:
    """Run a command of Xinglin and return what it prints."""
    from typer.testing import CliRunner

    from xinglin.cli.main import app
    from xinglin.errors import XinglinError

    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if fails:
        if not isinstance(done.exception, XinglinError):
            raise RuntimeError(f"{arguments[:2]} was to be refused: {done.output[-300:]}")
        return str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    if done.exit_code:
        raise RuntimeError(done.output[-600:])
    return done.stdout


def digest_of(content: bytes) -> str:
    """SHA-256: of what stands here for a file that is not."""
    return hashlib.sha256(content).hexdigest()


def _written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def build(folder: Path) -> World:
    """Walk from intake to a released model, its replacement, and the way back."""
    from tests.labels.audited import data_set, planned, readings
    from tests.release.registered import checkpoint

    from xinglin.apps.diagnosis.remember import remember_prediction
    from xinglin.labels.certificate import certify, sign_certificate
    from xinglin.labels.evidence import tally
    from xinglin.ledger.signature import new_key
    from xinglin.store import open_store

    folder.mkdir(parents=True)
    with at(folder):
        call("audit", "key", "new", "--out", folder / "audit.pem")
        source = folder / "data"
        source.mkdir()
        rows = [{"id": str(n), "text": f"胸痛第{n}天", "sex": "女" if n % 2 else "男"} for n in range(40)]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (source / "scans.jsonl").write_text(text, encoding="utf-8")
        mapping = folder / "mapping.toml"
        mapping.write_text('id = "id"\ntext = "text"\n', encoding="utf-8")
        call("records", "intake", source / "scans.jsonl", "--dataset", DATA, "--mapping", mapping)
        call("records", "consent", DATA, "--purpose", "training", "--basis", "ethics 2026-41")
        call("records", "grant", DATA, "--to", "lab", "--purpose", "training", "--until", "2099-12-31")
        call("records", "withdraw", DATA, "--subject", SUBJECT, "--purpose", "training")
        call("records", "read", DATA, "--purpose", "training", "--as", "lab")
        manifest = ("--licence", "CC0-1.0", "--consent", "ethics 2026-41", "--out", folder / "data.json")
        call("records", "manifest", source, *manifest)
        digest = json.loads(call("audit", "list", "--last", "1"))["detail"]["manifest"]
        issuer = new_key(folder / "issuer.pem")
        truth, labels = data_set(2000)
        plan = planned(labels, manifest=digest)
        tallied = tally(plan, labels, readings(plan, truth, 600))
        certificate = sign_certificate(certify(plan, tallied, issued="2026-01-01"), folder / "issuer.pem")
        named = [{"name": DATA, "sha256": digest, "records": 39, "licence": "CC0-1.0", "weak": False}]
        settings = {"learning_rate": 0.0003, "epochs": 12}
        first = checkpoint(
            folder / "model-1", name=MODEL, data=named, settings=settings, seeds=[41], parents=[]
        )
        more = [
            *named,
            {
                "name": "public",
                "sha256": digest_of(b"a public collection"),
                "records": 900,
                "licence": "CC-BY-4.0",
            },
        ]
        second = checkpoint(
            folder / "model-2", name=MODEL, data=more, settings=settings, seeds=[41], parents=[]
        )
        body = json.loads((first / "manifest.json").read_text(encoding="utf-8"))
        own = [
            {"name": "site-b", "sha256": digest_of(b"the scans of site B"), "records": 70, "licence": "local"}
        ]
        child = checkpoint(
            folder / "child", name=CHILD, data=own, settings=settings, seeds=[2], parents=[body["id"]]
        )
        policy = folder / "policy.toml"
        policy.write_text(POLICY.replace("ISSUER", issuer), encoding="utf-8")
        call("model", "key", "--out", folder / "model.pem")
        for place, made in (("1.0.0", first), ("2.0.0", second)):
            call("model", "register", made, "--actor", "wang")
            call("model", "sign", made, "--key", folder / "model.pem")
            for kind, content in evidence(certificate).items():
                file = _written(folder / f"{kind}.json", content)
                call("model", "attach", f"{MODEL}@{place}", "--kind", kind, "--file", file)
            promote = ("model", "promote", f"{MODEL}@{place}", "--policy", policy, "--folder", made)
            signed = (
                "--public-key",
                folder / "model.pem.pub",
                "--key",
                folder / "audit.pem",
                "--actor",
                "wang",
            )
            if place == "1.0.0":
                call(*promote, *signed, fails=True)
            agreed = _written(folder / "approval.json", approval())
            call(
                "model",
                "attach",
                f"{MODEL}@{place}",
                "--kind",
                "approval",
                "--file",
                agreed,
                "--actor",
                "chen",
            )
            call(*promote, *signed)
        moment = json.loads(call("audit", "list", "--last", "1"))["time"]
        call("model", "rollback", MODEL, "--reason", "worse at site B", "--actor", "wang")
        call("model", "register", child, "--actor", "li")
        store = open_store()
        answer = {
            "model": {"id": MODEL, "version": "1.0.0"},
            "triage_level": "urgent",
            "abstained": False,
            "patient": {"age": None, "sex": None},
            "findings": [],
            "candidates": [],
            "prediction_set": [],
        }
        predicted = remember_prediction(store, PATIENT, answer, actor="ward 3")
        store.close()
        call("audit", "sign", "--key", folder / "audit.pem", "--out", folder / "head.json")
    commit = str(body["code"].get("commit"))
    return World(folder, digest, issuer, certificate, commit, predicted, moment)


def evidence(certificate: dict[str, Any]) -> dict[str, Any]:
    """What is known of a version, by kind."""
    figure = {"value": 0.02, "low": 0.012, "high": 0.031, "n": 900, "data": DATA}
    groups = [
        {
            "name": "accuracy",
            "value": value,
            "low": value - 0.03,
            "high": value + 0.02,
            "n": 450,
            "data": DATA,
            "group": {"kind": "sex", "value": sex},
        }
        for sex, value in (("女", 0.95), ("男", 0.91))
    ]
    consent = {"dataset": DATA, "basis": "ethics 2026-41", "purposes": ["training"], "grants": ["lab"]}
    privacy = {"dataset": DATA, "unit": "patient", "epsilon": 3.2, "delta": 1e-5, "rounds": 20}
    return {
        "metric": [{"name": "error", **figure}, *groups],
        "certificate": certificate,
        "consent": consent | {"subjects": 40, "withdrawn": 1},
        "privacy": privacy | {"report": digest_of(b"a report of the privacy accountant")},
    }


def approval() -> dict[str, str]:
    """Who agreed."""
    return {"person": "chen", "role": "clinical", "decision": "approve", "statement": "read the errors"}
