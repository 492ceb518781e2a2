"""Versions of models: what they are made from, what class of update they are, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.release.registered import checkpoint, data, metric
from xinglin.errors import CheckpointError, ConflictError, InvalidInputError, UnknownNameError
from xinglin.ledger import entries, verify
from xinglin.measure.paired import paired_power
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.release.registry.comparison import compare
from xinglin.release.registry.difference import difference
from xinglin.release.registry.record import (
    attach,
    find,
    lineage,
    models,
    register,
    released,
    touched,
    versions,
)
from xinglin.store import Store


def enter(store: Store, folder: Path, **options: object) -> str:
    with store.write() as connection:
        return register(connection, folder, actor="lead", **options).number  # type: ignore[arg-type]


def hits(right: int, of: int) -> dict[str, bool]:
    return {f"case {number}": number < right for number in range(of)}


def test_a_version_is_what_its_folder_is_and_the_ledger_says_so(store: Store, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "a")
    assert enter(store, folder) == "1.0.0"
    with store.write() as connection:
        attach(connection, "nodules", "1.0.0", "metric", metric(), actor="tester")
    with store.read() as connection:
        version = find(connection, "nodules")
        assert (version.stage, version.change, models(connection)) == ("candidate", "first", ["nodules"])
        assert version.checkpoint == verify_checkpoint(folder).id
        (item,) = version.evidence
        chain = {entry.seq: entry for entry in entries(connection)}
        assert chain[version.seq].action == "model.register"
        assert chain[item.seq].subjects == (version.checkpoint, item.digest)
        assert released(connection, "nodules") is None
        verify(connection)
    with pytest.raises(ConflictError, match="registered already"):
        enter(store, folder)
    (folder / "README.md").write_text("other")
    with pytest.raises(CheckpointError, match=r"README\.md is not the file that was sealed"):
        enter(store, folder)


def test_the_number_follows_from_what_changed(store: Store, tmp_path: Path) -> None:
    assert enter(store, checkpoint(tmp_path / "a", data=data("one"))) == "1.0.0"
    # Other data, and nobody shows that it performs the same: major.
    assert enter(store, checkpoint(tmp_path / "b", data=data("two"))) == "2.0.0"
    same = compare(hits(900, 1000), hits(901, 1000), margin=0.05)
    assert same.equivalent
    assert enter(store, checkpoint(tmp_path / "c", data=data("three")), comparison=same) == "2.1.0"
    better = compare(hits(800, 1000), hits(900, 1000), margin=0.05)
    assert better.significant
    assert enter(store, checkpoint(tmp_path / "d", data=data("four")), comparison=better) == "3.0.0"
    # A test set too small to see anything is no proof.
    blind = compare(hits(9, 10), hits(9, 10), margin=0.05)
    assert not blind.significant
    assert not blind.equivalent
    assert enter(store, checkpoint(tmp_path / "e", data=data("five")), comparison=blind) == "4.0.0"
    # Other settings are another algorithm, whatever the test says.
    assert (
        enter(store, checkpoint(tmp_path / "f", data=data("six"), settings={"width": 17}), comparison=same)
        == "5.0.0"
    )
    # The same weights and data with another card: a patch.
    card = checkpoint(tmp_path / "g", data=data("six"), settings={"width": 17}, limits="another word")
    assert enter(store, card) == "5.0.1"
    with store.read() as connection:
        whys = [entry.detail["why"] for entry in entries(connection) if entry.action == "model.register"]
        assert [one.change for one in versions(connection, "nodules")] == [
            "first",
            *["data"] * 4,
            "algorithm",
            "none",
        ]
    assert "no comparison" in whys[1]
    assert "not inferior" in whys[2]
    assert "significantly" in whys[3]
    assert "not shown" in whys[4]
    assert "setting" in whys[5]
    with pytest.raises(ConflictError):
        enter(store, tmp_path / "f")


def test_power_is_that_of_connor() -> None:
    # The worked example of the open calculators of McNemar's test: p01 .45, p10 .05, 23 pairs, power .8.
    assert paired_power(23, 0.5, 0.4) == pytest.approx(0.8, abs=0.02)
    assert paired_power(22, 0.5, 0.4) < paired_power(23, 0.5, 0.4)
    rng = np.random.default_rng(0)
    n, discordant, difference_, seen = 300, 0.2, 0.08, 0
    for _ in range(2000):
        draw = rng.multinomial(
            n, [(discordant + difference_) / 2, (discordant - difference_) / 2, 1 - discordant]
        )
        seen += (draw[0] - draw[1]) ** 2 > 3.8415 * (draw[0] + draw[1])
    assert paired_power(n, discordant, difference_) == pytest.approx(seen / 2000, abs=0.04)
    with pytest.raises(ValueError, match="discordant"):
        paired_power(10, 0.1, 0.2)


def test_lineage_goes_up_to_what_has_no_parents(store: Store, tmp_path: Path) -> None:
    base = checkpoint(tmp_path / "base", name="base", data=data("public"))
    base_id = verify_checkpoint(base).id
    with pytest.raises(UnknownNameError, match=r"its parent .* is not registered"):
        enter(store, checkpoint(tmp_path / "x", data=data("own"), parents=[base_id]))
    enter(store, base)
    child = checkpoint(tmp_path / "y", data=data("own"), parents=[base_id])
    enter(store, child)
    grand = checkpoint(
        tmp_path / "z", name="small", data=data("own2"), parents=[verify_checkpoint(child).id, base_id]
    )
    enter(store, grand)
    with store.read() as connection:
        edges = {(a.name, b.name) for a, b in lineage(connection, find(connection, "small"))}
        assert edges == {("small", "nodules"), ("small", "base"), ("nodules", "base")}
        assert [one.name for one in touched(connection, "public")] == ["base", "nodules", "small"]
        assert [one.name for one in touched(connection, f"{'own2':0>64}")] == ["small"]
        assert touched(connection, "unheard of") == []


def test_two_versions_side_by_side(store: Store, tmp_path: Path) -> None:
    enter(store, checkpoint(tmp_path / "a", data=data("one"), settings={"width": 16, "seed": 1}))
    enter(store, checkpoint(tmp_path / "b", data=data("two"), settings={"width": 17, "seed": 1}))
    with store.write() as connection:
        attach(connection, "nodules", "2.0.0", "metric", metric(), actor="tester")
    with store.read() as connection:
        one, two = find(connection, "nodules", "1.0.0"), find(connection, "nodules", "2.0.0")
        found = {(item.part, item.name): (item.before, item.after) for item in difference(one, two)}
        assert found["settings", "width"] == (16, 17)
        assert found["data", "one"][1] is None
        assert found["metric", "error made"][0] is None
        assert ("settings", "seed") not in found
        assert difference(one, one) == []


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("metric", {"name": "error"}, "missing data"),
        ("metric", metric(low=0.5), "low <= value"),
        ("metric", metric(n=-1), "n is not"),
        ("metric", metric(value=float("nan")), "value is not"),
        ("metric", metric(group={"kind": "site"}), "group is not"),
        ("metric", metric(colour="red"), "unknown colour"),
        ("approval", {"person": "a", "role": "b", "decision": "maybe", "statement": "c"}, "decision is not"),
        ("verdict", {}, "expected one of"),
        ("curves", {"name": "loss", "points": [[1]]}, "points is not"),
    ],
)
def test_evidence_that_says_nothing_is_refused(
    store: Store, tmp_path: Path, kind: str, content: dict[str, object], message: str
) -> None:
    enter(store, checkpoint(tmp_path / "a"))
    with store.write() as connection, pytest.raises(InvalidInputError, match=message):
        attach(connection, "nodules", "1.0.0", kind, content, actor="a")  # type: ignore[arg-type]
    with store.write() as connection, pytest.raises(UnknownNameError, match=r"its versions: 1\.0\.0"):
        attach(connection, "nodules", "9.0.0", "metric", metric(), actor="a")
    with store.read() as connection, pytest.raises(UnknownNameError, match="models: nodules"):
        find(connection, "nodule")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ({}, {}, "case ids"),
        ({"a": True}, {"b": True}, "same cases"),
        ({"a": 1}, {"a": 1}, "true or false"),
        ([True], [True], "case ids"),
    ],
)
def test_hits_that_cannot_be_compared_are_refused(before: object, after: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        compare(before, after, margin=0.05)
    with pytest.raises(InvalidInputError, match="margin"):
        compare({"a": True}, {"a": True}, margin=1.0)
