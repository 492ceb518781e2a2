"""Whose evidence is it: what words, measured values, coded entries and images each add to a candidate.

The share of an origin is its Shapley value (Shapley 1953, by :func:`xinglin.explain.exact.shapley`) in the game whose
payoff is the candidate's log-odds when only some origins are known; age and sex are known throughout. The shares of a
candidate sum to what everything together adds. Beside them stands the plain comparison: the same case without its
images, and the same case if a reader confirmed what a model saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis import wording as w
from xinglin.apps.diagnosis.answer import HIGH, MEDIUM, Answer
from xinglin.apps.diagnosis.counterfactual import implied
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case
from xinglin.apps.diagnosis.pictured import IMAGE
from xinglin.apps.diagnosis.weighing import text_logits, weigh
from xinglin.explain.exact import shapley
from xinglin.types import Finding, State

Array = NDArray[np.float64]
ORIGINS = ("words", "measured", "record", IMAGE)
NAMES = {
    "words": ("文字与追问", "words and answers"),
    "measured": ("化验与体征测值", "laboratory and vital signs"),
    "record": ("编码条目", "coded entries"),
    IMAGE: ("图像", "image"),
}
HOW = {
    "confirmed": ("医师已确认,按有计入。", "Confirmed by a reader: counted as present."),
    "ratio": (
        "模型所见,未经确认:按验证窗口上测得的似然比计入。",
        "Seen by a model, not confirmed: counted by the likelihood ratio measured on validation windows.",
    ),
    "score": (
        "只有模型分数,无法换算成概率:未计入排序;下列为不计与确认后的两种结果。",
        "A model's score alone, which is no probability: it moves nothing. Shown are the ranking without it and the "
        "ranking if a reader confirmed it.",
    ),
    "stated": (
        "文字或记录对该征象已有说明,以其为准,图像不另计。",
        "The words or the record already say whether the finding is there: they count, the image adds nothing.",
    ),
    "nothing": (
        "图像中未检出所查征象;这不是阴性证据,未计入排序。",
        "Nothing was found in the image; that is no evidence of absence and moves nothing.",
    ),
}
AT_HAND = (
    "{exams}已有图像,不再建议重复;本程序只查了肺结节,其余所见请以放射科报告为准。",
    "{exams}: images are at hand, so it is not advised again. Only lung nodules were looked for: for all else rely on the "
    "radiologist's report.",
)
_MOST_ODDS = 50.0


@dataclass(frozen=True, slots=True)
class Shares:
    """What each origin adds to one candidate, natural-log odds."""

    disease: int
    base: float
    """Log-odds with age and sex alone."""
    by_origin: dict[str, float]
    """Only origins that the case has."""


class OriginGame:
    """The game of one disease over the origins of a case; no coalition is weighed twice."""

    def __init__(self, known: dict[tuple[bool, ...], Array], ask: Any, parts: int, disease: int) -> None:
        self._known, self._ask, self._parts, self.disease = known, ask, parts, disease

    def __len__(self) -> int:
        return self._parts

    @property
    def evaluations(self) -> int:
        """Coalitions weighed so far."""
        return len(self._known)

    def expect(self, masks: int) -> None:
        """Take notice of masks to come; there are few."""

    def value(self, masks: NDArray[np.bool_]) -> Array:
        """Return the disease's log-odds for each coalition of origins."""
        values = []
        for mask in np.asarray(masks, bool):
            key = tuple(mask.tolist())
            if key not in self._known:
                self._known[key] = self._ask(key)
            share = float(self._known[key][self.disease])
            odds = np.log(max(share, 1e-300)) - np.log(max(1 - share, 1e-300))
            values.append(float(np.clip(odds, -_MOST_ODDS, _MOST_ODDS)))
        return np.array(values)


def origin_of(item: Finding) -> str:
    """Return which origin a finding counts to: a measured value is one, wherever it was written."""
    if item.origin == IMAGE:
        return IMAGE
    if item.origin in ("lab", "vital") or item.value is not None:
        return "measured"
    return "record" if item.origin == "record" else "words"


def origins_of(case: Case) -> tuple[str, ...]:
    """Return the origins that a case has, in the order of :data:`ORIGINS`."""
    found = {origin_of(item) for item in case.findings if item.state != "unknown"}
    found |= {"words"} if case.text.strip() else {"record"} if case.suspected else set()
    found |= {IMAGE} if case.seen else set()
    return tuple(name for name in ORIGINS if name in found)


def restricted(differential: Differential, case: Case, kept: Sequence[str]) -> Case:
    """Return a case as if only some origins were known; age and sex stay."""
    findings = tuple(item for item in case.findings if origin_of(item) in kept)
    places = differential.engine.finding_index
    told: dict[int, State] = {
        places[item.code.value]: item.state
        for item in findings
        if item.code.value in places and item.state != "unknown" and item.origin != "derived"
    }
    worded = "words" if case.text.strip() else "record"
    return replace(
        case,
        text=case.text if "words" in kept else "",
        findings=findings,
        states=implied(differential.engine, told),
        suspected=case.suspected if worded in kept else {},
        seen=case.seen if IMAGE in kept else {},
    )


def shares(
    differential: Differential, case: Case, diseases: Sequence[int], logits: NDArray[Any] | None = None
) -> list[Shares]:
    """Return the share of each origin in each disease.

    Args:
        differential: the loaded model.
        case: facts of one patient.
        diseases: pack indices.
        logits: what the text model says of the text; ``None`` asks it, where it has a say.
    """
    origins = origins_of(case)
    told = text_logits(differential, case) if logits is None else logits

    def ask(mask: tuple[bool, ...]) -> Array:
        part = restricted(
            differential, case, [name for name, kept in zip(origins, mask, strict=True) if kept]
        )
        return weigh(differential, part, told if part.text.strip() else None).posterior

    known: dict[tuple[bool, ...], Array] = {}
    found = []
    for disease in diseases:
        game = OriginGame(known, ask, len(origins), disease)
        base = float(game.value(np.zeros((1, len(origins)), bool))[0])
        values = shapley(game).tolist() if origins else []
        found.append(Shares(disease, base, dict(zip(origins, values, strict=True))))
    return found


def image_json(differential: Differential, result: Answer, lang: w.Lang = "zh") -> dict[str, Any] | None:
    """Return the image's part in an answer, ``None`` for a case without images (keys: docs/answer.md)."""
    case = result.case
    pictured = case.images
    if not pictured and not case.pictured:
        return None
    engine = differential.engine
    logits = text_logits(differential, case)
    worded = logits if case.text.strip() else None
    others = [name for name in ORIGINS if name != IMAGE]
    without = weigh(differential, restricted(differential, case, others), worded).posterior
    agreed = replace(case, states=_agreed(differential, case, pictured), seen={})
    confirmed = weigh(differential, agreed, worded).posterior if pictured else without
    shown = result.diseases
    counts = {item.disease: item for item in shares(differential, case, shown, logits)}
    names = [differential.display(_exam(differential, name), lang) for name in sorted(case.pictured)]
    how = (
        "nothing" if not pictured
        else "stated" if not any(item.origin == IMAGE for item in case.findings)
        else "confirmed" if all(item.state == "present" for item in pictured)
        else "ratio" if case.seen
        else "score"
    )  # fmt: skip
    return {
        "findings": [
            {
                "code": {
                    "system": item.code.system,
                    "value": item.code.value,
                    "display": differential.display(item.code, lang),
                },
                "state": item.state,
                "largest_mm": item.value,
                "likelihood_ratio": case.seen.get(engine.finding_index.get(item.code.value, -1)),
            }
            for item in pictured
        ],
        "counted": how,
        "counted_display": w.say(HOW[how], lang),
        "exams_at_hand": names,
        "note": w.say(AT_HAND, lang).format(exams=w.joined(names, lang)) if names else None,
        "origins": {name: w.say(NAMES[name], lang) for name in origins_of(case)},
        "shares": [
            {
                "id": engine.pack.diseases[d].key,
                "display": _named(differential, d, lang),
                "base": round(counts[d].base, 4),
                "by_origin": {name: round(value, 4) for name, value in counts[d].by_origin.items()},
            }
            for d in shown
        ],
        "without_image": _top(differential, without, len(shown), lang),
        "if_confirmed": _top(differential, confirmed, len(shown), lang) if pictured else None,
    }  # fmt: skip


def _agreed(differential: Differential, case: Case, pictured: Sequence[Finding]) -> dict[int, State]:
    """States of a case in which a reader agrees with what was seen."""
    places = differential.engine.finding_index
    told: dict[int, State] = {
        places[item.code.value]: "present" for item in pictured if item.code.value in places
    }
    return {**implied(differential.engine, told), **case.states}


def _exam(differential: Differential, name: str) -> Any:
    return differential.knowledge.exams[name].key


def _named(differential: Differential, disease: int, lang: w.Lang) -> str:
    found = differential.pack.diseases[disease]
    return found.name if lang == "zh" else found.en


def _top(differential: Differential, posterior: Array, count: int, lang: w.Lang) -> list[dict[str, Any]]:
    order = np.argsort(-posterior, kind="stable")[: max(count, 1)].tolist()
    return [
        {
            "id": differential.pack.diseases[d].key,
            "display": _named(differential, d, lang),
            "score": round(float(posterior[d]), 6),
            "level": "high" if posterior[d] >= HIGH else "medium" if posterior[d] >= MEDIUM else "low",
        }
        for d in order
    ]
