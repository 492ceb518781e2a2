"""What enters the first challenge: the linear SVM, and three attempts to beat it.

An attempt sees the public part with its labels and the hidden questions without. Which one is put up as the winner is
decided by its likelihood on public questions, out of fold, whose labels the shipped encoder has not learnt either: a
likelihood tells attempts apart that make the same few errors.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.evaluate.text_cache import Shelf, digest_of
from xinglin.apps.diagnosis.evaluate.text_floor import FLOOR, Evidence, NgramScorer, cross_fit
from xinglin.apps.diagnosis.evaluate.text_models import EncoderEvidence, TextSettings, open_base
from xinglin.apps.diagnosis.evaluate.text_stack import fit_stack, folds_of, settle, softened, tempered
from xinglin.measure import nll
from xinglin.release.challenge.parts import Case

FOLDS, PASSES, SEED = 4, 2.0, 0
POOLS = {
    "n-grams pooled": (FLOOR, "nbsvm"),
    "encoder alone": ("encoder",),
    "n-grams and encoder pooled": (FLOOR, "nbsvm", "encoder"),
}
"""Attempt -> its members."""
Array = NDArray[np.float64]
Ids = NDArray[np.intp]


@dataclass(frozen=True)
class Attempt:
    """One way of answering: probabilities of the hidden questions, and how it did on the public part."""

    probabilities: Array
    """Hidden questions x departments."""
    accuracy: float
    """On public questions that are new to every member, out of fold."""
    loss: float
    """Mean negative log-likelihood of the same."""
    n: int


def attempts(
    public: Sequence[Case], questions: Sequence[str], labels: Sequence[str], new: Ids, *, linear: bool
) -> dict[str, Attempt]:
    """Return the baseline and the attempts, by name.

    Args:
        public: labelled.
        questions: the hidden ones, without labels.
        labels: the departments.
        new: places of public questions whose labels the shipped encoder has not learnt.
        linear: whether to leave the encoder out.
    """
    place = {label: number for number, label in enumerate(labels)}
    y = np.array([place[case.label] for case in public], np.intp)
    texts = [case.text for case in public] + list(questions)
    evidence = _evidence(texts, y, labels, linear)
    floor = evidence[FLOOR]
    temperature = tempered(floor.inner[new], y[new])
    found = {
        "linear SVM": _attempt(
            softened(floor.inner, temperature)[new], softened(floor.outer, temperature), y[new]
        )
    }
    for name, members in POOLS.items():
        if set(members) <= set(evidence):
            print(f"pooling: {name}", file=sys.stderr, flush=True)
            found[name] = _pooled(evidence, members, y, new)
    return found


def _evidence(texts: Sequence[str], y: Ids, labels: Sequence[str], linear: bool) -> dict[str, Evidence]:
    base = open_base(None, "python -m benchmarks challenge")
    folds, n = folds_of(y, FOLDS, SEED), len(y)
    source = {"texts": hashlib.sha256("\0".join(texts).encode()).hexdigest()}
    encoder = EncoderEvidence(
        base,
        texts,
        y,
        labels,
        settings=TextSettings(folds=FOLDS, epochs=(PASSES,), threads=1),
        seed=SEED,
        source=source,
        shelf=Shelf.home(),
        report=lambda what, share: print(f"\r{what} {share:.0%}   ", end="", file=sys.stderr, flush=True),
    )

    key = source | {"labels": y.tolist(), "checkpoint": base.id}
    scorer = NgramScorer(texts, y, len(labels), SEED, logistic=False)
    found = _kept("ngrams", key, lambda: cross_fit(scorer, folds, n, len(texts) - n))
    if not linear:
        found["encoder"], _ = encoder.fine_tuned(folds)
    return found


def _kept(
    name: str, key: Mapping[str, object], make: Callable[[], dict[str, Evidence]]
) -> dict[str, Evidence]:
    """Return the evidence of linear models from the shelf, or make it: an interrupted run goes on."""
    shelf, at = Shelf.home(), digest_of(**key, kind=f"challenge {name}", folds=FOLDS, seed=SEED)
    known = shelf.get(at)
    if known is None:
        made = make()
        known = {f"{member}|inner": one.inner for member, one in made.items()}
        known |= {f"{member}|outer": one.outer for member, one in made.items()}
        shelf.put(at, known)
    members = {part.rsplit("|", 1)[0] for part in known}
    return {
        member: Evidence(
            np.asarray(known[f"{member}|inner"], float), np.asarray(known[f"{member}|outer"], float)
        )
        for member in sorted(members)
    }


def _pooled(evidence: Mapping[str, Evidence], members: Sequence[str], y: Ids, new: Ids) -> Attempt:
    inner = [evidence[member].inner for member in members]
    outer = [evidence[member].outer for member in members]
    if members == ("encoder",):
        temperature = tempered(inner[0][new], y[new])
        return _attempt(softened(inner[0], temperature)[new], softened(outer[0], temperature), y[new])
    stack, cross = fit_stack(inner, y, SEED)
    if "encoder" not in members:
        return _attempt(cross[new], stack.probabilities(outer), y[new])
    settled, again = settle(stack, cross, inner, y, new, SEED)
    return _attempt(again, settled.probabilities(outer), y[new])


def _attempt(inner: Array, outer: Array, y: Ids) -> Attempt:
    loss = float(nll(inner, y.astype(np.int64)).mean())
    return Attempt(outer, float((inner.argmax(1) == y).mean()), loss, len(y))
