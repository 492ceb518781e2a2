"""VQA-RAD: the real files, splits that keep apart what they say, answers compared as written, bad rows named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.train.align.answering import PictureOptions, answerer, majority, picture_vectors, train_pictures
from xinglin.train.align.questions import (
    SIDE,
    Asked,
    held_out,
    normalised,
    read_pictures,
    read_questions,
    right,
)


@pytest.fixture(scope="module")
def asked(data: Path) -> list[Asked]:
    return read_questions(data / "imaging" / "vqa-rad" / "train.jsonl")


def test_the_official_counts(data: Path, asked: list[Asked]) -> None:
    test = read_questions(data / "imaging" / "vqa-rad" / "test_questions.jsonl")
    assert (len(asked), len(test)) == (1797, 451)
    assert sum(one.closed for one in test) == 272
    assert all(one.answer is None for one in test)
    assert {one.phrase for one in test} == {"test_freeform", "test_para"}


def test_the_splits_keep_apart_what_they_say(asked: list[Asked]) -> None:
    shared, unseen = held_out(asked, by_image=False), held_out(asked, by_image=True)
    for held in (shared, unseen):
        assert 0.15 < held.mean() < 0.25
    images = [
        {one.image for one, out in zip(asked, unseen, strict=True) if out == side} for side in (True, False)
    ]
    assert not images[0] & images[1]
    groups = [
        {
            (one.image, one.kind, normalised(one.answer or ""))
            for one, out in zip(asked, shared, strict=True)
            if out == side
        }
        for side in (True, False)
    ]
    assert not groups[0] & groups[1]
    assert (held_out(asked, by_image=True, seed=1) != unseen).any()


def test_answers_are_compared_without_case_and_stops() -> None:
    one = [Asked("1", "a.jpg", "HEAD", "?", "PRES", True, "freeform", " Yes. ")]
    assert right(one, ["yes"]).tolist() == [1.0]
    assert right(one, ["no"], closed=True).tolist() == [0.0]
    assert right(one, ["yes"], closed=False).tolist() == []


def test_pictures_are_whole_and_in_grey(data: Path, asked: list[Asked]) -> None:
    names = sorted({one.image for one in asked})[:4]
    pictures = read_pictures(data / "imaging" / "vqa-rad" / "images", names)
    assert pictures.shape == (4, SIDE, SIDE)
    assert pictures.std() > 20


def test_a_model_that_looks_answers_what_words_cannot(tmp_path: Path) -> None:
    """White and black squares under one and the same question: only the image tells."""
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 60, (40, SIDE, SIDE)).astype(np.uint8)
    pictures[::2, 20:70, 20:70] += 180
    names = [f"{n}.jpg" for n in range(40)]
    asked = [
        Asked(
            str(n),
            name,
            "HEAD",
            "Is there a bright square?",
            "PRES",
            True,
            "freeform",
            "no" if n % 2 else "yes",
        )
        for n, name in enumerate(names)
    ]
    options = PictureOptions(steps=10, batch=16, width=4, space=8, vocabulary=300)
    model, _ = train_pictures(asked[:28], pictures, names, options, tmp_path / "state")
    vectors = dict(zip(names, picture_vectors(model, pictures), strict=True))
    test = asked[28:]
    blind, seeing = answerer(asked[:28], None)(test), answerer(asked[:28], vectors)(test)
    assert right(test, majority(asked[:28])(test)).mean() == 0.5
    assert right(test, blind).mean() == 0.5
    assert right(test, seeing).mean() > 0.9


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        json.dumps({"row_id": "1"}),
        json.dumps({"row_id": "1", "image_name": "../x.jpg", "image_organ": "HEAD", "question": "?", "question_type": "PRES",
                    "answer_type": "CLOSED", "phrase_type": "para"}),
        json.dumps({"row_id": "1", "image_name": "x.jpg", "image_organ": "HEAD", "question": "?", "question_type": "PRES",
                    "answer_type": "MAYBE", "phrase_type": "para"}),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InvalidInputError, match=r"train\.jsonl, line 1"):
        read_questions(path)


def test_bad_pictures_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(InvalidInputError, match=r"a\.jpg"):
        read_pictures(tmp_path, ["a.jpg"])
    with pytest.raises(MissingDataError):
        read_pictures(tmp_path, ["b.jpg"])
    with pytest.raises(MissingDataError):
        read_questions(tmp_path / "none.jsonl")
