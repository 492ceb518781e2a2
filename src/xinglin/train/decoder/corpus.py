"""The open Chinese text that the small language model reads, and the dialogues that it learns to answer.

Documents: consultations (CMtMedQA, Huatuo-26M), questions over a knowledge graph and over liver cancer (Bencao), a
handbook of diseases, and CMExam's questions with answer and explanation. Dialogues: CMtMedQA, Bencao, half of Zhongjing's
absurd or unsafe questions with their safe answers, and CMExam. Answers of Toyhom's doctors are in neither (some are
harmful); Huatuo-26M's, from web forums, are read as text but are no target. Nothing restricted is read.

Of the exam only the part ``train`` of :func:`xinglin.records.exams.part` is given; one document in 50 and one dialogue in
50 are held out by the SHA-256 of their text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xinglin.graph.importers import read_lines
from xinglin.records.exams import ExamItem, exam_file, read_exam
from xinglin.train.corpus import OPEN_SETS, file_digest, read_open_set

Held = Literal["train", "held_out"]
DOCUMENT_SETS = ("cmtmedqa", "huatuo26m", "bencao", "bencao-literature", "handbook")
HELD_ONE_IN = 50
REFUSALS = "zhongjing_dialogue/safety_refusal.jsonl.gz"
SHORTEST = 16
"""Characters of a document."""
EXAM_ASK = "以下是一道医学选择题,请只回答正确选项的字母。\n题目:{question}\n{options}"
"""How an exam question is put; the answer is the letters alone."""
Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """A file that was read, for the manifest."""

    name: str
    sha256: str
    records: int
    licence: str

    def as_json(self) -> dict[str, str | int | bool]:
        """Return the manifest's entry."""
        return {
            "name": self.name, "sha256": self.sha256, "records": self.records, "licence": self.licence, "weak": False,
        }  # fmt: skip


def held_out(text: str) -> bool:
    """Return whether a document or dialogue is kept from training; decided by its SHA-256."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % HELD_ONE_IN == 0


def documents(data: Path, which: Held = "train") -> Iterator[str]:
    """Yield the documents below a data folder, exam text of the part ``train`` last; sets that are absent are passed over.

    Raises:
        InvalidInputError: a file is damaged.
    """
    seen: set[str] = set()
    for name in DOCUMENT_SETS:
        if not (data / "text" / OPEN_SETS[name].path).is_file():
            continue
        passages, _ = read_open_set(name, data / "text")
        for passage in passages:
            text = passage.text.replace("<user>:", "问:").replace("<bot>:", "答:").strip()
            if len(text) >= SHORTEST and text not in seen and held_out(text) == (which == "held_out"):
                seen.add(text)
                yield text
    if which == "train":
        for item in exam_items(data):
            right = " ".join(item.options[item.letters.index(letter)] for letter in item.answer)
            yield f"{item.question}\n答案:{right}\n{item.explanation or ''}".strip()


def exam_items(data: Path, name: Literal["train", "validation", "test"] = "train") -> Iterator[ExamItem]:
    """Yield CMExam's items of one part, if the set is there."""
    if (data / "text" / "cmexam_val").is_dir():
        yield from read_exam("cmexam", exam_file("cmexam", data)).part(name)


def exam_messages(item: ExamItem) -> list[Message]:
    """Return an exam question and its letters as a dialogue of one turn."""
    options = "\n".join(f"{letter}. {text}" for letter, text in zip(item.letters, item.options, strict=True))
    asked = EXAM_ASK.format(question=item.question, options=options)
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": item.answer}]


def refusals(data: Path, which: Held = "train") -> Iterator[tuple[str, str]]:
    """Yield (absurd or unsafe question, safe answer): half to learn from, half kept to measure, by SHA-256."""
    path = data / "text" / REFUSALS
    if not path.is_file():
        return
    for _, row in read_lines(path):
        asked, answer = str(row["instruction"]), str(row["output"])
        kept = int(hashlib.sha256(asked.encode()).hexdigest(), 16) % 2 == 0
        if kept == (which == "held_out"):
            yield asked, answer


def dialogues(data: Path, which: Held = "train", *, exams: bool = True) -> Iterator[list[Message]]:
    """Yield dialogues as messages of ``user`` and ``assistant`` in turn.

    Args:
        data: the data folder, with ``text`` below it.
        which: to learn from, or kept apart (of the exam, nothing is yielded then).
        exams: also CMExam's training part.
    """
    text = data / "text"
    path = text / OPEN_SETS["cmtmedqa"].path
    if path.is_file():
        for _, row in read_lines(path):
            pairs = [(str(asked), str(said)) for asked, said in row.get("history", [])]
            yield from _kept([pairs], which)
    path = text / OPEN_SETS["bencao"].path
    if path.is_file():
        pairs = [(str(row["instruction"]), str(row["output"])) for _, row in read_lines(path)]
        yield from _kept([[pair] for pair in pairs], which)
    for asked, answer in refusals(data, which):
        yield _messages([(asked, answer)])
    if exams and which == "train":
        yield from map(exam_messages, exam_items(data))


def sources(data: Path) -> list[Given]:
    """Return what :func:`documents` and :func:`dialogues` read below a data folder, with digests."""
    found = []
    for name in DOCUMENT_SETS:
        path = data / "text" / OPEN_SETS[name].path
        if path.is_file():
            found.append(
                Given(name, file_digest(path), sum(1 for _ in read_lines(path)), OPEN_SETS[name].licence)
            )
    path = data / "text" / REFUSALS
    if path.is_file():
        found.append(
            Given("zhongjing-refusals", file_digest(path), sum(1 for _ in refusals(data)), "Apache-2.0")
        )
    if items := sum(1 for _ in exam_items(data)):
        found.append(Given("cmexam, part train", file_digest(exam_file("cmexam", data)), items, "Apache-2.0"))
    return found


def _kept(several: Iterable[list[tuple[str, str]]], which: Held) -> Iterator[list[Message]]:
    for pairs in several:
        whole = all(asked.strip() and said.strip() for asked, said in pairs)
        if pairs and whole and held_out(pairs[0][0]) == (which == "held_out"):
            yield _messages(pairs)


def _messages(pairs: Iterable[tuple[str, str]]) -> list[Message]:
    return [
        {"role": role, "content": text.strip()}
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
