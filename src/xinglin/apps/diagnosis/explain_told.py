"""What a report tells of an answer beside the explanation itself: ranking, header, paths, versions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin import __version__
from xinglin.apps.diagnosis import wording as w
from xinglin.apps.diagnosis.answer import HIGH, MEDIUM, Answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case
from xinglin.apps.diagnosis.posterior import contributions
from xinglin.apps.diagnosis.remember import now
from xinglin.apps.diagnosis.triage import LEVEL_NAMES
from xinglin.explain.attribution import Attribution
from xinglin.explain.basis import CaseExplanation, Counterfactual, DataSet, Pair, Ranked, Versions
from xinglin.explain.faithfulness import Faithfulness
from xinglin.explain.paths import Path, strongest
from xinglin.types import Patient

TOP = 5
"""Candidates shown beside the one that is explained."""
NO_CLAIM: Pair = ("不作结论", "no claim")


@dataclass(frozen=True)
class Asked:
    """One answer that is being explained."""

    differential: Differential
    """What really answers: the graph where the text model has no words."""
    case: Case
    result: Answer
    order: NDArray[np.int64]
    """Pack indices, the most probable first."""
    target: int
    """Pack index."""

    @property
    def name(self) -> Pair:
        """Name of the disease that is explained."""
        found = self.differential.pack.diseases[self.target]
        return found.name, found.en


def paths_of(asked: Asked) -> tuple[Path, ...]:
    """Return the paths of the target: by the engine's evidence, or by the graph's own words where the graph had no say."""
    differential, case = asked.differential, asked.case
    name = asked.name[0]
    if name not in differential.knowledge.diseases:
        return ()  # a pack of another label space
    findings = differential.pack.findings
    parents = {item.name: tuple(findings[above].name for above in item.parents) for item in findings}
    if differential.engine_name == "model":
        told = [findings[f].name for f, state in case.states.items() if state == "present"]
        return strongest(differential.knowledge, name, told, parents=parents)
    evidence = contributions(differential.engine, case.states, asked.target, case.seen)
    weights = {findings[f].name: weight for f, _, weight in evidence}
    return strongest(differential.knowledge, name, tuple(weights), weights=weights, parents=parents)


def english_of(differential: Differential, paths: tuple[Path, ...]) -> dict[str, str]:
    """Return the English of every name in some paths."""
    findings = {name for path in paths for name in (path.finding, path.finding_edge.target)}
    exams = {path.exam for path in paths if path.exam is not None}
    return {name: differential.finding_name(name, "en") for name in sorted(findings)} | {
        name: differential.knowledge.exams[name].en for name in sorted(exams)
    }


def told(
    asked: Asked,
    attribution: Attribution | None,
    faithfulness: Faithfulness | None,
    paths: tuple[Path, ...],
    changes: tuple[Counterfactual, ...],
    notes: list[Pair],
    english: dict[str, str],
) -> CaseExplanation:
    """Return the whole of an explanation.

    Args:
        asked: the answer.
        attribution: what the words add; ``None`` where there are none.
        faithfulness: whether that can be trusted.
        paths: of the target.
        changes: what would change the answer.
        notes: what the reader must know.
        english: English of the names of units and paths.
    """
    result, reason = asked.result, asked.result.prediction.reason
    shown = list(dict.fromkeys([*asked.order[:TOP].tolist(), asked.target]))
    abstained = None
    if reason is not None:
        zh, en = w.REASON[reason]
        abstained = zh.format(count=result.set_size), en.format(count=result.set_size)
    return CaseExplanation(
        text=asked.case.text,
        patient=_header(asked.case.patient),
        triage=LEVEL_NAMES[result.triage],
        triage_level=result.triage,
        red_flags=tuple((hit.flag.display, hit.flag.en) for hit in result.flags),
        candidates=tuple(_ranked(asked, place) for place in shown),
        target=_ranked(asked, asked.target),
        place=int(np.flatnonzero(asked.order == asked.target)[0]) + 1,
        abstained=abstained,
        attribution=attribution,
        faithfulness=faithfulness,
        paths=paths,
        counterfactuals=changes,
        versions=versions(asked.differential),
        time=now(),
        notes=tuple(notes),
        english=english,
    )


def _ranked(asked: Asked, place: int) -> Ranked:
    disease, share = asked.differential.pack.diseases[place], float(asked.result.posterior[place])
    prediction = asked.result.prediction
    level = w.LEVEL["high" if share >= HIGH else "medium" if share >= MEDIUM else "low"]
    calibrated = bool(prediction.candidates) and prediction.candidates[0].calibrated
    return Ranked(
        (disease.name, disease.en),
        disease.system,
        disease.code,
        NO_CLAIM if prediction.abstained else level,
        round(share, 6),
        round(share, 4) if calibrated else None,
    )


def _header(patient: Patient) -> tuple[tuple[Pair, Pair], ...]:
    facts: list[tuple[Pair, Pair]] = []
    if patient.age is not None:
        facts.append((("年龄", "Age"), (w.aged(patient.age, "zh"), w.aged(patient.age, "en"))))
    if patient.sex is not None:
        facts.append((("性别", "Sex"), ("男", "male") if patient.sex == "male" else ("女", "female")))
    if patient.pregnant:
        facts.append((("妊娠", "Pregnancy"), ("是", "yes")))
    return tuple(facts)


def versions(differential: Differential) -> Versions:
    """Return what answers, to the digest; the text model only where it has a say."""
    pack, encoder = differential.pack, differential.encoder
    named = f"{pack.name} {pack.version}"
    if encoder is None or differential.engine_name == "graph":
        return Versions(__version__, "graph", named)
    data = tuple(
        DataSet(
            str(item.get("name", "?")),
            item.get("sha256"),
            item.get("records"),
            str(item.get("licence", "?")),
            bool(item.get("weak")),
        )
        for item in encoder.manifest.get("data", ())
    )
    join = differential.join
    weights = join.name if join is not None and differential.engine_name == "both" else None
    return Versions(
        __version__,
        differential.engine_name,
        named,
        str(encoder.manifest.get("name", "")),
        encoder.id,
        weights,
        data,
    )
