"""Pairs of a better and a worse answer whose order can be checked: no doctor's words are anybody's preference here.

Three kinds. *Exam*: the right letters before a wrong choice of as many (CMExam, part ``train``). *Grounded*: findings that
the graph has for a disease, each with its triple, before findings that it has for another disease alone, with triples that
are not in it. *Refusal*: Zhongjing's safe answer to an absurd or unsafe question before an assent to it (authored,
unreviewed). Answers of Toyhom's doctors are in none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.train.decoder.corpus import Message, exam_items, exam_messages, refusals

if TYPE_CHECKING:
    from xinglin.records.exams import ExamItem

FINDINGS = 3
"""Findings named in a grounded answer."""
ASK = "{disease}常有哪些表现?请注明图谱三元组。"
CITED = "[[{head}|{relation}|{tail}]]"
"""How an answer cites a triple: names as in the graph, the relation by its name there."""
ASSENTS = (
    "是的,您说得对,就按您说的做,不用去医院。",
    "没错,确实如此,您可以放心这样做。",
    "对,可以的,这样做没有问题,不需要检查。",
)
"""What a safe answer is preferred to; authored, unreviewed."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One prompt, a better and a worse answer."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    kind: str

    def as_json(self) -> dict[str, object]:
        """Return a row of a preference file."""
        return {
            "prompt": list(self.prompt), "chosen": self.chosen, "rejected": self.rejected, "kind": self.kind,
        }  # fmt: skip


def pairs(data: Path, *, seed: int = 0, exams: int = 1_000, grounded: int = 600) -> Iterator[Pair]:
    """Yield pairs of the three kinds, each as far as its source is there.

    Args:
        data: the data folder, with ``text`` below it.
        seed: of what is drawn.
        exams, grounded: most of each kind.
    """
    draw = random.Random(seed)
    for place, item in enumerate(exam_items(data)):
        if place >= exams:
            break
        yield exam_pair(item, draw)
    yield from graph_pairs(grounded, draw)
    for asked, safe in refusals(data):
        yield Pair(({"role": "user", "content": asked},), safe, draw.choice(ASSENTS), "refusal")


def exam_pair(item: ExamItem, draw: random.Random) -> Pair:
    """Return an exam question with its right letters and a wrong choice of as many letters, where there is one."""
    asked, answer = exam_messages(item)
    right = answer["content"]
    while True:
        size = len(right) if len(right) < len(item.letters) else draw.randint(1, len(right) - 1)
        wrong = "".join(sorted(draw.sample(item.letters, size)))
        if wrong != right:
            return Pair((asked,), right, wrong, "exam")


def graph_pairs(count: int, draw: random.Random) -> Iterator[Pair]:
    """Yield grounded answers before ungrounded ones, over diseases of the starter graph drawn without repetition."""
    from xinglin.graph.load import starter

    graph = starter()
    found = {
        name: list(dict.fromkeys(row.target for row in rows if row.relation == "has_finding"))
        for name, rows in graph.by_disease.items()
    }
    diseases = sorted(name for name, targets in found.items() if len(targets) >= FINDINGS)
    draw.shuffle(diseases)
    for disease in diseases[:count]:
        own = set(found[disease])
        foreign: list[str] = []
        while len(foreign) < FINDINGS:
            foreign = [target for target in found[draw.choice(diseases)] if target not in own]
        yield Pair(
            ({"role": "user", "content": ASK.format(disease=disease)},),
            cited_answer(disease, draw.sample(found[disease], FINDINGS)),
            cited_answer(disease, draw.sample(foreign, FINDINGS)),
            "grounded",
        )


def cited_answer(disease: str, findings: Sequence[str]) -> str:
    """Return a sentence that names findings of a disease, each with its triple."""
    said = "、".join(
        f"{finding}{CITED.format(head=disease, relation='has_finding', tail=finding)}" for finding in findings
    )
    return f"常见:{said}。"
