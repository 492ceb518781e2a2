"""The learner and the data of ``active_labels``: a ridge classifier on character n-grams that grows by batches."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
FOLDS = 5
TEST = 0
"""The fold that is scored; the others are the pool. A text's fold is its SHA-256 modulo ``FOLDS``."""
TOPICS = 100
"""Dimensions of the latent semantic analysis beside the n-grams, fitted on the pool's texts without labels."""
TOPIC_WEIGHT = 0.3
RIDGE = 0.5
SHARPNESS = 8.0
"""These four were set on the development folds, by the accuracy of all labels there (the last: of margin sampling)."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A pool to choose from and cases to score, in kernel form."""

    features: Array
    """Latent topics of the pool, unit rows, shape (pool, topics): what novelty is measured in."""
    kernel: Array
    """Similarity of the pool to itself, shape (pool, pool)."""
    scored: Array
    """Similarity of the scored cases to the pool, shape (cases, pool)."""
    labels: Array
    answers: Array
    classes: int
    distances: Array
    """Edges from each item of the pool to each finding in the starter graph, shape (pool, findings)."""


class Learner:
    """Ridge classifier, one against the rest, in dual form; a batch extends the Cholesky factor.

    Scores are ``kernel @ weights + class means``, fitted to -1 and 1.
    """

    def __init__(self, task: Task, most: int) -> None:
        self.task = task
        self.chosen: list[int] = []
        self._factor = np.zeros((most, most))
        self._columns = np.zeros((most, len(task.kernel)))
        self._scored = np.zeros((most, len(task.scored)))

    def add(self, batch: Sequence[int]) -> None:
        """Take labels of a batch."""
        from scipy.linalg import cholesky, solve_triangular

        task, old, new = self.task, len(self.chosen), len(self.chosen) + len(batch)
        block = task.kernel[np.ix_(batch, batch)] + RIDGE * np.eye(len(batch))
        if old:
            cross = solve_triangular(
                self._factor[:old, :old],
                task.kernel[np.ix_(self.chosen, batch)],
                lower=True,
                check_finite=False,
            )
            self._factor[old:new, :old] = cross.T
            block -= cross.T @ cross
        self._factor[old:new, old:new] = cholesky(block, lower=True)
        self._columns[old:new] = task.kernel[batch]
        self._scored[old:new] = task.scored[:, batch].T
        self.chosen += list(batch)

    def scores(self) -> tuple[Array, Array]:
        """Return the scores of the pool and of the scored cases, shapes (pool, classes) and (cases, classes)."""
        from scipy.linalg import cho_solve

        count = len(self.chosen)
        target = 2.0 * np.eye(self.task.classes)[self.task.labels[self.chosen]] - 1
        mean = target.mean(axis=0)
        weights = cho_solve((self._factor[:count, :count], True), target - mean, check_finite=False)
        return self._columns[:count].T @ weights + mean, self._scored[:count].T @ weights + mean

    def check(self) -> None:
        """Compare with scikit-learn's ridge regression on the same kernel."""
        from sklearn.kernel_ridge import KernelRidge

        target = 2.0 * np.eye(self.task.classes)[self.task.labels[self.chosen]] - 1
        mean = target.mean(axis=0)
        model = KernelRidge(alpha=RIDGE, kernel="precomputed")
        model.fit(self.task.kernel[np.ix_(self.chosen, self.chosen)], target - mean)
        theirs = model.predict(self.task.scored[:, self.chosen]) + mean
        if np.abs(theirs - self.scores()[1]).max() > 1e-6:
            raise RuntimeError("the learner disagrees with scikit-learn's kernel ridge regression")


def probabilities(scores: Array) -> Array:
    """Turn scores into probabilities for the choice: a softmax."""
    share = np.exp(SHARPNESS * (scores - scores.max(axis=1, keepdims=True)))
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def read(data: Path, limit: int | None) -> tuple[list[str], list[str]]:
    """Return the texts, the disease's name masked, and their weak labels."""
    with gzip.open(data / "text" / "toyhom_weak_disease" / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][:limit]
    return [row["text_masked"] for row in rows], [row["disease"] for row in rows]


def folds(texts: Sequence[str]) -> Array:
    """Return the fold of each text; equal texts share one."""
    return np.array([int(hashlib.sha256(text.encode()).hexdigest(), 16) % FOLDS for text in texts])


def prepare(texts: Sequence[str], names: Sequence[str], pool: Array, scored: Array, hops: Array) -> Task:
    """Fit the features on the pool's texts and return the task."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    classes = sorted(set(names))
    labels = np.array([classes.index(name) for name in names])
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=2)
    ours = grams.fit_transform([texts[i] for i in pool])
    theirs = grams.transform([texts[i] for i in scored])
    svd = TruncatedSVD(min(TOPICS, len(pool) - 1), random_state=0)
    topics, topics_scored = normalize(svd.fit_transform(ours)), normalize(svd.transform(theirs))
    kernel = (ours @ ours.T).toarray() + TOPIC_WEIGHT * topics @ topics.T
    cross = (theirs @ ours.T).toarray() + TOPIC_WEIGHT * topics_scored @ topics.T
    return Task(topics, kernel, cross, labels[pool], labels[scored], len(classes), hops[pool])


def graph_hops(texts: Sequence[str]) -> Array:
    """Return the edges from each text's present findings to each finding of the starter graph, ``inf`` without any."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import shortest_path

    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.facts import gather

    differential = load_differential(engine="graph")
    said = [
        {f.code.display for f in gather(differential, text).findings if f.state == "present"}
        for text in texts
    ]
    edges = [(f"d:{row.disease}", f"f:{row.target}") for row in differential.knowledge.relations]
    nodes = {name: i for i, name in enumerate(sorted({name for edge in edges for name in edge}))}
    anchors = [name for name in nodes if name.startswith("f:") and any(name[2:] in codes for codes in said)]
    ends = np.array([(nodes[a], nodes[b]) for a, b in edges])
    graph = csr_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(nodes), len(nodes)))
    hops = shortest_path(graph, directed=False, unweighted=True, indices=[nodes[name] for name in anchors])[
        :, [nodes[name] for name in anchors]
    ]
    row = {name[2:]: i for i, name in enumerate(anchors)}
    found = np.full((len(texts), len(anchors)), np.inf)
    for i, codes in enumerate(said):
        known = [row[code] for code in codes if code in row]
        if known:
            found[i] = hops[known].min(axis=0)
    return found
