"""A dossier: every requirement of one authority with what the evidence says, and the index of that evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from xinglin.errors import ChainBrokenError, InvalidInputError
from xinglin.release.dossier.answers import (
    Answer,
    Source,
    State,
    answer,
    digest_of,
    registered,
    source_of,
)
from xinglin.release.dossier.questions import TITLES, requirements
from xinglin.release.registry.version import KINDS, STAGES, Evidence, Version
from xinglin.types import DISCLAIMER

STATES: tuple[State, ...] = get_args(State)
NO_ADVICE = {
    "zh": "本文件由证据自动摘编,不是法律意见,也不表示符合任何法规。“有证据”只表示所问各项均有记录,不表示充分;"
    "标为“原文未核对”的要求,其原文未曾打开。",
    "en": "Compiled from evidence: no legal advice, and no claim of conformity. “Evidence” means that every field asked "
    "for is on record, not that it suffices; the text behind a requirement marked unverified has not been opened.",
}


@dataclass(frozen=True, slots=True)
class Dossier:
    """What may be said to one authority about one version."""

    name: str
    """``nmpa``, ``fda``, ``eu``, ``pipl``, or ``card`` for the model card."""
    version: Version
    time: str
    """Of the last ledger entry that it rests on: the only date it carries."""
    answers: tuple[Answer, ...]
    index: tuple[tuple[Source, tuple[str, ...]], ...]
    """Every piece of evidence of the version, with the ids of the requirements that it answers here."""

    @property
    def titles(self) -> tuple[str, str]:
        """Chinese and English title."""
        return TITLES[self.name]

    def counts(self) -> dict[State, int]:
        """Return how many requirements are in which state."""
        return {state: sum(item.state == state for item in self.answers) for state in STATES}

    def unverified(self) -> int:
        """Return for how many requirements the text has not been opened."""
        return sum(not item.requirement.verified for item in self.answers)

    def as_json(self) -> dict[str, Any]:
        """Return the dossier as plain data."""
        version = self.version
        return {
            "dossier": self.name,
            "title": dict(zip(("zh", "en"), self.titles, strict=True)),
            "disclaimer": DISCLAIMER,
            "advice": NO_ADVICE,
            "model": {
                "name": version.name,
                "version": version.number,
                "checkpoint": version.checkpoint,
                "stage": version.stage,
                "change": version.change,
            },
            "time": self.time,
            "counts": {**self.counts(), "unverified": self.unverified()},
            "requirements": [_as_json(item) for item in self.answers],
            "evidence": [
                {**_source_json(source), "time": source.time, "actor": source.actor, "answers": list(used)}
                for source, used in self.index
            ],
        }


def build(version: Version, name: str) -> Dossier:
    """Answer every requirement of an authority from the evidence of a version.

    Args:
        version: as the registry hands it out.
        name: ``nmpa``, ``fda``, ``eu``, ``pipl``, or ``card``.

    Raises:
        InvalidInputError: no such authority, or the version is not one: names what is wrong.
        ChainBrokenError: evidence or the manifest is not what its ledger entry names: nothing is compiled from it.
    """
    wanted = requirements(name)
    check_version(version)
    answers = tuple(answer(item, version) for item in wanted)
    used: dict[Source, list[str]] = {
        source_of(item): [] for item in (*registered(version), *version.evidence)
    }
    for item in answers:
        for claim in item.claims:
            if item.requirement.id not in used[claim.source]:
                used[claim.source].append(item.requirement.id)
    return Dossier(
        name=name,
        version=version,
        time=last_time(version),
        answers=answers,
        index=tuple((source, tuple(ids)) for source, ids in used.items()),
    )


def last_time(version: Version) -> str:
    """Return the time of the last ledger entry behind a version."""
    return max((version.time, *(item.time for item in version.evidence)), key=_moment)


def check_version(version: Version) -> None:
    """Refuse a version that is not what its ledger entries name.

    Raises:
        InvalidInputError: an unknown kind or stage, content that is no JSON, a time that is none.
        ChainBrokenError: content and digest differ, or the manifest is another checkpoint's.
    """
    if version.stage not in STAGES:
        raise InvalidInputError(f"version: expected a stage of {', '.join(STAGES)}, got {version.stage!r}")
    if version.manifest.get("id") != version.checkpoint or not version.checkpoint:
        raise ChainBrokenError(
            f"{version.name} {version.number}: the manifest is not that of the registered checkpoint "
            f"{version.checkpoint[:16]}: register it anew"
        )
    _digest("manifest", version.manifest)
    _moment(version.time)
    for place, item in enumerate(version.evidence):
        _check(f"evidence {place} (ledger entry {item.seq})", item)


def _check(where: str, item: Evidence) -> None:
    if item.kind not in KINDS:
        raise InvalidInputError(f"{where}: expected one of {', '.join(KINDS)}, got {item.kind!r}")
    if not isinstance(item.content, Mapping) or item.seq < 1:
        raise InvalidInputError(f"{where}: expected an object and the number of a ledger entry from 1")
    _moment(item.time)
    if _digest(where, item.content) != item.digest:
        raise ChainBrokenError(
            f"{where}: this {item.kind} is not the one that was recorded: its digest differs. Nothing is compiled "
            "from it: run xinglin audit verify"
        )


def _digest(where: str, content: Mapping[str, Any]) -> str:
    try:
        return digest_of(content)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{where}: expected JSON without NaN or infinity: {error}") from None


def _moment(time: str) -> datetime:
    try:
        moment = datetime.fromisoformat(time)
    except (TypeError, ValueError):
        raise InvalidInputError(f"version: expected a time in ISO 8601 with its zone, got {time!r}") from None
    if moment.tzinfo is None:
        raise InvalidInputError(f"version: expected a time with its zone, got {time!r}")
    return moment


def _as_json(item: Answer) -> dict[str, Any]:
    asked = item.requirement
    return {
        "id": asked.id,
        "authority": asked.authority,
        "document": asked.document,
        "article": asked.article,
        "question": {"zh": asked.zh, "en": asked.en},
        "text": "verified" if asked.verified else "unverified",
        "source": asked.source or None,
        "read": asked.read or None,
        "state": item.state,
        "claims": [
            {
                **_source_json(claim.source),
                "person": claim.person,
                "warnings": list(claim.warnings),
                "says": [
                    {"field": part.label, "text": part.text, "warnings": list(part.warnings)}
                    for part in claim.items
                ],
            }
            for claim in item.claims
        ],
        "missing": [str(term) for term in item.missing],
    }


def _source_json(source: Source) -> dict[str, Any]:
    return {"kind": source.kind, "ledger": source.seq, "sha256": source.digest}
