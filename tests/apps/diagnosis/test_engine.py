"""Pack, posterior and questions against slow oracles."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.apps.diagnosis.ask import advise_exams, information_gain, next_question
from xinglin.apps.diagnosis.conformance.vectors import CASES, output, read_vectors
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.pack import (
    Edge,
    Pack,
    PackDisease,
    PackExam,
    PackFinding,
    edges_for,
    read_pack,
    seal,
    write_pack,
)
from xinglin.apps.diagnosis.posterior import UNMENTIONED, Engine, contributions, informative, scores, softmax
from xinglin.errors import InvalidInputError

SEVERITIES = ["lethal", "serious", "moderate", "mild"]


@st.composite
def packs(draw: st.DrawFn) -> Pack:
    diseases = draw(st.integers(2, 6))
    count = draw(st.integers(1, 7))
    findings = []
    for i in range(count):
        q = draw(
            st.dictionaries(
                st.integers(0, diseases - 1), st.sampled_from([0.025, 0.17, 0.55, 0.9]), max_size=diseases
            )
        )
        leak = draw(st.sampled_from([0.004, 0.02, 0.2]))
        parents = tuple(sorted(draw(st.sets(st.integers(0, i - 1), max_size=1)))) if i else ()
        kind = draw(st.sampled_from(["symptom", "lab"]))
        findings.append(PackFinding(f"f{i}", f"征{i}", f"f{i}", kind, parents, leak, edges_for(q, leak)))
    listed = tuple(
        PackDisease(
            f"d{i}",
            f"病{i}",
            f"d{i}",
            "icd10-who",
            "I21",
            draw(st.floats(-4, 0)),
            SEVERITIES[i % 4],
            "科",
            "any",
            None,
            None,
            None,
        )
        for i in range(diseases)
    )
    exams = (PackExam("e", "查", "e", "clinic", "low", tuple(range(count)), ((0, "first", ""),)),)
    return seal(Pack("t", "", tuple(findings), listed, exams, ()))


def states_for(pack: Pack, data: st.DataObject) -> dict[int, str]:
    return data.draw(
        st.dictionaries(st.integers(0, len(pack.findings) - 1), st.sampled_from(["present", "absent"]))
    )


def closure(pack: Pack, start: int) -> set[int]:
    found: set[int] = set()
    stack = list(pack.findings[start].parents)
    while stack:
        found.add(node := stack.pop())
        stack += pack.findings[node].parents
    return found


@given(packs(), st.data())
@settings(max_examples=150, deadline=None)
def test_scores_equal_the_definition(pack: Pack, data: st.DataObject) -> None:
    engine, states = Engine.build(pack), states_for(pack, data)
    present = {f for f, s in states.items() if s == "present"}
    implied = set().union(*(closure(pack, f) for f in present)) if present else set()
    absent = {f for f, s in states.items() if s == "absent"} - implied
    general = {f for f in absent if not closure(pack, f) & {a for a, s in states.items() if s == "absent"}}
    told = set(states) | set().union(*(closure(pack, f) for f in states)) if states else set()
    for d, disease in enumerate(pack.diseases):
        total = disease.prior
        for f, finding in enumerate(pack.findings):
            edge = next((e for e in finding.edges if e.disease == d), None)
            if edge is None:
                continue
            if f in present - implied:
                total += math.log(edge.probability / finding.leak)
            elif f in general:
                total += math.log((1 - edge.probability) / (1 - finding.leak))
            if finding.kind == "symptom" and edge.probability >= 0.3 and f not in told:
                total += UNMENTIONED * math.log((1 - edge.probability) / (1 - finding.leak))
        assert scores(engine, states)[d] == pytest.approx(total, abs=1e-4)  # type: ignore[arg-type]


@given(packs(), st.data())
@settings(max_examples=60, deadline=None)
def test_contributions_sum_to_the_change(pack: Pack, data: st.DataObject) -> None:
    engine, states = Engine.build(pack), states_for(pack, data)
    symptoms = [f for f in pack.findings if f.kind == "symptom"]
    if symptoms:
        return
    moved = scores(engine, states) - scores(engine, {})  # type: ignore[arg-type]
    for d in range(len(pack.diseases)):
        assert sum(w for _, _, w in contributions(engine, states, d)) == pytest.approx(moved[d], abs=1e-6)  # type: ignore[arg-type]


@given(packs(), st.data())
@settings(max_examples=80, deadline=None)
def test_information_gain_equals_brute_force(pack: Pack, data: st.DataObject) -> None:
    engine, states = Engine.build(pack), states_for(pack, data)
    p = softmax(scores(engine, states))  # type: ignore[arg-type]
    gains = information_gain(engine, p)

    def entropy(q: np.ndarray) -> float:
        return -sum(w * x * math.log(x) for w, x in zip(engine.weight, q, strict=True) if x > 0)

    for f, finding in enumerate(pack.findings):
        likelihood = np.array(
            [
                next((e.probability for e in finding.edges if e.disease == d), finding.leak)
                for d in range(len(p))
            ]
        )
        yes, no = float(likelihood @ p), float((1 - likelihood) @ p)
        expected = entropy(p) - yes * entropy(likelihood * p / yes) - no * entropy((1 - likelihood) * p / no)
        assert gains[f] == pytest.approx(max(expected, 0.0) if finding.edges else 0.0, abs=1e-6)


def test_informative_counts_a_fact_once(differential: Differential) -> None:
    engine = differential.engine
    at = differential.by_finding_name
    child, parent = at["压榨性胸痛"], at["胸痛"]
    assert parent in engine.ancestors[child]
    assert informative(engine, {child: "present", parent: "present"}) == {child: "present"}
    assert informative(engine, {child: "absent", parent: "absent"}) == {parent: "absent"}


def test_a_question_is_never_asked_twice_and_ends(differential: Differential) -> None:
    engine = differential.engine
    states = {differential.by_finding_name["头痛"]: "present"}
    asked = set(states)
    for _ in range(15):
        p = softmax(scores(engine, states))  # type: ignore[arg-type]
        question = next_question(engine, information_gain(engine, p), states)  # type: ignore[arg-type]
        if question is None:
            break
        assert question.finding not in asked
        asked.add(question.finding)
        states[question.finding] = "absent"
    assert len(asked) > 3
    everything = frozenset(range(len(engine.pack.findings)))
    assert next_question(engine, information_gain(engine, p), {}, everything) is None


def test_exams_for_the_stable_come_last_when_urgent(differential: Differential) -> None:
    engine = differential.engine
    states = {differential.by_finding_name[name]: "present" for name in ("胸痛", "ST段压低")}
    p = softmax(scores(engine, states))  # type: ignore[arg-type]
    advice = advise_exams(engine, p, information_gain(engine, p), states, urgent=True, top=20)  # type: ignore[arg-type]
    later = [item.later for item in advice]
    assert True in later
    assert later == sorted(later)


def test_age_and_sex_rule_out(differential: Differential) -> None:
    engine = differential.engine
    at = {disease.name: i for i, disease in enumerate(engine.pack.diseases)}
    neutral, male = scores(engine, {}), scores(engine, {}, sex="male")
    assert male[at["异位妊娠"]] < neutral[at["异位妊娠"]] - 5
    assert scores(engine, {}, age=0.02)[at["急性心肌梗死"]] < neutral[at["急性心肌梗死"]] - 3


def test_pack_round_trips_and_tampering_is_found(tmp_path: Path) -> None:
    pack, _ = read_vectors()
    path = tmp_path / "pack.json"
    write_pack(pack, path)
    assert read_pack(path) == pack
    body = json.loads(path.read_text())
    body["diseases"][0]["prior"] += 0.5
    path.write_text(json.dumps(body))
    with pytest.raises(InvalidInputError, match="was changed"):
        read_pack(path)
    for broken in ("", "[]", "{}", '{"format": 99}', "\x00"):
        path.write_text(broken)
        with pytest.raises(InvalidInputError):
            read_pack(path)


def test_noisy_or_edges() -> None:
    (edge,) = edges_for({3: 0.5}, 0.1)
    assert edge == Edge(
        3, pytest.approx(math.log(0.55 / 0.1), abs=1e-6), pytest.approx(math.log(0.45 / 0.9), abs=1e-6), 0.55
    )


def test_conformance_vectors() -> None:
    pack, vectors = read_vectors()
    engine = Engine.build(pack)
    assert len(vectors) == CASES
    for vector in vectors:
        assert output(engine, vector["input"]) == vector["output"]
