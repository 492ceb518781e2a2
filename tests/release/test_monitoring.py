"""Drift and alarms: found where there is drift, quiet where there is none, and never on a handful of cases."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from xinglin import diagnose
from xinglin.apps.diagnosis.remember import confirm_case, remember_prediction, save_case
from xinglin.apps.diagnosis.traffic import EDGES, features
from xinglin.apps.diagnosis.wording import model_line
from xinglin.errors import InvalidInputError
from xinglin.release.monitoring.drift import discrepancy, stability
from xinglin.release.monitoring.watch import Limits, counted, error_lower, look, models_in_use
from xinglin.store import Store
from xinglin.store.tables import cases
from xinglin.store.tables_release import model_traffic
from xinglin.types import Code

TODAY = date.today().isoformat()


def test_the_index_is_its_formula_and_nought_for_equal_shares() -> None:
    drift = stability({"a": 100, "b": 300}, {"a": 200, "b": 200})
    p, q = np.array([100.5, 300.5]) / 401, np.array([200.5, 200.5]) / 401
    assert drift.value == pytest.approx(float(((q - p) * np.log(q / p)).sum()))
    assert drift.p < 1e-10
    assert stability({"a": 10, "b": 10}, {"a": 100, "b": 100}).value == pytest.approx(0)
    assert stability({"a": 5}, {"a": 9}).p == 1.0
    for bad in ({}, {"a": -1}):
        with pytest.raises(InvalidInputError, match="counts"):
            stability({"a": 1}, bad)


def test_without_drift_p_is_uniform_and_the_customary_limit_is_broken_by_small_samples() -> None:
    rng = np.random.default_rng(0)
    shares = [0.1, 0.2, 0.3, 0.25, 0.15]

    def draw(n: int) -> dict[str, int]:
        return {str(place): int(count) for place, count in enumerate(rng.multinomial(n, shares))}

    large = [stability(draw(800), draw(600)) for _ in range(600)]
    assert np.mean([drift.p < 0.05 for drift in large]) == pytest.approx(0.05, abs=0.025)
    assert max(drift.value for drift in large) < 0.1
    small = [stability(draw(800), draw(12)) for _ in range(300)]
    assert np.mean([drift.value > 0.25 for drift in small]) > 0.3
    assert np.mean([drift.p < 0.01 for drift in small]) < 0.03


def test_mean_discrepancy_sees_a_moved_cloud_and_not_the_same_one() -> None:
    rng = np.random.default_rng(1)
    same = [
        discrepancy(rng.normal(size=(60, 3)), rng.normal(size=(50, 3)), permutations=99) for _ in range(40)
    ]
    assert np.mean([drift.p <= 0.05 for drift in same]) <= 0.15
    moved = discrepancy(rng.normal(size=(60, 3)), rng.normal(size=(50, 3)) + 0.8, permutations=199)
    assert moved.p == pytest.approx(1 / 200)
    # The unbiased estimate, pair by pair.
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(4, 2))
    both = np.concatenate([x, y])
    pairs = [((a - b) ** 2).sum() for i, a in enumerate(both) for b in both[:i]]
    width = np.median(pairs)

    def mean(a: np.ndarray, b: np.ndarray, apart: bool) -> float:
        found = [
            np.exp(-((u - v) ** 2).sum() / width)
            for i, u in enumerate(a)
            for j, v in enumerate(b)
            if apart or i != j
        ]
        return float(np.mean(found))

    expected = mean(x, x, False) + mean(y, y, False) - 2 * mean(x, y, True)
    assert discrepancy(x, y, permutations=1).value == pytest.approx(expected)
    for bad in (np.zeros((1, 2)), np.zeros((3, 4)), np.full((3, 2), np.nan)):
        with pytest.raises(InvalidInputError):
            discrepancy(x, bad)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 130), st.integers(1, 5000))
def test_every_value_has_one_bin(age: float, length: int) -> None:
    answer = {
        "patient": {"age": age, "sex": None},
        "candidates": [],
        "findings": [],
        "prediction_set": [],
        "triage_level": "routine",
        "abstained": True,
    }
    found = features("x" * length, answer)
    edges = EDGES["age"]
    inside = sum(
        low <= age < high for low, high in zip((float("-inf"), *edges), (*edges, float("inf")), strict=True)
    )
    assert inside == 1
    assert found["sex"] == found["score"] == "unknown"
    assert found["length"].startswith("<") == (length < EDGES["length"][0])


def test_answers_are_counted_and_a_changed_clientele_is_an_alarm(store: Store) -> None:
    texts = ["男,58岁,胸痛3天", "女,30岁,发热2天,咳嗽", "男,70岁,气促1周"]
    for text in texts:
        answer = diagnose(text)
        remember_prediction(store, text, answer, actor="a")
    model = model_line(answer["model"])
    with store.read() as connection:
        ((named, first, last, count),) = models_in_use(connection)
        assert (named, count) == (model, 3)
        found = counted(connection, model, first, last)
        assert found["sex"] == {"male": 2, "female": 1}
        assert {sum(bins.values()) for bins in found.values()} == {3}
    rows = [
        ("2026-01-05", "male", 400),
        ("2026-01-05", "female", 600),
        ("2026-02-05", "male", 700),
        ("2026-02-05", "female", 300),
    ]
    with store.write() as connection:
        for day, sex, count in rows:
            row = {"model": model, "day": day, "feature": "sex", "bin": sex, "count": count}
            connection.execute(insert(model_traffic).values(row))
            connection.execute(insert(model_traffic).values(row | {"feature": "triage"}))
    with store.read() as connection:
        spans = {"reference": ("2026-01-01", "2026-01-31"), "current": ("2026-02-01", "2026-02-28")}
        readings = {one.name: one for one in look(connection, model, **spans)}
        assert readings["psi sex"].breached
        assert not readings["error"].breached
        assert readings["psi sex"].as_evidence("2026-02-28")["breached"] is True
        quiet = look(connection, model, reference=spans["reference"], current=spans["reference"])
        assert not any(one.breached for one in quiet)
        with pytest.raises(InvalidInputError, match="no answers"):
            look(connection, "other", **spans)


def test_errors_of_confirmed_cases_are_an_alarm(store: Store, tmp_path: Path) -> None:
    text = "男,58岁,胸痛3天"
    answer = diagnose(text)
    top = answer["candidates"][0]["code"]
    remember_prediction(store, text, answer, actor="a")
    for number in range(40):
        case = save_case(store, text=text, answer=answer, note="", lang="zh", actor="a")
        code = Code(top["system"], top["value"]) if number % 10 == 0 else Code("icd10-who", "Z99")
        confirm_case(store, case, code, actor="a")
    with store.write() as connection:
        connection.execute(update(cases).values(confirmed_time=f"{TODAY}T00:00:00+00:00"))
    with store.read() as connection:
        model, first, last, _ = models_in_use(connection)[0]
        span = (min(first, TODAY), max(last, TODAY))
        readings = {one.name: one for one in look(connection, model, reference=span, current=span)}
        assert readings["error"].value == pytest.approx(0.9)
        assert readings["error"].breached
        strict = look(connection, model, reference=span, current=span, limits=Limits(least=41))
        assert not any(one.breached for one in strict)


def test_the_lower_bound_holds_at_every_look() -> None:
    rng = np.random.default_rng(2)
    broken = 0
    for _ in range(300):
        hits = list(rng.random(150) < 0.7)
        broken += any(error_lower(hits[:n], 0.05) > 0.3 for n in range(10, 151, 10))
    assert broken / 300 <= 0.05
    assert error_lower([True] * 50, 0.05) == error_lower([], 0.05) == 0.0
    assert 0.5 < error_lower([False] * 20, 0.05) < 1
