"""The sets in which a short Chinese text is the only input: what is read of a row, and what its label is worth.

``dxy-text`` rows hold normalised symptoms and a dialogue as well; those are never read. ``mz10-text`` has no
words of its own: its coded symptoms are written out as a sentence here, and every figure says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.graph.importers import read_lines
from xinglin.terms.characters import without_surrogates

Row = Mapping[str, Any]
WEAK = "weak label: the topic of a question (the disease its title names), not a diagnosis"
TEMPLATED = "templated: coded symptoms written out as a sentence"
SMALL = "parents' own words"
_STATES = {"0": "没有", "1": "有", "2": "不确定有没有"}
NOTHING = "孩子不舒服。"
"""The sentence of a case in which the parent told no symptom."""


@dataclass(frozen=True, slots=True)
class Question:
    """One text with its label."""

    id: str
    text: str
    """Stripped; may be empty in a file to score, never in one to learn from."""
    label: str
    row: Row
    """The whole row, for what may be learned beside the text (coded symptoms of mz10-text)."""


@dataclass(frozen=True, slots=True)
class TextSet:
    """What a set's rows hold."""

    name: str
    path: str
    """Usual place below the data folder."""
    key: str
    """Field by which the part kept for reporting is split off (``train.corpus.reported``)."""
    label: str
    modes: Mapping[str, Callable[[Row], str]]
    """Mode -> the input of a row; raises ``KeyError`` or ``TypeError`` where the row lacks it."""
    note: str = ""
    """What every figure of the set must say."""
    coded: bool = False
    """Whether rows hold coded symptoms that may be learned from beside the text."""
    sources: tuple[str, ...] = ()
    """Names under which a checkpoint's manifest lists what holds these cases (``train.corpus``, ``train.weak``)."""

    def unlearnt(self, row: Row) -> bool:
        """Return whether the shipped classifier has not learnt the case's label (``train.corpus.unlearnt``)."""
        from xinglin.train.corpus import unlearnt

        return unlearnt(str(row.get(self.key)))


def _field(name: str) -> Callable[[Row], str]:
    def read(row: Row) -> str:
        text = row[name]
        if not isinstance(text, str):
            raise TypeError(f"{name} is {type(text).__name__}")
        return without_surrogates(text).strip()

    return read


def self_report(row: Row) -> str:
    """Write the explicit symptoms of a coded case as a parent's sentence."""
    states = _states(row, "explicit")
    told = [f"{'' if state == '1' else _STATES[state]}{name}" for name, state in states.items()]
    return f"孩子有{'、'.join(told)}。" if told else NOTHING


def full_report(row: Row) -> str:
    """Write explicit symptoms and every answer of a coded case as sentences."""
    answers = [f"{_STATES[state]}{name}" for name, state in _states(row, "implicit").items()]
    return self_report(row) + (",".join(answers) + "。" if answers else "")


def _states(row: Row, part: str) -> dict[str, str]:
    states = row[part]
    if not isinstance(states, Mapping) or not all(str(state) in _STATES for state in states.values()):
        raise TypeError(f"{part} is no object of name: 0, 1 or 2")
    return {str(name): str(state) for name, state in states.items()}


TEXT_SETS: dict[str, TextSet] = {
    item.name: item
    for item in (
        TextSet(
            "toyhom-department",
            "text/toyhom_internal_medicine_dialogue/dev.jsonl.gz",
            "ask",
            "department",
            {"question": _field("ask")},
            sources=("toyhom",),
        ),
        TextSet(
            "toyhom-disease",
            "text/toyhom_weak_disease/dev.jsonl.gz",
            "text",
            "disease",
            {"question, name masked": _field("text_masked")},
            WEAK,
            sources=("toyhom",),
        ),
        TextSet(
            "dxy-text",
            "restricted/dxy_free_text/train.jsonl.gz",
            "self_report",
            "disease",
            {"self-report": _field("self_report")},
            SMALL,
        ),
        TextSet(
            "mz10-text",
            "text/mz_dxy_diagnosis/mz10_train.jsonl.gz",
            "id",
            "disease",
            {"self-report": self_report, "full": full_report},
            TEMPLATED,
            coded=True,
            sources=("mz10",),
        ),
    )
}


def read_questions(which: TextSet, mode: str, path: Path) -> list[Question]:
    """Read a file of a set in one mode.

    Raises:
        InvalidInputError: a line is no JSON object, a row lacks its text or its label, or there is no row.
    """
    read, found = which.modes[mode], []
    for number, row in read_lines(path):
        try:
            text = read(row)
        except (KeyError, TypeError) as error:
            raise InvalidInputError(
                f"{path.name}:{number}: expected the input of {which.name} ({mode}); {_absent(error)}"
            ) from None
        label = row.get(which.label)
        if not isinstance(label, str) or not label.strip():
            raise InvalidInputError(
                f"{path.name}:{number}: expected {which.label}: a name; got {str(label)[:40]!r}"
            )
        found.append(Question(str(row.get("id", number)), text, label.strip(), row))
    if not found:
        raise InvalidInputError(f"{path.name}: expected rows of {which.name}; got none")
    return found


def _absent(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def learnable(questions: Sequence[Question], path: Path) -> list[Question]:
    """Return the questions that have a text.

    Raises:
        InvalidInputError: fewer than two labels have two texts or more: nothing can be learned, or checked.
    """
    kept = [question for question in questions if question.text]
    counts: dict[str, int] = {}
    for question in kept:
        counts[question.label] = counts.get(question.label, 0) + 1
    if sum(count >= 2 for count in counts.values()) < 2:
        shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:5]) or "none"
        raise InvalidInputError(
            f"{path.name}: expected at least two labels with two texts each to learn from; got {shown}"
        )
    return kept
