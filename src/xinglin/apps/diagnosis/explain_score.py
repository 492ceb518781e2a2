"""What a model says of the variants of a note, as log probabilities; and the same model knowing nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case, gather
from xinglin.apps.diagnosis.join import TextModel, log_softmax
from xinglin.apps.diagnosis.weighing import weigh
from xinglin.errors import ConfigurationError
from xinglin.explain.basis import Pair
from xinglin.explain.randomised import randomised_classifier
from xinglin.model.runtime import TextClassifier
from xinglin.types import Patient, Record, State

Array = NDArray[np.float64]
SMALLEST = 1e-300
THREADS = 4
"""Most runs of the text model side by side."""
KEPT = 8_192
"""Variants whose facts are kept: the randomised model and further seeds read the same ones."""


class Variants:
    """The variants of one case, each read once; what is known beside the text is the same in all of them."""

    def __init__(
        self,
        differential: Differential,
        record: Record | None = None,
        patient: Patient | None = None,
        answers: Mapping[str, State] | None = None,
    ) -> None:
        self.differential, self.patient, self.answers = differential, patient, answers
        # The record's own words are in the text already.
        self.record = None if record is None else replace(record, text="")
        self._read: dict[str, Case] = {}

    def case(self, text: str) -> Case:
        """Return the facts of a variant."""
        found = self._read.get(text)
        if found is None:
            found = gather(self.differential, text, self.record, self.patient, self.answers)
            if len(self._read) < KEPT:
                self._read[text] = found
        return found


@dataclass(frozen=True)
class Scorer:
    """Texts -> log probabilities of every class: a :data:`xinglin.explain.game.Score`."""

    differential: Differential
    variants: Variants

    def __call__(self, texts: Sequence[str]) -> Array:
        """Return shape (texts, classes): diseases of the pack, or for engine ``model`` its labels.

        A text must hold something to read; :func:`xinglin.explain.without` sees to that.
        """
        differential = self.differential
        if differential.engine_name == "graph":
            return np.array([self._weighed(text, None) for text in texts])
        encoder = _encoder(differential)
        if differential.engine_name == "model":
            return log_softmax(np.asarray(encoder.logits(list(texts)), np.float64))
        # A run of the text model lets other threads go on: meanwhile the graph reads the variants here.
        with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
            rows = [pool.submit(encoder.logits, [text]) for text in texts]
            for text in texts:
                self.variants.case(text)
            return np.array(
                [self._weighed(text, row.result()[0]) for text, row in zip(texts, rows, strict=True)]
            )

    def _weighed(self, text: str, logits: NDArray[Any] | None) -> Array:
        posterior = weigh(self.differential, self.variants.case(text), logits).posterior
        return np.asarray(np.log(np.maximum(posterior, SMALLEST)))


def class_names(differential: Differential) -> tuple[Pair, ...]:
    """Return the name of each class of the score."""
    names = [(disease.name, disease.en) for disease in differential.pack.diseases]
    if differential.engine_name != "model":
        return tuple(names)
    return tuple(names[place] for place in np.asarray(differential.label_places).tolist())


def randomised(score: Scorer, seed: int) -> Scorer | None:
    """Return the same model knowing nothing: weights permuted, the findings of the graph dealt to other diseases;
    ``None`` for a text model that is no checkpoint of ours.

    Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018: an explanation that stays the same shows the text,
    not the model. We differ: the graph has no weights, so each finding's edges are dealt to random diseases.

    Raises:
        MissingExtraError: the text model cannot be randomised without onnx.
    """
    differential = score.differential
    generator = np.random.default_rng(seed)
    engine = differential.engine
    dealt = tuple(
        np.sort(generator.choice(len(engine.prior), len(row), replace=False)) for row in engine.edge_disease
    )
    changed = replace(differential, engine=replace(engine, edge_disease=dealt))
    if differential.engine_name != "graph":
        encoder = _encoder(differential)
        if not isinstance(encoder, TextClassifier):
            return None
        changed = replace(changed, encoder=_randomised(encoder, seed))
    return Scorer(changed, score.variants)


@lru_cache(maxsize=2)
def _randomised(encoder: TextClassifier, seed: int) -> TextClassifier:
    """Made once a model: permuting and opening it takes half a second."""
    return randomised_classifier(encoder, seed)


def _encoder(differential: Differential) -> TextModel:
    if differential.encoder is None:
        raise ConfigurationError(f"engine {differential.engine_name} needs a text model, and none is loaded")
    return differential.encoder
