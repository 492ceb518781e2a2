"""Drift of the text between sites: can a classifier tell where a text comes from?

The classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv 1610.06545): half of the texts of a site and as many of
the others train a classifier, the other halves test it; were all from one population its accuracy would be one half.
The classifier is naive Bayes over hashed character 2-grams (presence), which needs no library; a better one could only
find more. A subject's texts lie in one half, so that nobody is recognised by repeated words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from xinglin.measure import proportion
from xinglin.records.near_duplicates import ngrams, plain_text
from xinglin.records.quality.drift import LEAST, MOST_SITES, Drift, adjusted, drift_outcomes
from xinglin.records.quality.options import QualityOptions
from xinglin.records.quality.row import Case
from xinglin.records.quality.samples import Reservoir
from xinglin.records.quality.tally import Check, Outcome
from xinglin.records.split import keyed_hash

FIELD = ("文本", "text")
FEATURES = 2**14
WORTH = 0.6
"""Accuracy worth telling; chance gives one half."""

Text = tuple[bool, NDArray[np.uint16]]
"""Whether it trains, and the features that are present."""


class TextDrift(Check):
    """Keeps hashed features of a bounded sample of texts a site, never a text."""

    def __init__(self, options: QualityOptions) -> None:
        self._options = options
        self._texts: dict[str, Reservoir[Text]] = {}
        self.found: tuple[Drift, ...] = ()

    def see(self, case: Case) -> None:
        """Take the next case."""
        record, site = case.row.record, case.site
        if site is None or not record.text.strip():
            return
        if site not in self._texts:
            self._texts[site] = Reservoir(self._options.site_sample, f"{self._options.seed}:text:{site}")
        kept = self._texts[site]
        place = kept.offer()
        if place is not None:
            trains = int(keyed_hash(self._options.seed, record.subject or record.id)[0], 16) < 8
            features = np.unique(ngrams(plain_text(record.text), 2) % FEATURES).astype(np.uint16)
            kept.put(place, (trains, features))

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what was found."""
        sites = sorted(self._texts, key=lambda site: (-self._texts[site].seen, site))[:MOST_SITES]
        texts = {site: self._texts[site].items for site in sites}
        self.found = tuple(adjusted(test for site in sites if (test := _compare(site, texts, self._options))))
        yield from drift_outcomes("text-drift", self.found, self._options.examples)


def _compare(site: str, texts: dict[str, list[Text]], options: QualityOptions) -> Drift | None:
    from scipy.stats import binomtest

    here = texts[site]
    elsewhere = [text for other, own in texts.items() if other != site for text in own]
    generator = np.random.default_rng(options.seed)
    order = generator.permutation(len(elsewhere))
    mixed = [elsewhere[i] for i in order]
    halves: list[list[NDArray[np.uint16]]] = []
    for trains in (True, False):
        own, others = ([features for half, features in side if half is trains] for side in (here, mixed))
        size = min(len(own), len(others))
        if size < LEAST:
            return None
        halves += [own[:size], others[:size]]
    weights, bias = _train(halves[0], halves[1])
    hits = sum(_score(features, weights, bias) > 0 for features in halves[2])
    hits += sum(_score(features, weights, bias) <= 0 for features in halves[3])
    n = len(halves[2]) + len(halves[3])
    p = float(binomtest(hits, n, 0.5, alternative="greater").pvalue)
    return Drift(FIELD, "text", site, proportion(hits, n), p, 1.0, WORTH, (), (), ())


def _train(a: list[NDArray[np.uint16]], b: list[NDArray[np.uint16]]) -> tuple[NDArray[np.float64], float]:
    """Weights of the features that are present, and the score of a text without any."""
    shares = []
    for side in (a, b):
        counts = Counter(np.concatenate(side).tolist())
        present = np.full(FEATURES, 1.0)
        for feature, count in counts.items():
            present[feature] += count
        shares.append(present / (len(side) + 2))
    p, q = shares
    absent = np.log1p(-p) - np.log1p(-q)
    weights: NDArray[np.float64] = np.log(p) - np.log(q) - absent
    return weights, float(absent.sum())


def _score(features: NDArray[np.uint16], weights: NDArray[np.float64], bias: float) -> float:
    return bias + float(weights[features].sum())
