"""The nouns that pass through every door.

All are frozen, hashable where their parts are, and free of behaviour beyond their own consistency.
A missing clinical fact is ``None`` or state ``unknown``; no field has a default that invents a
patient's data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["present", "absent", "unknown"]
STATES: tuple[State, ...] = ("present", "absent", "unknown")

DISCLAIMER = {
    "zh": "未经注册,仅供研究与辅助参考:不是医疗器械,不能代替医生的诊断。",
    "en": "Not registered as a medical device: for research and decision support only; "
    "it never replaces a clinician.",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One concept of one coding system.

    Equality and hash are on ``(system, value)``: the display may be translated.
    """

    system: str
    """Coding system with its edition, e.g. ``icd10-who``, ``icd10-cn-gb2``, ``snomedct``, ``xinglin``."""
    value: str
    """The code itself, e.g. ``I21``."""
    display: str = field(default="", compare=False)
    """Human-readable name in the language of the answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One clinical observation about one patient."""

    code: Code
    state: State
    value: float | None = None
    """Measured value in ``unit``; ``None`` when nothing was measured."""
    unit: str | None = None
    """UCUM unit of ``value``."""
    time: str | None = None
    """Duration or time, ISO 8601 (``P3D`` = for three days)."""
    span: tuple[int, int] | None = None
    """Half-open character offsets in the source text."""
    origin: str = "text"
    """Where it came from: ``text``, ``vital``, ``lab``, ``record``, ``answer``, ``image``, ``derived``."""
    probability: float | None = None
    """Probability that the finding is present, for findings made by a model; ``None`` if stated, or if the model
    gives only a score. Of origin ``image`` it is the one at even prior odds: p / (1 - p) is the likelihood ratio of what
    the model saw."""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"Finding.state must be one of {STATES}, got {self.state!r}")
        if self.probability is not None and not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"Finding.probability must lie in [0, 1], got {self.probability}")


@dataclass(frozen=True, slots=True)
class Event:
    """One dated, coded or measured entry of a record."""

    code: Code
    value: float | str | None = None
    unit: str | None = None
    time: str | None = None
    low: float | None = None
    """Lower limit of the report's own reference range."""
    high: float | None = None
    """Upper limit of the report's own reference range."""
    kind: str = "observation"
    """``observation``, ``finding``, ``condition``, ``allergy``, ``medication``, ``procedure``."""
    status: str | None = None
    """The source's own status word (FHIR ``clinicalStatus``), or a finding's state."""


@dataclass(frozen=True, slots=True)
class Point:
    """A position in one patient's space, in one frame of reference."""

    x: float
    """Millimetres to the patient's left."""
    y: float
    """Millimetres to the back."""
    z: float
    """Millimetres to the head."""
    frame: str
    """Frame of Reference UID (PS3.3 C.7.4.1), or ``sha256:...`` of a file whose format states none: points of
    different frames cannot be compared."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A 3-D image by reference: where its array lies and how voxels map to the patient."""

    path: str
    """A ``.npy`` with axes (z, y, x): int16, or float32 where values are fractions; not measured: -32768, NaN."""
    affine: tuple[tuple[float, float, float, float], ...]
    """4 x 4, voxel (x, y, z, 1) -> LPS millimetres."""
    modality: str | None = None
    frame: str | None = None
    """Frame of reference of the millimetres, as in ``Point``."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image without a place in the patient, by reference: a radiograph, ultrasound, a cine run."""

    path: str
    """A ``.npy`` with axes (frame, row, column) or (frame, row, column, RGB): values as they were stored."""
    modality: str | None = None
    inverted: bool = False
    """Whether the lowest value is meant to be shown white (MONOCHROME1)."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What a clinician writes in the header of a case. ``None`` is *not stated*, never *no*."""

    age: float | None = None
    """Age in years; a neonate of 9 days is 9 / 365.25."""
    sex: Literal["male", "female"] | None = None
    pregnant: bool | None = None
    gestation_weeks: float | None = None
    lactating: bool | None = None
    allergies: tuple[str, ...] | None = None
    """Stated allergens; an empty tuple is a stated *no known allergy*."""
    drugs: tuple[str, ...] | None = None
    """Stated current drugs; an empty tuple is a stated *none*."""
    egfr: float | None = None
    """Estimated glomerular filtration rate, mL/min/1.73 m2."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one subject at one time, before any interpretation."""

    id: str
    subject: str | None = None
    text: str = ""
    patient: Patient = Patient()
    events: tuple[Event, ...] = ()
    findings: tuple[Finding, ...] = ()
    volumes: tuple[Volume, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """One annotator's decision on one record."""

    record_id: str
    code: Code
    state: State = "present"
    annotator: str = ""
    round: int = 0
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Triple:
    """One edge of the knowledge graph, never without its source."""

    head: Code
    relation: str
    tail: Code
    source: str
    """An open data set by file and row, or ``authored, unreviewed``."""
    qualifier: str | None = None
    """Frequency term of HPO, strength of a risk, or role of an examination."""
    verified: bool = False
    reviewed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one finding adds to the log-odds of one candidate."""

    finding: Code
    state: State
    weight: float
    """Natural-log likelihood ratio against patients without the disease; > 0 speaks for it."""
    span: tuple[int, int] | None = None
    origin: Literal["finding", "model"] = "finding"
    """``finding``, or ``model``: the share of a text model, which points at no single finding."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One disease of a differential."""

    code: Code
    probability: float | None
    """Posterior probability; ``None`` outside a label space calibrated on real cases."""
    calibrated: bool
    level: Literal["high", "medium", "low"]
    evidence: tuple[Evidence, ...] = ()
    score: float = 0.0
    """Relative posterior weight used for ranking; not a probability unless ``calibrated``."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A ranked, possibly abstaining answer."""

    candidates: tuple[Candidate, ...]
    prediction_set: tuple[Code, ...]
    abstained: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a prediction reads as it does: evidence by candidate."""

    prediction: Prediction
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model by content: ``id`` = SHA-256 over weights, config and data manifest."""

    id: str
    path: str
    manifest: dict[str, Any] = field(compare=False, hash=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the hash-chained ledger."""

    seq: int
    previous: str
    """SHA-256 (hex) of the entry before; 64 zeros for the first."""
    time: str
    """UTC, ISO 8601 with microseconds."""
    actor: str
    action: str
    subjects: tuple[str, ...]
    """Digests of what the act touched; nothing readable of a patient."""
    detail: dict[str, Any] = field(hash=False)
    hash: str
