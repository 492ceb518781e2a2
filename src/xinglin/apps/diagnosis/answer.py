"""A case -> the whole answer: red flags first, then the differential, examinations and options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.ask import ExamAdvice, advise_exams, information_gain
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case
from xinglin.apps.diagnosis.pack import PackDisease
from xinglin.apps.diagnosis.posterior import contributions
from xinglin.apps.diagnosis.triage import RaisedFlag, highest, not_excluded, raised
from xinglin.apps.diagnosis.weighing import Weighed, weigh
from xinglin.apps.diagnosis.wording import TEXT_MODEL
from xinglin.graph.knowledge import DangerSign
from xinglin.measure.conformal import aps_set
from xinglin.types import Candidate, Code, Evidence, Prediction

MAX_SET = 12
"""A prediction set longer than this says that the information is not enough."""
RELATIVE = 0.1
"""Outside a calibrated label space a disease stays in the set while it is at least a tenth as likely as the
first; no coverage is claimed there."""
HIGH, MEDIUM = 0.4, 0.12
LETHAL_NOW, LETHAL_SOON, SERIOUS_SOON = 0.5, 0.15, 0.5
"""Share of the posterior from which a lethal or serious candidate raises the triage."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What may be claimed of an answer: it depends on what answered."""

    calibrated_on: str | None
    """Real cases on which percentages were found true, or ``None``."""
    quantile: float | None
    lethal_quantile: float | None
    measured_on: str | None
    """Cases on which the coverage was measured, or ``None``."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything an answer page shows, still as nouns; ``render`` turns it into JSON."""

    case: Case
    prediction: Prediction
    diseases: tuple[int, ...]
    """Pack index of each candidate."""
    members: tuple[int, ...]
    """Pack indices of the prediction set, most probable first."""
    set_size: int
    """Size of the whole prediction set, also when it is too large to show."""
    posterior: NDArray[np.float64]
    gains: NDArray[np.float64]
    """Value of knowing each finding of the pack."""
    flags: tuple[RaisedFlag, ...]
    open_danger: tuple[DangerSign, ...]
    triage: str
    exams: tuple[ExamAdvice, ...]
    weighed: Weighed
    """What answered: the graph, the text model or both, and how much each counted."""
    claims: Claims


def answer(
    differential: Differential, case: Case, top: int = 5, logits: NDArray[Any] | None = None
) -> Answer:
    """Answer one case. Pure: the same differential and case give the same answer.

    Args:
        differential: the loaded model.
        case: facts of one patient.
        top: number of candidates, 1 to 50.
        logits: what the text model says of ``case.text``, when the caller has it already.
    """
    engine, pack = differential.engine, differential.engine.pack
    weighed = weigh(differential, case, logits)
    posterior, claims = weighed.posterior, _claims(differential, weighed)
    order = np.argsort(-posterior, kind="stable")
    members = _members(pack.diseases, posterior, order, claims)
    reason, count = weighed.reason, len(members)
    if reason is None and count > MAX_SET:
        reason = "set_too_large"
    shown = [int(d) for d in order[:top]] if reason in (None, "set_too_large") else []
    calibrated = claims.calibrated_on is not None and reason is None and weighed.graph_reason is None
    candidates = tuple(_candidate(differential, case, weighed, d, calibrated) for d in shown)
    flags = raised(differential.rules, case.facts)
    triage = _triage(differential, posterior, flags, bool(shown), bool(case.states))
    if (
        differential.engine_name != "graph"
    ):  # a text model may raise what the graph alone gives, never lower it
        alone = _triage(differential, weighed.graph, flags, weighed.graph_reason is None, bool(case.states))
        triage = highest(triage, alone)
    urgent = triage in ("call_120", "emergency_now")
    gains = information_gain(engine, posterior) if shown else np.zeros(len(engine.leak))
    exams: tuple[ExamAdvice, ...] = ()
    if shown:
        at_hand = frozenset(i for i, exam in enumerate(pack.exams) if exam.name in case.pictured)
        exams = tuple(advise_exams(engine, posterior, gains, case.states, urgent, at_hand=at_hand))
    kept = members[:MAX_SET] if shown else []
    prediction = Prediction(
        candidates=candidates,
        prediction_set=tuple(_code(pack.diseases[d]) for d in kept),
        abstained=reason is not None,
        reason=reason,
    )
    open_danger = not_excluded(differential.rules, case.named_states)
    return Answer(
        case=case,
        prediction=prediction,
        diseases=tuple(shown),
        members=tuple(kept),
        set_size=count,
        posterior=posterior,
        gains=gains,
        flags=flags,
        open_danger=open_danger,
        triage=triage,
        exams=exams,
        weighed=weighed,
        claims=claims,
    )


def _claims(differential: Differential, weighed: Weighed) -> Claims:
    """The pack's own calibration holds for the graph alone, the join's for both; the model alone has none."""
    pack, join = differential.pack, differential.join
    if weighed.engine == "graph":
        return Claims(pack.calibrated_on, pack.quantile, pack.lethal_quantile, pack.calibrated_on)
    if weighed.engine == "model" or join is None:
        return Claims(None, None, None, None)
    measured = join.name if join.quantile is not None else None
    return Claims(join.calibrated_on, join.quantile, join.lethal_quantile, measured)


def _members(
    diseases: tuple[PackDisease, ...],
    posterior: NDArray[np.float64],
    order: NDArray[np.int64],
    claims: Claims,
) -> list[int]:
    """The prediction set, most probable first."""
    if claims.quantile is None:
        inside: list[int] = order[posterior[order] >= RELATIVE * posterior[order[0]]].tolist()
        return inside
    members = aps_set(posterior, claims.quantile)
    if claims.lethal_quantile is not None:
        lethal = [d for d in aps_set(posterior, claims.lethal_quantile) if diseases[d].severity == "lethal"]
        members = sorted({*members, *lethal}, key=lambda d: -posterior[d])
    return members


def ranking(differential: Differential, case: Case) -> list[tuple[str, float]]:
    """Return every disease with its posterior weight, best first; no abstention, for evaluation."""
    posterior = weigh(differential, case).posterior
    order = np.argsort(-posterior, kind="stable")
    return [(differential.pack.diseases[d].name, float(posterior[d])) for d in order]


def _code(disease: PackDisease) -> Code:
    return Code(disease.system, disease.code, disease.name)


def _candidate(
    differential: Differential, case: Case, weighed: Weighed, disease: int, calibrated: bool
) -> Candidate:
    engine = differential.engine
    share = float(weighed.posterior[disease])
    evidence = tuple(
        Evidence(
            Code("xinglin", engine.pack.findings[f].key, engine.pack.findings[f].name),
            state,
            round(weight, 4),
            case.spans.get(f),
        )
        for f, state, weight in contributions(engine, case.states, disease, case.seen)
    )
    if weighed.engine == "model":
        evidence = ()  # the graph had no say: its findings moved nothing
    if weighed.shift is not None and differential.encoder is not None:
        code = Code("xinglin-model", differential.encoder.id, TEXT_MODEL)
        shift = round(float(weighed.shift[disease]), 4)
        evidence += (Evidence(code, "present", shift, origin="model"),)
    return Candidate(
        code=_code(engine.pack.diseases[disease]),
        probability=round(share, 4) if calibrated else None,
        calibrated=calibrated,
        level="high" if share >= HIGH else "medium" if share >= MEDIUM else "low",
        evidence=evidence,
        score=round(share, 6),
    )


def _triage(
    differential: Differential,
    posterior: NDArray[np.float64],
    flags: tuple[RaisedFlag, ...],
    ranked: bool,
    recognised: bool,
) -> str:
    """The highest of the rules and of what the candidates themselves ask for."""
    levels = [flag.flag.level for flag in flags]
    if not ranked:
        return highest("outpatient", *levels)
    by_severity = differential.engine.severity_share(posterior)
    lethal, serious = by_severity["lethal"], by_severity["serious"]
    if lethal >= LETHAL_NOW:
        levels.append("emergency_now")
    if lethal >= LETHAL_SOON or lethal + serious >= SERIOUS_SOON:
        levels.append("within_24h")
    if by_severity["mild"] < 0.9 or not recognised:
        levels.append("outpatient")
    return highest("home", *levels)
