"""What was seen in an image, as facts of the case: confirmed by a reader, or uncertain with a likelihood ratio.

A record's findings of origin ``image`` come from above (:mod:`xinglin.serve.fusing`). Three ways in:

- ``present``: a reader has confirmed it; it counts as any finding.
- ``unknown`` with a probability: a model saw it, and how telling its score is was measured. The odds of that
  probability are a likelihood ratio, and enter as such; never below 1, for a nodule that was not found is no evidence
  that there is none.
- ``unknown`` without a probability: a score that nobody can turn into odds. It moves nothing; the answer shows what it
  would move if a reader confirmed it.

What the words or the record state of the same finding stands: an image does not overrule a clinician, it is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.terms.codes import XINGLIN_EXAM
from xinglin.types import Code, Finding, Record

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.differential import Differential
    from xinglin.apps.diagnosis.wording import Lang

IMAGE = "image"
MOST = 1000.0
"""Largest likelihood ratio that is believed of a model."""
_DENIED = {
    "zh": "{name}:图像提示有,而文字或记录否认;按文字计,请核对。",
    "en": "{name}: seen in the image, denied by the words or the record; the words count: check it.",
}


def take_pictured(
    differential: Differential,
    record: Record | None,
    findings: dict[Code, Finding],
    problems: list[str],
    lang: Lang,
) -> dict[str, float]:
    """Add what images show to the findings of a case; returns likelihood ratios by finding key.

    Args:
        differential: the loaded model.
        record: with findings of origin ``image``.
        findings: of the case so far; confirmed ones are added, uncertain ones too where nothing is stated.
        problems: what the reader must check; a contradiction is added.
        lang: of the problems.
    """
    ratios: dict[str, float] = {}
    for item in shown_by_images(record):
        stated = findings.get(item.code)
        if stated is not None and stated.state == "absent":
            name = differential.finding_key_name(item.code.value, lang)
            problems.append(_DENIED[lang].format(name=name))
        elif stated is None or stated.state == "unknown":
            findings[item.code] = item
            if item.state == "unknown" and item.probability is not None:
                odds = item.probability / max(1 - item.probability, 1 / (1 + MOST))
                if odds > 1:
                    ratios[item.code.value] = min(odds, MOST)
    return ratios


def shown_by_images(record: Record | None) -> tuple[Finding, ...]:
    """Return what the images of a record show; that something is absent, no image here can show."""
    told = record.findings if record else ()
    return tuple(item for item in told if item.origin == IMAGE and item.state != "absent")


def pictured_exams(differential: Differential, record: Record | None) -> frozenset[str]:
    """Return the names of the examinations whose images are at hand."""
    named = (
        differential.exam_by_key.get(event.code.value)
        for event in (record.events if record else ())
        if event.kind == "procedure" and event.code.system == XINGLIN_EXAM
    )
    return frozenset(name for name in named if name is not None)
