"""What is refused, and what is answered with a warning: rules over the user's words, before anything else is done.

The rules look for intentions by their words, so a paraphrase can slip through; behind them stand the filters of what goes
out (:mod:`.strike`) and, with the extractive engine, the fact that nothing can be said that no source holds. What was
measured, and on which attacks, is in docs/assistant.md. Word lists: authored, unreviewed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from xinglin.apps.assistant import wording as w
from xinglin.terms.characters import normalise
from xinglin.terms.tsv import rows
from xinglin.terms.vocabulary import Vocabulary

Concern = Literal["self_harm", "harm", "privacy", "secrets", "dose", "prescription", "orders"]
STOPS: frozenset[Concern] = frozenset({"self_harm", "harm", "privacy", "secrets"})
"""Concerns after which nothing more is answered."""
WORDS: dict[Concern, w.Pair] = {
    "self_harm": w.SELF_HARM,
    "harm": w.HARM,
    "privacy": w.PRIVACY,
    "secrets": w.SECRETS,
    "dose": w.NO_DOSE,
    "prescription": w.NO_PRESCRIPTION,
    "orders": w.NO_ORDERS,
}
TABLE = Path(__file__).with_name("concerns.tsv")
_COLUMNS = ("concern", "pattern", "source", "verified", "reviewed_by")
_CLAIM = re.compile(
    r"(?:是不是|是否|会不会|难道)(?P<claim>[^,,。??!!;;\n]{3,60}?)(?:吗|呢|吧|么|了吗)?\s*(?=[??,,。!!;;\n]|$)|"
    r"(?:听说|据说|传说|有人说|都说|网上说|朋友说)(?P<heard>[^。??!!;;\n]{3,60}?)\s*(?=[??,,。!!;;\n]|$)|"
    r"\b(?:is it true that|does it mean|do you agree that)\s+(?P<english>[^?.\n]{6,120})\?"
)
_NAMED_SELF_HARM = re.compile(r"自杀|自残|想死|suicid|kill")


@cache
def pattern(*concerns: str) -> re.Pattern[str]:
    """Return one pattern over the rows of some concerns of ``concerns.tsv``; ``<how>`` and ``<die>`` stand for theirs.

    Raises:
        VocabularyError: the table breaks its schema, or a row is no regular expression.
    """
    alternatives = []
    for row in rows(TABLE, _COLUMNS):
        if row["concern"] not in concerns:
            continue
        cell = row.required("pattern")
        for name in ("how", "die"):
            if f"<{name}>" in cell:
                cell = cell.replace(f"<{name}>", f"(?:{pattern(name).pattern})")
        try:
            re.compile(cell)
        except re.error as error:
            raise row.error(f"no regular expression ({error}): correct it") from error
        alternatives.append(cell)
    return re.compile("|".join(alternatives))


def speaks_to_assistant(text: str) -> bool:
    """Whether a document's words give orders instead of speaking about medicine: they are never quoted."""
    return pattern("orders", "document_orders").search(normalise(text)) is not None


@dataclass(frozen=True, slots=True)
class Screened:
    """What a question holds beside its medical content."""

    concerns: tuple[Concern, ...]
    absurd: str | None
    """A claim of the question that is outside of medicine."""
    claim: str | None
    """Any other claim that the question asks to be confirmed."""
    unknown_drugs: tuple[str, ...]

    @property
    def stops(self) -> bool:
        """Whether nothing more is answered."""
        return any(concern in STOPS for concern in self.concerns)


def screen(text: str, vocabulary: Vocabulary) -> Screened:
    """Return what has to be refused or warned of in a question."""
    normal = normalise(text)
    plain = re.sub(r"[\s*_\-·.]+", "", normal)  # 自 杀, 自.杀, 自*杀
    found: list[Concern] = []
    for concern in WORDS:
        if not any(pattern(concern).search(said) for said in (normal, plain)):
            continue
        # A question of prognosis (会死吗) is no question of how to die.
        prognosis = concern == "self_harm" and pattern("not_self_harm").search(normal) is not None
        if not prognosis or _NAMED_SELF_HARM.search(normal):
            found.append(concern)
    absurd, claim = claims(normal)
    return Screened(tuple(found), absurd, claim, unknown_drugs(normal, vocabulary))


def claims(normal: str) -> tuple[str | None, str | None]:
    """Return (a claim outside of medicine, any other claim) of a normalised question."""
    said = [next(group for group in match.groups() if group) for match in _CLAIM.finditer(normal)]
    hit = pattern("absurd").search(normal)
    if hit is not None:
        about = next((claim for claim in said if hit.group() in claim), None)
        return (about or _clause(normal, hit.start())).strip(), None
    return None, (said[-1].strip() if said else None)


def _clause(text: str, place: int) -> str:
    start = max(text.rfind(stop, 0, place) for stop in ",。?!;\n") + 1
    ends = [found for stop in ",。?!;\n" if (found := text.find(stop, place)) >= 0]
    return text[start : min(ends, default=len(text))][:60]


def unknown_drugs(normal: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return words that look like the name of a medicine and that no list knows."""
    known = [(match.start, match.end) for match in vocabulary.drug_names.all_matches(normal)]
    known += [(match.start, match.end) for match in vocabulary.terms.all_matches(normal)]
    known += [(match.start, match.end) for match in vocabulary.analyte_names.all_matches(normal)]
    found: dict[str, None] = {}
    for match in pattern("medicine").finditer(normal):
        if any(start < match.end() and match.end() - 2 < end for start, end in known):
            continue
        name = match.group()
        for lead in pattern("medicine_lead").finditer(match.group()):
            rest = match.group()[lead.end() :]
            name = rest if len(rest) >= 2 else name
        if len(name) >= 3 and not pattern("no_medicine").search(name):
            found[name] = None
    return tuple(found)
