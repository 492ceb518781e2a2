"""A case -> the whole answer: red flags first, then the differential, examinations and options."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.ask import ExamAdvice, advise_exams, information_gain
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case
from xinglin.apps.diagnosis.pack import PackDisease
from xinglin.apps.diagnosis.posterior import contributions, informative, scores, softmax
from xinglin.apps.diagnosis.triage import RaisedFlag, highest, not_excluded, raised
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


def answer(differential: Differential, case: Case, top: int = 5) -> Answer:
    """Answer one case. Pure: the same differential and case give the same answer.

    Args:
        differential: the loaded model.
        case: facts of one patient.
        top: number of candidates, 1 to 50.
    """
    engine, pack = differential.engine, differential.engine.pack
    posterior = softmax(log_posterior(differential, case), pack.temperature)
    known = informative(engine, case.states)
    touched = any(state == "present" and len(engine.edge_disease[f]) for f, state in known.items())
    order = np.argsort(-posterior, kind="stable")
    if pack.quantile is not None:
        members = aps_set(posterior, pack.quantile)
        if pack.lethal_quantile is not None:
            lethal = [
                d for d in aps_set(posterior, pack.lethal_quantile) if pack.diseases[d].severity == "lethal"
            ]
            members = sorted({*members, *lethal}, key=lambda d: -posterior[d])
    else:
        members = order[posterior[order] >= RELATIVE * posterior[order[0]]].tolist()
    reason, count = None, len(members)
    if not touched and not any(s != "absent" for s in case.suspected.values()):
        reason = "only_denied" if known else ("out_of_scope" if case.states else "nothing_matched")
    elif count > MAX_SET:
        reason = "set_too_large"
    shown = [int(d) for d in order[:top]] if reason in (None, "set_too_large") else []
    calibrated = pack.calibrated_on is not None and reason is None
    candidates = tuple(_candidate(differential, case, posterior, d, calibrated) for d in shown)
    flags = raised(differential.rules, case.facts)
    triage = _triage(differential, posterior, flags, bool(shown), bool(case.states))
    urgent = triage in ("call_120", "emergency_now")
    gains = information_gain(engine, posterior) if shown else np.zeros(len(engine.leak))
    exams = tuple(advise_exams(engine, posterior, gains, case.states, urgent)) if shown else ()
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
    )


def log_posterior(differential: Differential, case: Case) -> NDArray[np.float64]:
    """Return the unnormalised log posterior of a case, with the text's echo where the model has one."""
    logits = scores(
        differential.engine,
        case.states,
        age=case.patient.age,
        sex=case.patient.sex,
        child=bool(case.facts.holds & {"儿童", "婴儿", "新生儿"}) if case.text else None,
        suspected=case.suspected,
    )
    if differential.echo is not None and case.text:
        read = [item.span for item in case.findings if item.span]
        logits = logits + differential.echo.shift(case.text, read)
    return logits


def ranking(differential: Differential, case: Case) -> list[tuple[str, float]]:
    """Return every disease with its posterior weight, best first; no abstention, for evaluation."""
    engine = differential.engine
    posterior = softmax(log_posterior(differential, case), engine.pack.temperature)
    order = np.argsort(-posterior, kind="stable")
    return [(engine.pack.diseases[d].name, float(posterior[d])) for d in order]


def _code(disease: PackDisease) -> Code:
    return Code(disease.system, disease.code, disease.name)


def _candidate(
    differential: Differential, case: Case, posterior: NDArray[np.float64], disease: int, calibrated: bool
) -> Candidate:
    engine = differential.engine
    share = float(posterior[disease])
    evidence = tuple(
        Evidence(
            Code("xinglin", engine.pack.findings[f].key, engine.pack.findings[f].name),
            state,
            round(weight, 4),
            case.spans.get(f),
        )
        for f, state, weight in contributions(engine, case.states, disease)
    )
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
