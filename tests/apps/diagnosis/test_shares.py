"""What images show in a differential: virtual evidence, shares by origin, and never evidence of absence."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case, gather
from xinglin.apps.diagnosis.posterior import seen_weights
from xinglin.apps.diagnosis.render import as_json
from xinglin.apps.diagnosis.shares import ORIGINS, origins_of, restricted, shares
from xinglin.apps.diagnosis.weighing import weigh
from xinglin.records.intake import record_from_json
from xinglin.terms.codes import XINGLIN, XINGLIN_EXAM
from xinglin.types import Code, Event, Finding, Record

CASE = {
    "text": "男,63岁,咳嗽2个月,痰中带血,消瘦,吸烟40年",
    "labs": [{"name": "癌胚抗原", "value": 12.0, "unit": "ng/mL"}],
}
NODULE = Code(XINGLIN, "pulmonary-nodule", "肺结节")


def pictured(differential: Differential, *findings: Finding, text: str | None = None) -> Record:
    base = record_from_json(CASE if text is None else {"text": text})
    key = differential.knowledge.exams["胸部CT"].key.value
    made = Event(Code(XINGLIN_EXAM, key, "胸部CT"), kind="procedure", status="completed")
    return Record(base.id, None, base.text, base.patient, (*base.events, made), findings)


def uncertain(ratio: float) -> Finding:
    return Finding(NODULE, "unknown", 12.0, "mm", origin="image", probability=ratio / (1 + ratio))


def test_the_weight_of_a_ratio_is_bayes_rule_written_out(differential: Differential) -> None:
    engine = differential.engine
    finding = engine.finding_index[NODULE.value]
    leak, ratio = float(engine.leak[finding]), 12.0
    found = seen_weights(engine, finding, ratio)
    assert len(found) > 5
    for edge, weight in zip(engine.pack.findings[finding].edges, found, strict=True):
        have, lack = edge.probability, 1 - edge.probability
        expected = np.log((have * ratio + lack) / (leak * ratio + 1 - leak))
        if have > leak:  # an excluded finding has weights of its own
            assert weight == pytest.approx(expected, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.floats(1.0, 500.0), st.floats(1.0, 500.0))
def test_more_telling_images_move_more_and_never_past_certainty(one: float, other: float) -> None:
    from xinglin.apps.diagnosis import load_differential

    engine = load_differential(engine="graph").engine
    finding = engine.finding_index[NODULE.value]
    low, high = sorted((one, other))
    less, more = seen_weights(engine, finding, low), seen_weights(engine, finding, high)
    sure = engine.edge_present[finding]
    raised = sure > 0
    assert (less[raised] <= more[raised] + 1e-9).all()
    assert (more[raised] <= sure[raised] + 1e-9).all()
    assert np.allclose(seen_weights(engine, finding, 1.0), 0, atol=1e-6)
    assert np.allclose(seen_weights(engine, finding, 1e12), sure, atol=1e-3)


def test_one_differential_with_shares_that_add_up(differential: Differential) -> None:
    case = gather(differential, "", pictured(differential, uncertain(20.0)))
    result = answer(differential, case, 5)
    assert origins_of(case) == ("words", "measured", "image")
    found = shares(differential, case, result.diseases)
    assert len(found) == 5
    posterior = weigh(differential, case).posterior
    for one in found:
        share = float(posterior[one.disease])
        assert one.base + sum(one.by_origin.values()) == pytest.approx(np.log(share / (1 - share)), abs=1e-6)
    cancer = next(one for one in found if differential.pack.diseases[one.disease].name == "肺癌")
    assert cancer.by_origin["image"] > 0.5


def test_shares_are_the_mean_over_all_orders(differential: Differential) -> None:
    case = gather(differential, "", pictured(differential, uncertain(20.0)))
    disease = answer(differential, case, 1).diseases[0]

    def odds(kept: tuple[str, ...]) -> float:
        share = float(weigh(differential, restricted(differential, case, kept)).posterior[disease])
        return float(np.log(share / (1 - share)))

    origins = origins_of(case)
    total = dict.fromkeys(origins, 0.0)
    orders = list(permutations(origins))
    assert len(orders) == 6
    for order in orders:
        for at, name in enumerate(order):
            total[name] += odds(order[: at + 1]) - odds(order[:at])
    found = shares(differential, case, [disease])[0].by_origin
    assert found == pytest.approx({name: value / len(orders) for name, value in total.items()}, abs=1e-9)


def rendered(differential: Differential, *findings: Finding, text: str | None = None) -> dict[str, object]:
    case = gather(differential, "", pictured(differential, *findings, text=text))
    return as_json(differential, answer(differential, case, 5))


def test_a_nodule_not_found_changes_nothing_but_the_advice(differential: Differential) -> None:
    plain = as_json(differential, answer(differential, gather(differential, "", record_from_json(CASE)), 5))
    empty = rendered(differential)
    assert empty["candidates"] == plain["candidates"]
    assert plain["image"] is None
    assert empty["image"]["counted"] == "nothing"
    absent = rendered(differential, Finding(NODULE, "absent", origin="image"))
    assert absent["candidates"] == plain["candidates"]
    advised = [exam["code"]["display"] for exam in plain["exams"]]
    assert advised[0] == "胸部CT"
    assert "胸部CT" not in [exam["code"]["display"] for exam in empty["exams"]]


def test_a_score_alone_moves_nothing_and_shows_both(differential: Differential) -> None:
    scored = rendered(differential, Finding(NODULE, "unknown", 12.0, "mm", origin="image"))
    image = scored["image"]
    assert image["counted"] == "score"
    assert [row["id"] for row in image["without_image"]] == [
        row["code"]["id"] for row in scored["candidates"]
    ]
    agreed = rendered(differential, Finding(NODULE, "present", 12.0, "mm", origin="image"))
    assert agreed["image"]["counted"] == "confirmed"
    shown = {row["id"]: row["score"] for row in image["if_confirmed"]}
    assert shown == pytest.approx({row["code"]["id"]: row["score"] for row in agreed["candidates"]}, abs=1e-5)


def test_the_words_stand_against_the_image(differential: Differential) -> None:
    said = rendered(differential, uncertain(20.0), text="男,63岁,咳嗽,胸部CT见肺结节")
    assert said["image"]["counted"] == "stated"
    denied = gather(differential, "", pictured(differential, uncertain(20.0), text="咳嗽,CT未见肺结节"))
    assert denied.named_states["肺结节"] == "absent"
    assert denied.seen == {}
    assert any("肺结节" in problem for problem in denied.problems)


def test_an_image_alone_is_answered(differential: Differential) -> None:
    case = gather(differential, "", pictured(differential, uncertain(30.0), text=""))
    result = answer(differential, case, 3)
    assert not case.text
    names = [differential.pack.diseases[place].name for place in result.diseases]
    assert "肺结节" in names
    weights = {item.finding.value: item for item in result.prediction.candidates[0].evidence}
    assert weights[NODULE.value].state == "unknown"
    assert weights[NODULE.value].weight > 0


def test_restricting_to_everything_is_the_case_itself(differential: Differential) -> None:
    case: Case = gather(differential, "", pictured(differential, uncertain(20.0)))
    whole = restricted(differential, case, ORIGINS)
    assert np.allclose(weigh(differential, whole).posterior, weigh(differential, case).posterior)
