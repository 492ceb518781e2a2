"""Which finding to ask next, and whole dialogues against a record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xinglin.apps.diagnosis.learn.blend import Powers, apply_blend
from xinglin.apps.diagnosis.learn.encode import SILENT, UNKNOWN, Array, Codes, merge
from xinglin.apps.diagnosis.learn.loglinear import Head, head_scores
from xinglin.apps.diagnosis.learn.mixture import Mixture, by_disease, component_scores, expected_gain


@dataclass(frozen=True)
class Belief:
    """What the policy holds of the disease while it asks: a log-linear head blended with the mixture."""

    head: Head
    blend: Powers


def policy_scores(
    mix: Mixture, scores: Array, belief: Belief | None, states: Codes, explicit: Codes, diseases: int
) -> Array:
    """Return component scores that sum to the blended belief; components keep their shares."""
    if belief is None:
        return scores
    own = by_disease(mix, scores, diseases)
    p = apply_blend(belief.blend, head_scores(belief.head, states, explicit), own)
    return scores + (np.log(p) - own)[:, mix.owner]


def simulate(
    mix: Mixture,
    explicit: Codes,
    answers: Codes,
    diseases: int,
    arm: str,
    questions: int,
    belief: Belief | None = None,
    batch: int = 64,
) -> list[Codes]:
    """States after 0..questions greedy questions, answered from the record."""
    truth = merge(explicit, answers)
    known = explicit.copy()
    asked = explicit >= 0
    scores = component_scores(mix, known)
    out = [known.copy()]
    rows = np.arange(len(known))
    for _ in range(questions):
        pick = np.empty(len(known), np.intp)
        for lo in range(0, len(known), batch):
            part = slice(lo, lo + batch)
            held = policy_scores(mix, scores[part], belief, known[part], explicit[part], diseases)
            gain = expected_gain(mix, held, diseases, arm != "A")
            gain[asked[part]] = -np.inf
            pick[part] = gain.argmax(1)
        reply = truth[rows, pick]
        reply = np.where(reply < 0, SILENT, reply)
        asked[rows, pick] = True
        use = (reply != SILENT) | (arm == "A")
        scores = scores + mix.log_outcome[pick, reply] * use[:, None]
        known[rows, pick] = np.where(use, reply, UNKNOWN)
        out.append(known.copy())
    return out
