"""What reading a text yields: mentions, problems, and all of it together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xinglin.types import Finding, Patient, State

if TYPE_CHECKING:
    from xinglin.terms.quantity import Quantity
    from xinglin.terms.vocabulary import Term


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the text that was not used, or not trusted, and what to do about it."""

    kind: str
    """``contradiction``, ``implausible_value``, ``unknown_unit``, ``assumption``, ``no_term``,
    ``characters``."""
    zh: str
    en: str
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """One place of the text that names a term."""

    term: Term
    span: tuple[int, int]
    state: State
    who: Literal["patient", "family", "other"] = "patient"
    when: Literal["now", "past", "resolved"] = "now"
    hypothetical: bool = False
    """Named as a condition or advice (如果出现胸痛请就医): says nothing of the patient."""
    time: str | None = None
    """Duration, ISO 8601."""
    onset: Literal["sudden", "gradual"] | None = None
    laterality: Literal["left", "right", "bilateral"] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A clinical text, read."""

    text: str
    """The text that all spans refer to: the source with lone surrogates replaced, same length."""
    findings: tuple[Finding, ...]
    """One finding a concept: stated, measured and derived ones merged."""
    patient: Patient
    quantities: tuple[Quantity, ...]
    mentions: tuple[Mention, ...]
    """Every mention by position, diseases and examinations from above among them."""
    problems: tuple[Problem, ...]

    @property
    def laterality(self) -> dict[str, str]:
        """Side by finding id, for findings whose mention names one; the first mention counts."""
        sides: dict[str, str] = {}
        for mention in self.mentions:
            if mention.laterality is not None:
                sides.setdefault(mention.term.code.value, mention.laterality)
        return sides
