"""The coordinator's rounds over the real ClientApp, message by message: what is refused, who is named, what goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.federate.hospitals import a_job, allow, newest, run_direct, write_tables
from xinglin.errors import ConfigurationError, InvalidInputError, TrainingError
from xinglin.federate import site as steps
from xinglin.federate import wire
from xinglin.federate.job import STRATEGIES
from xinglin.federate.keep import load_state
from xinglin.federate.tasks.registry import task
from xinglin.ledger import entries, verify
from xinglin.store import Store, open_store

pytest.importorskip("flwr.app")


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    return write_tables(tmp_path / "data")


def states(store: Store, number: int) -> dict[str, tuple[str, str | None]]:
    return {site.site: (site.state, site.reason) for site in newest(store).rounds[number].sites}


def test_a_job_learns_and_is_remembered(store: Store, tables: dict[str, Path], tmp_path: Path) -> None:
    job = a_job(job={"rounds": 3})
    state = run_direct(job, tables, tmp_path, store)
    done = newest(store)
    assert (done.state, done.reason, done.model) == ("done", None, wire.digest(state))
    assert [one.number for one in done.rounds] == [0, 1, 2, 3]
    losses = [np.mean([site.evaluate["loss"] for site in one.sites]) for one in done.rounds[1:]]
    assert losses[2] < losses[1] < losses[0] < np.log(2)
    assert {site.examples for site in done.rounds[0].sites} == {60, 90, 40, 120}
    with store.read() as connection:
        verify(connection)
        acts = [entry.action for entry in entries(connection)]
    assert acts.count("federation.round") == 4
    assert acts[-1] == "federation.end"
    # The hospitals hold the model, and their own ledgers say what they took part in.
    for site in tables:
        own = open_store(f"sqlite:///{tmp_path / 'sites' / site / 'xinglin.db'}")
        with own.read() as connection:
            verify(connection)
            acts = [entry.action for entry in entries(connection)]
        own.close()
        assert acts.count("federation.train") == 3
        assert acts.count("contract.admit") == acts.count("federation.receive") == 1
        kept = tmp_path / "sites" / site / "federation" / f"tiny-{job.digest()[:12]}" / "model.safetensors"
        assert wire.digest(load_state(kept, wire.layout(state))) == wire.digest(state)


def test_one_step_of_all_rows_is_the_pooled_step(
    store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    """The oracle of FedAvg: with one full-batch step a round the average is a step on all rows together."""
    job = a_job(
        job={"rounds": 1},
        train={"steps": 1, "batch": 0, "scaling": "bounds", "lower": [-1] * 3, "upper": [1] * 3},
    )
    state = run_direct(job, tables, tmp_path, store)
    rows = [np.loadtxt(folder / "train.csv", delimiter=",", skiprows=1) for folder in tables.values()]
    table = np.concatenate(rows)
    x, y = np.clip(table[:, :3], -1, 1), table[:, 3]
    error = 0.5 - y
    assert np.allclose(state["weight"][0], -0.3 * (x * error[:, None]).mean(0), atol=1e-5)
    assert np.allclose(state["bias"], -0.3 * error.mean(), atol=1e-5)


def test_the_same_seed_gives_the_same_model(store: Store, tables: dict[str, Path], tmp_path: Path) -> None:
    job = a_job(job={"fraction": 0.5})
    first = run_direct(job, tables, tmp_path / "a", store, number="a1")
    again = run_direct(job, tables, tmp_path / "b", store, number="a2")
    other = run_direct(a_job(job={"fraction": 0.5, "seed": 4}), tables, tmp_path / "c", store, number="a3")
    assert wire.digest(first) == wire.digest(again) != wire.digest(other)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_runs(name: str, store: Store, tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "data", {"site-1": 30, "site-2": 40, "site-3": 50})
    numbers = {"fedprox": {"proximal_mu": 0.5}, "krum": {"malicious": 0}, "fedtrimmed": {"beta": 0.34}}
    job = a_job(strategy={"name": name, **numbers.get(name, {})}, train={"steps": 2})
    state = run_direct(job, tables, tmp_path, store)
    assert newest(store).state == "done"
    assert all(np.abs(array).max() > 0 for array in state.values())


def test_median_and_average_are_numpys(store: Store, tables: dict[str, Path], tmp_path: Path) -> None:
    sent: dict[str, dict[str, Any]] = {}

    def noting(site: str) -> Callable[[Any, Any], Any]:
        def note(asked: Any, answer: Any) -> Any:
            if asked.metadata.message_type == "train":
                arrays = answer.content["arrays"]
                sent[site] = {name: arrays[name].numpy() for name in arrays} | {
                    "n": answer.content["metrics"]["num-examples"]
                }
            return answer

        return note

    change = {site: noting(site) for site in tables}
    for name in ("fedavg", "fedmedian"):
        job = a_job(job={"rounds": 1}, strategy={"name": name})
        state = run_direct(job, tables, tmp_path / name, store, change, number=name)
        assert len(sent) == 4
        stacked = np.stack([one["weight"] for one in sent.values()])
        weights = np.array([one["n"] for one in sent.values()])
        wanted = np.median(stacked, 0) if name == "fedmedian" else np.average(stacked, 0, weights=weights)
        assert np.allclose(state["weight"], wanted, atol=1e-6)


def test_local_keys_stay_home(store: Store, tables: dict[str, Path], tmp_path: Path) -> None:
    job = a_job(strategy={"name": "fedavg", "local_keys": ["bias"]})
    seen: list[set[str]] = []

    def watch(asked: Any, answer: Any) -> Any:
        for message in (asked, answer):
            seen.extend(set(record) for record in message.content.array_records.values())
        return answer

    state = run_direct(job, tables, tmp_path, store, dict.fromkeys(tables, watch))
    assert list(state) == ["weight"]
    assert len(seen) == 24
    assert all(names == {"weight"} for names in seen)
    layout = wire.layout(task("tabular", job.train).initial(0))
    own = [
        load_state(next((tmp_path / "sites" / site).rglob("model.safetensors")), layout)["bias"]
        for site in tables
    ]
    assert len({float(bias[0]) for bias in own}) == 4


@pytest.mark.parametrize("keys", [["nothing"], ["bias", "weight"]])
def test_local_keys_that_fit_nothing_stop_the_job(
    keys: list[str], store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="local_keys"):
        run_direct(a_job(strategy={"local_keys": keys}), tables, tmp_path, store)
    assert newest(store).state == "stopped"


def _arrays(change: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A hospital whose arrays are changed on their way."""

    def changed(asked: Any, answer: Any) -> Any:
        if asked.metadata.message_type == "train" and "arrays" in answer.content.array_records:
            from flwr.app import Array

            record = answer.content["arrays"]
            for name in list(record):
                record[name] = Array(change(record[name].numpy()))
        return answer

    return changed


def _metrics(**values: Any) -> Callable[[Any, Any], Any]:
    def changed(asked: Any, answer: Any) -> Any:
        if asked.metadata.message_type == "train":
            for name, value in values.items():
                answer.content["metrics"][name.replace("_", "-")] = value
        return answer

    return changed


def _silent(asked: Any, answer: Any) -> Any:
    return None if asked.metadata.message_type == "train" else answer


POISON = {
    "not finite": _arrays(lambda array: np.full_like(array, np.nan)),
    "update's norm": _arrays(lambda array: array * np.float32(1e4) + np.float32(1)),
    "shape": _arrays(lambda array: array[..., None]),
    "float64": _arrays(lambda array: array.astype(np.float64)),
    "zero examples": _metrics(num_examples=0),
    "was admitted with 40": _metrics(num_examples=10_000_000),
    "on how many examples": _metrics(num_examples=1.5),
}


@pytest.mark.parametrize("says", sorted(POISON))
def test_a_bad_update_is_refused_by_name_and_the_round_goes_on(
    says: str, store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    run_direct(a_job(), tables, tmp_path, store, {"site-3": POISON[says]})
    assert newest(store).state == "done"
    for number in (1, 2):
        found = states(store, number)
        state, reason = found.pop("site-3")
        assert state == "refused"
        assert says in (reason or "")
        assert found == dict.fromkeys(("site-1", "site-2", "site-4"), ("ok", None))


def test_what_is_refused_does_not_touch_the_model(
    store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    rest = {site: folder for site, folder in tables.items() if site != "site-3"}
    without = run_direct(a_job(), rest, tmp_path / "a", store, number="a1")
    poisoned = run_direct(
        a_job(), tables, tmp_path / "b", store, {"site-3": POISON["update's norm"]}, number="a2"
    )
    assert wire.digest(without) == wire.digest(poisoned)


def test_a_job_with_too_few_hospitals_left_stops_and_says_who(
    store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    change = {"site-1": POISON["not finite"], "site-2": _silent}
    with pytest.raises(
        TrainingError, match=r"needs 3 hospitals, 2 are left \(site-1: .*not finite.*site-2: no answer"
    ):
        run_direct(a_job(job={"min_sites": 3, "timeout": 0.5}), tables, tmp_path, store, change)
    stopped = newest(store)
    assert stopped.state == "stopped"
    assert stopped.model is None
    assert "site-1" in (stopped.reason or "")
    assert not list((tmp_path / "jobs").rglob("*.safetensors"))


def test_a_hospital_that_falls_silent_is_left_out_and_taken_back(
    store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    silent = {"left": 1}

    def once(asked: Any, answer: Any) -> Any:
        if asked.metadata.message_type == "train" and silent["left"]:
            silent["left"] -= 1
            return None
        return answer

    run_direct(a_job(job={"rounds": 4, "timeout": 0.6}), tables, tmp_path, store, {"site-2": once})
    took_part = ["site-2" in states(store, number) for number in (1, 2, 3, 4)]
    assert states(store, 1)["site-2"] == ("silent", "no answer in time")
    assert took_part == [True, False, True, True]
    assert states(store, 4)["site-2"] == ("ok", None)


def test_a_hospital_without_rows_or_grant_or_version_is_named(
    store: Store, tables: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tables["site-1"] / "train.csv").write_text("age,pressure,sugar,sick\n", encoding="utf-8")
    (tables["site-1"] / "manifest.json").unlink()
    from xinglin.federate.permit import describe

    describe(tables["site-1"], "site-1", licence="CC0-1.0", basis="synthetic")
    job = a_job()
    (tmp_path / "sites" / "site-2").mkdir(parents=True)  # a hospital whose steward granted nothing
    run_direct(job, tables, tmp_path, store)
    found = states(store, 0)
    assert found["site-1"][0] == found["site-2"][0] == "refused"
    assert "no" in (found["site-1"][1] or "")
    assert "row" in (found["site-1"][1] or "")
    assert "not permitted" in (found["site-2"][1] or "")
    assert set(states(store, 1)) == {"site-3", "site-4"}


def test_another_version_is_refused_by_name(
    store: Store, tables: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "__version__", "9.9.9")
    with pytest.raises(TrainingError, match=r"version mismatch: this hospital runs xinglin 9\.9\.9"):
        run_direct(a_job(), tables, tmp_path, store)


def test_a_grant_taken_back_stops_the_hospital_at_the_next_round(
    store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    from xinglin.ledger.grants import revoke

    def revoking(asked: Any, answer: Any) -> Any:
        if asked.metadata.message_type == "evaluate":
            own = open_store(f"sqlite:///{tmp_path / 'sites' / 'site-4' / 'xinglin.db'}")
            with own.write() as connection:
                revoke(connection, "tiny", grantee=steps.ACTOR, purpose="training", by="steward")
            own.close()
        return answer

    run_direct(a_job(), tables, tmp_path, store, {"site-4": revoking})
    assert states(store, 1)["site-4"] == ("ok", None)
    state, reason = states(store, 2)["site-4"]
    assert state == "refused"
    assert "revoked" in (reason or "")


def test_the_budget_is_enforced_on_the_node_over_jobs(store: Store, tmp_path: Path) -> None:
    pytest.importorskip("opacus")
    tables = write_tables(tmp_path / "data", {"site-1": 60, "site-2": 60, "site-3": 60})
    job = a_job(privacy={"unit": "example", "epsilon": 2.0, "delta": 1e-3})
    for site, limit in (("site-1", 10.0), ("site-2", 10.0), ("site-3", 2.5)):
        allow(tmp_path / "sites" / site, job, epsilon=limit)
    run_direct(job, tables, tmp_path, store, number="a1")
    budgets = {site.site: site.budget for site in newest(store).rounds[2].sites}
    assert all(one is not None and 1.5 < one.spent <= 2.0 for one in budgets.values())
    # A second job, under another name: what was spent stays spent, and site-3 has no room left for it.
    again = a_job(job={"name": "again"}, privacy={"unit": "example", "epsilon": 2.0, "delta": 1e-3})
    run_direct(again, tables, tmp_path, store, number="a2")
    last = {site.site: site for site in newest(store).rounds[2].sites}
    assert last["site-1"].state == last["site-2"].state == "ok"
    assert last["site-3"].state == "refused"
    assert "budget" in (last["site-3"].reason or "")
    # And a job without privacy is refused wherever a limit is stated.
    with pytest.raises(TrainingError, match="privacy budget exceeded"):
        run_direct(a_job(job={"name": "bare"}), tables, tmp_path, store, number="a3")


def test_a_private_job_needs_a_stated_limit(store: Store, tables: dict[str, Path], tmp_path: Path) -> None:
    job = a_job(privacy={"unit": "example", "epsilon": 2.0, "delta": 1e-3})
    with pytest.raises(TrainingError, match="no privacy limit is stated"):
        run_direct(job, tables, tmp_path, store)


def test_hospital_level_noise_is_added_at_the_coordinator_and_counted_at_the_hospital(
    store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    pytest.importorskip("opacus")
    asked = {"unit": "hospital", "epsilon": 500.0, "delta": 1e-3, "clip": 0.05}
    job = a_job(privacy=asked)
    for site in tables:
        allow(tmp_path / "sites" / site, job, epsilon=600.0)
    state = run_direct(job, tables, tmp_path, store)
    # Two steps of at most clip, and little noise: the model cannot be far from where it began.
    assert 0 < np.linalg.norm(np.concatenate([array.ravel() for array in state.values()])) < 0.2
    told = json.loads(next((tmp_path / "jobs").rglob("privacy.json")).read_text(encoding="utf-8"))
    assert told["epsilon"] <= 500.0
    assert "next to nothing" in told["note"]["en"]
    budgets = [site.budget for site in newest(store).rounds[2].sites]
    assert all(one is not None and one.unit == "hospital" and 0 < one.spent <= 500.0 for one in budgets)
    with pytest.raises(InvalidInputError, match="expected less than 1/n"):
        run_direct(a_job(privacy={**asked, "delta": 0.3}), tables, tmp_path, store, number="b1")
