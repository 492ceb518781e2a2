"""Logistic regression over hospitals against oracles in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from xinglin.errors import ConfigurationError, InvalidInputError, NotTrainedError, TrainingError
from xinglin.federate.in_process import federate
from xinglin.federate.job import DataNeeds, Job, Strategy
from xinglin.federate.tasks.protocol import Files, Privacy, State
from xinglin.federate.tasks.registry import task
from xinglin.federate.tasks.table import Examples
from xinglin.federate.tasks.tabular import Tabular, auc

Array = np.ndarray[Any, Any]
TABLE: dict[str, Any] = {
    "target": "y",
    "positive": ["1"],
    "negative": ["0"],
    "numeric": ["a", "b", "c"],
    "lower": [-10.0, -10.0, -10.0],
    "upper": [10.0, 10.0, 10.0],
}
PRIVATE = Privacy(noise_multiplier=1.0, max_grad_norm=1.0, secret=b"test")


@pytest.fixture
def hospitals(tmp_path: Path) -> dict[str, Path]:
    """Three hospitals of different size, case mix and base rate; the last has one answer only."""
    generator = np.random.default_rng(5)
    made = {}
    for site, (rows, shift, base) in {"a": (90, 0.0, -0.5), "b": (40, 1.5, 1.0), "c": (7, -1.0, 9.0)}.items():
        x = generator.normal(shift, 2.0, (rows, 3))
        y = generator.random(rows) < expit(x @ [0.6, -0.4, 0.1] + base)
        made[site] = tmp_path / site
        made[site].mkdir()
        lines = [",".join(map(str, [*row, int(answer)])) for row, answer in zip(x.round(3), y, strict=True)]
        (made[site] / "train.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return made


def job(rounds: int = 1, strategy: Strategy | None = None, **train: Any) -> Job:
    return Job(
        name="j",
        task="tabular",
        rounds=rounds,
        min_sites=1,
        data=DataNeeds(dataset="d"),
        train={**TABLE, **train},
        strategy=strategy or Strategy(),
    )


def run(
    made: Job, folders: dict[str, Path], **more: Any
) -> tuple[Tabular, dict[str, Examples], dict[str, State]]:
    found: Any = task("tabular", made.train)
    loaded = {site: found.load(Files(folder)) for site, folder in folders.items()}
    return found, loaded, federate(made, found, loaded, **more)


def together(loaded: dict[str, Examples]) -> tuple[Array, Array]:
    features = np.concatenate([one.features for one in loaded.values()]).astype(float)
    return features, np.concatenate([one.targets for one in loaded.values()]).astype(float)


def fitted(x: Array, y: Array, ridge: float, prior: float | None = None, sites: Array | None = None) -> Array:
    """The slow oracle: the penalised likelihood by BFGS; the intercepts come first."""
    design = np.c_[np.ones(len(x)) if sites is None else sites, x]
    own = 1 if sites is None else sites.shape[1]

    def objective(w: Array) -> float:
        logit = design @ w
        penalty = ridge / 2 * (w[own:] ** 2).sum()
        if prior is not None:
            penalty += (w[:own] ** 2).sum() / (2 * prior * len(x))
        return float(np.mean(np.logaddexp(0, logit) - y * logit) + penalty)

    return np.asarray(minimize(objective, np.zeros(design.shape[1]), options={"gtol": 1e-9}).x)


def test_one_full_batch_step_over_hospitals_is_the_pooled_gradient_step(hospitals: dict[str, Path]) -> None:
    _, loaded, joined = run(job(scaling="bounds", batch=0, steps=1, learning_rate=0.7), hospitals)
    x, y = together(loaded)
    step = -0.7 * (0.5 - y) @ np.c_[np.ones(len(x)), x] / len(x)
    assert joined["a"]["bias"] == pytest.approx(step[:1], abs=1e-6)
    assert joined["a"]["weight"][0] == pytest.approx(step[1:], abs=1e-6)


def test_one_hospital_is_plain_training(hospitals: dict[str, Path]) -> None:
    made = job(rounds=3, scaling="site", learning_rate=0.1, batch=16)
    found, loaded, joined = run(made, {"a": hospitals["a"]})
    from xinglin.federate.strategy import node_seed

    state = found.initial(0)
    for number in (1, 2, 3):
        state = found.train(
            state, loaded["a"], options={}, private=None, seed=node_seed(made, "a", number)
        ).state
    assert joined["a"]["weight"] == pytest.approx(state["weight"], abs=1e-7)


@pytest.mark.parametrize("ridge", [0.02, 0.5])
def test_newton_over_hospitals_ends_where_pooled_training_does(
    hospitals: dict[str, Path], ridge: float
) -> None:
    _, loaded, joined = run(job(rounds=10, solver="newton", scaling="bounds", ridge=ridge), hospitals)
    found = task("tabular", job(solver="newton", scaling="bounds", ridge=ridge).train)
    best = fitted(*together(loaded), ridge)
    assert isinstance(found, Tabular)
    done = found.stepped(joined["a"])
    assert np.r_[done["bias"], done["weight"][0]] == pytest.approx(best, abs=2e-4)


def test_own_intercepts_end_where_one_place_with_a_term_for_each_hospital_does(
    hospitals: dict[str, Path],
) -> None:
    train = {"solver": "newton", "scaling": "bounds", "ridge": 0.05, "intercept": "site", "prior": 4.0}
    made = job(12, Strategy(local_keys=("bias",)), **train)
    found, loaded, joined = run(made, hospitals)
    sites = np.repeat(np.eye(3), [len(one) for one in loaded.values()], axis=0)
    best = fitted(*together(loaded), 0.05, 4.0, sites)
    assert joined["a"]["weight"][0] == pytest.approx(best[3:], abs=3e-4)
    assert [float(joined[site]["bias"][0]) for site in "abc"] == pytest.approx(best[:3].tolist(), abs=3e-3)
    assert set(loaded["c"].targets) == {1.0}  # the prior keeps it finite
    assert found.evaluate(joined["c"], loaded["c"]) == pytest.approx(
        {"n": 7, "loss": pytest.approx(0, abs=0.3), "accuracy": 1}
    )


def test_moments_over_hospitals_are_those_of_all_rows_gaps_left_out(hospitals: dict[str, Path]) -> None:
    path = hospitals["b"] / "train.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = "," + lines[1].split(",", 1)[1]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = job(rounds=4, scaling="federated", gaps="indicate", batch=0, learning_rate=0.5)
    found, loaded, joined = run(made, hospitals)
    x, _ = together(loaded)
    state = joined["a"]
    mean = state["moments.sum"] / np.maximum(state["moments.share"], 1e-9)
    assert mean[:3] == pytest.approx(np.nanmean(x[:, :3], axis=0), abs=1e-5)
    variance = state["moments.square"] / np.maximum(state["moments.share"], 1e-9) - mean**2
    assert variance[:3] == pytest.approx(np.nanvar(x[:, :3], axis=0), abs=1e-5)
    assert np.isfinite(found.predict(state, loaded["b"])).all()


def test_statistics_refuse_a_strategy_that_does_not_average_plainly(hospitals: dict[str, Path]) -> None:
    adaptive = Strategy(name="fedadam", eta=0.1, tau=0.001)
    with pytest.raises(ConfigurationError, match="plain averaging"):
        run(job(3, adaptive, scaling="federated", learning_rate=0.5), hospitals)
    with pytest.raises(ConfigurationError, match="plain averaging"):
        run(job(3, adaptive, scaling="bounds", solver="newton", ridge=0.1), hospitals)


def test_fedprox_pulls_as_its_gradient_says(hospitals: dict[str, Path]) -> None:
    def weights(mu: float) -> Array:
        found: Any = task("tabular", job(scaling="bounds").train)
        examples = found.load(Files(hospitals["a"]))
        start = found.initial(0) | {"weight": np.full((1, 3), 2.0, np.float32)}
        options = {"batch": 0, "steps": 2, "learning_rate": 0.5, "proximal_mu": mu}
        update = found.train(start, examples, options=options, private=None, seed=0)
        return np.asarray(np.r_[update.state["bias"], update.state["weight"][0]])

    x, y = together({"a": task("tabular", job(scaling="bounds").train).load(Files(hospitals["a"]))})  # type: ignore[dict-item]
    design, start = np.c_[np.ones(len(x)), x], np.r_[0.0, np.full(3, 2.0)]
    w = start.copy()
    for _ in range(2):
        w = w - 0.5 * ((expit(design @ w) - y) @ design / len(y) + 0.8 * (w - start))
    assert weights(0.8) == pytest.approx(w, abs=1e-5)
    assert np.linalg.norm(weights(0.8) - start) < np.linalg.norm(weights(0.0) - start)


def test_private_training_moves_the_weights_and_is_refused_where_it_would_not_cover(
    hospitals: dict[str, Path],
) -> None:
    options = {"batch": 0, "steps": 3, "learning_rate": 0.1}
    found: Any = task("tabular", {**TABLE, "scaling": "bounds", **options})
    examples = found.load(Files(hospitals["a"]))
    start = found.initial(0)
    plan = found.sampling(len(examples), options)
    assert (plan.rate, plan.steps) == (1.0, 3)
    one, two = (
        found.train(start, examples, options=options, private=PRIVATE, seed=1).state for _ in range(2)
    )
    assert np.array_equal(one["weight"], two["weight"])  # a secret of one's own repeats a run
    plain = found.train(start, examples, options=options, private=None, seed=1).state
    assert not np.array_equal(one["weight"], plain["weight"])
    for wrong in ({"solver": "newton", "ridge": 0.1}, {"scaling": "federated"}):
        refusing: Any = task("tabular", {**TABLE, "scaling": "bounds", **wrong})
        with pytest.raises(ConfigurationError, match="DP-SGD covers"):
            refusing.train(refusing.initial(0), examples, options={}, private=PRIVATE, seed=0)
    with pytest.raises(NotTrainedError):
        found.train(start, examples, options={**options, "learning_rate": 1e-45}, private=PRIVATE, seed=0)
    by_patient = Privacy(1.0, 1.0, unit="patient")
    with pytest.raises(ConfigurationError, match="whose the rows are"):
        found.train(start, examples, options=options, private=by_patient, seed=0)


def test_noise_has_the_size_that_the_accountant_counts(hospitals: dict[str, Path]) -> None:
    options = {"batch": 0, "steps": 1, "learning_rate": 1.0}
    found: Any = task("tabular", {**TABLE, "scaling": "bounds", **options})
    examples = found.load(Files(hospitals["b"]))
    loud = Privacy(noise_multiplier=1000.0, max_grad_norm=0.5, secret=b"test")
    drawn = [
        found.train(found.initial(0), examples, options=options, private=loud, seed=seed).state["weight"]
        for seed in range(60)
    ]
    assert np.std(drawn) == pytest.approx(1000 * 0.5 / len(examples), rel=0.15)


def test_a_state_of_another_model_is_refused(hospitals: dict[str, Path]) -> None:
    found: Any = task("tabular", {**TABLE, "scaling": "bounds"})
    examples = found.load(Files(hospitals["a"]))
    good = found.initial(0)
    foreign = {
        "differ in 'weight'": {"bias": good["bias"]},
        "expected float32 (1, 3)": good | {"weight": np.zeros((1, 4), np.float32)},
        "got float64": good | {"weight": np.zeros((1, 3))},
        "not finite": good | {"bias": np.array([np.nan], np.float32)},
    }
    for said, state in foreign.items():
        with pytest.raises(InvalidInputError) as caught:
            found.train(state, examples, options={}, private=None, seed=0)
        assert said in str(caught.value)


def test_rows_that_do_not_determine_the_weights_are_told(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b,c,y\n1,1,1,0\n2,2,2,1\n3,3,3,0\n4,4,4,1\n", encoding="utf-8")
    with pytest.raises(TrainingError, match="set ridge above 0"):
        run(job(3, scaling="bounds", solver="newton"), {"a": tmp_path})


def test_diverging_training_is_stopped(hospitals: dict[str, Path]) -> None:
    with pytest.raises(TrainingError, match="not finite"):
        run(job(scaling="bounds", learning_rate=1e38, steps=50), hospitals)


def test_area_under_the_curve_against_counting_pairs() -> None:
    generator = np.random.default_rng(1)
    scores, positive = generator.integers(0, 5, 60), generator.random(60) < 0.4
    pairs = [(p > q) + (p == q) / 2 for p in scores[positive] for q in scores[~positive]]
    assert auc(scores, positive) == pytest.approx(np.mean(pairs))


def test_the_four_hospitals_of_the_heart_set_split_as_published(data: Path, tmp_path: Path) -> None:
    from benchmarks._heart import SIZES, TABLE, load, write_hospitals

    folders = write_hospitals(data / "text" / "fed-heart-disease", tmp_path / "out")
    found = task("tabular", TABLE)
    for place, part in enumerate(("train", "test")):
        assert {site: len(one) for site, one in load(found, folders, part).items()} == {
            site: sizes[place] for site, sizes in SIZES.items()
        }
