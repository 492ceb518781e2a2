"""The same network with weights that say nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.text_models import SENTENCES, word_checkpoint
from xinglin.errors import MissingExtraError
from xinglin.explain import randomised_classifier
from xinglin.model import TextClassifier

pytest.importorskip("onnx")
LABELS = ("肺炎", "心绞痛", "胃肠炎")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> TextClassifier:
    return TextClassifier.load(word_checkpoint(tmp_path_factory.mktemp("models") / "words", LABELS))


def test_weights_are_permuted_and_the_model_is_left_alone(classifier: TextClassifier) -> None:
    before = classifier.logits(SENTENCES)
    files = {path.name: path.read_bytes() for path in classifier.folder.iterdir()}
    random = randomised_classifier(classifier)
    assert random.labels == classifier.labels
    assert np.abs(random.logits(SENTENCES) - before).max() > 0.05
    assert (classifier.logits(SENTENCES) == before).all()
    assert {path.name: path.read_bytes() for path in classifier.folder.iterdir()} == files


def test_the_seed_draws_the_permutation(classifier: TextClassifier) -> None:
    first, same, other = (randomised_classifier(classifier, seed).logits(SENTENCES) for seed in (0, 0, 1))
    assert (first == same).all()
    assert np.abs(first - other).max() > 1e-3


def test_without_onnx_it_says_what_to_install(
    classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"xinglin\[explain\]"):
        randomised_classifier(classifier)


def test_the_int8_file_of_the_shipped_model_is_randomised_too() -> None:
    from xinglin.model import shipped_folder

    model = TextClassifier.load(Path(shipped_folder()))
    texts = ["反复胸痛三天,出汗", "尿频尿急尿痛"]
    random = randomised_classifier(model)
    answer = random.logits(texts)
    assert np.isfinite(answer).all()
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(answer, model.logits(texts), strict=True)]
    assert max(map(abs, correlations)) < 0.3
