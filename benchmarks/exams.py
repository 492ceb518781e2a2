"""Exams of language models: floors, retrieval, nine published models under our parser, contamination, our own small models.

Figures are of the test part of our own split (SHA-256 of the question), of CNMLEQA also of all items at hand; nothing is
tuned on them. ``XINGLIN_EXAM_MODELS`` names a folder whose subfolders are language models: they sit the same exams in
the same run. The official test files of CMExam, PubMedQA and MMLU are not at hand: published figures stand in notes only.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from xinglin.measure import Figure, paired_accuracy, proportion
from xinglin.records.contamination import overlap
from xinglin.records.exams import LETTERS, Exam, ExamItem, exam_file, read_exam

ROOT = Path(__file__).resolve().parents[1]
SETS = ("cmexam", "cnmleqa", "pubmedqa", "mmlu-medical")
PARTS = ("floors", "retrieval", "published", "contamination", "speed", "models")
FLOORS = {
    "random": "guessing one option: exact, with the range of 95 % of guessers",
    "majority": "the commonest answer of the train part",
    "longest": "the longest option",
}
SPEED_BYTES = 100_000_000


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    lines: list[Line] = []
    for part in only or (("floors",) if quick else PARTS):
        started = time.monotonic()
        lines += globals()[f"_{part}"]()
        print(f"{part}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return lines


def _data() -> Path:
    return Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))


@cache
def _exam(name: str) -> Exam | None:
    try:
        return read_exam(name, exam_file(name, _data()))
    except FileNotFoundError:
        return None


def _exams() -> Iterator[Exam]:
    for name in SETS:
        if (exam := _exam(name)) is not None:
            yield exam


def _line(name: str, figure: str, found: Figure, note: str = "", **more: Any) -> Line:
    return Line(name, figure, found.value, "", found.n, round(found.low, 6), found.high, note=note, **more)


def _floors() -> list[Line]:
    from xinglin.apps.assistant.exams.figures import floors
    from xinglin.apps.assistant.exams.published import PUBLISHED

    lines = []
    for exam in _exams():
        items, train = exam.part("test"), exam.part("train")
        stands = "; ".join(
            f"{row.who} {row.accuracy:.3f} ({row.on.split(' ', 1)[-1]})" for row in PUBLISHED[exam.name][:4]
        )
        for name, figure in floors(items, train, seed=0).items():
            note = FLOORS[name] + (
                f"; published on other parts: {stands}, {PUBLISHED[exam.name][0].source}"
                if name == "random" else ""
            )  # fmt: skip
            lines.append(_line(f"{exam.name}, test part", f"accuracy, {name}", figure, note))
    return lines or [Line("exams", "accuracy", None, "", 0, note="no data: set XINGLIN_DATA")]


def _retrieve(items: Sequence[ExamItem], known: Sequence[ExamItem]) -> list[str]:
    """The option that, with the question, lies nearest to one text of what is known: characters in twos and threes."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [f"{item.question}{_right(item)}{item.explanation or ''}" for item in known]
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(2, 3), sublinear_tf=True, dtype=np.float32)
    documents = vectorizer.fit_transform(texts)
    letters = []
    for item in items:
        asked = vectorizer.transform([item.question + option for option in item.options])
        near = (asked @ documents.T).max(axis=1).toarray().ravel()
        letters.append(LETTERS[int(near.argmax())])
    return letters


def _right(item: ExamItem) -> str:
    return "、".join(item.options[LETTERS.index(letter)] for letter in item.answer)


@cache
def _retrieved(name: str) -> tuple[tuple[ExamItem, ...], tuple[bool, ...]]:
    """Items of a set and whether retrieval from CMExam's train part is right."""
    exam, known = _exam(name), _exam("cmexam")
    if exam is None or known is None:
        return (), ()
    items = exam.part("test" if name == "cmexam" else "all")
    found = _retrieve(items, known.part("train"))
    return items, tuple(letter == item.answer for letter, item in zip(found, items, strict=True))


def _retrieval() -> list[Line]:
    from xinglin.apps.assistant.exams.figures import majority

    lines = []
    for name, part in (("cmexam", "test part"), ("cnmleqa", "all items at hand")):
        items, held = _retrieved(name)
        exam = _exam(name)
        if not items or exam is None:
            continue
        commonest = majority(exam.part("train"))
        floor = np.array([item.answer == commonest for item in items])
        test = paired_accuracy(np.array(held), floor)
        note = (
            "TF-IDF over questions and explanations of CMExam's train part, the option nearest to one text; over the "
            f"commonest answer {test.gain:+.3f} [{test.low:+.3f}, {test.high:+.3f}], p {test.p:.2g}"
        )
        lines.append(
            _line(f"{name}, {part}", "accuracy, retrieval", proportion(sum(held), len(held)), note,
                  reference=float(floor.mean()), reference_name="commonest answer, same run")
        )  # fmt: skip
    return lines


@cache
def _predicted() -> dict[str, dict[str, str]]:
    """Model -> item -> what it answered, as CNMLEQA's file records."""
    path = exam_file("cnmleqa", _data())
    found: dict[str, dict[str, str]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            for model, said in row["published_predictions"].items():
                found.setdefault(model, {})[row["id"]] = said
    return found


def _published() -> list[Line]:
    """Nine models' recorded answers under our parser, beside the accuracies that the set's authors' code gave."""
    from xinglin.apps.assistant.exams.answers import read_answer

    exam = _exam("cnmleqa")
    if exam is None:
        return [Line("cnmleqa", "accuracy", None, "", 0, note="no data: restricted, set XINGLIN_DATA")]
    scores = json.loads(exam_file("cnmleqa", _data()).with_name("published_scores.json").read_text())
    lines = []
    for model, said in _predicted().items():
        read = {item.id: read_answer(said[item.id], item.options) for item in exam.items}
        for part in ("all", "test"):
            items = exam.part(part)
            held = sum(read[item.id].letters == item.answer for item in items)
            unread = sum(read[item.id].letters is None for item in items)
            note = (
                f"unparsed {unread}; the answers are recorded as letters, so that the parser has little to do"
            )
            told = f"recorded, {2361 if part == 'all' else 'all 2,949'} items"
            key = "dev_2017_2020" if part == "all" else "all_2949"
            lines.append(
                _line(f"cnmleqa, {'all items at hand' if part == 'all' else 'test part'}", f"accuracy, {model}",
                      proportion(held, len(items)), note, reference=scores[key][model], reference_name=told)
            )  # fmt: skip
    return lines


def _contamination() -> list[Line]:
    """Which questions stand in text that a model of ours is trained on, and whether that helps."""
    known = _exam("cmexam")
    if known is None:
        return []
    train = [f"{item.question}\n{_right(item)}\n{item.explanation or ''}" for item in known.part("train")]
    lines = []
    for name, part in (("cmexam", "test part"), ("cnmleqa", "all items at hand")):
        items, held = _retrieved(name)
        if not items:
            continue
        found = overlap([item.question for item in items], train)
        dirty = [one.dirty for one in found]
        checked = [one for one in dirty if one is not None]
        note = (
            f"13-grams of CMExam's train part; {len(dirty) - len(checked)} questions too short to be checked"
        )
        lines.append(
            _line(f"{name}, {part}", "share of dirty questions", proportion(sum(checked), len(checked)), note)
        )
        arms = {"retrieval": dict(zip((item.id for item in items), held, strict=True))}
        if name == "cnmleqa":
            for model in ("qwen25-7b", "gpt-4o"):
                arms[model] = {item.id: _predicted()[model][item.id] == item.answer for item in items}
        for arm, right in arms.items():
            for kind, told in ((False, "clean"), (True, "dirty")):
                these = [right[item.id] for item, one in zip(items, dirty, strict=True) if one is kind]
                if these:
                    share = proportion(sum(these), len(these))
                    lines.append(_line(f"{name}, {part}, {told} questions", f"accuracy, {arm}", share))
    return lines


def _speed() -> list[Line]:
    """100 MB of real Chinese and English training text against the questions of all exams."""
    import resource

    questions = [item.question for exam in _exams() for item in exam.part("test")]
    if not questions:
        return []
    read = 0

    def training() -> Iterator[str]:
        nonlocal read
        while read < SPEED_BYTES:
            for text in texts:
                read += len(text.encode())
                yield text

    known = _exam("cmexam")
    texts = [f"{item.question}{item.explanation or ''}" for item in known.part("train")] if known else []
    with gzip.open(_data() / "text/medquad/dev.jsonl.gz", "rt", encoding="utf-8") as rows:
        texts += [str(row.get("answer", "")) for row in map(json.loads, rows)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    overlap(questions, training())
    seconds = time.process_time() - started
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    note = f"{read / 1e6:.0f} MB of CMExam and MedQuAD text, {len(questions)} questions; memory grew by {more:.0f} MB"
    return [Line("contamination check", "CPU time", seconds, "s", 1, note=note)]


def _models() -> list[Line]:
    """Every model of ``XINGLIN_EXAM_MODELS`` on the Chinese exams: likelihoods, and 100 written answers."""
    root = os.environ.get("XINGLIN_EXAM_MODELS")
    folders = sorted(path.parent for path in Path(root).glob("*/config.json")) if root else []
    if not folders:
        said = "no language model at hand: set XINGLIN_EXAM_MODELS to a folder of model folders"
        return [Line("language models", "accuracy", None, "", 0, note=said)]
    return [line for folder in folders for line in _sat(folder)]


def _sat(folder: Path) -> list[Line]:
    from xinglin.apps.assistant.exams.likelihood import LocalLikelihood
    from xinglin.apps.assistant.exams.run import Examination, Model, Paper, examine
    from xinglin.apps.assistant.local_writer import LocalWriter
    from xinglin.model.decoder import open_decoder

    decoder = open_decoder(folder)
    scoring = Model(folder.name, decoder.id, LocalLikelihood(decoder))
    writer = LocalWriter.load(folder)
    writing = Model(folder.name, decoder.id, writer=writer)
    found: list[Examination] = []
    for name in ("cmexam", "cnmleqa"):
        if (exam := _exam(name)) is not None:
            found.append(examine(exam, scoring, Paper()))
            found.append(examine(exam, writing, Paper(by="generation", limit=100, max_tokens=32)))
    writer.close()
    lines = []
    for one in found:
        for arm in one.arms:
            gain = arm.gain or (float("nan"),) * 4
            unread = ", ".join(f"{why} {count}" for why, count in arm.unscored.items()) or "none"
            note = (
                f"over the commonest answer {gain[0]:+.3f} [{gain[1]:+.3f}, {gain[2]:+.3f}], p {gain[3]:.2g}; unscored: "
                f"{unread}"
            )
            sd = f"; recall SD {arm.places.spread:.3f}" if arm.places is not None else ""
            lines.append(
                _line(f"{one.exam.name}, test part, {folder.name}", f"accuracy, {arm.name}", arm.accuracy, note + sd,
                      reference=one.floors["random"].value, reference_name="guessing, same run")
            )  # fmt: skip
    return lines
