"""Which examinations for a disease that nobody has listed yet, from its symptoms and departments?

Two views of the same rows are averaged at every step of the choice:

1. *neighbours*: every known disease is a scenario with its own exam list; a scenario's weight is a softmax
   over what the query's symptoms share with its symptoms, description and complications and over the
   department. Once an exam is chosen, scenarios that hold it lose most of their weight, so that the next
   choice covers what is left (greedy submodular cover, Nemhauser 1978);
2. *conditional network*: one hidden layer over latent semantic factors (Deerwester 1990) of the symptoms.
   It is trained with randomly chosen, plausible but wrong exams given as *already tried in vain*, so that
   its answer is P(exam | symptoms, departments, the exams chosen so far are not in the list).

Both ask for the next exam under the assumption that the earlier ones missed: what the share of diseases
with at least one right exam among five depends on. The kernel's weights were learned by leave-one-out
likelihood on the training rows, the rest chosen on rows set apart (see ``exams``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds

from xinglin.errors import InvalidInputError

Floats = NDArray[np.float32]

KERNEL = {"symptom": 1.5, "character": 6.8, "description": 8.0, "complication": 3.0, "department": 4.7}
"""Weight of each similarity (cosine of TF-IDF vectors) in the logit of a scenario."""
NEIGHBOURS = 0.5
"""Share of the neighbours in the choice; the rest is the network's."""
COVERED = 0.85
"""Share of a scenario's weight that is spent when one of its exams is chosen."""
EXAMS = 1000
"""Most exams of the label space, by count; rarer ones are never recommended."""
MIN_COUNT = 2
HIDDEN, EPOCHS, WARM, BATCH, RATE, DECAY = 256, 12, 3, 64, 2e-3, 1e-4
DROP, INPUT_DROP, MAX_TRIED, MEMBERS = 0.3, 0.2, 4, 2
FACTORS, TEXT_FACTORS, DEPARTMENT_SCALE = 300, 150, 6.0
DESCRIPTION = 300
"""Characters of a training disease's description that are read."""
BLOCKS = ("symptom", "character", "text")


@dataclass(frozen=True)
class Words:
    """Tokens of one view with their inverse document frequencies."""

    place: Mapping[str, int]
    idf: Floats

    @staticmethod
    def learn(documents: Sequence[Sequence[str]], least: int) -> Words:
        """Keep tokens that at least ``least`` documents hold."""
        seen = Counter(token for document in documents for token in set(document))
        kept = [token for token, count in seen.items() if count >= least]
        idf = [np.log((1 + len(documents)) / (1 + seen[token])) + 0.3 for token in kept]
        return Words({token: i for i, token in enumerate(kept)}, np.array(idf, np.float32))

    def vectors(self, documents: Sequence[Sequence[str]]) -> sparse.csr_matrix:
        """Return unit TF-IDF rows (documents x tokens)."""
        row: list[int] = []
        column: list[int] = []
        value: list[float] = []
        for i, document in enumerate(documents):
            counted = {self.place[t]: c for t, c in Counter(document).items() if t in self.place}
            weights = [(1 + np.log(c)) * self.idf[j] for j, c in counted.items()]
            norm = float(np.sqrt(np.sum(np.square(weights)))) or 1.0
            row += [i] * len(counted)
            column += list(counted)
            value += [weight / norm for weight in weights]
        shape = (len(documents), max(1, len(self.place)))
        return sparse.csr_matrix((np.array(value, np.float32), (row, column)), shape=shape)


@dataclass(frozen=True)
class Network:
    """Weights of one conditional network."""

    inputs: Floats
    """factors x hidden"""
    inputs_bias: Floats
    outputs: Floats
    """hidden x exams"""
    outputs_bias: Floats
    tried: Floats
    """exams x hidden: what an exam chosen in vain says"""

    def probability(self, factors: Floats, tried: Floats) -> Floats:
        """Return P(exam in the list) for queries x exams."""
        hidden = np.maximum(factors @ self.inputs + self.inputs_bias + tried @ self.tried, 0)
        return _sigmoid(hidden @ self.outputs + self.outputs_bias)


@dataclass(frozen=True)
class ExamModel:
    """A fitted recommender; plain arrays."""

    exams: tuple[str, ...]
    departments: Mapping[str, int]
    words: tuple[Words, Words, Words]
    """Whole symptoms; characters and pairs of the symptoms; pairs of the symptoms and texts."""
    keys: sparse.csr_matrix
    """Scenarios x (tokens of the three views), weighted by the kernel."""
    key_departments: Floats
    """Scenarios x departments, weighted by the kernel."""
    lists: sparse.csc_matrix
    """Scenarios x exams, 0 or 1."""
    factors: Floats
    """(Tokens of the first two views) x latent factors, scaled."""
    text_factors: Floats
    """Tokens of the third view x latent factors, scaled."""
    networks: tuple[Network, ...]


def fit_exams(rows: Sequence[Mapping[str, Any]], seed: int = 0) -> ExamModel:
    """Fit the recommender.

    Args:
        rows: ``symptoms``, ``departments`` and ``exams``, with ``name``, ``desc`` and ``complications``
            where there are any; rows without exams only teach which symptoms go together.
        seed: of the networks and the factors.

    Raises:
        InvalidInputError: fewer than two rows have exams.
    """
    listed = [row for row in rows if row.get("exams")]
    if len(listed) < 2:
        raise InvalidInputError(f"expected at least two rows with exams; got {len(listed)}")
    counts = Counter(exam for row in listed for exam in set(row["exams"]))
    least = MIN_COUNT if sum(c >= MIN_COUNT for c in counts.values()) >= 5 else 1
    exams = tuple(exam for exam, count in counts.most_common(EXAMS) if count >= least)
    place = {exam: i for i, exam in enumerate(exams)}
    lists = np.zeros((len(listed), len(exams)), np.float32)
    for i, row in enumerate(listed):
        lists[i, [place[exam] for exam in row["exams"] if exam in place]] = 1
    tags = dict.fromkeys(tag for row in rows for tag in _tags(row.get("departments", [])))
    departments = {tag: i for i, tag in enumerate(tags)}

    least = 2 if len(rows) > 100 else 1
    names, characters = [_symptoms(row) for row in rows], [_characters(row) for row in rows]
    documents = [_pairs(_symptoms(row) + _texts(row)) for row in rows]
    words = (
        Words.learn(names, least),
        Words.learn(characters, least),
        Words.learn(documents, 4 * least if len(rows) > 100 else 1),
    )
    first = _unit_blocks(words, listed)
    described = words[2].vectors([_pairs([_description(row)]) for row in listed])
    complicated = words[2].vectors([_pairs(_complications(row)) for row in listed])
    keys = sparse.hstack(
        [
            first[0] * KERNEL["symptom"],
            first[1] * KERNEL["character"],
            described * KERNEL["description"] + complicated * KERNEL["complication"],
        ]
    ).tocsr()
    marks = _marks([row.get("departments", []) for row in listed], departments)
    factors = _factors(sparse.hstack(first[:2]).tocsr(), FACTORS, seed)
    text_factors = _factors(words[2].vectors(documents), TEXT_FACTORS, seed)
    model = ExamModel(
        exams=exams,
        departments=departments,
        words=words,
        keys=keys,
        key_departments=marks * np.float32(KERNEL["department"]),
        lists=sparse.csc_matrix(lists),
        factors=_scaled(factors, sparse.hstack(first[:2]).tocsr()),
        text_factors=_scaled(text_factors, first[2]),
        networks=(),
    )
    inputs = _inputs(model, first, marks)
    networks = tuple(_train(inputs, lists, seed + member) for member in range(MEMBERS))
    return ExamModel(**{**model.__dict__, "networks": networks})


def recommend(
    model: ExamModel, symptoms: Sequence[str], departments: Sequence[str], k: int = 5
) -> list[tuple[str, float]]:
    """Return ``k`` exams in the order of choice.

    Args:
        model: a fitted recommender.
        symptoms: names of symptoms.
        departments: department and its part, e.g. ``["内科", "呼吸内科"]``.
        k: number of exams.

    Returns:
        (exam, probability that the list holds it, given that it holds none of those before it).
    """
    query = {"symptoms": list(symptoms)}
    blocks = _unit_blocks(model.words, [query])
    marks = _marks([departments], model.departments)
    logits = (model.keys @ sparse.hstack(blocks).T).toarray().ravel() + model.key_departments @ marks[0]
    weight = np.exp(logits - logits.max())
    weight = np.asarray(weight / weight.sum(), np.float32)
    factors = _inputs(model, blocks, marks)
    tried = np.zeros((1, len(model.exams)), np.float32)
    chosen: list[tuple[str, float]] = []
    for _ in range(min(k, len(model.exams))):
        near = (model.lists.T @ weight) / max(float(weight.sum()), 1e-12)
        far = np.mean([net.probability(factors, tried)[0] for net in model.networks], axis=0)
        both = NEIGHBOURS * near + (1 - NEIGHBOURS) * far
        best = int(np.argmax(both - 2 * tried[0]))
        chosen.append((model.exams[best], float(both[best])))
        tried[0, best] = 1
        holding = model.lists.indices[model.lists.indptr[best] : model.lists.indptr[best + 1]]
        weight[holding] *= np.float32(1 - COVERED)
    return chosen


def _train(inputs: Floats, lists: Floats, seed: int) -> Network:
    """Fit one network by Adam (Kingma and Ba 2015) on the binary log loss of exams not tried yet."""
    draw = np.random.default_rng(seed)
    n, width = inputs.shape
    exams = lists.shape[1]
    base = np.clip(lists.mean(axis=0), 1e-4, 1 - 1e-4)
    weights: list[Floats] = [
        _normal(draw, (width, HIDDEN), width),
        np.zeros(HIDDEN, np.float32),
        np.zeros((HIDDEN, exams), np.float32),
        np.asarray(np.log(base / (1 - base)), np.float32),
        _normal(draw, (exams, HIDDEN), HIDDEN),
    ]
    mean = [np.zeros_like(weight) for weight in weights]
    square = [np.zeros_like(weight) for weight in weights]
    step, steps = 0, EPOCHS * -(-n // BATCH)
    for epoch in range(EPOCHS):
        order = draw.permutation(n)
        for start in range(0, n, BATCH):
            rows = order[start : start + BATCH]
            x, y = inputs[rows] * _dropout(draw, (len(rows), width), INPUT_DROP), lists[rows]
            before = x @ weights[0] + weights[1]
            tried = np.zeros_like(y)
            if epoch >= WARM:
                plausible = _sigmoid(np.maximum(before, 0) @ weights[2] + weights[3]) * (1 - y)
                tried = _tried(draw, plausible)
            active = np.maximum(before + tried @ weights[4], 0)
            mask = _dropout(draw, active.shape, DROP)
            hidden = active * mask
            error = (_sigmoid(hidden @ weights[2] + weights[3]) - y) * (1 - tried) / np.float32(len(rows))
            back = (error @ weights[2].T) * mask * (active > 0)
            gradients = (x.T @ back, back.sum(0), hidden.T @ error, error.sum(0), tried.T @ back)
            step += 1
            rate = RATE * min(1.0, step / 100) * (1 - 0.95 * step / steps)
            for weight, gradient, m, s in zip(weights, gradients, mean, square, strict=True):
                m += np.float32(0.1) * (gradient - m)
                s += np.float32(0.01) * (gradient * gradient - s)
                scale = np.sqrt(s / np.float32(1 - 0.99**step)) + np.float32(1e-8)
                move = m / np.float32(1 - 0.9**step) / scale + np.float32(DECAY) * weight
                weight -= np.float32(rate) * move
    return Network(*weights)


def _tried(draw: np.random.Generator, plausible: Floats) -> Floats:
    """Mark up to ``MAX_TRIED`` wrong exams a row, the plausible ones more often (Gumbel top-k)."""
    noise = draw.gumbel(size=plausible.shape).astype(np.float32)
    score = np.float32(1.5) * np.log(plausible + np.float32(1e-9)) + noise
    count = min(MAX_TRIED, plausible.shape[1])
    best = np.argpartition(-score, count - 1, axis=1)[:, :count]
    wanted = draw.integers(0, count + 1, len(plausible))
    tried = np.zeros_like(plausible)
    for row, (columns, many) in enumerate(zip(best, wanted, strict=True)):
        tried[row, columns[np.argsort(-score[row, columns])[:many]]] = 1
    tried[plausible <= 0] = 0
    return tried


def _normal(draw: np.random.Generator, shape: tuple[int, int], fan: int) -> Floats:
    return np.asarray(draw.normal(0, 1 / np.sqrt(fan), shape), np.float32)


def _dropout(draw: np.random.Generator, shape: tuple[int, ...], share: float) -> Floats:
    kept = draw.random(shape, dtype=np.float32) > share
    return np.asarray(kept / np.float32(1 - share), np.float32)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -40, 40))), np.float32)


def _factors(matrix: sparse.csr_matrix, count: int, seed: int) -> Floats:
    """Return the leading right singular vectors (tokens x factors)."""
    count = min(count, min(matrix.shape) - 1)
    if count < 1:
        return np.zeros((matrix.shape[1], 1), np.float32)
    start = np.random.default_rng(seed).normal(size=min(matrix.shape))
    _, _, right = svds(matrix.astype(np.float64), k=count, v0=start)
    return np.asarray(right.T, np.float32)


def _scaled(factors: Floats, rows: sparse.csr_matrix) -> Floats:
    spread = float(np.std(rows @ factors)) or 1.0
    return np.asarray(factors / spread, np.float32)


def _inputs(model: ExamModel, blocks: Sequence[sparse.csr_matrix], marks: Floats) -> Floats:
    latent = sparse.hstack(blocks[:2]).tocsr() @ model.factors
    text = blocks[2] @ model.text_factors
    joined = np.hstack([latent, text, marks * np.float32(DEPARTMENT_SCALE)])
    return np.asarray(joined, np.float32)


def _unit_blocks(
    words: tuple[Words, Words, Words], rows: Sequence[Mapping[str, Any]]
) -> list[sparse.csr_matrix]:
    return [
        words[0].vectors([_symptoms(row) for row in rows]),
        words[1].vectors([_characters(row) for row in rows]),
        words[2].vectors([_pairs(_symptoms(row)) for row in rows]),
    ]


def _marks(departments: Iterable[Sequence[str]], place: Mapping[str, int]) -> Floats:
    rows = [[place[tag] for tag in _tags(names) if tag in place] for names in departments]
    marks = np.zeros((len(rows), max(1, len(place))), np.float32)
    for i, row in enumerate(rows):
        if row:
            marks[i, row] = 1 / np.sqrt(len(row))
    return marks


def _tags(names: Sequence[str]) -> list[str]:
    """The whole path, which is what tells most, and its parts."""
    return list(dict.fromkeys(["/".join(names), *(f"-{name}" for name in names)]))


def _symptoms(row: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(row.get("symptoms", [])))


def _complications(row: Mapping[str, Any]) -> list[str]:
    return list(row.get("complications") or [])


def _description(row: Mapping[str, Any]) -> str:
    return str(row.get("desc") or "")[:DESCRIPTION]


def _texts(row: Mapping[str, Any]) -> list[str]:
    return [str(row.get("name") or ""), _description(row), *_complications(row)]


def _characters(row: Mapping[str, Any]) -> list[str]:
    return [token for name in row.get("symptoms", []) for token in (*name, *_pairs([name]))]


def _pairs(texts: Iterable[str]) -> list[str]:
    return [text[i : i + 2] for text in texts for i in range(len(text) - 1)]
