"""The case being worked on, exactly as typed: text, header, record, answers. Unknown stays unknown."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from pydantic import ValidationError

from xinglin.apps.diagnosis.header import known_names
from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import InvalidInputError
from xinglin.records.intake import PatientJson
from xinglin.serve.workbench.phrases import say
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Patient, State

MAX_TEXT = 20_000
DAYS, MONTHS = 365.25, 12
NONE_STATED = frozenset(
    {"无", "没有", "否认", "无过敏", "无已知过敏", "无药物过敏", "未用药", "none", "no", "nil", "nka", "nkda"}
)
SEPARATORS = str.maketrans(dict.fromkeys("、,,;;/\n\t", "\n"))


@dataclass(slots=True)
class Draft:
    """What the page holds of one case; everything a clinician has not stated is empty."""

    text: str = ""
    age: float | None = None
    age_unit: str = "years"
    sex: str = ""
    motherhood: str = ""
    """``""`` unknown, ``none``, ``pregnant`` or ``lactating``."""
    weeks: float | None = None
    allergies: str = ""
    drugs: str = ""
    egfr: float | None = None
    record: dict[str, Any] | None = None
    record_name: str = ""
    study: str = ""
    """Key of the patient's CT among the open studies; a case outlives it, and is then answered without."""
    answers: dict[str, str] = field(default_factory=dict)
    """Answers to questions: state by finding key."""
    note: str = ""
    note_of: str = ""
    """Print of the input and answers that the note was written on."""
    case: str | None = None
    """Id in the store once saved."""
    asked: str = ""
    """Print of the input that the shown answer belongs to."""

    @property
    def empty(self) -> bool:
        """Whether nothing is there to analyse."""
        return not self.text.strip() and self.record is None and not self.answers and not self.study

    def print_of_input(self) -> str:
        """Return a digest of everything that is typed; it changes when the answer goes stale."""
        typed = self.input()
        del typed["answers"]
        return hashlib.sha256(json.dumps(typed, sort_keys=True).encode()).hexdigest()

    def print_of_case(self) -> str:
        """Return a digest of everything typed and answered: what a note is written on."""
        return hashlib.sha256(json.dumps(self.input(), sort_keys=True).encode()).hexdigest()

    @property
    def stale(self) -> bool:
        """Whether the shown answer no longer belongs to what is typed."""
        return bool(self.asked) and self.asked != self.print_of_input()

    def input(self) -> dict[str, Any]:
        """Return what was typed, as JSON; kept beside a saved answer to reopen the case."""
        hidden = ("note", "note_of", "case", "asked")
        return {key: value for key, value in asdict(self).items() if key not in hidden}

    def states(self) -> dict[str, State]:
        """Return the answers as states."""
        return {key: cast(State, state) for key, state in self.answers.items()}

    def patient(self, vocabulary: Vocabulary, lang: Lang) -> tuple[Patient, tuple[str, ...]]:
        """Return the header as a noun, and the medicine names in it that are not in the vocabulary.

        Raises:
            InvalidInputError: a number outside its range, or a man who is pregnant or lactating.
        """
        if self.sex == "male" and self.motherhood in ("pregnant", "lactating"):
            raise InvalidInputError(say("male_pregnant", lang))
        scale = {"years": 1.0, "months": 1 / MONTHS, "days": 1 / DAYS}[self.age_unit]
        allergies, unread = listed(self.allergies, vocabulary)
        drugs, unread_drugs = listed(self.drugs, vocabulary)
        values: dict[str, Any] = {
            "age": None if self.age is None else self.age * scale,
            "sex": self.sex or None,
            "pregnant": {"none": False, "pregnant": True}.get(self.motherhood),
            "lactating": {"none": False, "lactating": True}.get(self.motherhood),
            "gestation_weeks": self.weeks if self.motherhood == "pregnant" else None,
            "allergies": allergies,
            "drugs": drugs,
            "egfr": self.egfr,
        }
        try:
            noun = PatientJson.model_validate(values, strict=False).noun()
        except ValidationError as error:
            place = str(error.errors()[0]["loc"][0])
            raise InvalidInputError(say("header_range", lang, field=say(f"field_{place}", lang))) from None
        return noun, (*unread, *unread_drugs)


def listed(text: str, vocabulary: Vocabulary) -> tuple[list[str] | None, tuple[str, ...]]:
    """Return the names of a list by their vocabulary name (``None``: not stated, ``[]``: stated none).

    The second part holds the names that the vocabulary does not know; they stay in the list as typed.
    """
    parts = [part.strip() for part in text.translate(SEPARATORS).split("\n") if part.strip()]
    if not parts:
        return None, ()
    if all(part.lower() in NONE_STATED for part in parts):
        return [], ()
    names, unread = known_names(parts, vocabulary)
    return list(names), unread


def draft_from(stored: Any) -> Draft:
    """Return a draft out of stored JSON; unknown keys are left aside."""
    if not isinstance(stored, dict):
        return Draft()
    known = {item.name for item in fields(Draft)}
    return Draft(**{key: value for key, value in stored.items() if key in known})


def draft_of_case(case: dict[str, Any]) -> Draft:
    """Return the draft of a saved case; one saved through the API has its header from the answer."""
    typed = case["answer"].get("input")
    if typed is not None:
        draft = draft_from(typed)
    else:
        header = case["patient"]
        draft = Draft(
            text=case["text"],
            age=header["age"],
            sex=header["sex"] or "",
            motherhood="pregnant" if header["pregnant"] else "lactating" if header["lactating"] else "",
            weeks=header["gestation_weeks"],
            allergies=_typed(header["allergies"]),
            drugs=_typed(header["drugs"]),
            egfr=header["egfr"],
        )
    draft.case, draft.note = case["id"], case["note"]
    draft.note_of = draft.print_of_case() if draft.note else ""
    return draft


def _typed(items: list[str] | None) -> str:
    return "" if items is None else "、".join(items) if items else "无"
