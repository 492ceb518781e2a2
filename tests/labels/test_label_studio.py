"""Label Studio's format both ways: what goes out comes back, what is broken is named, what it writes itself is read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labels.rounds import CODES, COLD, DATASET, FLU, SCHEME, TEXTS, campaign_of, label, take
from xinglin.errors import InputTooLargeError, InvalidInputError, NotPermittedError
from xinglin.labels import label_studio
from xinglin.labels.bring_in import bring_in
from xinglin.labels.campaign import STAGES, assign
from xinglin.labels.decide import answer_vote, decide, skip
from xinglin.labels.export import label_studio_file, labels_file
from xinglin.labels.label_studio import StudioTask, labelling_config, read_tasks, write_tasks
from xinglin.labels.results import Given, labels_of, results
from xinglin.labels.verify import ModelVote, keep_vote, see_vote
from xinglin.ledger.grants import grant
from xinglin.store import Store, open_store

# Astral characters (𠮷, emoji) take two UTF-16 units: the offsets must not care.
TEXT = st.text(alphabet="咳嗽发热𠮷🤒a \n", min_size=1, max_size=20)


@st.composite
def tasks(draw: st.DrawFn, multi: bool) -> StudioTask:
    text = draw(TEXT)
    edges = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    spans = st.lists(edges.map(sorted).filter(lambda pair: pair[0] < pair[1]), max_size=3)

    def fresh() -> tuple[tuple[int, int], ...]:
        return tuple(sorted({(start, end) for start, end in draw(spans)}))

    audit = draw(st.booleans())
    people = draw(st.lists(st.text("abc@.", min_size=1, max_size=6), max_size=4, unique=True))
    said = []
    for person in people:
        chosen = st.sets(st.sampled_from(CODES)) if multi else st.sampled_from(CODES).map(lambda code: {code})
        codes = draw(st.none() | chosen.map(lambda some: tuple(code for code in CODES if code in some)))
        said.append(
            Given(
                annotator=person,
                stage=draw(st.sampled_from(STAGES[2:] if audit else STAGES[:2])),
                codes=codes,
                blind=codes,
                spans=fresh(),
                confidence=draw(st.none() | st.floats(0.0, 1.0)),
                reason=draw(st.text("因为x\n", min_size=1, max_size=5)) if codes is None else None,
                seconds=draw(st.none() | st.floats(0.0, 1e6)),
                time=draw(st.sampled_from(["", "2026-01-01T00:00:00+00:00"])),
            )
        )
    vote = None
    if draw(st.booleans()):
        probability = draw(st.none() | st.floats(0.0, 1.0))
        vote = ModelVote("graph 1", draw(st.none() | st.sampled_from(CODES)), probability, fresh())
    return StudioTask(draw(st.text("r1", min_size=1, max_size=4)), text, audit, tuple(said), vote)


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.data())
def test_what_goes_out_comes_back(multi: bool, data: st.DataObject) -> None:
    found = data.draw(st.lists(tasks(multi), max_size=4))
    assert read_tasks(write_tasks(found).encode(), replace(SCHEME, multi=multi)) == found


@settings(max_examples=60, deadline=None)
@given(TEXT, st.data())
def test_offsets_of_an_older_label_studio_are_understood(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))

    def units(part: str) -> int:
        return len(part.encode("utf-16-le")) // 2

    value = {"text": text[start:end], "labels": ["evidence"]}
    value |= {"start": units(text[:start]), "end": units(text[:end])}
    content = task_with({"type": "labels", "from_name": "spans", "to_name": "text", "value": value}, text)
    (read,) = read_tasks(content, SCHEME)
    ((first, last),) = read.given[0].spans
    assert text[first:last] == text[start:end]


def task_with(extra: Any, text: str = "咳嗽", **more: Any) -> bytes:
    choice = {"type": "choices", "from_name": "code", "to_name": "text", "value": {"choices": ["J00"]}}
    annotation = {"completed_by": 7, "result": [choice, *([extra] if extra else [])], **more}
    return json.dumps([{"data": {"text": text, "record": "r0"}, "annotations": [annotation]}]).encode()


def test_what_label_studio_writes_itself_is_read() -> None:
    """An export as its documentation shows it: numbers for users, extra keys, a draft, a skipped task, a prediction."""
    content = [
        {
            "id": 1,
            "created_at": "2021-03-09T21:52:49.513742Z",
            "updated_at": "2021-03-09T22:16:08.746926Z",
            "project": 83,
            "data": {"text": "流涕2天", "record": "r0"},
            "drafts": [{"id": 5, "result": []}],
            "annotations": [
                {
                    "id": 1001,
                    "result": [
                        {
                            "id": "Dx_aB91ISN",
                            "from_name": "code",
                            "to_name": "text",
                            "type": "choices",
                            "origin": "manual",
                            "value": {"choices": ["急性鼻咽炎"]},
                        },
                        {
                            "id": "t5sp3TyXPo",
                            "from_name": "spans",
                            "to_name": "text",
                            "type": "labels",
                            "value": {"start": 0, "end": 2, "text": "流涕", "labels": ["evidence"]},
                        },
                    ],
                    "was_cancelled": False,
                    "ground_truth": False,
                    "created_at": "2021-03-09T22:16:08.728353Z",
                    "lead_time": 4.288,
                    "result_count": 2,
                    "task": 1,
                    "completed_by": 10,
                },
                {
                    "result": [],
                    "was_cancelled": True,
                    "completed_by": {"id": 3, "email": "bo@example.org", "first_name": "Bo"},
                },
            ],
            "predictions": [
                {
                    "model_version": "model 1",
                    "score": 0.75,
                    "result": [
                        {"type": "choices", "value": {"choices": ["J11"]}, "from_name": "code", "id": "x"}
                    ],
                }
            ],
        }
    ]
    (task,) = read_tasks(json.dumps(content).encode(), SCHEME, people={"10": "an"})
    first, second = task.given
    assert (first.annotator, first.codes, first.spans, first.seconds) == ("an", (COLD,), ((0, 2),), 4.288)
    assert (second.annotator, second.codes, second.reason) == (
        "bo@example.org",
        None,
        "other: skipped in Label Studio",
    )
    assert task.vote == ModelVote("model 1", FLU, 0.75)


def test_predictions_named_by_number_say_nothing() -> None:
    content = [{"data": {"text": "x", "record": "r"}, "annotations": [], "predictions": [7]}]
    (task,) = read_tasks(json.dumps(content).encode(), SCHEME)
    assert task.vote is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe", "JSON in UTF-8"),
        (b"{", "JSON in UTF-8"),
        (b"[" * 100_000, "JSON in UTF-8"),
        (b"{}", "list of tasks"),
        (b"[1]", "task 1: expected an object"),
        (b"[{}]", "task 1: expected the key 'data'"),
        (b'[{"data": {"text": 1}}]', "task 1, data, text: expected str"),
        (b'[{"data": {"text": "x"}}]', "task 1, data: expected the key 'record'"),
        (b'[{"data": {"text": "x", "record": ""}}]', "task 1, data.record"),
        (
            b'[{"data": {"text": "x", "record": "r"}, "annotations": {}}]',
            "task 1, annotations: expected list",
        ),
        (b'[{"data": {"text": "x", "record": "r"}, "predictions": [{}, {}]}]', "one prediction at most"),
        (task_with({"type": "rectanglelabels", "value": {}}), "result 2: expected choices, labels"),
        (
            task_with({"type": "choices", "value": {"choices": ["J11"]}}),
            "expected the choices of an annotation in one result",
        ),
        (task_with({"type": "choices", "value": {"choices": ["J11", "J00"]}}), "expected 1, got 2"),
        (task_with({"type": "choices", "value": {"choices": [3]}}), "list of texts"),
        (
            task_with({"type": "choices", "from_name": "stage", "value": {"choices": ["x"]}}),
            "expected a stage",
        ),
        (
            task_with({"type": "choices", "from_name": "stage", "value": {"choices": ["audit"]}}),
            "does not fit",
        ),
        (task_with({"type": "labels", "value": {"start": 0, "end": 9, "text": "咳"}}), "does not lie"),
        (task_with({"type": "labels", "value": {"start": 0, "end": 1, "text": "嗽"}}), "stand elsewhere"),
        (task_with({"type": "labels", "value": {"start": "0", "end": 1}}), "integer offsets"),
        (task_with({"type": "labels", "value": {"start": True, "end": 1}}), "integer offsets"),
        (task_with({"type": "number", "value": {"number": 2}}), "number from 0 to 1"),
        (task_with({"type": "number", "value": {"number": float("nan")}}), "number from 0 to 1"),
        (task_with({"type": "textarea", "value": {"text": "x"}}), "list of texts"),
        (task_with(None, completed_by=None), "completed_by"),
        (task_with(None, completed_by=True), "completed_by"),
        (task_with(None, lead_time=-1), "lead_time"),
        (task_with(None, lead_time=float("inf")), "lead_time"),
        (task_with(None, was_cancelled="no"), "was_cancelled: expected bool"),
        (task_with(None, result=[]), "expected one choice of the scheme"),
        (
            task_with(None, result=[{"type": "choices", "value": {"choices": ["Z99"]}}]),
            "no class of the scheme",
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_place(content: bytes, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        read_tasks(content, SCHEME)
    assert "咳" not in str(caught.value), "an error quotes the patient"


def test_a_file_beyond_the_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_studio, "MAX_TASKS", 1)
    with pytest.raises(InputTooLargeError, match="tasks"):
        read_tasks(b"[{}, {}]", SCHEME)
    monkeypatch.setattr(label_studio, "MAX_BYTES", 5)
    with pytest.raises(InputTooLargeError, match="bytes"):
        read_tasks(b"[{}, {}]", SCHEME)


def test_the_configuration_names_every_class_and_every_control_that_the_file_uses() -> None:
    awkward = replace(SCHEME.classes[0], zh='"<感冒> & 咳"', definition_zh="见 <注>")
    tree = ElementTree.fromstring(labelling_config(replace(SCHEME, classes=(awkward, *SCHEME.classes[1:]))))
    codes = tree.find("Choices[@name='code']")
    assert codes is not None
    assert [choice.get("alias") for choice in codes] == [f"icd10-who:{code.value}" for code in CODES]
    assert codes[0].get("value") == '"<感冒> & 咳" [J00]'
    names = {one.get("name") for one in tree.iter() if one.get("name")}
    assert names == {"text", "code", "spans", "confidence", "reason", "stage"}
    text = tree.find("Text[@name='text']")
    assert text is not None
    assert text.get("value") == "$text"


def test_a_round_goes_out_and_into_another_campaign(store: Store, tmp_path: Path) -> None:
    made = campaign_of(store, assisted=True)
    for user, codes in (("an", (COLD, FLU, FLU, COLD)), ("bo", (COLD, FLU, COLD, None))):
        for code in codes:
            task = take(store, made, user)
            keep_vote(store, made, task, ModelVote("graph 1", COLD, 0.5, ((0, 2),)))
            if code is None:
                skip(store, made, task.slot, user, "other", "看不清")
                continue
            decide(store, made, task.slot, user, code, spans=[(0, 2)], confidence=0.8)
            see_vote(store, made, task.slot, user)
            answer_vote(store, made, task.slot, user, code)
    label(store, made, "chen", FLU, "arbitration")
    content = label_studio_file(store, made, by="lead")
    with pytest.raises(NotPermittedError):
        label_studio_file(store, made, by="an")

    other = open_store(f"sqlite:///{tmp_path / 'other.db'}")
    again = campaign_of(other)
    read = read_tasks(content, again.scheme)
    assert [task.text for task in read] == list(TEXTS)
    first = bring_in(other, again, read, by="lead", source=content)
    # Without the model's vote nobody differs on r1 there, so that the arbiter's label has no place.
    assert first == {"taken": 8, "known": 0, "left": 1}
    assert bring_in(other, again, read, by="lead", source=content)["taken"] == 0

    def comparable(store: Store, campaign: Any) -> list[Any]:
        return [
            (
                result.record,
                sorted(
                    (one.annotator, one.stage, one.codes, one.spans, one.reason or "") for one in result.given
                ),
            )
            for result in results(store, campaign, by="lead")
        ]

    theirs, ours = comparable(other, again), comparable(store, made)
    assert [row for row in theirs if row[0] != "r1"] == [row for row in ours if row[0] != "r1"]
    assert len(labels_of(results(other, again, by="lead"))) == 7
    other.close()


def test_only_what_fits_is_brought_in(store: Store) -> None:
    made = campaign_of(store)
    given = Given("an", "annotation", COLD, COLD)
    fits = StudioTask("r0", TEXTS[0], False, (given,))
    for wrong, words in (
        (replace(fits, record="nowhere"), "not one of this campaign"),
        (replace(fits, text="别的"), "text is not the record's"),
        (replace(fits, given=(replace(given, annotator="stranger"),)), "stranger is not annotator"),
        (replace(fits, given=(replace(given, stage="arbitration"),)), "an is not arbiter"),
        (replace(fits, given=(replace(given, spans=((0, 999),)),)), "span"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            bring_in(store, made, [wrong], by="lead", source=b"")
    with pytest.raises(NotPermittedError):
        bring_in(store, made, [fits], by="an", source=b"")
    early = replace(fits, given=(replace(given, annotator="chen", stage="arbitration"),))
    assert bring_in(store, made, [early], by="lead", source=b"")["left"] == 1, "nobody has disagreed"
    assert [result.given for result in results(store, made, by="lead")] == [()] * 4
    task = take(store, made, "an")
    assert bring_in(store, made, [fits], by="lead", source=b"")["taken"] == 1
    assert results(store, made, by="lead")[0].given[0].codes == (COLD,)
    assert task.record.id == "r0"


def test_a_third_label_is_left_and_the_lines_hold_everything(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1])
    assign(store, made, "cui", "annotator", by="lead")
    with store.write() as connection:
        grant(connection, DATASET, grantee="cui", purpose="annotation", by="test")
    for user in ("an", "bo"):
        label(store, made, user, COLD)
    task = StudioTask("r0", TEXTS[0], False, (Given("cui", "annotation", FLU, FLU),))
    assert bring_in(store, made, [task], by="lead", source=b"") == {"taken": 0, "known": 0, "left": 1}
    lines = [json.loads(line) for line in labels_file(store, made, by="lead").decode().splitlines()]
    assert [(line["record"], line["state"], line["codes"][0]["code"]) for line in lines] == [
        ("r0", "settled", "J00")
    ]
    assert [one["annotator"] for one in lines[0]["labels"]] == ["an", "bo"]
