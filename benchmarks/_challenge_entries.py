"""What enters the first challenge: the linear SVM, and the attempts to beat it.

An attempt sees the public part with its labels and the hidden questions without; which attempt is put up as the winner
is decided by its accuracy on the public part, out of fold, where the encoder has not learnt the labels either.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.evaluate.text_cache import Shelf
from xinglin.apps.diagnosis.evaluate.text_floor import (
    FLOOR,
    Evidence,
    NgramScorer,
    WordScorer,
    cross_fit,
)
from xinglin.apps.diagnosis.evaluate.text_models import EncoderEvidence, TextSettings, open_base
from xinglin.apps.diagnosis.evaluate.text_stack import fit_stack, folds_of, settle, softened, tempered
from xinglin.release.challenge.parts import Case

FOLDS, PASSES, SEED = 4, 2.0, 0
LINEAR = ("svm", "logistic", "nbsvm", "word pairs", "word pairs, nbsvm")


@dataclass(frozen=True)
class Attempt:
    """One way of answering: probabilities of the hidden questions, and how it did on the public part."""

    name: str
    probabilities: NDArray[np.float64]
    """Hidden questions x departments."""
    out_of_fold: float
    """Accuracy on public questions whose labels are new to every member."""
    n: int


def attempts(
    public: Sequence[Case], questions: Sequence[str], labels: Sequence[str], new: NDArray[np.intp]
) -> dict[str, Attempt]:
    """Return the baseline and the attempts, by name.

    Args:
        public: labelled.
        questions: the hidden ones, without labels.
        labels: the departments.
        new: places of public questions whose labels the shipped encoder has not learnt.
    """
    place = {label: number for number, label in enumerate(labels)}
    y = np.array([place[case.label] for case in public], np.intp)
    texts = [case.text for case in public] + list(questions)
    folds = folds_of(y, FOLDS, SEED)
    evidence = _evidence(texts, y, labels, folds)
    floor = evidence[FLOOR]
    temperature = tempered(floor.inner[new], y[new])
    return {
        "linear SVM": _attempt(
            "linear SVM",
            softened(floor.inner, temperature)[new],
            softened(floor.outer, temperature),
            y[new],
        ),
        "linear models, pooled": _pooled("linear models, pooled", evidence, LINEAR, y, new),
        "linear models and encoder, pooled": _pooled(
            "linear models and encoder, pooled", evidence, tuple(evidence), y, new
        ),
    }


def _evidence(
    texts: Sequence[str], y: NDArray[np.intp], labels: Sequence[str], folds: Sequence[tuple[object, object]]
) -> dict[str, Evidence]:
    base = open_base(None, "python -m benchmarks challenge")
    ngrams = NgramScorer(texts, y, len(labels), SEED)
    ngrams.choose(*folds[0])
    evidence = cross_fit(ngrams, folds, len(y), len(texts) - len(y))
    encoder = EncoderEvidence(
        base,
        texts,
        y,
        labels,
        settings=TextSettings(folds=FOLDS, epochs=(PASSES,), threads=1),
        seed=SEED,
        source={"texts": hashlib.sha256("\0".join(texts).encode()).hexdigest()},
        shelf=Shelf.home(),
        report=lambda what, share: print(f"\r{what} {share:.0%}   ", end="", file=sys.stderr, flush=True),
    )
    words = WordScorer(encoder.words(), y, len(labels), SEED)
    evidence |= cross_fit(words, folds, len(y), len(texts) - len(y))
    evidence["frozen encoder"], _ = encoder.frozen(folds)
    evidence["encoder"], _ = encoder.fine_tuned(folds)
    return evidence


def _pooled(
    name: str,
    evidence: Mapping[str, Evidence],
    members: Sequence[str],
    y: NDArray[np.intp],
    new: NDArray[np.intp],
) -> Attempt:
    inner = [evidence[member].inner for member in members]
    outer = [evidence[member].outer for member in members]
    stack, cross = fit_stack(inner, y, SEED)
    if "encoder" not in members:
        return _attempt(name, cross[new], stack.probabilities(outer), y[new])
    settled, again = settle(stack, cross, inner, y, new, SEED)
    return _attempt(name, again, settled.probabilities(outer), y[new])


def _attempt(
    name: str, inner: NDArray[np.float64], outer: NDArray[np.float64], y: NDArray[np.intp]
) -> Attempt:
    return Attempt(name, outer, float((inner.argmax(1) == y).mean()), len(y))
