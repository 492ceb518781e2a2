"""The parts of the annotation pages without a browser: markup, search in a scheme, and one person's way through."""

from __future__ import annotations

import html
import re
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labels.rounds import COLD, DATASET, FLU, PNEUMONIA, SCHEME, TEXTS, campaign_of
from xinglin.errors import ConflictError, InvalidInputError
from xinglin.labels.assign import claim
from xinglin.labels.campaign import assign
from xinglin.labels.decide import decide
from xinglin.labels.scheme import Scheme, SchemeClass
from xinglin.labels.scheme_search import SchemeSearch
from xinglin.labels.verify import ModelVote
from xinglin.ledger.grants import grant, withdraw_consent
from xinglin.serve.workbench.annotate_case import case_card, passed, words
from xinglin.serve.workbench.annotate_flow import Flow
from xinglin.serve.workbench.annotate_phrases import ANNOTATION
from xinglin.store import Store
from xinglin.types import Code, Event, Patient, Record


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="咳<&𠮷 \"'>a\n", max_size=15), st.data())
def test_the_text_of_the_marked_record_is_the_record(text: str, data: st.DataObject) -> None:
    """The page counts offsets in what is shown: marks must add no character and hide none."""
    edges = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    spans = st.lists(edges.map(sorted).map(tuple).filter(lambda pair: pair[0] < pair[1]), max_size=4)
    own, model = data.draw(spans), data.draw(spans)
    shown = str(words(text, own, model))  # type: ignore[arg-type]
    assert html.unescape(re.sub(r"</?(?:div|mark)[^>]*>", "", shown)) == text
    marked = {n for start, end in own for n in range(start, end)}
    found = re.findall(r'<mark class="([^"]*)">([^<]*)</mark>', shown)
    own_text = "".join(html.unescape(body) for kinds, body in found if "xa-own" in kinds.split())
    assert own_text == "".join(text[n] for n in sorted(marked))


def test_the_whole_record_is_shown_and_nothing_is_markup() -> None:
    events = tuple(
        Event(Code("loinc", str(n), f"<i>项目{n}"), n, "mmol/L", "2026-01-02T08:00") for n in range(15)
    )
    record = Record("r", text="<script>", patient=Patient(age=3.0, sex="male"), events=events)
    shown = str(case_card(record, (), (), "zh"))
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "<i>" not in shown
    assert "男" in shown
    assert shown.count("<tr>") == 15
    assert "没有文字" in str(case_card(Record("r"), (), (), "zh"))


def test_a_class_is_found_by_code_by_either_name_and_best_first() -> None:
    classes = [SchemeClass(Code("icd10-who", f"A{n:02}"), zh=f"病{n}", en=f"ill {n}") for n in range(100)]
    scheme = Scheme("s", (*classes, SchemeClass(COLD, zh="急性鼻咽炎", en="common cold")))
    search = SchemeSearch(scheme)
    assert [one.code for one in search.find("j0")] == [COLD]
    assert [one.code for one in search.find("  COMMON  cold")] == [COLD]
    assert [one.code for one in search.find("鼻咽")] == [COLD]
    assert [one.zh for one in search.find("病1")][:3] == ["病1", "病10", "病11"]
    assert search.find("没有这个") == []
    assert len(search.find("病")) == 10
    assert search.find("鼻烟炎急性")[:1] == [scheme.classes[-1]], "other order, one sign wrong"


def test_reasons_are_said_in_words() -> None:
    assert passed("unreadable", "zh") == "病历读不清或不完整"
    assert passed("other: 两种病", "en") == "两种病"


def test_every_phrase_has_both_languages() -> None:
    assert len(ANNOTATION) > 80
    for key, (zh, en) in ANNOTATION.items():
        assert zh, key
        assert en, key
        assert re.findall(r"{\w+}", zh) == re.findall(r"{\w+}", en), key


def test_a_way_through_with_the_model(store: Store) -> None:
    made = campaign_of(store, assisted=True)
    asked = []

    def voter(record: Record) -> ModelVote:
        asked.append(record.id)
        return ModelVote("m", FLU)

    flow = Flow(store, made, "an", "annotation", voter)
    flow.start()
    assert asked == ["r0", "r1"], "the model votes before the case is seen, and on the next one ahead"
    assert flow.task is not None
    assert flow.vote is None
    flow.decide(COLD)
    assert flow.vote is not None
    assert flow.task.decided == (COLD,)
    flow.decide(FLU)
    assert flow.task.record.id == "r1"
    flow.undo()
    assert flow.task.record.id == "r0"
    assert flow.vote is not None, "the vote was seen: only the answer is taken back"
    flow.decide(COLD)
    assert flow.task.record.id == "r1"
    progress = flow.prefetch()
    assert (progress.pace.done, progress.left) == (1, 3)
    for _ in range(3):
        flow.skip("unreadable")
    assert flow.task is None
    with pytest.raises(ConflictError, match="no case"):
        flow.decide(COLD)
    flow.undo()
    assert flow.task is not None
    assert flow.task.record.id == "r3"


def test_an_error_leaves_the_case_at_hand(store: Store) -> None:
    flow = Flow(store, campaign_of(store), "an", "annotation")
    flow.start()
    with pytest.raises(InvalidInputError):
        flow.decide(COLD, [(0, 10_000)])
    assert flow.task is not None
    assert flow.task.record.id == "r0"
    flow.decide(COLD)
    assert flow.task.record.id == "r1"


def test_a_case_that_was_handed_on_is_left_behind(store: Store) -> None:
    made = campaign_of(store, TEXTS[:3], lease=1.0)
    flow = Flow(store, made, "an", "annotation")
    flow.start()
    assign(store, made, "cui", "annotator", by="lead")
    with store.write() as connection:
        grant(connection, DATASET, grantee="cui", purpose="annotation", by="test")
    for user in ("bo", "cui"):  # everything is taken over an hour later
        for slot in claim(store, made, user, "annotation", hold=3, now=9e9):
            decide(store, made, slot, user, PNEUMONIA, now=9e9)
    with pytest.raises(ConflictError, match="handed on"):
        flow.decide(COLD)
    assert flow.task is None


def test_a_withdrawn_case_is_passed_by(store: Store) -> None:
    made = campaign_of(store)
    with store.write() as connection:
        for subject in ("p0", "p2"):
            withdraw_consent(connection, DATASET, subject=subject, purpose="annotation", by="test")
    flow = Flow(store, made, "an", "annotation")
    flow.start()
    assert flow.task is not None
    assert flow.task.record.id == "r1"
    flow.decide(COLD)
    assert flow.task.record.id == "r3"


def test_keys_pressed_at_once_decide_each_case_once(store: Store) -> None:
    made = campaign_of(store, TEXTS * 3)
    flow = Flow(store, made, "an", "annotation")
    flow.start()
    threads = [threading.Thread(target=flow.decide, args=(SCHEME.codes[n % 3],)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert flow.task is None
    assert flow.prefetch().pace.done == 12
