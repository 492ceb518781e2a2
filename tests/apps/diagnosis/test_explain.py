"""The app's door: numbers of what really answers, and a clear answer to whatever cannot be explained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.explain import explain
from xinglin.apps.diagnosis.explain_score import Scorer, Variants, class_names, randomised
from xinglin.apps.diagnosis.explain_words import EXACT, METHODS
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.join import log_softmax
from xinglin.apps.diagnosis.marks import marks_of
from xinglin.apps.diagnosis.remember import remember_explanation
from xinglin.errors import InputTooLargeError, InvalidInputError, UnknownNameError
from xinglin.explain.basis import CaseExplanation, as_json
from xinglin.explain.exact import MAX_EXACT
from xinglin.explain.report import page
from xinglin.explain.units import segment, without
from xinglin.ledger import entries, verify
from xinglin.store import Store
from xinglin.types import Code, Event, Patient, Record

NOTE = "胸痛,大汗,无发热、咳嗽"


@pytest.fixture(scope="module")
def explained(differential: Differential) -> CaseExplanation:
    return explain(differential, NOTE)


def units_of(found: CaseExplanation) -> list[str]:
    assert found.attribution is not None
    return [unit.text for unit in found.attribution.units]


def test_the_numbers_are_of_the_answer(differential: Differential, explained: CaseExplanation) -> None:
    result = answer(differential, gather(differential, NOTE))
    first = result.prediction.candidates[0]
    assert explained.target.name[0] == first.code.display
    assert explained.target.share == pytest.approx(first.score, abs=1e-6)
    assert explained.place == 1
    attribution = explained.attribution
    assert attribution is not None
    assert attribution.method == "exact"
    assert attribution.full == pytest.approx(logit(result.posterior.max()))
    bare = answer(differential, gather(differential, "。"))
    target = int(result.posterior.argmax())
    assert attribution.base == pytest.approx(logit(bare.posterior[target]))
    assert attribution.gap == pytest.approx(0, abs=1e-9)
    assert attribution.evaluations == 2 ** len(attribution.units)
    assert explained.triage_level == result.triage
    assert [flag[0] for flag in explained.red_flags] == [hit.flag.display for hit in result.flags]
    assert explained.faithfulness is not None
    assert explained.faithfulness.stability == 1.0
    assert explained.faithfulness.randomised is not None


def test_a_denied_list_is_one_unit(differential: Differential, explained: CaseExplanation) -> None:
    assert units_of(explained) == ["胸痛", "大汗", "无发热、咳嗽"]
    assert explained.named("发热、咳嗽") == ("发热、咳嗽", "fever, cough")
    texts = (
        "患者无胸闷,发热3天,否认高血压、糖尿病、冠心病史,未见明显的皮疹。肌钙蛋白阴性",
        "Denies fever, chills or cough. Chest pain for 2 hours, no history of diabetes, without rash",
    )
    for text in texts:
        marks = marks_of(differential, text, Patient())
        units = segment(text, marks.marks)
        before = {f.code.value: f.state for f in gather(differential, text).findings if f.origin != "derived"}
        denied = 0
        for number in range(len(units)):
            kept = np.arange(len(units)) != number
            left = without(text, units, kept)
            after = {f.code.value: f.state for f in gather(differential, left).findings}
            denied += any(before[key] == "absent" and key not in after for key in before)
            flipped = {
                key for key in before if key in after and {before[key], after[key]} == {"present", "absent"}
            }
            assert flipped == set(), (units[number].text, left)
        assert denied >= 3
        assert set(marks.english) >= {name for *_, name in marks.marks}


def test_both_and_model_explain_what_they_answer(joined: Differential) -> None:
    case = gather(joined, NOTE)
    both = explain(joined, NOTE)
    posterior = answer(joined, case).posterior
    assert both.attribution is not None
    assert both.attribution.full == pytest.approx(logit(posterior.max()))
    assert [found.kind for found in both.counterfactuals] == ["findings", "words"]
    assert both.versions.model == "words"
    assert both.versions.join == "uncalibrated join"
    model = explain(joined.using("model"), NOTE)
    assert joined.encoder is not None
    logits = np.asarray(joined.encoder.logits([NOTE])[0], np.float64)
    assert model.attribution is not None
    assert model.attribution.full == pytest.approx(logit(np.exp(log_softmax(logits)).max()))
    assert [found.kind for found in model.counterfactuals] == ["words"]
    assert "没有参与" in model.notes[0][0]
    assert model.versions.engine == "model"
    assert model.versions.model_id == joined.encoder.id
    assert both.faithfulness is not None
    assert both.faithfulness.randomised is not None


def test_the_score_batches_and_names(joined: Differential) -> None:
    texts = [NOTE, "胸痛", "。"]
    for engine in ("graph", "model", "both"):
        chosen = joined.using(engine)
        score = Scorer(chosen, Variants(chosen))
        rows = score(texts)
        assert rows.shape == (3, len(class_names(chosen)))
        assert np.exp(rows).sum(axis=1) == pytest.approx(1.0, abs=1e-6)
        assert np.allclose(rows[0], score([NOTE])[0], atol=1e-6)
        other = randomised(score, 0)
        assert other is not None
        assert not np.allclose(other(texts)[0], rows[0], atol=0.1)
        again = randomised(score, 0)
        assert again is not None
        assert np.array_equal(again(texts), other(texts))


@pytest.mark.parametrize("method", ["shap", "lime"])
def test_the_other_methods(differential: Differential, method: str, explained: CaseExplanation) -> None:
    found = explain(differential, NOTE, method=method)  # type: ignore[arg-type]
    assert found.attribution is not None
    assert explained.attribution is not None
    assert found.attribution.method == method
    best = int(np.argmax(explained.attribution.values))
    assert int(np.argmax(found.attribution.values)) == best
    if method == "shap":
        assert found.attribution.gap == pytest.approx(0, abs=1e-9)


def test_a_method_that_does_not_fit_is_refused(differential: Differential) -> None:
    with pytest.raises(InvalidInputError, match=f"expected {', '.join(METHODS)}"):
        explain(differential, NOTE, method="magic")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="use --engine model"):
        explain(differential, NOTE, method="gradients")
    long = ",".join(f"第{n}项" for n in range(MAX_EXACT + 1))
    with pytest.raises(InputTooLargeError, match="use SHAP Partition"):
        explain(differential, long, method="exact")
    assert EXACT <= MAX_EXACT


def test_gradients_of_the_shipped_model() -> None:
    pytest.importorskip("captum")
    shipped = load_differential(engine="model")
    found = explain(shipped, "患者男性,58岁,胸痛3天,大汗,心电图显示ST段压低", method="gradients")
    attribution, faithfulness = found.attribution, found.faithfulness
    assert attribution is not None
    assert faithfulness is not None
    assert attribution.method == "gradients"
    assert attribution.complete
    assert units_of(found)[int(attribution.order[0])] in ("ST段压低", "心电图", "胸痛")
    assert faithfulness.comprehensiveness > faithfulness.chance.comprehensiveness


def test_another_disease_and_one_that_is_not_there(differential: Differential) -> None:
    other = explain(differential, "胸痛", target="肺栓塞")
    assert other.target.name == ("肺栓塞", "pulmonary embolism")
    assert other.place > 1
    assert other.target in other.candidates
    by_id = explain(differential, "胸痛", target="pulmonary-embolism")
    assert by_id.target == other.target
    rare = explain(differential, "胸痛", target="狂犬病")
    assert rare.place > 5
    assert rare.candidates[-1] == rare.target
    assert all(path.disease == "肺栓塞" for path in other.paths)
    with pytest.raises(UnknownNameError, match="nearest"):
        explain(differential, "胸痛", target="肺栓塞子")


def test_nothing_to_read_and_nothing_to_explain(differential: Differential) -> None:
    for text in ("", "   \n"):
        with pytest.raises(InvalidInputError, match="got nothing to read"):
            explain(differential, text)
    with pytest.raises(InvalidInputError, match="没有可解释的内容"):
        explain(differential, "。。。,!")
    with pytest.raises(InputTooLargeError, match="20000"):
        explain(differential, "痛" * 20_001)


def test_an_abstention_is_explained_and_said(differential: Differential) -> None:
    found = explain(differential, "今天天气很好")
    assert found.abstained is not None
    assert "没有识别到" in found.abstained[0]
    assert found.attribution is not None
    assert np.allclose(found.attribution.values, 0.0)
    assert found.target.level == ("不作结论", "no claim")
    assert found.target.probability is None
    html = page(found)
    assert "本例不作排序结论" in html
    assert "没有影响这个答案" in html


def test_a_record_without_words(differential: Differential, joined: Differential) -> None:
    record = Record(
        "r", events=(Event(Code("xinglin", "chest-pain", "胸痛"), kind="finding", status="present"),)
    )
    found = explain(differential, "", record=record)
    assert found.attribution is None
    assert found.faithfulness is None
    assert found.paths
    assert found.counterfactuals
    assert "没有文字可供逐词解释" in page(found)
    wordless = explain(joined, "", record=record)
    assert "由知识图谱作答" in wordless.notes[0][0]
    assert wordless.versions.engine == "graph"
    alone = explain(joined.using("model"), "", record=record)
    assert alone.notes == ()
    assert alone.abstained is not None
    assert "没有文字" in alone.abstained[0]


def test_the_header_is_part_of_every_variant(differential: Differential) -> None:
    patient = Patient(age=58.0, sex="male")
    found = explain(differential, "胸痛", patient=patient)
    assert (("年龄", "Age"), ("58岁", "58 years")) in found.patient
    assert (("性别", "Sex"), ("男", "male")) in found.patient
    bare = answer(differential, gather(differential, "。", patient=patient))
    place = differential.engine.disease_index
    target = next(i for key, i in place.items() if differential.pack.diseases[i].name == found.target.name[0])
    assert found.attribution is not None
    assert found.attribution.base == pytest.approx(logit(bare.posterior[target]))
    told = explain(differential, "男性,58岁,胸痛")
    assert {"男性", "58岁"} <= set(units_of(told))


def test_progress_goes_on_and_can_stop(differential: Differential) -> None:
    told: list[tuple[int, int]] = []
    explain(differential, "胸痛,大汗", report=lambda done, of: told.append((done, of)))
    assert told[-1] == (1000, 1000)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) > 4

    class Stop(Exception):  # noqa: N818
        pass

    def stop(done: int, of: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        explain(differential, "胸痛", report=stop)


def test_the_same_case_gives_the_same_explanation(joined: Differential) -> None:
    def timeless(found: CaseExplanation) -> CaseExplanation:
        assert found.attribution is not None
        return replace(found, time="", attribution=replace(found.attribution, seconds=0.0))

    first, second = (timeless(explain(joined, NOTE, method="lime", seed=3)) for _ in range(2))
    assert first == second


def test_paths_are_of_the_evidence(differential: Differential, explained: CaseExplanation) -> None:
    first = answer(differential, gather(differential, NOTE)).prediction.candidates[0]
    weights = {item.finding.display: item.weight for item in first.evidence}
    assert explained.paths
    for path in explained.paths:
        assert path.finding_strength == pytest.approx(weights[path.finding], abs=1e-4)
        assert path.finding_edge.source
    assert {path.finding for path in explained.paths} <= set(explained.english)


def test_it_is_plain_data(explained: CaseExplanation) -> None:
    plain = json.loads(json.dumps(as_json(explained), allow_nan=False))
    assert plain["disclaimer"][0].startswith("未经注册")
    assert plain["target"]["name"] == list(explained.target.name)
    assert plain["attribution"]["units"][0]["spans"] == [[0, 2]]
    assert plain["versions"]["pack"] == explained.versions.pack


def test_the_ledger_entry_leads_to_no_text(store: Store, explained: CaseExplanation) -> None:
    subject = remember_explanation(store, explained, actor="doctor")
    with store.read() as connection:
        (entry,) = entries(connection)
        assert verify(connection) == 1
    assert (entry.action, entry.actor, entry.subjects) == ("explain", "doctor", (subject,))
    assert entry.detail["method"] == "exact"
    assert entry.detail["target"]["value"] == explained.target.code
    assert "胸痛" not in json.dumps(entry.detail, ensure_ascii=False)
    assert remember_explanation(store, explained, actor="doctor") != subject


@pytest.mark.parametrize(
    "text",
    [
        '<script>alert("x")</script>胸痛3天\'"&',
        "Chest pain 胸痛 for 3 hours, no 发热, BP 80/50mmHg",
        "胸痛",
    ],
)
def test_odd_notes(differential: Differential, text: str) -> None:
    found = explain(differential, text)
    assert found.text == text
    units: Sequence[str] = units_of(found)
    assert units
    assert "<script>alert" not in page(found)
