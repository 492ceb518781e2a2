"""The model's vote on the classes of a scheme."""

from __future__ import annotations

import pytest

from xinglin.apps.diagnosis.differential import Differential
from xinglin.labels.scheme import Scheme, SchemeClass
from xinglin.serve.model_vote import class_of, model_vote
from xinglin.types import Code, Event, Record

WHO = "icd10-who"


def scheme(*values: str, system: str = WHO) -> Scheme:
    return Scheme("s", tuple(SchemeClass(Code(system, value), zh=value) for value in values))


PNEUMONIA = Record("r", text="咳嗽、咳黄痰5天,右下肺湿啰音,发热39度")


def test_the_vote_points_at_the_words_it_rests_on(differential: Differential) -> None:
    vote = model_vote(differential, PNEUMONIA, scheme("J00", "J11", "J18"))
    assert vote.code == Code(WHO, "J18")
    assert {PNEUMONIA.text[start:end] for start, end in vote.spans} == {"咳黄痰", "湿啰音", "发热39度"}
    assert vote.probability is None, "the starter graph claims no probability"
    assert differential.pack.version in vote.model


@pytest.mark.parametrize(
    ("record", "values"),
    [
        (Record("r"), ("J00", "J18")),
        (Record("r", text="你好"), ("J00", "J18")),
        (Record("r", text="咳" * 30_000), ("J00", "J18")),
        (PNEUMONIA, ("I21", "K35")),
    ],
)
def test_it_abstains_where_it_has_nothing_to_say(
    differential: Differential, record: Record, values: tuple[str, ...]
) -> None:
    vote = model_vote(differential, record, scheme(*values))
    assert vote.code is None
    assert vote.spans == ()


def test_a_disease_falls_under_its_own_code_or_the_longest_it_refines() -> None:
    classes = {(WHO, value): Code(WHO, value) for value in ("J18", "J18.1", "J2")}
    assert class_of(WHO, "J18.1", "x", classes) == Code(WHO, "J18.1")
    assert class_of(WHO, "J18.9", "x", classes) == Code(WHO, "J18")
    assert class_of(WHO, "J20.9", "x", classes) is None, "two characters are no category"
    assert class_of("icd10-cm", "J18.9", "x", classes) is None, "another edition is another system"
    own = {("xinglin-disease", "flu"): Code("xinglin-disease", "flu")}
    assert class_of(WHO, "J11", "flu", own) == Code("xinglin-disease", "flu")


def test_a_record_of_results_alone_can_be_voted_on(differential: Differential) -> None:
    events = (Event(Code("loinc", "2823-3", "血钾"), 6.9, "mmol/L"),)
    vote = model_vote(differential, Record("r", events=events), scheme("E87.5", "J00"))
    assert vote.spans == ()
    assert vote.code in (None, Code(WHO, "E87.5"))
