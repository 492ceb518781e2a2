"""The data pack: everything the engine needs, compiled, with its hash as version.

A pack is plain data, so that a second runtime can give the same answers from the same file. Every
weight is a natural-log likelihood ratio against the *leak*, the chance that a patient with any other
disease shows the finding:

    P(f | d)   = 1 - (1 - q_fd)(1 - leak_f)         noisy-or with leak (Pearl 1988; Henrion 1989)
    present    : log P(f | d) / leak_f              >= 0 for an edge, 0 without one
    absent     : log (1 - P(f | d)) / (1 - leak_f)  <= 0 for an edge, 0 without one

so that a disease without an edge to a finding is untouched by it and the sums stay sparse. ``q_fd`` is
the midpoint of the edge's HPO frequency term; that is an assumption of the engine, not a measured
frequency, which is why probabilities over this pack are never shown as numbers until it has been
calibrated on real cases.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.graph.knowledge import COMMONNESS_LOG_PRIOR, FREQUENCY_MIDPOINTS

FORMAT = 1
FREQUENCY = FREQUENCY_MIDPOINTS
"""Midpoints of HPO's frequency bands."""
RISK = {"strong": (4.0, 0.75), "moderate": (2.0, 0.9), "weak": (1.4, 0.97)}
"""Likelihood ratio when a risk factor is present, and when it is denied."""
COMMONNESS = COMMONNESS_LOG_PRIOR
"""Relative log prior of a disease as the reason for a first visit."""
SEVERITY = {"lethal": 1.0, "serious": 0.5, "moderate": 0.2, "mild": 0.05}
"""Harm of missing the disease, relative to a lethal one."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What a finding says about one disease."""

    disease: int
    present: float
    """Log likelihood ratio when present."""
    absent: float
    """Log likelihood ratio when absent."""
    probability: float
    """P(finding | disease) under the noisy-or."""


@dataclass(frozen=True, slots=True)
class PackFinding:
    """A finding of the pack."""

    key: str
    """Value of its code in system ``xinglin`` (or the name, in a pack of another label space)."""
    name: str
    en: str
    kind: str
    parents: tuple[int, ...]
    leak: float
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class PackDisease:
    """A disease of the pack."""

    key: str
    name: str
    en: str
    system: str
    code: str
    prior: float
    """Relative log prior."""
    severity: str
    department: str
    sex: str
    age_min: float | None
    age_max: float | None
    age_peak: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class PackExam:
    """An examination with the findings it can show and its role for diseases."""

    key: str
    name: str
    en: str
    setting: str
    burden: str
    reveals: tuple[int, ...]
    roles: tuple[tuple[int, str, str], ...]
    """(disease index, role, note)."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The compiled graph."""

    name: str
    version: str
    """First 16 hex digits of the SHA-256 of the canonical content."""
    findings: tuple[PackFinding, ...]
    diseases: tuple[PackDisease, ...]
    exams: tuple[PackExam, ...]
    exclude_before: tuple[tuple[int, int], ...]
    """(disease, disease to be excluded before its usual treatment)."""
    temperature: float = 1.0
    calibrated_on: str | None = None
    """Name of the set of real cases on which probabilities were calibrated, or ``None``."""
    quantile: float | None = None
    """APS quantile for 90 % coverage on that set."""
    lethal_quantile: float | None = None
    """APS quantile for 98 % coverage of lethal diseases; ``None``: too few lethal cases, nothing claimed."""


def seal(pack: Pack) -> Pack:
    """Return the pack with its version set from its content."""
    content = json.dumps(plain(pack), separators=(",", ":"), ensure_ascii=False)
    return replace(pack, version=hashlib.sha256(content.encode()).hexdigest()[:16])


def plain(pack: Pack) -> dict[str, Any]:
    """The content as JSON values, in field order, without the version; an edge is a list of four."""
    return {
        "format": FORMAT,
        "name": pack.name,
        "findings": [
            _fields(finding, skip="edges")
            | {"edges": [[e.disease, e.present, e.absent, e.probability] for e in finding.edges]}
            for finding in pack.findings
        ],
        "diseases": [_fields(disease) for disease in pack.diseases],
        "exams": [_fields(exam) for exam in pack.exams],
        "exclude_before": pack.exclude_before,
        "temperature": pack.temperature,
        "calibrated_on": pack.calibrated_on,
        "quantile": pack.quantile,
        "lethal_quantile": pack.lethal_quantile,
    }


def _fields(item: PackFinding | PackDisease | PackExam, skip: str = "") -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__slots__ if name != skip}


def write_pack(pack: Pack, path: Path) -> None:
    """Write a pack as JSON, whole or not at all."""
    partial = path.with_suffix(".partial")
    body = plain(pack) | {"version": pack.version}
    partial.write_text(json.dumps(body, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    partial.replace(path)


def read_pack(path: Path) -> Pack:
    """Read and verify a pack.

    Raises:
        InvalidInputError: not a pack, of another format, or its content does not match its version.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body["format"] != FORMAT:
            raise InvalidInputError(f"{path.name}: this pack has another format; compile it again")
        pack = pack_from_json(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInputError(f"{path.name} is not a data pack: {error}") from error
    if seal(pack).version != pack.version:
        raise InvalidInputError(f"{path.name}: content does not match version {pack.version}; it was changed")
    return pack


def pack_from_json(body: dict[str, Any]) -> Pack:
    """Build a pack from the JSON values that ``plain`` gives."""
    body = {"version": "", **body}
    del body["format"]
    return Pack(
        findings=tuple(_finding(item) for item in body.pop("findings")),
        diseases=tuple(_disease(item) for item in body.pop("diseases")),
        exams=tuple(_exam(item) for item in body.pop("exams")),
        exclude_before=tuple((int(a), int(b)) for a, b in body.pop("exclude_before")),
        **body,
    )


def _finding(item: dict[str, Any]) -> PackFinding:
    edges = tuple(Edge(int(disease), *weights) for disease, *weights in item.pop("edges"))
    return PackFinding(edges=edges, parents=tuple(item.pop("parents")), **item)


def _disease(item: dict[str, Any]) -> PackDisease:
    peak = item.pop("age_peak")
    return PackDisease(age_peak=(peak[0], peak[1]) if peak else None, **item)


def _exam(item: dict[str, Any]) -> PackExam:
    roles = tuple((int(disease), str(role), str(note)) for disease, role, note in item.pop("roles"))
    return PackExam(reveals=tuple(item.pop("reveals")), roles=roles, **item)


def edges_for(
    frequencies: Mapping[int, float], leak: float, excluded: Iterable[int] = ()
) -> tuple[Edge, ...]:
    """Return the edges of one finding from ``q_fd`` per disease (noisy-or with leak)."""
    edges = []
    for disease, q in sorted(frequencies.items()):
        p = min(0.995, 1 - (1 - q) * (1 - leak))
        edges.append(Edge(disease, _log(p / leak), _log((1 - p) / (1 - leak)), round(p, 6)))
    for disease in sorted(excluded):
        edges.append(Edge(disease, _log(0.02), 0.0, round(leak * 0.02, 6)))
    return tuple(sorted(edges, key=lambda edge: edge.disease))


def _log(ratio: float) -> float:
    return round(math.log(ratio), 6)
