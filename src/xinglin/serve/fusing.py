"""A CT and the rest of the same patient: what imaging found becomes findings of the record.

The two apps know nothing of each other: this is the wire between them. A finding enters as what it is, confirmed by a
reader or only seen by a model (:mod:`xinglin.apps.diagnosis.pictured`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.pictured import IMAGE
from xinglin.errors import InvalidInputError
from xinglin.terms.codes import XINGLIN_EXAM
from xinglin.types import Code, Event, Finding, Record

NODULE, CHEST_CT = "肺结节", "胸部CT"
"""Names of the finding and of the examination in the graph."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One nodule as it is told to the diagnosis."""

    number: int
    diameter: float | None
    """Millimetres; ``None``: not measured."""
    confirmed: bool
    """Whether a reader has agreed that it is there."""
    ratio: float | None = None
    """Likelihood ratio of what the model saw; ``None``: it has only a score."""


def with_image(
    differential: Differential, record: Record | None, seen: Sequence[Seen], *, day: str | None = None
) -> Record:
    """Return a record that also holds what a chest CT showed, and that it was made.

    Args:
        differential: whose graph names the finding and the examination.
        record: the patient's; ``None`` makes one.
        seen: nodules; none of them is no evidence of absence.
        day: of the CT, ISO 8601.

    Raises:
        InvalidInputError: the graph knows no such finding or examination.
    """
    codes, exams = differential.knowledge.finding_codes, differential.knowledge.exams
    if NODULE not in codes or CHEST_CT not in exams:
        raise InvalidInputError(
            f"the graph has no finding {NODULE} or no examination {CHEST_CT}: use the starter graph"
        )
    made = Event(
        Code(XINGLIN_EXAM, exams[CHEST_CT].key.value, CHEST_CT),
        time=day,
        kind="procedure",
        status="completed",
    )
    base = record or Record(id="image")
    findings = tuple(item for item in base.findings if item.origin != IMAGE)
    if seen:
        findings += (_finding(codes[NODULE], seen),)
    return replace(base, events=(*base.events, made), findings=findings)


def _finding(code: Code, seen: Sequence[Seen]) -> Finding:
    """One finding of all nodules: confirmed if one of them is, else by the most telling of them."""
    confirmed = [one for one in seen if one.confirmed]
    sizes = [one.diameter for one in confirmed or seen if one.diameter is not None]
    ratios = [one.ratio for one in seen if one.ratio is not None]
    ratio = None if confirmed or not ratios else max(ratios)
    return Finding(
        code,
        "present" if confirmed else "unknown",
        value=round(max(sizes), 1) if sizes else None,
        unit="mm" if sizes else None,
        origin=IMAGE,
        probability=None if ratio is None else ratio / (1 + ratio),
    )


def confirmed_numbers(numbers: Collection[int], count: int) -> frozenset[int]:
    """Check which nodules a reader confirmed.

    Raises:
        InvalidInputError: a number that no nodule has.
    """
    wrong = sorted(number for number in numbers if not 1 <= number <= count)
    if wrong:
        raise InvalidInputError(
            f"confirm: there is no nodule {wrong[0]}; {count} were found: 没有该编号的结节 (look at xinglin imaging find)"
        )
    return frozenset(numbers)
