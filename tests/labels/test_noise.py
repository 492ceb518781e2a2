"""Label noise: errors planted in real questions are found; the joint is that of the planting."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from xinglin.errors import InvalidInputError
from xinglin.labels.noise import label_noise

NAMES = ("乙肝", "癫痫", "高血压")
"""The three largest classes of toyhom_weak_disease; its labels are weak, that is, themselves not free of errors."""


def questions(data: Path) -> tuple[list[str], np.ndarray]:
    with gzip.open(data / "text" / "toyhom_weak_disease" / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if row["disease"] in NAMES]
    return [row["text_masked"] for row in rows], np.array([NAMES.index(row["disease"]) for row in rows])


def planted(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share was moved to another class, and which."""
    generator = np.random.default_rng(seed)
    moved = generator.random(len(labels)) < share
    return np.where(moved, (labels + generator.integers(1, 3, len(labels))) % 3, labels), moved


def test_planted_errors_come_first(data: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline

    texts, clean = questions(data)
    assert len(texts) > 2_000
    given, moved = planted(clean, 0.08, seed=0)
    model = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True, min_df=2),
        SGDClassifier(loss="log_loss", alpha=1e-4, random_state=0),
    )
    probabilities = cross_val_predict(model, texts, given, cv=5, method="predict_proba")
    found = label_noise(given, probabilities)
    count = int(moved.sum())
    assert len(found.suspects) > count // 2
    for k in (20, 50, 100):
        precision = moved[found.suspects[:k]].mean()
        assert precision > 0.8, (k, precision)  # by chance .08
    recall = moved[found.suspects].sum() / count
    assert recall > 0.6, recall
    right = found.suggested[found.suspects[:100]] == clean[found.suspects[:100]]
    assert right.mean() > 0.8
    # A question that was moved to class k counts as wrong there; the weak labels add errors of their own.
    for row in found.classes:
        share = moved[given == row.label].mean()
        assert share - 0.04 < row.wrong < share + 0.10, row


def test_the_joint_of_a_perfect_model_is_the_planted_one() -> None:
    generator = np.random.default_rng(1)
    true = generator.integers(0, 3, 900)
    given, moved = planted(true, 0.2, seed=2)
    probabilities = np.full((900, 3), 0.05)
    probabilities[np.arange(900), true] = 0.9
    found = label_noise(given, probabilities)
    table = np.zeros((3, 3), int)
    np.add.at(table, (given, true), 1)
    np.testing.assert_array_equal(found.confident, table)
    np.testing.assert_allclose(found.joint, table / 900)
    assert sorted(found.suspects.tolist()) == np.flatnonzero(moved).tolist()
    assert (np.diff(found.quality[found.suspects]) >= 0).all()
    for row in found.classes:
        assert row.items == (given == row.label).sum()
        assert row.suspects == moved[given == row.label].sum()
        assert row.wrong == pytest.approx(moved[given == row.label].mean())
        assert row.missed == pytest.approx(moved[true == row.label].mean())


def test_clean_labels_are_left_alone() -> None:
    true = np.arange(300) % 3
    probabilities = np.full((300, 3), 0.05)
    probabilities[np.arange(300), true] = 0.9
    found = label_noise(true, probabilities)
    assert len(found.suspects) == 0
    assert [row.wrong for row in found.classes] == [0.0, 0.0, 0.0]


def test_a_class_without_an_item_has_no_rate() -> None:
    true = np.arange(300) % 2
    probabilities = np.full((300, 3), 0.05)
    probabilities[np.arange(300), true] = 0.9
    found = label_noise(true, probabilities)
    assert found.classes[2].items == 0
    assert found.classes[2].wrong is None


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [[0.5, 0.5]], "shape"),
        ([0.0, 1.0], [[0.5, 0.5]] * 2, "integer labels"),
        ([0, 2], [[0.5, 0.5]] * 2, r"0\.\.1"),
        ([0, -1], [[0.5, 0.5]] * 2, r"0\.\.1"),
        ([0, 1], [[0.5, 0.6]] * 2, "sum to 1"),
        ([0, 1], [[0.5, np.nan]] * 2, "sum to 1"),
        ([0, 1], [[1.5, -0.5]] * 2, "sum to 1"),
        ([1, 1], [[0.5, 0.5]] * 2, "two classes"),
    ],
)
def test_wrong_input_is_refused(labels: list[float], probabilities: list[list[float]], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        label_noise(np.array(labels), np.array(probabilities))
