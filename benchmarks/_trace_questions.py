"""Twenty questions of an auditor: how each system answers, and how whoever keeps its tables would falsify the answer.

An answer counts as *evidence* if it is right, and a falsified one is noticed by an auditor who holds nothing but public keys
and a signed head; as a *claim* if it is right and the falsified one passes; else it is *none*.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks._trace_forgeries import (
    Ours,
    Theirs,
    content,
    entries,
    entry,
    file,
    flipped,
    manifest,
    metric,
    proof,
    rechained,
    removed,
    rows,
    shown,
    tag,
)
from benchmarks._trace_mlflow import Logged, signed_folder_holds
from benchmarks._trace_world import CHILD, DATA, MODEL, PATIENT, World, call


@dataclass(frozen=True)
class Question:
    """One question; ``None`` where MLflow has no place for an answer."""

    text: str
    truth: Callable[[World], str]
    """What a right answer contains."""
    ours: Ours
    theirs: Theirs | None
    sealed: Theirs | None = None
    """Answered from our sealed and signed checkpoint, where MLflow holds it as an artifact."""
    note: str = ""


def _inputs(_world: World, logged: Logged) -> str:
    return " ".join(
        f"{one.dataset.name} {one.dataset.digest}"
        for one in logged.client.get_run(logged.first).inputs.dataset_inputs
    )


def _parameters(_world: World, logged: Logged) -> str:
    return json.dumps(logged.client.get_run(logged.first).data.params)


def _derived(_world: World, logged: Logged) -> str:
    """Runs with the data set among their inputs (MLflow's own search), and those whose tag names one of them."""
    experiment = logged.client.get_run(logged.first).info.experiment_id
    direct = logged.client.search_runs([experiment], f"dataset.name = '{DATA}'")
    found = {run.info.run_id: run.info.run_name for run in direct}
    for run in logged.client.search_runs([experiment]):
        if run.data.tags.get("parents") in found:
            found[run.info.run_id] = run.info.run_name
    return " ".join(sorted(found.values()))


def _weights_theirs(world: World, logged: Logged) -> None:
    flipped(logged.artifacts / logged.first / "artifacts" / "model" / "model.onnx")


def _moment(world: World) -> str:
    """Which version was in use at a moment: the last promotion or way back before it."""
    acts = sorted(
        entries(world, "model.promote") + entries(world, "model.rollback"), key=lambda one: one["seq"]
    )
    return str([one["detail"]["number"] for one in acts if one["time"] <= world.moment][-1])


def _patient(world: World) -> str:
    """Find the predictions of a patient's text by the salts in the store."""
    from xinglin.store.keys import keyed_digest

    text = PATIENT.encode()
    mine = {
        subject
        for subject, salt in rows(world, "SELECT subject, salt FROM salts")
        if keyed_digest(salt, text) == subject
    }
    told = [one for one in entries(world, "prediction") if mine & set(one["subjects"])]
    return " ".join(f"{one['detail']['model']['id']} {one['detail']['model']['version']}" for one in told)


def _order(world: World) -> str:
    agreed = [one["seq"] for one in entries(world, "model.evidence") if one["detail"]["kind"] == "approval"]
    released = [one["seq"] for one in entries(world, "model.promote")]
    return "approved before the release" if agreed[0] < released[0] else "approved after the release"


def _swapped(world: World) -> None:
    """Put the approval behind the promotion."""
    agreed = rows(world, "SELECT min(seq) FROM model_evidence WHERE kind = 'approval'")[0][0]
    released = rows(world, "SELECT min(seq) FROM ledger WHERE action = 'model.promote'")[0][0]
    for old, new in ((agreed, 900_000), (released, agreed), (900_000, released)):
        rows(world, "UPDATE ledger SET seq = ? WHERE seq = ?", new, old)
    rechained(world)


def _erased(world: World) -> str:
    told = entries(world, "consent.withdraw")
    return f"{told[0]['detail']['purpose']} withdrawn {told[0]['time'][:10]}" if told else "never"


QUESTIONS = (
    Question(
        "Which data trained it, to the byte?",
        lambda w: w.data[:36],
        (lambda w: json.dumps(shown(w)["manifest"]["data"]), lambda w: manifest(w.data, "0" * 64)(w)),
        (
            _inputs,
            lambda w, m: m.forge("UPDATE datasets SET digest = ? WHERE digest = ?", "0" * 36, w.data[:36]),
        ),
        file("model/manifest.json", lambda one: json.dumps(one["data"]), '"records": 39', '"records": 38'),
        "MLflow's own data set inputs",
    ),
    Question(
        "On whose consent does the training rest?",
        lambda w: "ethics 2026-41",
        (
            lambda w: json.dumps(entries(w, "consent.give")[0]["detail"]),
            entry("consent.give", "ethics 2026-41", "ethics 2019-01"),
        ),
        tag("consent.basis", "ethics 2019-01"),
    ),
    Question(
        "Who read the data, for what, and how much was withheld?",
        lambda w: "39",
        (
            lambda w: json.dumps([one["detail"] for one in entries(w, "records.read")]),
            entry("records.read", "39", "40"),
        ),
        tag("data.read", "lab for training, 40 read, 0 withheld"),
    ),
    Question(
        "Which settings and seeds?",
        lambda w: "41",
        (
            lambda w: json.dumps([shown(w)["manifest"][key] for key in ("settings", "seeds")]),
            manifest("[41]", "[42]"),
        ),
        (
            _parameters,
            lambda w, m: m.forge(
                "UPDATE params SET value = '42' WHERE key = 'seed' AND run_uuid = ?", m.first
            ),
        ),
        file(
            "model/manifest.json",
            lambda one: json.dumps([one["settings"], one["seeds"]]),
            "0.0003",
            "0.0004",
        ),
        "MLflow's own parameters",
    ),
    Question(
        "Which code, which environment?",
        lambda w: w.commit,
        (
            lambda w: json.dumps([shown(w)["manifest"]["code"], proof(w, "environment")]),
            content("environment", '"numpy"', '"numpy2"'),
        ),
        tag("mlflow.source.git.commit", "0" * 40),
        file("model/manifest.json", lambda one: json.dumps(one["code"]), '"commit"', '"comm1t"'),
        "MLflow's own source tag",
    ),
    Question(
        "How well does it do in its worst subgroup?",
        lambda w: "0.91",
        (lambda w: json.dumps(proof(w, "metric")), content("metric", "0.91", "0.97")),
        metric("accuracy male", 0.97),
        note="MLflow's own metrics",
    ),
    Question(
        "Was a reported figure changed afterwards?",
        lambda w: "0.02",
        (lambda w: json.dumps(proof(w, "metric")), content("metric", "0.02", "0.01")),
        metric("error", 0.001),
        note="MLflow keeps what is logged again beside what was; a changed row leaves no trace",
    ),
    Question(
        "Who approved it?",
        lambda w: "chen",
        (lambda w: json.dumps(proof(w, "approval")), content("approval", "chen", "zhao")),
        tag("approval.clinical", "zhao"),
    ),
    Question(
        "Are the weights those that were registered?",
        lambda w: "intact",
        (
            lambda w: call("model", "check", w.model, "--public-key", w.folder / "model.pem.pub"),
            lambda w: flipped(w.model / "model.onnx"),
        ),
        (lambda w, m: "intact" if signed_folder_holds(w, m) else "changed", _weights_theirs),
        note="MLflow keeps no digest of artifacts: by the OpenSSF signature logged beside them",
    ),
    Question(
        "Was a release ever refused, and for which threshold?",
        lambda w: "approval: clinical",
        (
            lambda w: json.dumps(
                [one for verdict in proof(w, "gate") for one in verdict["checks"] if not one["passed"]]
            ),
            removed("model.evidence", "gate"),
        ),
        tag("gate.refused", "never"),
    ),
    Question(
        "Was an entry deleted from the history?",
        lambda w: "training withdrawn",
        (_erased, removed("consent.withdraw")),
        None,
        note="MLflow marks deleted runs until they are purged; a deleted tag, metric or purged run leaves nothing",
    ),
    Question(
        "Which models does a withdrawal touch, derived ones too?",
        lambda w: CHILD,
        (
            lambda w: call("model", "touched", DATA),
            lambda w: manifest('"parents"', '"former"', CHILD)(w),
        ),
        (
            _derived,
            lambda w, m: m.forge(
                "UPDATE tags SET value = '' WHERE key = 'parents' AND run_uuid = ?", m.child
            ),
        ),
        note="MLflow's own search by data set; derived ones by a tag",
    ),
    Question(
        "How much epsilon was spent?",
        lambda w: "3.2",
        (lambda w: json.dumps(proof(w, "privacy")), content("privacy", "3.2", "1.1")),
        metric("epsilon", 1.1),
    ),
    Question(
        "Is the annotation error certified, by whom, below what?",
        lambda w: "0.02",
        (lambda w: json.dumps(proof(w, "certificate")), content("certificate", "0.02", "0.01")),
        file("certificate.json", json.dumps, "0.02", "0.01"),
        note="the certificate carries its issuer's signature wherever it lies",
    ),
    Question(
        "Which version was in use at a given moment?",
        lambda w: "2.0.0",
        (_moment, removed("model.rollback")),
        tag("released", "never", "second"),
        note="an alias of MLflow has no history: by a tag",
    ),
    Question(
        "Why was it taken back, and by whom?",
        lambda w: "worse at site B",
        (
            lambda w: json.dumps(entries(w, "model.rollback")[0]["detail"]),
            entry("model.rollback", "worse at site B", "routine"),
        ),
        tag("rollback.reason", "routine", "second"),
    ),
    Question(
        "Was the update major or minor, and why?",
        lambda w: "data",
        (
            lambda w: json.dumps(entries(w, "model.register")[1]["detail"]),
            entry("model.register", '"major":true', '"major":false'),
        ),
        tag("change", "none", "second"),
    ),
    Question(
        "Which version answered this patient's case?",
        lambda w: f"{MODEL} 1.0.0",
        (_patient, entry("prediction", "1.0.0", "2.0.0")),
        (
            lambda w, m: m.tag(f"prediction.{w.predicted[:40]}"),
            lambda w, m: m.forge(
                "UPDATE tags SET value = ? WHERE key = ?",
                f"{MODEL} 2.0.0",
                f"prediction.{w.predicted[:40]}",
            ),
        ),
        note="MLflow's tracing would hold it in the same store",
    ),
    Question(
        "When did a subject withdraw?",
        lambda w: "training withdrawn",
        (_erased, entry("consent.withdraw", "20", "21")),
        tag("withdrawn", "never"),
    ),
    Question(
        "Did the approval come before the release, or was it dated back?",
        lambda w: "approved before",
        (_order, _swapped),
        None,
        note="tags have no time; a metric's time is whatever the client says",
    ),
)
