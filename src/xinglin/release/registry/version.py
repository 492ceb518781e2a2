"""A version of a model, and the evidence that hangs on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from xinglin.errors import InvalidInputError

Stage = Literal["candidate", "released", "retired"]
STAGES: tuple[Stage, ...] = get_args(Stage)
Kind = Literal[
    "approval",  # who said what: {person, role, decision, statement}
    "certificate",  # an annotation certificate (labels.certificate), whole
    "consent",  # {dataset, basis, purposes, grants: [digests], subjects: n, withdrawn: n, chain: ledger.onchain.lineage}
    "curves",  # {name, points: [[step, value], ...]}
    "environment",  # {python, platform, lock: {sha256, packages}, hardware}
    "faithfulness",  # of explanations: {name, value, low, high, n, data}
    "gate",  # a gate's verdict, whole
    "metric",  # {name, value, low, high, n, data, group: {kind: site|sex|age|..., value} | null, weak: bool}
    "monitoring",  # {name, value, limit, since, breached}
    "privacy",  # {dataset, unit, epsilon, delta, rounds, report: digest}
    "probabilities",  # per case, for paired tests: {data, sha256, cases}
    "risk",  # an entry of the risk file: {hazard, situation, harm, severity, probability, control, residual}
    "robustness",  # {name, value, low, high, n, data}
    "statement",  # a person's answer to a requirement: {requirement, zh, en, person}
    "use",  # {purpose_zh, purpose_en, users, setting, contraindications, not_for}
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something established about a version, with the ledger entry that recorded it."""

    kind: Kind
    content: dict[str, Any] = field(hash=False)
    """As the list of kinds says; JSON values."""
    digest: str
    """SHA-256 of the content's canonical JSON; the ledger entry names it as a subject."""
    seq: int
    """Number of that ledger entry."""
    time: str
    """UTC, ISO 8601."""
    actor: str


@dataclass(frozen=True, slots=True)
class Version:
    """A model at one state, as it was registered."""

    name: str
    number: str
    """``MAJOR.MINOR.PATCH``: major for an algorithm-driven change or a significant one, minor for a data-driven one
    without significant difference, patch where neither weights nor data differ."""
    checkpoint: str
    """Id of the checkpoint: what the model is (``model.checkpoint``)."""
    manifest: dict[str, Any] = field(hash=False)
    """The checkpoint's manifest: files, data sets with licences, settings, seeds, code, metrics, parents, limits."""
    stage: Stage
    change: str
    """``first``, ``algorithm``, ``data`` or ``none``."""
    seq: int
    """Number of the ledger entry that registered it."""
    time: str
    actor: str
    evidence: tuple[Evidence, ...] = ()
    """In the order of their ledger entries."""

    def of_kind(self, kind: Kind) -> tuple[Evidence, ...]:
        """Return the evidence of one kind.

        Raises:
            InvalidInputError: there is no such kind.
        """
        if kind not in KINDS:
            raise InvalidInputError(f"evidence: expected one of {', '.join(KINDS)}, got {kind!r}")
        return tuple(item for item in self.evidence if item.kind == kind)
