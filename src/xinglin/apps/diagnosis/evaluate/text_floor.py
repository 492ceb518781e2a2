"""Linear models of a text's n-grams and word pairs: the floor, and half of the evidence.

*svm* is the floor of the text sets: TF-IDF of 1- to 3-grams and a linear SVM, one label against the rest
(Joachims 1998), which small encoders often lose to. *logistic* is a multinomial regression over the same
features. *nbsvm* weighs each n-gram's presence by its log-count ratio and fits a linear SVM on that (Wang and
Manning 2012; where we differ: no interpolation, a small C does the same). *word pairs* are models of the first and
the last kind over the tokenizer's words and unordered pairs of them that stand close together: what is asked,
however it is put.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import log_softmax

from xinglin.apps.diagnosis.evaluate.text_stack import Array, Ids, tempered
from xinglin.errors import MissingExtraError

FLOOR = "svm"
NGRAMS, LEAST = (1, 3), 2
"""Lengths of the n-grams, and texts that must hold one."""
NEAR = 6
"""Words that a pair may be apart."""
SVM_C, NBSVM_C = 1.0, 0.01
LOGISTIC_C = (1.0, 10.0)
"""Inverse penalties among which the likelihood of the first fold chooses."""
SMOOTH = 1.0
"""Added to every count of a log-count ratio."""

Scorer = Callable[[Ids, Ids], Mapping[str, Array]]
"""(places to learn from, places to score) -> member -> scores (places scored x labels)."""


@dataclass(frozen=True)
class Evidence:
    """What one member says of the cases it learnt from, out of fold, and of the cases to score."""

    inner: Array
    """Learnt cases x labels, each by a model that was fitted without its fold."""
    outer: Array
    """Scored cases x labels."""


def need_sklearn(door: str) -> None:
    """Raise unless scikit-learn is installed.

    Raises:
        MissingExtraError: it is not.
    """
    from importlib.util import find_spec

    if find_spec("sklearn") is None:
        raise MissingExtraError(door, "train")


def cross_fit(
    score: Scorer, folds: Sequence[tuple[Ids, Ids]], learnt: int, scored: int
) -> dict[str, Evidence]:
    """Score every learnt case by a model without its fold, and the others by a model of all learnt cases."""
    everyone = np.arange(learnt)
    inner: dict[str, list[tuple[Ids, Array]]] = {}
    for rest, held in folds:
        for name, values in score(rest, held).items():
            inner.setdefault(name, []).append((held, values))
    found = {}
    for name, outer in score(everyone, np.arange(learnt, learnt + scored)).items():
        table = np.empty((learnt, outer.shape[1]))
        for held, values in inner[name]:
            table[held] = values
        found[name] = Evidence(table, outer)
    return found


class NgramScorer:
    """The three models of character n-grams over one list of texts, or the two that are quick to fit."""

    def __init__(
        self, texts: Sequence[str], y: Ids, labels: int, seed: int, *, logistic: bool = True
    ) -> None:
        """Keep the texts; ``y`` is the label index of the first of them, the rest are to be scored."""
        self.texts, self.logistic = np.array(texts, dtype=object), logistic
        self.y, self.labels, self.seed = y, labels, seed
        self.c = LOGISTIC_C[-1]

    def choose(self, rest: Ids, held: Ids) -> float:
        """Choose the logistic model's penalty by the likelihood of a held part; return it."""
        train, asked = self._features(rest, held)
        losses = []
        for c in LOGISTIC_C:
            scores = self._logistic(train, self.y[rest], asked, c)
            logs = log_softmax(scores / tempered(scores, self.y[held]), axis=1)
            losses.append(-float(logs[np.arange(len(held)), self.y[held]].mean()))
        self.c = LOGISTIC_C[int(np.argmin(losses))]
        return self.c

    def __call__(self, rest: Ids, asked: Ids) -> dict[str, Array]:
        """Return the scores of the models."""
        train, scored = self._features(rest, asked)
        y = self.y[rest]
        found = {FLOOR: _svm(train, y, scored, self.labels, self.seed)}
        if self.logistic:
            found["logistic"] = self._logistic(train, y, scored, self.c)
        return found | {"nbsvm": _nbsvm(train, y, scored, self.labels, self.seed)}

    def _features(self, rest: Ids, asked: Ids) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        return _tfidf(
            self.texts[rest],
            self.texts[asked],
            {"analyzer": "char", "ngram_range": NGRAMS, "lowercase": True},
        )

    def _logistic(self, train: Any, y: Ids, asked: Any, c: float) -> Array:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=c, max_iter=200)
        _quietly(model, train, y)
        return spread(np.asarray(model.decision_function(asked), float), model.classes_, self.labels)


class WordScorer:
    """Two models of words and close pairs of words, over texts that a tokenizer has cut."""

    def __init__(self, words: Sequence[Sequence[str]], y: Ids, labels: int, seed: int) -> None:
        """Keep the words of each text; ``y`` is the label index of the first texts."""
        self.pairs = [word_pairs(row) for row in words]
        self.y, self.labels, self.seed = y, labels, seed

    def __call__(self, rest: Ids, asked: Ids) -> dict[str, Array]:
        """Return the scores of both models."""
        train, scored = _tfidf(rest, asked, {"analyzer": lambda place: self.pairs[place]})
        y = self.y[rest]
        return {
            "word pairs": _svm(train, y, scored, self.labels, self.seed),
            "word pairs, nbsvm": _nbsvm(train, y, scored, self.labels, self.seed),
        }


def word_pairs(words: Sequence[str]) -> list[str]:
    """Return the words, and every unordered pair of words at most ``NEAR`` places apart."""
    found = list(words)
    for place, word in enumerate(words):
        for other in words[place + 1 : place + 1 + NEAR]:
            found.append("\0".join(sorted((word, other))))
    return found


def _tfidf(rest: Any, asked: Any, options: Mapping[str, Any]) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    kind = TfidfVectorizer(sublinear_tf=True, min_df=LEAST, **options)
    try:
        train = kind.fit_transform(rest)
    except ValueError:  # a few very short texts: nothing stands in two of them
        kind = TfidfVectorizer(sublinear_tf=True, min_df=1, **options)
        train = kind.fit_transform(rest)
    return train.tocsr(), kind.transform(asked).tocsr()


def _svm(train: Any, y: Ids, asked: Any, labels: int, seed: int) -> Array:
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=SVM_C, random_state=seed)
    _quietly(model, train, y)
    return spread(np.asarray(model.decision_function(asked), float), model.classes_, labels)


def _nbsvm(train: Any, y: Ids, asked: Any, labels: int, seed: int) -> Array:
    from sklearn.svm import LinearSVC

    present, held = train.sign(), asked.sign()
    found = np.full((asked.shape[0], labels), np.nan)
    for label in np.unique(y):
        ratio = log_count_ratio(present, y == label)
        model = LinearSVC(C=NBSVM_C, random_state=seed)
        _quietly(model, present.multiply(ratio).tocsr(), y == label)
        found[:, label] = model.decision_function(held.multiply(ratio).tocsr())
    return _filled(found)


def log_count_ratio(present: Any, inside: NDArray[np.bool_]) -> Array:
    """Return log of each feature's smoothed share among the cases inside over its share among the others."""
    ours = SMOOTH + np.asarray(present[inside].sum(axis=0)).ravel()
    theirs = SMOOTH + np.asarray(present[~inside].sum(axis=0)).ravel()
    return np.asarray(np.log((ours / ours.sum()) / (theirs / theirs.sum())))


def linear_scores(train: Array, y: Ids, asked: Array, labels: int, c: float) -> Array:
    """Return the scores of a multinomial regression over dense features, standardised on the learnt part."""
    from sklearn.linear_model import LogisticRegression

    centre, width = train.mean(axis=0), train.std(axis=0) + 1e-6
    model = LogisticRegression(C=c, max_iter=200)
    _quietly(model, (train - centre) / width, y)
    return spread(np.asarray(model.decision_function((asked - centre) / width)), model.classes_, labels)


def spread(values: Array, classes: Sequence[int] | NDArray[np.intp], labels: int) -> Array:
    """Return scores of all labels from those of the labels that a model has met; the others come last."""
    if values.ndim == 1:  # two labels: scikit-learn gives the second one's score alone
        values = np.column_stack([-values / 2, values / 2])
    found = np.full((len(values), labels), np.nan)
    found[:, np.asarray(classes)] = values
    return _filled(found)


def _filled(scores: Array) -> Array:
    """A label without a learnt case scores below every other."""
    if not len(scores):
        return np.nan_to_num(scores)
    return np.where(np.isnan(scores), np.nanmin(scores, axis=1, keepdims=True) - 1.0, scores)


def _quietly(model: Any, features: Any, y: Any) -> None:
    """Fit without the library's advice on more iterations: what is left by then changes no figure."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, y)
