"""The nouns of the knowledge graph and the whole of it in memory, keyed by Chinese name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from xinglin.terms.codes import ICD10_WHO, XINGLIN_DISEASE, XINGLIN_EXAM, slug
from xinglin.types import Code, Triple

FREQUENCIES = ("obligate", "very_frequent", "frequent", "occasional", "very_rare", "excluded")
"""Frequency terms of HPO (subtree of HP:0040279): 100 %, 80-99 %, 30-79 %, 5-29 %, 1-4 %, 0 %."""
FREQUENCY_MIDPOINTS = {
    "obligate": 0.99,
    "very_frequent": 0.9,
    "frequent": 0.55,
    "occasional": 0.17,
    "very_rare": 0.025,
    "excluded": 0.0,
}
"""Midpoints of HPO's frequency bands: an assumption about the terms, not a measured frequency."""
STRENGTHS = ("strong", "moderate", "weak")
ROLES = ("first", "confirm", "exclude", "stage", "after_negative")
SEVERITIES = ("lethal", "serious", "moderate", "mild")
COMMONNESS = ("very_common", "common", "uncommon", "rare", "very_rare")
COMMONNESS_LOG_PRIOR = {"very_common": 0.0, "common": -1.2, "uncommon": -2.6, "rare": -4.0, "very_rare": -5.5}
"""Relative log prior of a disease as the reason for a first visit; authored, overridden by calibration."""
TRIAGE = ("home", "outpatient", "within_24h", "emergency_now", "call_120")
"""Triage levels from lowest to highest."""

QUALIFIERS: dict[str, tuple[str, ...]] = {
    "has_finding": FREQUENCIES,
    "risk_factor": STRENGTHS,
    "exam": ROLES,
    "exclude_before": (),
    "differential": (),
    "complication": (),
    "is_a": (),
}
"""Relations and the qualifiers each may carry."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a row comes from and who has read it."""

    source: str
    verified: bool
    reviewed_by: str | None


@dataclass(frozen=True, slots=True)
class Disease:
    """A disease of the label space."""

    name: str
    en: str
    icd10: str
    """WHO ICD-10 category or subcategory."""
    department: str
    severity: str
    commonness: str
    sex: Literal["any", "male", "female"]
    age_min: float | None
    age_max: float | None
    age_peak: tuple[float, float] | None
    """Usual age band in years."""
    course: str
    aliases: tuple[str, ...]
    aliases_en: tuple[str, ...]
    provenance: Provenance

    @property
    def code(self) -> Code:
        """ICD-10 code with the disease's own name as display."""
        return Code(ICD10_WHO, self.icd10, self.name)

    @property
    def key(self) -> Code:
        """Our own concept, one a disease (several diseases may share an ICD-10 category)."""
        return Code(XINGLIN_DISEASE, slug(self.en), self.name)


@dataclass(frozen=True, slots=True)
class Exam:
    """An examination and what its result can show."""

    name: str
    en: str
    kind: str
    setting: Literal["clinic", "county", "tertiary"]
    """Lowest level of care that commonly has it."""
    burden: Literal["low", "medium", "high"]
    reveals: tuple[str, ...]
    aliases: tuple[str, ...]
    aliases_en: tuple[str, ...]
    provenance: Provenance

    @property
    def key(self) -> Code:
        """Our own concept."""
        return Code(XINGLIN_EXAM, slug(self.en), self.name)


@dataclass(frozen=True, slots=True)
class Relation:
    """One qualified edge from a disease."""

    disease: str
    relation: str
    target: str
    qualifier: str | None
    note: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Option:
    """A management option for a disease. No dose, no prescription."""

    disease: str
    option: str
    en: str
    kind: str
    precondition: str
    note: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Contraindication:
    """A condition under which an option is to be avoided or used with caution."""

    option: str
    check: Literal["age", "pregnancy", "allergy", "renal", "drug"]
    condition: str
    level: Literal["avoid", "caution"]
    note: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class RedFlag:
    """A deterministic rule: when its expression holds, the case is at least at this level."""

    id: str
    display: str
    en: str
    level: str
    expression: str
    action: str
    action_en: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class DangerSign:
    """What to ask for before reassuring a patient with this complaint."""

    complaint: str
    danger: str
    question: str
    question_en: str
    condition: str
    provenance: Provenance


@dataclass(frozen=True)
class Knowledge:
    """The starter graph, checked and in memory."""

    diseases: dict[str, Disease]
    exams: dict[str, Exam]
    relations: tuple[Relation, ...]
    options: tuple[Option, ...]
    contraindications: tuple[Contraindication, ...]
    red_flags: tuple[RedFlag, ...]
    danger_signs: tuple[DangerSign, ...]
    finding_codes: dict[str, Code] = field(default_factory=dict)
    """Finding name -> code in system ``xinglin``."""

    @cached_property
    def by_disease(self) -> dict[str, tuple[Relation, ...]]:
        """Relations of each disease, in file order."""
        grouped: dict[str, list[Relation]] = {name: [] for name in self.diseases}
        for relation in self.relations:
            grouped[relation.disease].append(relation)
        return {name: tuple(rows) for name, rows in grouped.items()}

    @cached_property
    def options_by_disease(self) -> dict[str, tuple[Option, ...]]:
        """Options of each disease, in file order."""
        grouped: dict[str, list[Option]] = {}
        for option in self.options:
            grouped.setdefault(option.disease, []).append(option)
        return {name: tuple(rows) for name, rows in grouped.items()}

    def target_code(self, relation: Relation) -> Code:
        """Return the code of a relation's target."""
        if relation.relation in ("has_finding", "risk_factor"):
            return self.finding_codes[relation.target]
        if relation.relation == "exam":
            return self.exams[relation.target].key
        return self.diseases[relation.target].key

    def triples(self) -> tuple[Triple, ...]:
        """Return the graph as triples with source."""
        return tuple(
            Triple(
                self.diseases[row.disease].key,
                row.relation,
                self.target_code(row),
                row.provenance.source,
                row.qualifier,
                row.provenance.verified,
                row.provenance.reviewed_by,
            )
            for row in self.relations
        )
