"""Multiple-choice exams as items: CMExam, PubMedQA, MMLU's medical subjects, XMedBench, CNMLEQA.

Every set keeps its own field names; here each row becomes one :class:`ExamItem` with its options in order, the first being
A. Where a file leaves a letter out (CMExam has two rows without one), the options are lettered anew and the answer moves
along, so that a letter is always a place. Rows that repeat question and options are dropped and counted.

Formats: CMExam, PubMedQA, MMLU and CNMLEQA as JSON lines (``records/catalogue.json`` names the staged files); XMedBench as
published with Apollo (arXiv 2403.03640, ``metadata/test/*.json`` and ``metadata/dev/exam/*/*.jsonl`` of
github.com/FreedomIntelligence/Apollo): one JSON array or JSON lines, options as one text ``(A) ...\\n(B) ...`` and the
answer as ``(A)``; its line files call the fields ``option`` and ``anwer``, which is read too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError, UnknownNameError
from xinglin.records.decode import decode_json
from xinglin.records.lines import lines

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
LETTERS = "ABCDEFGHIJ"
"""Letters of options in order; more than these are refused."""
MAX_LINE = 4_000_000
MAX_ARRAY = 512 << 20
"""Bytes of a file that is one JSON array."""
_CJK = re.compile("[\u3400-\u9fff]")
_LETTERED = re.compile(r"\(([A-J])\)[ \t]*(.*?)(?=\n\([A-J]\)|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ExamItem:
    """One question of an exam."""

    id: str
    question: str
    options: tuple[str, ...]
    """In the order of the letters: the first is A."""
    answer: str
    """Right letters in order, e.g. ``C`` or ``ABD``."""
    subject: str | None
    """What the set groups its questions by, where it does."""
    source: str
    """Name of the set."""
    context: str = ""
    """What is to be read before the question, e.g. an abstract."""
    explanation: str | None = None
    """Why the answer is right, where the set says so; never shown to a model that is examined."""

    @property
    def letters(self) -> str:
        """The letters of its options."""
        return LETTERS[: len(self.options)]

    @property
    def chinese(self) -> bool:
        """Whether the question is in Chinese: then so is the prompt."""
        return _CJK.search(self.question) is not None

    def rotated(self, by: int) -> ExamItem:
        """Return the same item with its options moved ``by`` places on, the answer with them."""
        count = len(self.options)
        options = tuple(self.options[(place - by) % count] for place in range(count))
        moved = sorted((LETTERS.index(letter) + by) % count for letter in self.answer)
        return replace(self, options=options, answer="".join(LETTERS[place] for place in moved))


@dataclass(frozen=True, slots=True)
class Exam:
    """The items of one file."""

    name: str
    items: tuple[ExamItem, ...]
    repeated: int
    """Rows dropped because question and options had come before."""
    digest: str
    """SHA-256 of the file."""

    def part(self, name: str) -> tuple[ExamItem, ...]:
        """Return the items of ``train``, ``validation`` or ``test``, or of ``all``."""
        return self.items if name == "all" else tuple(item for item in self.items if part(item) == name)


def part(item: ExamItem) -> Part:
    """Return the part an item belongs to: 70 % train, 10 % validation, 20 % test, by the SHA-256 of its question.

    It is our own split of a staged file, not an official one.
    """
    place = int(sha256(item.question.encode()).hexdigest()[:8], 16) % 10
    return "train" if place < 7 else "validation" if place == 7 else "test"


@dataclass(frozen=True, slots=True)
class _Format:
    file: str
    """Where the set lies below a data folder; empty: nowhere by itself."""
    read: Callable[[Mapping[str, Any], int], ExamItem]
    fields: str
    """What a row must hold, for a message."""


def read_exam(name: str, path: Path) -> Exam:
    """Read the items of one set.

    Args:
        name: cmexam, pubmedqa, mmlu-medical, xmedbench or cnmleqa.
        path: JSON lines, gzipped or not; for XMedBench also one JSON array.

    Raises:
        UnknownNameError: no such set.
        MissingDataError: no such file.
        InvalidInputError: a row of another format, an answer that is no option, the same id twice, no item at all.
        InputTooLargeError: a line or an array beyond its bound.
    """
    form = exam_format(name)
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}: give --data FILE")
    items: list[ExamItem] = []
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    ids: set[str] = set()
    repeated = 0
    for number, row in _rows(path):
        at = f"{path.name}:{number}"
        try:
            item = form.read(row, number)
        except (KeyError, TypeError, AttributeError):
            raise InvalidInputError(f"{at}: expected a row of {name} with {form.fields}") from None
        except InvalidInputError as error:
            raise InvalidInputError(f"{at}: {error}") from None
        key = (item.context, item.question, item.options)
        if key in seen:
            repeated += 1
            continue
        if item.id in ids:
            raise InvalidInputError(f"{at}: the id {item.id!r} came before with another question")
        seen.add(key)
        ids.add(item.id)
        items.append(item)
    if not items:
        raise InvalidInputError(f"{path.name}: expected rows of {name} with {form.fields}, it has none")
    return Exam(name, tuple(items), repeated, sha256(path.read_bytes()).hexdigest())


def exam_format(name: str) -> _Format:
    """Return how a set is read.

    Raises:
        UnknownNameError: no such set; names the nearest.
    """
    if name not in EXAMS:
        near = get_close_matches(name, EXAMS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(EXAMS)}"
        raise UnknownNameError(f"there is no exam {name!r}; {hint}")
    return EXAMS[name]


def exam_file(name: str, data: Path) -> Path:
    """Return where a set lies below a data folder.

    Raises:
        UnknownNameError: no such set.
        MissingDataError: it is not there, or no file of it is at hand.
    """
    form = exam_format(name)
    path = data / form.file
    if not form.file or not path.is_file():
        raise MissingDataError(f"{name} is not in {data}: give --data FILE")
    return path


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield (line or place in the array, object)."""
    with path.open("rb") as stream:
        array = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    if array:
        if path.stat().st_size > MAX_ARRAY:
            raise InputTooLargeError(f"{path.name}: a JSON array of at most {MAX_ARRAY} bytes is read")
        decoded: Iterable[tuple[int, Any]] = enumerate(decode_json(path.read_bytes(), path.name), 1)
    else:
        decoded = _decoded_lines(path)
    for number, row in decoded:
        if not isinstance(row, dict):
            raise InvalidInputError(f"{path.name}:{number}: expected a JSON object")
        yield number, row


def _decoded_lines(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines(path, MAX_LINE), 1):
        if line is None:
            raise InputTooLargeError(f"{path.name}:{number}: a line may hold at most {MAX_LINE} bytes")
        if line.strip():
            yield number, decode_json(line, f"{path.name}:{number}")


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if not isinstance(value, str):
        raise TypeError(key)
    if not value.strip():
        raise InvalidInputError(f"{key} is empty")
    return value.strip()


def _item(
    source: str, id: str, row: Mapping[str, Any], options: Mapping[str, Any], answer: str, **more: Any
) -> ExamItem:
    """Build an item of lettered options; letters that are left out are closed up."""
    texts: list[str] = []
    moved: dict[str, str] = {}
    if len(options) > len(LETTERS):
        raise InvalidInputError(f"expected at most {len(LETTERS)} options, got {len(options)}")
    for letter in sorted(options):
        moved[letter] = LETTERS[len(texts)]
        texts.append(_text(options, letter))
    if len(texts) < 2:
        raise InvalidInputError(f"expected at least two options, got {len(texts)}")
    if not answer or any(letter not in moved for letter in answer) or len(set(answer)) < len(answer):
        raise InvalidInputError(f"the answer {answer[:20]!r} is not among the options {''.join(moved)}")
    right = "".join(sorted(moved[letter] for letter in answer))
    return ExamItem(
        id, _text(row, "question"), tuple(texts), right, more.pop("subject", None), source, **more
    )


def _cmexam(row: Mapping[str, Any], _: int) -> ExamItem:
    said = row.get("explanation")
    told = said.strip() if isinstance(said, str) else ""
    return _item(
        "cmexam", _text(row, "id"), row, row["options"], _text(row, "answer"),
        explanation=told if told not in ("", "nan") else None,  # nan: a table's empty cell
         subject=row.get("subject"),
    )  # fmt: skip


def _cnmleqa(row: Mapping[str, Any], _: int) -> ExamItem:
    subject = _text(row, "question_type")
    return _item("cnmleqa", _text(row, "id"), row, row["options"], _text(row, "answer"), subject=subject)


def _mmlu(row: Mapping[str, Any], number: int) -> ExamItem:
    subject = _text(row, "subject")
    return _item(
        "mmlu-medical", f"{subject}-{number}", row, row["options"], _text(row, "answer"), subject=subject
    )


VERDICTS = ("yes", "no", "maybe")


def _pubmedqa(row: Mapping[str, Any], _: int) -> ExamItem:
    paragraphs, said = row["contexts"], _text(row, "answer")
    if said not in VERDICTS:
        raise InvalidInputError(f"the answer {said[:20]!r} is none of {', '.join(VERDICTS)}")
    context = "\n".join(str(one).strip() for one in paragraphs)
    return ExamItem(
        _text(row, "pmid"), _text(row, "question"), VERDICTS, LETTERS[VERDICTS.index(said)], None, "pubmedqa",
        context, row.get("long_answer"),
    )  # fmt: skip


def _xmedbench(row: Mapping[str, Any], number: int) -> ExamItem:
    told = _text(row, "options" if "options" in row else "option")
    options = {
        letter: text.strip().removesuffix(".").strip()
        for letter, text in _LETTERED.findall(told.replace("\r", ""))
    }
    given = _text(row, "answer" if "answer" in row else "anwer")
    answer = "".join(re.findall(r"\(([A-J])\)", given)) or given
    source = _text(row, "source")
    return _item("xmedbench", f"{source}-{number}", row, options, answer, subject=source)


EXAMS: dict[str, _Format] = {
    "cmexam": _Format("text/cmexam_val/dev.jsonl.gz", _cmexam, "id, question, options, answer"),
    "pubmedqa": _Format("text/pubmedqa/dev.jsonl.gz", _pubmedqa, "pmid, question, contexts, answer"),
    "mmlu-medical": _Format("text/mmlu_medical/dev.jsonl.gz", _mmlu, "subject, question, options, answer"),
    "xmedbench": _Format("", _xmedbench, "question, options, answer, source"),
    "cnmleqa": _Format(
        "restricted/cnmleqa_3k/dev_2017_2020.jsonl.gz",
        _cnmleqa,
        "id, question, options, answer, question_type",
    ),
}
