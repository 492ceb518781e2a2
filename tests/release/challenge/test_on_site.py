"""A hospital's signed figures: what leaves, what the board takes, what it refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.release.challenge.contest import CLOSES, OPEN, OPENS, answers, cases, make, manifest
from tests.release.challenge.models import write_onnx
from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError
from xinglin.ledger.signature import new_key, sign
from xinglin.release.challenge.entering_model import enter_model
from xinglin.release.challenge.on_site import CONTEXT, FIELDS, accept_report, score_on_site
from xinglin.release.challenge.record import site_reports
from xinglin.release.challenge.verifying import verify_challenge
from xinglin.store import Store
from xinglin.store.keys import canonical_json, digest

SALT = "d" * 64


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    for name in ("west", "stranger"):
        new_key(tmp_path / name)
    return {name: tmp_path / name for name in ("west", "stranger")}


def site(keys: dict[str, Path]) -> dict[str, str]:
    return {"name": "华西 West", "public_key": keys["west"].with_name("west.pub").read_text().strip()}


def report(keys: dict[str, Path], model: str, **changes: Any) -> dict[str, Any]:
    told = manifest(sites=[site(keys)])
    own = cases(80, 0)
    options: dict[str, Any] = {"model": model, "salt": SALT, "key": keys["west"], "now": OPEN} | changes
    return score_on_site(options.pop("manifest", told), own, answers(8, hidden=own), **options)


def resigned(told: dict[str, Any], key: Path, **changes: Any) -> dict[str, Any]:
    body = {name: told[name] for name in FIELDS} | changes
    return body | {"signature": sign(digest(canonical_json(body)), key, CONTEXT)}


def test_what_leaves_holds_figures_and_nothing_of_the_patients(keys: dict[str, Path]) -> None:
    told = report(keys, "a" * 64)
    assert (told["n"], told["value"]) == (80, 0.9)
    assert told["low"] < 0.9 < told["high"]
    text = json.dumps(told, ensure_ascii=False)
    for case in cases(80, 0):
        assert case.text not in text
        assert case.id not in text
    assert SALT not in text
    assert told["groups"]["age = old"] is None
    assert told["groups"]["age = adult"] is None
    assert told["groups"]["sex = male"]["n"] == 40
    assert report(keys, "a" * 64) == told
    assert report(keys, "a" * 64, salt="e" * 64)["data"] != told["data"]


def test_few_cases_and_strange_keys_sign_nothing(keys: dict[str, Path]) -> None:
    told = manifest(sites=[site(keys)])
    few = cases(9, 0)
    with pytest.raises(InvalidInputError, match="at least 10"):
        score_on_site(
            told, few, answers(1, hidden=few), model="a" * 64, salt=SALT, key=keys["west"], now=OPEN
        )
    with pytest.raises(InvalidInputError, match="names no site"):
        report(keys, "a" * 64, key=keys["stranger"])


def test_the_board_takes_a_true_report_once(store: Store, keys: dict[str, Path], tmp_path: Path) -> None:
    made = make(store, sites=[site(keys)])
    entry = enter_model(store, "triage-test", write_onnx(tmp_path / "m"), entrant="bo", title="m", now=OPEN)
    assert entry.model is not None
    good = report(keys, entry.model, manifest=made.manifest)
    with pytest.raises(ConflictError, match="opens"):
        accept_report(store, "triage-test", good, by="x", now=OPENS - timedelta(days=1))
    with pytest.raises(NotPermittedError, match="no entry has the model"):
        accept_report(store, "triage-test", report(keys, "a" * 64, manifest=made.manifest), by="x", now=OPEN)
    body = accept_report(store, "triage-test", good, by="x", now=CLOSES)
    assert body["site"] == "华西 West"
    with pytest.raises(ConflictError, match="there already"):
        accept_report(store, "triage-test", json.loads(json.dumps(good)), by="x", now=OPEN)
    with store.read() as connection:
        assert site_reports(connection, "triage-test") == [good]
        assert verify_challenge(connection, "triage-test").sites == 1


def test_what_the_board_refuses(store: Store, keys: dict[str, Path]) -> None:
    made = make(store, sites=[site(keys)])
    good = report(keys, "a" * 64, manifest=made.manifest)
    west = keys["west"]
    refused = [
        ("value", good | {"value": 0.99}, "false|digest"),
        ("signature", resigned(good, keys["stranger"]), "public_key"),
        ("site", resigned(good, west, site="elsewhere"), "none that the manifest names"),
        ("challenge", resigned(good, west, challenge="other"), "another challenge"),
        ("version", resigned(good, west, manifest="0" * 64), "another challenge"),
        ("small", resigned(good, west, n=3), "n >= 10"),
        ("group", resigned(good, west, groups={"a": {"value": 1, "low": 1, "high": 1, "n": 2}}), "n >= 10"),
        ("range", resigned(good, west, value=float(101)), "range"),
        ("text", resigned(good, west, value="1"), "expected value"),
        ("groups", resigned(good, west, groups={str(n): None for n in range(201)}), "subgroups"),
        ("model", resigned(good, west, model="x"), "SHA-256"),
        ("more", good | {"patients": ["q1"]}, "kind"),
        ("none", {}, "kind"),
    ]
    for _, told, said in refused:
        with pytest.raises(InvalidInputError, match=said):
            accept_report(store, "triage-test", told, by="x", now=OPEN)
    with store.read() as connection:
        assert site_reports(connection, "triage-test") == []
