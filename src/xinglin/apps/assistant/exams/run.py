"""One examination: a model, a part of a set, by likelihood or by generation, and everything that is reported of it.

The part is scored as it stands; worked examples come from the train part and are fixed. What a model does not answer, or
what does not fit its context, counts as wrong and is reported apart.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from xinglin.apps.assistant.exams import figures as f
from xinglin.apps.assistant.exams import prompts
from xinglin.apps.assistant.exams.answers import read_answer
from xinglin.apps.assistant.exams.figures import Outcome
from xinglin.apps.assistant.exams.generation import written
from xinglin.apps.assistant.exams.likelihood import Array, Request, chosen
from xinglin.apps.assistant.exams.published import PUBLISHED
from xinglin.apps.assistant.writer import Sampling, Writer
from xinglin.errors import ConfigurationError, InputTooLargeError, InvalidInputError
from xinglin.measure import Figure, paired_accuracy
from xinglin.records.contamination import Overlap, overlap
from xinglin.records.exams import LETTERS, PARTS, Exam, ExamItem
from xinglin.types import DISCLAIMER

By = Literal["likelihood", "generation"]
TOO_LONG, TIE = "too long", "tie"
FORMAT = "xinglin-exam/1"
Report = Callable[[str, float], None]


class Likelihood(Protocol):
    """What scores continuations: a decoder at hand or a server."""

    def score(
        self, requests: Sequence[Request], report: Callable[[int, int], None] | None = None
    ) -> list[Array | None]:
        """Return a request's log-likelihoods, one a continuation; ``None``: too long for the model."""


@dataclass(frozen=True, slots=True)
class Model:
    """Who is examined."""

    name: str
    id: str | None
    """SHA-256 of what it is; ``None`` behind a server, which does not say."""
    likelihood: Likelihood | None = None
    writer: Writer | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """What is asked, and how."""

    part: str = "test"
    """train, validation, test or all; our own split."""
    by: By = "likelihood"
    shots: int = 0
    """Worked examples of the train part before each question."""
    rotate: bool = False
    """Ask each item once for every place of its first option."""
    limit: int | None = None
    """At most so many items, those of the smallest SHA-256; ``None``: all."""
    max_tokens: int = 512
    """Tokens of a written answer."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.part not in (*PARTS, "all"):
            raise InvalidInputError(f"part: expected one of {', '.join(PARTS)}, all; got {self.part!r}")
        if self.by not in ("likelihood", "generation"):
            raise InvalidInputError(f"by: expected likelihood or generation, got {self.by!r}")
        if not 0 <= self.shots <= 20:
            raise InvalidInputError(f"shots: expected 0 to 20, got {self.shots}")
        if self.limit is not None and self.limit < 1:
            raise InvalidInputError(f"limit: expected at least 1, got {self.limit}")


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of answering: of its answers, every figure."""

    name: str
    outcomes: tuple[Outcome, ...]
    accuracy: Figure
    single: Figure | None
    """Of the items with one right option, where there are others too."""
    gain: tuple[float, float, float, float] | None
    """Accuracy minus the majority floor: difference, interval, exact McNemar p."""
    unscored: dict[str, int]
    """Answers that could not be scored, by reason."""
    subjects: dict[str, Figure]
    places: f.Places | None
    rotations: f.Rotations | None = None
    overlap: dict[str, Figure | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that one examination found."""

    exam: Exam
    paper: Paper
    model: Model
    items: tuple[ExamItem, ...]
    arms: tuple[Arm, ...]
    floors: dict[str, Figure]
    overlaps: tuple[Overlap, ...] | None
    """Of the items with the training text, where one was given."""

    def as_json(self) -> dict[str, Any]:
        """Return the documented JSON object (docs/exams.md)."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "set": self.exam.name,
            "data": self.exam.digest,
            "model": {"name": self.model.name, "id": self.model.id},
            "paper": asdict(self.paper),
            "n": len(self.items),
            "arms": {arm.name: _arm_json(arm) for arm in self.arms},
            "floors": {name: _figure(figure) for name, figure in self.floors.items()},
            "published": [asdict(row) for row in PUBLISHED[self.exam.name]],
        }
        if self.overlaps is not None:
            kinds = Counter(one.dirty for one in self.overlaps)
            body["contamination"] = {
                "dirty": kinds[True], "clean": kinds[False], "unchecked": kinds[None],
                "items": [
                    {"id": item.id, "covered": round(one.covered or 0.0, 4)}
                    for item, one in zip(self.items, self.overlaps, strict=True) if one.dirty
                ],
            }  # fmt: skip
        return body | {"notice": DISCLAIMER}


def examine(
    exam: Exam,
    model: Model,
    paper: Paper,
    *,
    training: Callable[[], Iterable[str]] | None = None,
    kept: Path | None = None,
    report: Report | None = None,
) -> Examination:
    """Examine a model.

    Args:
        exam: the set.
        model: with ``likelihood`` or ``writer``, whichever the paper asks for.
        paper: what is asked.
        training: returns the training text, to look for the items in it.
        kept: file of written answers, so that a broken run goes on.
        report: told of what is done now and the share of it.

    Raises:
        InvalidInputError: no item in the part, or ``kept`` of another run.
        InputTooLargeError: no item fits the model's context.
        BusyError, ConfigurationError: as the model's door.
    """
    examples = prompts.worked_examples(exam.part("train"), paper.shots)
    items = _asked(exam, paper, examples)
    if paper.by == "generation":
        arms = {"generation": _generated(exam, model, paper, items, examples, kept, report)}
    else:
        arms = _likelihoods(model, paper, items, examples, report)
    if all(one.how == TOO_LONG for rows in arms.values() for row in rows for one in row):
        raise InputTooLargeError(
            f"none of {len(items)} items fits the model's context: take fewer --shots, or another model"
        )
    overlaps = None
    if training is not None:
        overlaps = tuple(overlap([item.question for item in items], training()))
    return Examination(
        exam, paper, model, items,
        tuple(_arm(name, exam, paper, items, rows, overlaps) for name, rows in arms.items()),
        f.floors(items, exam.part("train"), paper.seed), overlaps,
    )  # fmt: skip


Rows = list[list[Outcome]]
"""Of each item, its outcomes under its rotations; without rotation a single one."""


def _asked(exam: Exam, paper: Paper, examples: Sequence[ExamItem]) -> tuple[ExamItem, ...]:
    items = [item for item in exam.part(paper.part) if item not in examples]
    if paper.limit is not None:
        places = sorted(range(len(items)), key=lambda at: sha256(items[at].question.encode()).hexdigest())
        items = [items[at] for at in sorted(places[: paper.limit])]
    if not items:
        raise InvalidInputError(f"{exam.name} has no item in part {paper.part}")
    return tuple(items)


def _turned(paper: Paper, items: Sequence[ExamItem]) -> list[tuple[int, ExamItem]]:
    """(place of the item, the item as it is asked)."""
    return [
        (at, item.rotated(by))
        for at, item in enumerate(items)
        for by in range(len(item.options) if paper.rotate and not prompts.is_verdict(item) else 1)
    ]


def _gathered(turned: Sequence[tuple[int, ExamItem]], outcomes: Sequence[Outcome]) -> Rows:
    rows: dict[int, list[Outcome]] = {}
    for (at, _), one in zip(turned, outcomes, strict=True):
        rows.setdefault(at, []).append(one)
    return [rows[at] for at in sorted(rows)]


def _generated(
    exam: Exam, model: Model, paper: Paper, items: Sequence[ExamItem], examples: Sequence[ExamItem],
    kept: Path | None, report: Report | None,
) -> Rows:  # fmt: skip
    if model.writer is None:
        raise ConfigurationError(f"{model.name} cannot write: examine it by likelihood")
    turned = _turned(paper, items)
    asked = [(f"{item.id}/{by}", prompts.messages(item, examples)) for by, (_, item) in enumerate(turned)]
    run = sha256(
        json.dumps([exam.digest, model.name, model.id, paper.max_tokens, paper.seed, asked]).encode()
    ).hexdigest()
    sampling = Sampling(max_tokens=paper.max_tokens, seed=paper.seed, stop=prompts.STOP)
    said = written(model.writer, asked, sampling, kept=kept, run=run, report=_told("生成 generation", report))
    outcomes = []
    for (_, item), text in zip(turned, said, strict=True):
        read = None if text is None else read_answer(text, item.options)
        outcomes.append(Outcome(None, TOO_LONG) if read is None else Outcome(read.letters, read.how))
    return _gathered(turned, outcomes)


def _likelihoods(
    model: Model, paper: Paper, items: Sequence[ExamItem], examples: Sequence[ExamItem], report: Report | None
) -> dict[str, Rows]:
    """Letters (or the words of a verdict); and where options have texts, those, as they are and per byte."""
    if model.likelihood is None:
        raise ConfigurationError(f"{model.name} gives no likelihoods: examine it by generation")
    turned = _turned(paper, items)
    asked = [item for _, item in turned]
    found = model.likelihood.score(
        [Request(prompts.completion(item, examples), prompts.continuations(item)) for item in asked],
        _told("选项字母 letters", report),
    )
    arms = {"letter": _gathered(turned, [_best(row) for row in found])}
    if all(map(prompts.is_verdict, items)):
        return arms
    texts = [prompts.continuations(item, options=False) for item in items]
    found = model.likelihood.score(
        [
            Request(prompts.completion(item, examples, options=False), more)
            for item, more in zip(items, texts, strict=True)
        ],
        _told("选项全文 texts", report),
    )
    sizes = [[len(text.encode()) for text in row] for row in texts]
    arms["text"] = [[_best(row)] for row in found]
    arms["text per byte"] = [[_best(row, size)] for row, size in zip(found, sizes, strict=True)]
    return arms


def _best(row: Array | None, sizes: Sequence[int] | None = None) -> Outcome:
    if row is None:
        return Outcome(None, TOO_LONG)
    if not np.isfinite(row).all():
        return Outcome(None, "no finite likelihood")
    best = list(chosen(row, sizes))
    return Outcome(LETTERS[best[0]], "likeliest") if len(best) == 1 else Outcome(None, TIE)


def _told(what: str, report: Report | None) -> Callable[[int, int], None] | None:
    return None if report is None else lambda done, total: report(what, done / total)


def _arm(
    name: str, exam: Exam, paper: Paper, items: Sequence[ExamItem], rows: Rows,
    overlaps: Sequence[Overlap] | None,
) -> Arm:  # fmt: skip
    outcomes = tuple(row[0] for row in rows)
    held = f.hits(items, outcomes)
    accuracy = f.share(held)
    if accuracy is None:
        raise InvalidInputError("expected at least one item")
    single = np.array([len(item.answer) == 1 for item in items])
    train = exam.part("train")
    gain = None
    if train:
        commonest = f.majority(train)
        test = paired_accuracy(held, np.array([item.answer == commonest for item in items]), seed=paper.seed)
        gain = (test.gain, test.low, test.high, test.p)
    turns = max(map(len, rows)) > 1
    return Arm(
        name, outcomes, accuracy, None if single.all() else f.share(held[single]), gain,
        dict(Counter(one.how for one in outcomes if one.letters is None).most_common()),
        f.by_subject(items, held), f.places(items, outcomes),
        f.rotations(items, rows, paper.seed) if turns else None,
        {} if overlaps is None else dict(f.by_overlap(held, overlaps)),
    )  # fmt: skip


def _figure(figure: Figure | None) -> dict[str, float] | None:
    return None if figure is None else figure.as_json() | {"n": figure.n}


def _arm_json(arm: Arm) -> dict[str, Any]:
    body: dict[str, Any] = {"accuracy": _figure(arm.accuracy), "unscored": arm.unscored}
    if arm.single is not None:
        body["single_answer"] = _figure(arm.single)
    if arm.gain is not None:
        body["gain_over_majority"] = dict(
            zip(("value", "low", "high", "p"), (round(x, 6) for x in arm.gain), strict=True)
        )
    body["subjects"] = {name: _figure(figure) for name, figure in arm.subjects.items()}
    if arm.places is not None:
        body["letters"] = {
            "answered": arm.places.answered,
            "recall": {letter: _figure(figure) for letter, figure in arm.places.recall.items()},
            "recall_sd": round(arm.places.spread, 6),
        }
    if arm.rotations is not None:
        turns = arm.rotations
        body["rotations"] = {
            "accuracy": _figure(turns.accuracy), "consistent": _figure(turns.consistent),
            "lowest": round(turns.lowest, 6), "highest": round(turns.highest, 6),
        }  # fmt: skip
    if arm.overlap:
        body["by_contamination"] = {name: _figure(figure) for name, figure in arm.overlap.items()}
    return body
