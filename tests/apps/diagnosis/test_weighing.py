"""The text model in an answer: its share, what it may do and what it never may."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.apps.diagnosis.conftest import TAUGHT, UNREAD_WORDS
from tests.text_models import word_checkpoint
from xinglin.apps.diagnosis.answer import answer, ranking
from xinglin.apps.diagnosis.differential import Differential, load_encoder, with_encoder
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.join import Join
from xinglin.apps.diagnosis.posterior import softmax
from xinglin.apps.diagnosis.render import as_json
from xinglin.apps.diagnosis.weighing import log_posterior, readable, unread, weigh
from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.graph.knowledge import TRIAGE
from xinglin.types import Patient

SEED = "患者男性,58岁,胸痛3天,心电图显示ST段压低"
TEXTS = (
    SEED,
    "头痛2天",
    "女,32岁,停经7周,突发右下腹痛2小时,伴少量阴道出血",
    "我妈70岁,今天早上突然说不清话,右边胳膊没力气",
    "咽痛3天,发热38.5℃,扁桃体肿大有脓点",
    UNREAD_WORDS,
    "无发热,无咳嗽,无胸痛",
    "你好",
)


def respond(differential: Differential, text: str, logits: Any = None, **more: Any) -> dict[str, Any]:
    lang = more.pop("lang", "zh")
    return as_json(differential, answer(differential, gather(differential, text, **more), 5, logits), lang)


def favouring(differential: Differential, *names: str, height: float = 12.0) -> Any:
    """Logits of a model that is sure of these diseases."""
    assert differential.encoder is not None
    logits = np.zeros(len(differential.encoder.labels), np.float32)
    for name in names:
        logits[differential.encoder.labels.index(name)] = height
    return logits


def with_join(differential: Differential, **values: Any) -> Differential:
    assert differential.join is not None
    return replace(differential, join=replace(differential.join, **values))


def model_rows(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in item["evidence"] if row["origin"] == "model"]


def test_the_graph_alone_answers_as_without_a_model(differential: Differential, joined: Differential) -> None:
    for text in TEXTS:
        plain = respond(differential, text)
        assert respond(joined.using("graph"), text) == plain
        assert (plain["model"]["engine"], plain["model"]["encoder"]) == ("graph", None)
        assert all(row["origin"] == "finding" for item in plain["candidates"] for row in item["evidence"])


def test_every_candidate_has_one_row_of_the_model_that_adds_up(joined: Differential) -> None:
    case = gather(joined, SEED)
    given = respond(joined, SEED)
    assert joined.encoder is not None
    assert given["model"]["encoder"] == {"id": joined.encoder.id, "name": "words"}
    assert (given["model"]["engine"], given["model"]["answered"]) == ("both", "both")
    assert given["model"]["join"] == "uncalibrated join"
    assert given["model"]["weights"] == {"graph": 0.5, "model": 0.5, "temperature": 1.0}
    logits = joined.encoder.logits([SEED])[0].astype(float)
    graph = log_posterior(joined, case)
    total = math.log(sum(math.exp(x) for x in logits - logits.max())) + logits.max()
    scores = []
    for index, disease in enumerate(joined.pack.diseases):
        shift = 0.5 * (logits[joined.encoder.labels.index(disease.name)] - total + math.log(len(logits)))
        scores.append(0.5 * graph[index] + shift)
    expected = softmax(np.array(scores))
    for item in given["candidates"]:
        index = joined.engine.disease_index[item["code"]["id"]]
        (row,) = model_rows(item)
        assert row["finding"] == "文本模型 text model"
        assert (row["state"], row["span"]) == ("present", None)
        shift = 0.5 * (logits[index] - total + math.log(len(logits)))
        assert row["weight"] == pytest.approx(shift, abs=1e-4)
        # What sex and age rule out takes a little mass from others here, so the ratio is what must agree.
        first = joined.engine.disease_index[given["candidates"][0]["code"]["id"]]
        ratio = item["score"] / given["candidates"][0]["score"]
        assert ratio == pytest.approx(expected[index] / expected[first], rel=0.02)


def test_a_silent_model_with_full_weight_of_the_graph_changes_nothing(joined: Differential) -> None:
    full = with_join(joined, graph=(0.0, 0.0, 0.0))
    case = gather(joined, SEED)
    silent = weigh(full, case, favouring(joined))
    assert silent.shift == pytest.approx(np.zeros(len(silent.posterior)))
    assert silent.posterior == pytest.approx(silent.graph)


def test_a_disease_without_a_label_is_left_where_the_graph_has_it(
    differential: Differential, tmp_path: Path
) -> None:
    labels = ("急性心肌梗死", "不稳定型心绞痛", "偏头痛")
    few = with_encoder(differential, load_encoder(word_checkpoint(tmp_path / "few", labels)))
    weighed = weigh(few, gather(few, SEED), np.array([3.0, 0.0, 0.0]))
    assert weighed.shift is not None
    moved = {few.pack.diseases[i].name for i in np.flatnonzero(weighed.shift)}
    assert moved == set(labels)
    at = {d.name: i for i, d in enumerate(few.pack.diseases)}
    assert weighed.shift[at["急性心肌梗死"]] > 0 > weighed.shift[at["偏头痛"]]
    # Two diseases that it does not know keep the graph's order and half the graph's distance.
    one, two = at["急性冠脉综合征"], at["主动脉夹层"]
    graph = log_posterior(few, gather(few, SEED))
    assert math.log(weighed.posterior[one] / weighed.posterior[two]) == pytest.approx(
        0.5 * (graph[one] - graph[two])
    )


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32 - 1), st.sampled_from(["model", "both"]))
def test_no_model_lowers_the_level(joined: Differential, text: str, seed: int, engine: Any) -> None:
    generator = np.random.default_rng(seed)
    mild = [d.name for d in joined.pack.diseases if d.severity == "mild"]
    logits = favouring(joined, *generator.choice(mild, 3), height=25.0)
    logits += generator.normal(size=len(logits)).astype(np.float32)
    plain, other = respond(joined.using("graph"), text), respond(joined.using(engine), text, logits)
    assert TRIAGE.index(other["triage_level"]) >= TRIAGE.index(plain["triage_level"])
    assert other["red_flags"] == plain["red_flags"]
    assert other["not_excluded"] == plain["not_excluded"]


def test_a_lethal_disease_that_the_model_sees_raises_the_level(joined: Differential) -> None:
    text = "头痛2天"
    plain = respond(joined.using("graph"), text)
    lethal = next(d.name for d in joined.pack.diseases if d.severity == "lethal" and d.sex == "any")
    sure = respond(joined, text, favouring(joined, lethal, height=40.0))
    assert sure["candidates"][0]["code"]["display"] == lethal
    assert TRIAGE.index(sure["triage_level"]) > TRIAGE.index(plain["triage_level"])


def test_what_sex_rules_out_stays_out(joined: Differential) -> None:
    logits = favouring(joined, "异位妊娠", height=9.0)
    for engine in ("model", "both"):
        man, woman = (
            weigh(joined.using(engine), gather(joined, "腹痛2小时", patient=Patient(sex=sex)), logits)
            for sex in ("male", "female")
        )
        at = next(i for i, d in enumerate(joined.pack.diseases) if d.name == "异位妊娠")
        assert man.posterior[at] < 2e-3 * woman.posterior[at]


def test_where_the_graph_reads_nothing_the_abstention_stays(joined: Differential) -> None:
    assert unread(joined, gather(joined, UNREAD_WORDS)) == "nothing_matched"
    for engine in ("model", "both"):
        given = respond(joined.using(engine), UNREAD_WORDS)
        assert given["abstained"]
        assert "没有识别到" in given["reason"]
        assert (given["candidates"], given["exams"], given["prediction_set"]) == ([], [], [])


def test_with_a_learnt_threshold_a_sure_model_may_answer_alone(joined: Differential) -> None:
    learnt = with_join(
        joined, threshold=0.2, alone_threshold=0.2, n=300, set="dev", calibrated_on="dev (n=300)"
    )
    for engine in ("model", "both"):
        given = respond(learnt.using(engine), UNREAD_WORDS)
        first = given["candidates"][0]
        assert not given["abstained"]
        assert first["code"]["display"] == TAUGHT
        assert [row["origin"] for row in first["evidence"]] == ["model"]
        assert first["probability"] is None
        assert "只凭文本模型" in given["problems"][0]
        english = respond(learnt.using(engine), UNREAD_WORDS, lang="en")
        assert "text model alone" in english["problems"][0]
    unsure = with_join(joined, threshold=1.0, alone_threshold=1.0, n=300, set="dev")
    assert respond(unsure, UNREAD_WORDS)["abstained"]
    assert respond(unsure.using("model"), UNREAD_WORDS)["abstained"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("无发热,无咳嗽,无胸痛", "否认"),
        ("你好", "没有识别到"),
        ("У меня очень болит голова уже два дня", "没有识别到"),
    ],
)
def test_no_threshold_opens_what_was_denied_or_cannot_be_read(
    joined: Differential, text: str, part: str
) -> None:
    eager = with_join(joined, threshold=0.0, alone_threshold=0.0, n=300, set="dev")
    for engine in ("model", "both"):
        given = respond(eager.using(engine), text, favouring(joined, TAUGHT))
        assert given["abstained"]
        assert part in given["reason"]


def test_readable_is_chinese_or_english_of_some_length() -> None:
    assert readable("最近总觉得没意思")
    assert readable("the room seems to tilt whenever I roll over")
    assert not readable("你好")
    assert not readable("xyzzyxyzzyxyzzy")
    assert not readable("У меня очень болит голова, 你好你好你")


def test_percentages_and_sets_are_the_joins_own(joined: Differential) -> None:
    case = gather(joined, SEED)
    fitted = with_join(joined, n=300, set="dev", calibrated_on="dev (n=300)", quantile=0.8, text=(-2.0, 0, 0))
    given = respond(fitted, SEED)
    assert given["calibrated_on"] == "dev (n=300)"
    assert given["model"]["join"] == "dev (n=300)"
    assert given["coverage"] == {"set": 0.9, "lethal": None, "measured_on": "dev (n=300)"}
    weighed = weigh(fitted, case)
    mass = np.sort(weighed.posterior)[::-1].cumsum()
    assert answer(fitted, case).set_size == max(1, int((mass <= 0.8).sum()))
    shown = not given["abstained"]
    assert all((item["probability"] is not None) == shown for item in given["candidates"])
    for engine in ("graph", "model"):
        other = respond(fitted.using(engine), SEED)
        assert other["calibrated_on"] is None
        assert other["coverage"]["set"] is None
        assert not any(item["calibrated"] for item in other["candidates"])


def test_without_words_the_graph_answers_and_says_so(joined: Differential) -> None:
    key = joined.knowledge.finding_codes["胸痛"].value
    both = respond(joined, "", answers={key: "present"})
    assert both["candidates"]
    assert (both["model"]["engine"], both["model"]["answered"]) == ("both", "graph")
    assert not any(model_rows(item) for item in both["candidates"])
    alone = respond(joined.using("model"), "", answers={key: "present"})
    assert alone["abstained"]
    assert "只读文字" in alone["reason"]
    assert TRIAGE.index(alone["triage_level"]) >= TRIAGE.index(both["triage_level"])


def test_engine_model_shows_no_finding_as_evidence(joined: Differential) -> None:
    given = respond(joined.using("model"), SEED)
    for item in given["candidates"]:
        assert [row["origin"] for row in item["evidence"]] == ["model"]
    names = [name for name, _ in ranking(joined.using("model"), gather(joined, SEED))]
    assert names[:5] == [item["code"]["display"] for item in given["candidates"]]


def test_an_engine_that_is_not_there_is_refused(differential: Differential, joined: Differential) -> None:
    with pytest.raises(InvalidInputError, match="needs a text model"):
        differential.using("both")
    with pytest.raises(InvalidInputError, match="graph, model, both"):
        joined.using("neither")  # type: ignore[arg-type]
    assert joined.using(None) is joined
    assert joined.using("graph").using("graph") is joined.using("graph")


def test_a_model_that_gives_no_number_is_refused(joined: Differential) -> None:
    logits = favouring(joined)
    logits[5] = np.nan
    with pytest.raises(CheckpointError, match="no finite number"):
        weigh(joined, gather(joined, SEED), logits)


def test_a_long_text_is_answered_and_a_longer_one_refused(joined: Differential) -> None:
    assert respond(joined, "胸痛3天," * 2000)["candidates"]
    with pytest.raises(InvalidInputError, match="20000"):
        respond(joined, "痛" * 100_000)


def test_a_join_is_not_needed_to_be_stated(joined: Differential) -> None:
    bare = replace(joined, join=None)
    case = gather(joined, SEED)
    assert weigh(bare, case).posterior == pytest.approx(weigh(joined, case).posterior)
    assert Join("p", "m").name == "uncalibrated join"
