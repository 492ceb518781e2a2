"""The entries of a vocabulary: a term, an analyte with its ranges and cut-offs, a drug.

The columns they come from are described in ``docs/starter-graph.md``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from xinglin.types import Code

FINDING_KINDS = (
    "symptom", "sign", "vital", "lab", "ecg", "imaging", "endoscopy", "pathology", "history", "risk",
    "medication",
)  # fmt: skip
CHRONIC_KINDS = frozenset({"history", "risk", "medication", "disease"})
"""Kinds that a word such as *previously* does not unsay."""
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq,
}  # fmt: skip

Sex = Literal["male", "female"]


@dataclass(frozen=True, slots=True)
class Term:
    """A name with its synonyms: a finding, or (from above) a disease or an examination."""

    code: Code
    name: str
    en: str
    kind: str
    """A kind of ``FINDING_KINDS``; ``disease`` or ``exam`` for terms from above."""
    aliases: tuple[str, ...] = ()
    aliases_en: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    """Names of findings that this one implies when present."""
    source: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Analyte:
    """A quantity that is measured."""

    code: Code
    name: str
    en: str
    kind: str
    """``vital`` or ``lab``."""
    unit: str
    """Canonical unit."""
    units: tuple[tuple[str, float], ...]
    """Other units and the factor that turns a value in them into the canonical unit."""
    aliases: tuple[str, ...] = ()
    aliases_en: tuple[str, ...] = ()
    high: str = ""
    """Name of the finding *above the range*; empty if none."""
    low: str = ""
    plausible_min: float | None = None
    plausible_max: float | None = None
    loinc: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """A reference range in the analyte's canonical unit; ``None`` is an open end."""

    sex: Sex | None
    age_min: float | None
    age_max: float | None
    """Years; the band is half-open, see :func:`in_band`."""
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A graded finding: present when ``value op limit`` holds."""

    sex: Sex | None
    age_min: float | None
    age_max: float | None
    op: str
    limit: float
    finding: str


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug or an allergen that a patient states."""

    code: Code
    name: str
    en: str
    classes: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    aliases_en: tuple[str, ...] = ()


def in_band(age: float, age_min: float | None, age_max: float | None) -> bool:
    """Whether an age in years lies in the half-open band ``age_min <= age < age_max``."""
    return (age_min is None or age >= age_min) and (age_max is None or age < age_max)
