"""A version's lineage names the grants under which its data were read, and the payouts that reward them."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from tests.ledger.credit.made import made
from tests.release.registered import checkpoint, data
from xinglin.cli import registry
from xinglin.ledger import grant, revoke
from xinglin.ledger.credit.settle import propose
from xinglin.records import create_dataset
from xinglin.release.registry.record import attach, register
from xinglin.release.registry.rewards import grants_of, rewards_of
from xinglin.serve.workbench.models import read, rewards_card
from xinglin.store import Store

APP = typer.Typer()
registry.register(APP)


def test_lineage_names_grants_and_payouts(store: Store, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "one", data=data("ward"))
    with store.write() as connection:
        create_dataset(connection, "ward", by="steward")
        create_dataset(connection, "other", by="steward")
        for name, purpose in (("ward", "training"), ("ward", "care"), ("other", "training")):
            grant(connection, name, grantee="federation", purpose=purpose, by="steward")
        revoke(connection, "ward", grantee="federation", purpose="training", by="steward")
        version = register(connection, folder, actor="chen")
        said = {"dataset": "far", "basis": "b", "purposes": ["training"], "subjects": 3, "withdrawn": 0}
        attach(connection, "nodules", "1.0.0", "consent", said | {"grants": ["d" * 64]}, actor="bo")
        stewards = {"east": "e", "noise": "n", "west": "w"}
        propose(connection, made(version.checkpoint), stewards=stewards, actor="lead")
        propose(connection, made("f" * 64), stewards=stewards, actor="lead")
    shown = read(store, "nodules", None, None)
    assert shown.version is not None
    with store.read() as connection:
        used = grants_of(connection, shown.version)
        assert [one.payout.points["east"] for one in rewards_of(connection, shown.version)] == [6667]
    assert [(one.dataset, one.grantee, one.digest) for one in used] == [
        ("ward", "federation", None),
        ("far", "", "d" * 64),
    ]
    card = rewards_card(shown.grants, shown.payouts, "zh")
    assert "66.67 %" in card
    assert "公示中" in card
    assert "federation" in card
    told = CliRunner().invoke(APP, ["lineage", "nodules"]).output
    assert "授权 grant  ward -> federation" in told
    assert "分配 payout 1  proposed  east 6667, noise 0, west 3333" in told
    body = json.loads(CliRunner().invoke(APP, ["lineage", "nodules", "--json"]).output)
    assert body["payouts"][0]["points"] == {"east": 6667, "noise": 0, "west": 3333}
    assert len(body["grants"]) == 2


def test_a_version_without_either_says_so() -> None:
    assert "No payout of credit yet" in rewards_card((), (), "en")
    assert "此库中没有" in rewards_card((), (), "zh")
