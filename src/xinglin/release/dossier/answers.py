"""From a requirement and the evidence to what may be said: claims with their ledger entry, and what is missing.

Nothing is inferred: a claim is a field of a piece of evidence, printed; a term that no evidence meets is missing.
Taking evidence away can therefore only take claims away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from xinglin.records.manifest import canonical
from xinglin.release.dossier.fields import REGISTERED, WHOLE, field_name
from xinglin.release.dossier.figures import FIGURES, is_number, warnings, weak_sets
from xinglin.release.dossier.questions import STATEMENT, Requirement, Term
from xinglin.release.dossier.values import MISSING, shown
from xinglin.release.registry.version import Evidence, Kind, Version

State = Literal["complete", "partial", "statement", "missing"]
"""Every term met with every field; some; only a person's statement; nothing."""
BY_PERSON = frozenset({"statement", "approval"})
"""Kinds that a person says, rather than a measurement."""


SAID = Term(STATEMENT, ("zh", "en"))
"""What is printed of a statement; a person may answer any requirement."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a claim comes from: a digest, and the ledger entry that recorded it."""

    kind: str
    seq: int
    digest: str
    time: str
    actor: str

    @property
    def anchor(self) -> str:
        """Name of its row in the index of evidence; no two digests share one."""
        return f"e{self.seq}-{self.kind}-{self.digest[:16]}"


@dataclass(frozen=True, slots=True)
class Item:
    """One field of a claim."""

    label: str
    text: str
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> bool:
        """Whether the evidence says nothing here."""
        return self.text == MISSING


@dataclass(frozen=True, slots=True)
class Claim:
    """What one piece of evidence says to a requirement."""

    source: Source
    items: tuple[Item, ...]
    person: str | None
    """Who says it, where a person does; ``None`` for what was measured or registered."""
    warnings: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it says everything that it was asked for."""
        return self.person != MISSING and not any(item.missing for item in self.items)


@dataclass(frozen=True, slots=True)
class Answer:
    """A requirement with all that the evidence has to say to it."""

    requirement: Requirement
    claims: tuple[Claim, ...]
    missing: tuple[Term, ...]
    """Terms that no evidence meets."""
    whole: bool
    """Whether every term is met by at least one piece of evidence with every field."""

    @property
    def state(self) -> State:
        """How much of it is answered."""
        if not self.claims:
            return "missing"
        if all(claim.source.kind == STATEMENT for claim in self.claims) and self.missing:
            return "statement"
        return "complete" if self.whole else "partial"


def answer(requirement: Requirement, version: Version) -> Answer:
    """Return what the evidence of a version says to a requirement."""
    said = [
        _claim(item, SAID, version)
        for item in version.of_kind("statement")
        if item.content.get("requirement") == requirement.id
    ]
    found = {term: said if term.kind == STATEMENT else _claims(term, version) for term in requirement.terms}
    claims = [claim for term, each in found.items() if term.kind != STATEMENT for claim in each]
    return Answer(
        requirement=requirement,
        claims=tuple(dict.fromkeys((*claims, *said))),
        missing=tuple(term for term, each in found.items() if not each),
        whole=all(any(claim.whole for claim in each) for each in found.values()),
    )


def registered(version: Version) -> tuple[Evidence, ...]:
    """Return the two things that the registration itself says: the version, and the checkpoint's manifest.

    The digest of the first is the checkpoint's id, that of the second is over the whole manifest.
    """
    facts = {
        "name": version.name,
        "number": version.number,
        "checkpoint": version.checkpoint,
        "stage": version.stage,
        "change": version.change,
        "time": version.time,
        "actor": version.actor,
    }
    digests = (version.checkpoint, digest_of(version.manifest))
    return tuple(
        Evidence(cast(Kind, kind), content, digest, version.seq, version.time, version.actor)
        for kind, content, digest in zip(REGISTERED, (facts, version.manifest), digests, strict=True)
    )


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of content in canonical JSON."""
    return hashlib.sha256(canonical(content)).hexdigest()


def source_of(item: Evidence) -> Source:
    """Return where a piece of evidence is recorded."""
    return Source(item.kind, item.seq, item.digest, item.time, item.actor)


def _claims(term: Term, version: Version) -> list[Claim]:
    pool = registered(version) if term.kind in REGISTERED else version.evidence
    return [
        _claim(item, term, version) for item in pool if item.kind == term.kind and _meets(term, item.content)
    ]


def _meets(term: Term, content: Mapping[str, Any]) -> bool:
    if not term.path:
        return True
    found: Any = content
    for part in term.path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found is None if term.value is None else isinstance(found, str) and found == term.value


def _claim(item: Evidence, term: Term, version: Version) -> Claim:
    fields = tuple(item.content) if term.fields == (WHOLE,) else term.fields
    weak = weak_sets(version.manifest)
    items = [made for field in fields for made in _items(item.kind, field, item.content.get(field), weak)]
    person = shown(item.content.get("person")) if item.kind in BY_PERSON else None
    told = (
        warnings(item.content, weak, says_weak=item.kind == "metric")
        if item.kind in FIGURES and "value" in fields
        else ()
    )
    return Claim(source_of(item), tuple(items), person, told)


def _items(kind: str, field: str, value: Any, weak: frozenset[str]) -> list[Item]:
    """One line a field; a list of objects and the manifest's metrics have a line each, to be read and warned of."""
    label = field_name(kind, field)
    if kind == "manifest" and field == "metrics" and isinstance(value, Mapping) and value:
        return [_metric(f"{label} {name}", name, figure, weak) for name, figure in value.items()]
    if isinstance(value, list) and value and all(isinstance(part, Mapping) for part in value):
        return [
            Item(f"{label} {place}/{len(value)}", shown(part), _weak_set(part))
            for place, part in enumerate(value, 1)
        ]
    return [Item(label, shown(value))]


def _metric(label: str, name: str, figure: Any, weak: frozenset[str]) -> Item:
    if isinstance(figure, Mapping):
        return Item(label, shown(figure), warnings({"name": name, **figure}, weak))
    if is_number(figure) and not isinstance(figure, int):
        return Item(label, shown(figure), warnings({"name": name, "value": figure}, weak))
    return Item(label, shown(figure))  # a bare whole number counts something


def _weak_set(part: Mapping[str, Any]) -> tuple[str, ...]:
    told = ["弱标签 weak labels"] if part.get("weak") is True else []
    if "sha256" in part and not part["sha256"]:
        told.append("无摘要 no digest")
    return tuple(told)
