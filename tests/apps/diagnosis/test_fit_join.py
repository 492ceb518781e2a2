"""Learning the join: what it recovers, that its figures are out of fold, and how it is kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.apps.diagnosis.conftest import UNREAD_WORDS
from tests.text_models import word_checkpoint
from xinglin.apps.diagnosis import fit_join as module
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.conformance.vectors import read_vectors
from xinglin.apps.diagnosis.differential import Differential, load_differential, load_encoder, with_encoder
from xinglin.apps.diagnosis.facts import Case, gather
from xinglin.apps.diagnosis.fit_join import fit_join, keep_join
from xinglin.apps.diagnosis.join import facts_of
from xinglin.apps.diagnosis.posterior import Engine
from xinglin.apps.diagnosis.render import as_json
from xinglin.errors import ConfigurationError, InvalidInputError

LINES = (
    "发热{n}天,咳嗽咳痰",
    "上腹痛{n}小时,呕吐",
    "头痛{n}年,伴恶心畏光",
    "尿频尿急尿痛{n}天",
    "皮肤瘙痒,风团{n}天",
    "胸痛{n}小时,大汗",
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = [disease.name for disease in read_vectors()[0].diseases]
    return word_checkpoint(tmp_path_factory.mktemp("few") / "model", labels)


@pytest.fixture(scope="module")
def joined(differential: Differential, checkpoint: Path) -> Differential:
    """A graph of 60 diseases, so that a fit takes a moment, and a text model over them."""
    small = replace(differential, engine=Engine.build(read_vectors()[0]))
    return with_encoder(small, load_encoder(checkpoint))


@pytest.fixture(scope="module")
def cases(joined: Differential) -> list[Case]:
    return [gather(joined, LINES[i % len(LINES)].format(n=2 + i // len(LINES))) for i in range(60)]


@pytest.fixture(scope="module")
def truths(joined: Differential, cases: list[Case]) -> list[list[int]]:
    """One or two right diseases: half the time among the graph's first, else anywhere."""
    generator = np.random.default_rng(3)
    found = []
    for i, case in enumerate(cases):
        order = answer(joined.using("graph"), case, 50).diseases
        first = order[int(generator.integers(0, 8))] if i % 2 else int(generator.integers(0, 60))
        found.append([first, int(generator.integers(0, 60))] if i % 5 == 0 else [first])
    return found


def logits_for(joined: Differential, truths: list[list[int]], height: float, seed: int = 0) -> Any:
    """Logits of a model that sees the truth through noise; 0 sees nothing."""
    generator = np.random.default_rng(seed)
    assert joined.encoder is not None
    rows = generator.normal(size=(len(truths), len(joined.encoder.labels)))
    for row, truth in zip(rows, truths, strict=True):
        row[truth] += height
    return rows


def test_the_gradient_is_that_of_the_loss(joined: Differential, cases: list[Case], truths: Any) -> None:
    data = module._gathered(joined, cases, truths, logits_for(joined, truths, 4.0))
    best = np.concatenate(module._lines(data))

    def loss(x: Any) -> float:
        weights = module._weights((x[:3], x[3:]), data.facts)
        p = module._joined(data, weights, 1.0)
        away = (x - np.log([0.5, 1, 1, 0.5, 1, 1])) / np.array([*module.SPREAD, *module.SPREAD])
        return float(-np.log((p * data.truth).sum(axis=1)).sum() + 0.5 * away @ away)

    for i in range(6):
        step = np.eye(6)[i] * 1e-3
        slope = (loss(best + step) - loss(best - step)) / 2e-3
        assert abs(slope) < 0.05, (i, slope)
        assert loss(best + 200 * step) > loss(best) < loss(best - 200 * step)


def test_a_model_that_sees_is_heard_and_noise_is_not(
    joined: Differential, cases: list[Case], truths: Any
) -> None:
    sees = fit_join(joined, cases, truths, name="dev", logits=logits_for(joined, truths, 9.0))
    blind = fit_join(joined, cases, truths, name="dev", logits=logits_for(joined, truths, 0.0))
    usual = facts_of(2, 12)
    assert sees.join.weights(usual)[1] > 2 * blind.join.weights(usual)[1]
    good, bad = sees.join.metrics, blind.join.metrics
    assert good["both"]["top1"] >= good["model"]["top1"] > 0.5
    assert good["both"]["nll"] < good["graph"]["nll"]
    assert bad["both"]["nll"] == pytest.approx(bad["graph"]["nll"], abs=0.4)
    assert bad["model"]["top1"] < 0.2
    assert sees.probability.shape == (60, len(joined.pack.diseases))
    assert sees.probability.sum(axis=1) == pytest.approx(np.ones(60))
    hit = [int(p.argmax()) in truth for p, truth in zip(sees.probability, truths, strict=True)]
    assert np.mean(hit) == pytest.approx(good["both"]["top1"], abs=1e-4)


def test_figures_are_out_of_fold(joined: Differential, cases: list[Case]) -> None:
    """Truths drawn at random: in fold the fit could only gain, out of fold it must not look good."""
    generator = np.random.default_rng(11)
    random = [[int(generator.integers(0, 60))] for _ in cases]
    found = fit_join(joined, cases, random, name="dev", logits=logits_for(joined, random, 0.0)).join
    assert found.metrics["both"]["nll"] > 0.95 * np.log(60)
    assert (found.calibrated_on, found.threshold) == (None, None)


def test_sets_that_are_too_large_to_be_of_use_are_not_claimed(
    joined: Differential, cases: list[Case], truths: Any
) -> None:
    vague = fit_join(joined, cases, truths, name="dev", logits=logits_for(joined, truths, 0.0)).join
    assert vague.metrics["set"]["median_size"] > 12
    assert vague.quantile is None
    assert vague.calibrated_on is None, "60 cases are too few for percentages"


def test_two_hundred_cases_with_a_true_slope_switch_percentages_on(joined: Differential) -> None:
    many = [gather(joined, LINES[i % 6].format(n=2 + i // 6)) for i in range(210)]
    generator = np.random.default_rng(2)
    assert joined.encoder is not None
    logits = generator.normal(scale=4.0, size=(210, len(joined.encoder.labels)))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    truth = [[int(generator.choice(len(row), p=row))] for row in shares]
    join = fit_join(joined, many, truth, name="dev", logits=logits).join
    assert 0.8 <= join.metrics["both"]["slope"] <= 1.25
    assert join.calibrated_on == "dev (n=210)"
    assert join.metrics["set"]["coverage"] == pytest.approx(0.9, abs=0.06)
    assert join.metrics["set"]["median_size"] <= 12
    assert join.quantile is not None
    assert join.lethal_quantile is None, "fewer than 49 lethal cases"
    fitted = replace(joined, join=join)
    given = as_json(fitted, answer(fitted, many[0], 5, logits[0]))
    assert given["calibrated_on"] == "dev (n=210)"
    if not given["abstained"]:
        assert given["candidates"][0]["probability"] == pytest.approx(
            given["candidates"][0]["score"], abs=1e-4
        )


def test_the_threshold_is_learnt_where_the_graph_read_nothing(joined: Differential) -> None:
    unread = [gather(joined, f"{UNREAD_WORDS}{'啊' * (i % 7)}") for i in range(50)]
    truths = [[i] for i in range(50)]
    learnt = fit_join(joined, unread, truths, name="dev", logits=logits_for(joined, truths, 12.0)).join
    assert learnt.metrics["unread"]["n"] == 50
    assert learnt.threshold is not None
    assert learnt.alone_threshold is not None
    assert learnt.metrics["unread"]["model"]["answered"] > 20
    assert learnt.metrics["unread"]["model"]["right"] > 0.5
    noise = fit_join(joined, unread, truths, name="dev", logits=logits_for(joined, truths, 0.0)).join
    assert (noise.threshold, noise.alone_threshold) == (None, None)
    few = fit_join(joined, unread[:20], truths[:20], name="dev", logits=logits_for(joined, truths[:20], 12.0))
    assert few.join.threshold is None, "20 unread cases are too few"


def test_the_threshold_is_the_lowest_that_is_more_often_right_than_wrong() -> None:
    generator = np.random.default_rng(0)
    top = np.linspace(0.99, 0.02, 200)
    truth = np.zeros((200, 2), bool)
    truth[np.arange(200), 1] = True
    right = generator.random(200) < top
    probability = np.stack([1 - top, top], axis=1)
    wider = np.stack([np.where(right, 0.0, top), np.where(right, top, 0.0)], axis=1)
    found = module._threshold(wider, truth)
    assert found is not None
    kept = wider.max(axis=1) >= found
    assert 0.5 < right[kept].mean() < 0.95
    assert module._threshold(wider[:25], truth[:25]) is None
    assert probability.shape == wider.shape


def test_the_encoders_own_logits_are_used_and_the_fit_repeats(
    joined: Differential, cases: list[Case], truths: Any
) -> None:
    one = fit_join(joined, cases[:30], truths[:30], name="dev", seed=4)
    two = fit_join(joined, cases[:30], truths[:30], name="dev", seed=4)
    assert one.join == two.join
    assert json.dumps(one.join.as_json()) == json.dumps(two.join.as_json())
    assert joined.encoder is not None
    given = joined.encoder.logits([case.text for case in cases[:30]])
    assert fit_join(joined, cases[:30], truths[:30], name="dev", seed=4, logits=given).join == one.join


def test_cases_of_one_patient_stay_in_one_fold(joined: Differential, cases: list[Case]) -> None:
    whose = np.random.default_rng(5).permutation(60) // 3
    folds = module._folds(whose, 0)
    assert sorted(np.concatenate([fold for _, fold in folds]).tolist()) == list(range(60))
    for rest, fold in folds:
        assert len(fold) == 12
        assert set(whose[rest]).isdisjoint(whose[fold])
        assert len(rest) + len(fold) == 60
    assert any((a[1] != b[1]).any() for a, b in zip(folds, module._folds(whose, 1), strict=True))
    twins = [f"p{i // 2}" for i in range(60)]
    found = fit_join(joined, cases, [[i % 60] for i in range(60)], name="dev", groups=twins).join
    assert (found.n, found.metrics["patients"]) == (60, 30)
    with pytest.raises(InvalidInputError, match="one group a case"):
        fit_join(joined, cases, [[1]] * 60, name="dev", groups=twins[:-1])
    with pytest.raises(InvalidInputError, match="at least 10"):
        fit_join(joined, cases, [[1]] * 60, name="dev", groups=["one", "two"] * 30)


def test_cases_that_cannot_count_are_left_out_and_counted(
    joined: Differential, cases: list[Case], truths: Any
) -> None:
    key = joined.knowledge.finding_codes["胸痛"].value
    wordless = gather(joined, "", answers={key: "present"})
    found = fit_join(joined, [wordless, *cases[:20]], [[3], [], *truths[1:20]], name="dev")
    assert found.kept.tolist() == list(range(2, 21))
    assert (found.join.n, found.join.metrics["left_out"]) == (19, 2)


def test_mistakes_are_named(
    differential: Differential, joined: Differential, cases: Any, truths: Any
) -> None:
    with pytest.raises(ConfigurationError, match="needs a text model"):
        fit_join(differential, cases, truths, name="dev")
    with pytest.raises(InvalidInputError, match="one truth a case"):
        fit_join(joined, cases, truths[:-1], name="dev")
    with pytest.raises(InvalidInputError, match="at least 10"):
        fit_join(joined, cases[:9], truths[:9], name="dev")
    with pytest.raises(InvalidInputError, match="from 0 to"):
        fit_join(joined, cases[:20], [[99999]] * 20, name="dev")


def test_it_is_kept_in_the_checkpoint_and_read_again(
    joined: Differential, checkpoint: Path, cases: Any, truths: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint, folder)
    join = fit_join(joined, cases, truths, name="dev").join
    keep_join(join, folder)
    encoder = load_encoder(folder)
    assert with_encoder(joined, encoder).join == join
    assert encoder.id == join.model, "a calibration makes no other model"
    with pytest.raises(ConfigurationError, match=rf"pack '{joined.pack.version}'.*starter"):
        load_differential(folder)
    other = word_checkpoint(tmp_path / "other", encoder.labels, seed=9)
    with pytest.raises(ConfigurationError, match="fitted for"):
        keep_join(join, other)
