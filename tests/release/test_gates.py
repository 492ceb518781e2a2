"""The gate: every threshold alone closes it, everything met opens it, and nothing else does."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.release.registered import checkpoint, data, metric
from xinglin.errors import CheckpointError, ConflictError, GateClosedError, InvalidInputError
from xinglin.ledger import entries, verify
from xinglin.ledger.signature import check_signature, new_key
from xinglin.release.gates.policy import Policy, policy_from, read_policy
from xinglin.release.gates.verdict import judge
from xinglin.release.registry.promote import CONTEXT, promote, rollback
from xinglin.release.registry.record import attach, find, register, released
from xinglin.release.registry.signing import new_model_key, sign_folder, signature_file, verify_folder
from xinglin.store import Store

POLICY: dict[str, Any] = {
    "name": "triage",
    "signature": False,
    "error": {"name": "error", "at_most": 0.05, "min_n": 100},
    "worst_site": {"name": "accuracy", "at_least": 0.8, "groups": ["site"]},
    "worst_subgroup": {"name": "accuracy", "at_least": 0.8, "groups": ["sex", "age"]},
    "ece": {"name": "ece", "at_most": 0.05},
    "coverage": {"name": "coverage", "at_least": 0.88},
    "faithfulness": {"name": "deletion", "at_least": 0.1},
    "typos": {"name": "typos", "at_least": 0.9},
    "paraphrase": {"name": "paraphrase", "at_least": 0.9},
    "privacy": {"epsilon_at_most": 8.0},
    "approvals": {"roles": ["clinical", "quality"]},
    "interval": {"days": 7.0},
}


def group(kind: str, value: str, **changes: Any) -> dict[str, Any]:
    return (
        metric(name="accuracy", value=0.9, low=0.85, high=0.95, group={"kind": kind, "value": value})
        | changes
    )


def good() -> list[tuple[str, dict[str, Any]]]:
    """Evidence that meets every threshold."""
    return [
        ("metric", metric()),
        ("metric", group("site", "A")),
        ("metric", group("site", "B")),
        ("metric", group("sex", "female")),
        ("metric", group("age", "65+")),
        ("metric", metric(name="ece")),
        ("metric", metric(name="coverage", value=0.91, low=0.89, high=0.93)),
        ("faithfulness", metric(name="deletion", value=0.3, low=0.2, high=0.4)),
        ("robustness", metric(name="typos", value=0.95, low=0.93, high=0.97)),
        ("robustness", metric(name="paraphrase", value=0.95, low=0.93, high=0.97)),
        (
            "privacy",
            {
                "dataset": "d",
                "unit": "patient",
                "epsilon": 3.0,
                "delta": 1e-5,
                "rounds": 9,
                "report": "a" * 64,
            },
        ),
        ("approval", {"person": "chen", "role": "clinical", "decision": "approve", "statement": "read"}),
        ("approval", {"person": "bo", "role": "quality", "decision": "approve", "statement": "read"}),
    ]


def enter(store: Store, folder: Path, evidence: list[tuple[str, dict[str, Any]]]) -> str:
    with store.write() as connection:
        number = register(connection, folder, actor="lead").number
        for kind, content in evidence:
            attach(connection, "nodules", number, kind, content, actor="tester")  # type: ignore[arg-type]
    return number


def failing(store: Store, number: str, policy: Policy) -> list[str]:
    with store.read() as connection:
        version = find(connection, "nodules", number)
    verdict = judge(version, policy, now="2026-01-09T00:00:00+00:00", last_promotion=None)
    assert len(verdict.checks) >= 12
    return [check.name for check in verdict.checks if not check.passed]


def test_all_met_opens_the_gate_and_the_verdict_is_signed_and_chained(store: Store, tmp_path: Path) -> None:
    number = enter(store, checkpoint(tmp_path / "a"), good())
    key = tmp_path / "key.pem"
    public = new_key(key)
    done = promote(store, "nodules", number, policy_from(POLICY), actor="lead", key=key)
    assert done.verdict is not None
    assert done.verdict.passed
    assert len(done.verdict.checks) == 13
    assert done.version.stage == "released"
    with store.read() as connection:
        assert released(connection, "nodules") == number
        (gate,) = find(connection, "nodules").of_kind("gate")
        check_signature(gate.content["signature"], done.verdict.digest, CONTEXT, public)
        last = list(entries(connection))[-1]
        assert (last.action, last.detail["gate"]) == ("model.promote", done.verdict.digest)
        verify(connection)
    with pytest.raises(ConflictError, match="released already"):
        promote(store, "nodules", number, policy_from(POLICY), actor="lead")


WORSE: dict[str, tuple[int, dict[str, Any] | None, str]] = {
    "error too high": (0, metric(value=0.04, low=0.03, high=0.051), "error"),
    "error of too few": (0, metric(n=99), "error"),
    "error on weak labels": (0, metric(weak=True), "error"),
    "error on made cases": (0, metric(synthetic=True), "error"),
    "no error": (0, None, "error"),
    "one bad site": (2, group("site", "B", low=0.79), "worst_site: site"),
    "bad sex": (3, group("sex", "female", low=0.79), "worst_subgroup: sex"),
    "no age": (4, None, "worst_subgroup: age"),
    "age of too few": (4, group("age", "65+", n=19), "worst_subgroup: age"),
    "calibration": (5, metric(name="ece", high=0.06), "ece"),
    "coverage": (6, metric(name="coverage", value=0.91, low=0.87, high=0.93), "coverage"),
    "faithfulness": (7, metric(name="deletion", value=0.1, low=0.0, high=0.4), "faithfulness"),
    "typos": (8, metric(name="typos", value=0.9, low=0.89, high=0.97), "typos"),
    "paraphrase": (9, None, "paraphrase"),
    "budget": (
        10,
        {"dataset": "d", "unit": "patient", "epsilon": 8.1, "delta": 1e-5, "rounds": 9, "report": "a" * 64},
        "privacy",
    ),
    "budget by example": (
        10,
        {"dataset": "d", "unit": "example", "epsilon": 3.0, "delta": 1e-5, "rounds": 9, "report": "a" * 64},
        "privacy",
    ),
    "a no": (
        11,
        {"person": "chen", "role": "clinical", "decision": "reject", "statement": "no"},
        "approval: clinical",
    ),
    "one person twice": (
        12,
        {"person": "chen", "role": "quality", "decision": "approve", "statement": "read"},
        "approval: quality",
    ),
}


@pytest.mark.parametrize(("place", "content", "name"), WORSE.values(), ids=WORSE)
def test_each_threshold_alone_closes_the_gate(
    store: Store, tmp_path: Path, place: int, content: dict[str, Any] | None, name: str
) -> None:
    evidence = good()
    kind = evidence.pop(place)[0]
    if content is not None:
        evidence.insert(place, (kind, content))
    number = enter(store, checkpoint(tmp_path / "a"), evidence)
    assert failing(store, number, policy_from(POLICY)) == [name]


def test_a_refusal_names_the_threshold_and_is_remembered(store: Store, tmp_path: Path) -> None:
    number = enter(store, checkpoint(tmp_path / "a"), good()[1:])
    with pytest.raises(GateClosedError, match=r"error: wanted error <= 0\.05; found missing"):
        promote(store, "nodules", number, policy_from(POLICY), actor="lead")
    with store.read() as connection:
        version = find(connection, "nodules", number)
        (gate,) = version.of_kind("gate")
        assert (gate.content["passed"], version.stage) == (False, "candidate")
        assert released(connection, "nodules") is None
        verify(connection)
    with pytest.raises(GateClosedError, match="asks nothing"):
        promote(store, "nodules", number, policy_from({"name": "empty", "signature": False}), actor="lead")


def test_an_open_alarm_closes_the_gate_until_it_is_over(store: Store, tmp_path: Path) -> None:
    alarm = {
        "name": "psi",
        "value": 0.4,
        "limit": 0.25,
        "since": "2026-01-01T00:00:00+00:00",
        "breached": True,
    }
    number = enter(store, checkpoint(tmp_path / "a"), [*good(), ("monitoring", alarm)])
    assert failing(store, number, policy_from(POLICY)) == ["monitoring: psi"]
    with store.write() as connection:
        attach(
            connection, "nodules", number, "monitoring", alarm | {"value": 0.1, "breached": False}, actor="m"
        )
    assert failing(store, number, policy_from(POLICY)) == []


def test_updates_keep_their_distance_and_one_can_always_go_back(store: Store, tmp_path: Path) -> None:
    first = enter(store, checkpoint(tmp_path / "a", data=data("one")), good())
    second = enter(store, checkpoint(tmp_path / "b", data=data("two")), good())
    policy = policy_from(POLICY)
    with pytest.raises(ConflictError, match="to go back to: none"):
        rollback(store, "nodules", actor="lead", reason="bad")
    promote(store, "nodules", first, policy, actor="lead")
    with pytest.raises(GateClosedError, match="7 days since the last promotion"):
        promote(store, "nodules", second, policy, actor="lead")
    hasty = policy_from({key: value for key, value in POLICY.items() if key != "interval"})
    assert promote(store, "nodules", second, hasty, actor="lead").before == first
    with pytest.raises(ConflictError, match="retired"):
        promote(store, "nodules", first, hasty, actor="lead")
    with pytest.raises(InvalidInputError, match="reason"):
        rollback(store, "nodules", actor="lead", reason=" ")
    back = rollback(store, "nodules", actor="lead", reason="worse at site B")
    assert (back.version.number, back.before) == (first, second)
    assert (
        rollback(store, "nodules", actor="lead", reason="it was the network", number=second).before == first
    )
    with store.read() as connection:
        assert released(connection, "nodules") == second
        actions = [entry.action for entry in entries(connection)]
        assert actions.count("model.promote") == actions.count("model.rollback") == 2


def test_of_two_promotions_at_once_one_is_refused(tmp_path: Path, store: Store) -> None:
    numbers = [enter(store, checkpoint(tmp_path / name, data=data(name)), good()) for name in ("a", "b")]
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def go(number: str) -> None:
        start.wait()
        try:
            promote(store, "nodules", number, policy_from(POLICY), actor="lead")
            outcomes.append("released")
        except GateClosedError as error:
            outcomes.append("closed" if "days since" in str(error) else str(error))

    threads = [threading.Thread(target=go, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["closed", "released"]


def test_nothing_unsigned_or_tampered_with_is_released(store: Store, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "a")
    number = enter(store, folder, good())
    key, other = tmp_path / "model.pem", tmp_path / "other.pem"
    new_model_key(key)
    new_model_key(other)
    policy = policy_from(POLICY | {"signature": True})

    def go(public: Path = tmp_path / "model.pem.pub") -> None:
        promote(store, "nodules", number, policy, actor="lead", folder=folder, public_key=public)

    with pytest.raises(InvalidInputError, match="asks for a signature"):
        promote(store, "nodules", number, policy, actor="lead")
    with pytest.raises(CheckpointError, match="not signed"):
        go()
    sign_folder(folder, key)
    with pytest.raises(CheckpointError, match="not that of the key"):
        go(tmp_path / "other.pem.pub")
    whole = signature_file(folder).read_bytes()
    signature_file(folder).write_bytes(whole.replace(b'"payload":"ew', b'"payload":"fw'))
    with pytest.raises(CheckpointError, match="not that of the key"):
        go()
    signature_file(folder).write_bytes(b"{")
    with pytest.raises(CheckpointError, match="not that of the key"):
        go()
    signature_file(folder).write_bytes(whole)
    another = checkpoint(tmp_path / "b", data=data("other"))
    sign_folder(another, key)
    with pytest.raises(GateClosedError, match="another model"):
        promote(
            store,
            "nodules",
            number,
            policy,
            actor="lead",
            folder=another,
            public_key=tmp_path / "model.pem.pub",
        )
    (folder / ".hidden").write_text("not in the manifest, but signed over")
    with pytest.raises(CheckpointError):
        verify_folder(folder, tmp_path / "model.pem.pub")
    (folder / ".hidden").unlink()
    go()
    with store.read() as connection:
        assert released(connection, "nodules") == number


@pytest.mark.parametrize(
    ("decoded", "message"),
    [
        ({"name": "x", "errors": {}}, "did you mean error"),
        ({"name": "x", "error": {"name": "error", "atmost": 1.0}}, "atmost|at_most"),
        ({"name": "x", "error": {"name": "error", "at_most": "low"}}, "error.at_most"),
        ({"name": "x", "interval": {"days": -1.0}}, "interval.days"),
        ({}, "name"),
    ],
)
def test_a_policy_that_says_nothing_sound_is_refused(decoded: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        policy_from(decoded)


def test_the_policy_that_comes_with_the_documentation_reads(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "registry.md"
    text = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    policy = read_policy(path)
    assert policy.certificate is not None
    assert policy.worst_subgroup is not None
