"""A sweep on a tiny real job: in this process, in others, on a local Ray; failures stay in the table."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from xinglin.errors import ConfigurationError, InvalidInputError, MissingDataError
from xinglin.ledger import entries
from xinglin.measure.seeds import over_seeds
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.store import Store, open_store
from xinglin.train.sweep import Pool, run_sweep
from xinglin.train.sweep_plan import read_sweep, trials
from xinglin.train.sweep_trial import kept, parts, score

DEPARTMENTS = {"头": "神经内科", "胸": "心血管内科", "腹": "消化内科"}
PLAN = """
[sweep]
job = "department"
data = "train.jsonl"
validation_share = 0.4
start = {start}
metric = "accuracy"
seeds = [0, 1]
[fixed]
epochs = 8
batch_size = 8
max_length = 32
threads = 1
[space]
learning_rate = {rates}
"""


@pytest.fixture
def plan(tmp_path: Path, encoder: Path, texts: list[str]):
    rows = [{"text": t, "department": DEPARTMENTS[t[2]]} for t in texts if t[2] in DEPARTMENTS]
    assert len(rows) > 30
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "train.jsonl").write_text(lines, encoding="utf-8")

    def write(rates: str = "[1e-6, 2e-3]", **changed: str) -> Path:
        text = PLAN.format(start=json.dumps(str(encoder)), rates=rates)
        for old, new in changed.items():
            text = "\n".join(
                new if line.startswith(f"{old} = ") else line for line in text.splitlines() if line
            )
        path = tmp_path / "sweep.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def actions(store: Store) -> list[str]:
    with store.read() as connection:
        return [entry.action for entry in entries(connection)]


def test_the_better_setting_is_chosen_and_nothing_is_run_twice(plan, store: Store, tmp_path: Path) -> None:
    sweep = read_sweep(plan())
    out = tmp_path / "out"
    out.mkdir()
    swept = run_sweep(sweep, out, store)
    assert [row.chosen["learning_rate"] for row in swept.rows] == [2e-3, 1e-6]
    best = swept.rows[0]
    assert (best.seeds, best.failed, swept.trials, swept.best) == (2, 0, 4, 0)
    training, watched = parts(sweep)
    assert swept.n == len(watched.texts) > 5
    assert not set(training.texts) & set(watched.texts)
    values = [r.metrics["accuracy"] for r in swept.results if r.trial in Path(swept.checkpoint or "").parts]
    assert len(values) == 1
    both = [r.metrics["accuracy"] for r in swept.results[2:]]
    assert (best.mean, best.low, best.high) == over_seeds(np.array(both))
    made = verify_checkpoint(Path(swept.checkpoint or ""))
    assert made.id == swept.results[2].checkpoint
    assert made.manifest["metrics"]["accuracy"] == both[0]
    assert actions(store).count("train") == 4
    before = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    assert len(before) == 4
    again = run_sweep(sweep, out, store)
    assert again.rows == swept.rows
    assert {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")} == before
    assert actions(store).count("train") == 4
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["rows"][0]["mean"] == best.mean


def test_a_failed_trial_is_a_row_and_its_setting_is_never_chosen(plan, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    sweep = read_sweep(plan("[1e-5, 1e30]", seeds="seeds = [0]"))
    swept = run_sweep(sweep, out, store)
    good, bad = swept.rows
    assert (good.chosen["learning_rate"], good.failed) == (1e-5, 0)
    assert (bad.mean, bad.seeds, bad.failed) == (None, 0, 1)
    assert "TrainingError" in bad.errors[0]
    assert "the loss is" in bad.errors[0]
    assert sorted(actions(store)) == ["train", "train.failed", "train.sweep"]
    run_sweep(sweep, out, store)
    assert actions(store).count("train.failed") == 1
    run_sweep(sweep, out, store, retry=True)
    assert actions(store).count("train.failed") == 2


@pytest.mark.slow
def test_processes_and_ray_give_the_same_table(plan, store: Store, tmp_path: Path) -> None:
    sweep = read_sweep(plan())
    found = []
    for name, pool in (
        ("serial", Pool()),
        ("two", Pool(workers=2)),
        ("ray", Pool(workers=2, ray="local")),
    ):
        (tmp_path / name).mkdir()
        found.append(run_sweep(sweep, tmp_path / name, store, pool))
    assert found[0].rows == found[1].rows == found[2].rows
    assert len({result.checkpoint for swept in found for result in swept.results}) == 4


@pytest.mark.slow
def test_the_command_on_ray_and_an_encoder(plan, texts: list[str], tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(texts * 3), encoding="utf-8")
    path = tmp_path / "encoder.toml"
    path.write_text(
        '[sweep]\njob = "encoder"\ndata = "texts.txt"\nmetric = "validation_loss"\nsearch = "random"\ntrials = 2\n'
        '[fixed]\nsize = "tiny"\nsteps = 3\nbatch_size = 4\nlength = 32\nvocabulary = 400\nthreads = 1\n'
        "[space]\nlearning_rate = { low = 1e-5, high = 1e-2, log = true }\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "xinglin", "train", "sweep", str(path), "--out", str(tmp_path / "out"),
         "--ray", "local", "--workers", "2"],
        capture_output=True, text=True, check=False, timeout=400,
        env=os.environ | {"XINGLIN_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "选中 chosen" in done.stdout
    opened = open_store(f"sqlite:///{tmp_path / 'home' / 'xinglin.db'}")
    assert actions(opened).count("train") == 2
    opened.close()


@pytest.mark.slow
def test_a_killed_process_is_an_error_row(plan, store: Store, tmp_path: Path) -> None:
    sweep = read_sweep(plan(seeds="seeds = [0]"))
    (tmp_path / "out").mkdir()
    killed: list[int] = []

    def kill_one() -> None:
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            for process in multiprocessing.active_children():
                os.kill(process.pid or 0, signal.SIGKILL)
                killed.append(process.pid or 0)
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    swept = run_sweep(sweep, tmp_path / "out", store, Pool(workers=2))
    killer.join()
    assert len(killed) == 1
    assert [(row.seeds, row.failed) for row in swept.rows] == [(1, 0), (0, 1)]
    assert "exit code -9" in swept.rows[1].errors[0]


def test_random_draws_repeat_and_stay_in_their_range(plan, tmp_path: Path) -> None:
    path = plan(
        "{ low = 1e-5, high = 1e-2, log = true }", seeds='search = "random"\ntrials = 50\nseeds = [0]'
    )
    sweep = read_sweep(path)
    drawn = [trial.chosen["learning_rate"] for trial in trials(sweep, tmp_path)]
    assert drawn == [trial.chosen["learning_rate"] for trial in trials(sweep, tmp_path)]
    assert len(set(drawn)) == 50
    assert 1e-5 <= min(drawn) < 1e-4
    assert 1e-3 < max(drawn) <= 1e-2
    assert len({trial.id for trial in trials(sweep, tmp_path)}) == 50


def test_other_data_are_other_trials(plan, tmp_path: Path) -> None:
    path = plan()
    before = {trial.id for trial in trials(read_sweep(path), tmp_path)}
    data = tmp_path / "train.jsonl"
    data.write_text(data.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert not before & {trial.id for trial in trials(read_sweep(path), tmp_path)}
    assert kept(trials(read_sweep(path), tmp_path)[0]) is None


@pytest.mark.parametrize(
    ("rates", "changed", "said"),
    [
        ("[1e-4]", {"metric": 'metrik = "accuracy"'}, "did you mean metric"),
        ("[1e-4]", {"metric": 'metric = "test_accuracy"'}, "expected accuracy or"),
        ("[1e-4]", {"epochs": "epoch = 3"}, "did you mean epochs"),
        ("[1e-4]", {"epochs": "learning_rate = 1e-4"}, "either in fixed or in space"),
        ("[]", {}, "at least one"),
        ("[1e-4, 1e-4]", {}, "different values"),
        ("{ low = 1e-5, high = 1e-3 }", {}, "needs search random"),
        ("[1e-4]", {"seeds": "seeds = [1, 1]"}, "different numbers"),
        ("[1e-4]", {"seeds": "trials = 3"}, "search random"),
        ("[1e-4]", {"validation_share": 'validation = "a"\nvalidation_share = 0.2'}, "one of the two"),
        ("[1e-4]", {"validation_share": "validation_share = 1.5"}, "validation_share"),
        ("[1e-4", {}, "expected TOML"),
    ],
)
def test_bad_plans_are_named(plan, rates: str, changed: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_sweep(plan(rates, **changed))


def test_bad_values_and_files_are_named(plan, store: Store, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(InvalidInputError, match="learning_rate: expected a number, got 'fast'"):
        trials(read_sweep(plan('["fast"]')), tmp_path)
    with pytest.raises(InvalidInputError, match="batch_size: expected a whole number"):
        trials(read_sweep(plan(batch_size="batch_size = 2.5")), tmp_path)
    with pytest.raises(MissingDataError, match="data: there is no"):
        read_sweep(plan(data='data = "gone.jsonl"'))
    with pytest.raises(InvalidInputError, match="texts are in the training file too"):
        parts(read_sweep(plan(validation_share='validation = "train.jsonl"')))
    (tmp_path / "dev.jsonl").write_text(
        '{"text": "x1", "department": "甲"}\n{"text": "x2", "department": "乙"}', encoding="utf-8"
    )
    with pytest.raises(InvalidInputError, match="2 classes that the training file lacks"):
        run_sweep(read_sweep(plan(validation_share='validation = "dev.jsonl"')), tmp_path, store)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigurationError, match="one process"):
        run_sweep(read_sweep(plan()), tmp_path, store)


def test_scores_agree_with_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, f1_score, log_loss

    generator = np.random.default_rng(0)
    for _ in range(20):
        logits = generator.normal(size=(40, 5)).astype(np.float32) * 3
        truth = generator.integers(0, 4, 40)  # the fifth class never occurs
        found = score(logits, truth)
        told = logits.argmax(1)
        chance = np.exp(logits - logits.max(1, keepdims=True))
        chance /= chance.sum(1, keepdims=True)
        assert found["accuracy"] == pytest.approx(accuracy_score(truth, told), abs=1e-6)
        assert found["macro_f1"] == pytest.approx(f1_score(truth, told, average="macro"), abs=1e-6)
        assert found["log_loss"] == pytest.approx(log_loss(truth, chance, labels=range(5)), abs=1e-4)


def test_the_interval_over_seeds_is_student_s() -> None:
    from scipy.stats import t

    values = np.array([0.7, 0.72, 0.69, 0.75])
    mean, low, high = over_seeds(values)
    expected = t.interval(0.95, 3, loc=values.mean(), scale=values.std(ddof=1) / 2)
    assert (mean, low, high) == pytest.approx((values.mean(), *expected))
    assert over_seeds(np.array([0.5])) == (0.5, None, None)
    with pytest.raises(ValueError, match="one figure a seed"):
        over_seeds(np.array([]))
