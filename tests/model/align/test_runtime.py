"""The shipped model of images and words: what it refuses, and that it is what its manifest says; needs no torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.apps.imaging.real_windows import real_windows
from xinglin.errors import CheckpointError, InputTooLargeError, InvalidInputError
from xinglin.model.align.runtime import LungWords
from xinglin.model.shipped import SHIPPED, shipped_folder
from xinglin.model.vision.images import hounsfield, scaled

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "lung-words").is_dir(), reason="this package ships no lung-words"
)


@pytest.fixture(scope="module")
def words() -> LungWords:
    return LungWords.load(shipped_folder("lung-words"))


def test_it_is_small_and_says_what_it_is(words: LungWords) -> None:
    folder = shipped_folder("lung-words")
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 3 * 2**20
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "templated" in card
    assert "未经注册" in card
    assert words.manifest["kind"] == "aligned"
    assert "Templated" in words.manifest["settings"]["texts"].capitalize()
    measured = words.manifest["metrics"]
    better = [one for key, one in measured.items() if "auroc" in key and one["low"] > 0.5]
    assert len(better) >= 4  # more than half of the attributes are told from chance by interval


def test_vectors_are_of_length_one_and_a_fit_is_their_sharp_maximum(data: Path, words: LungWords) -> None:
    images = scaled(hounsfield(real_windows(data, "1", 2)))
    places, sentences = words.places(images), words.sentences(["毛刺结节", "a calcified nodule"])
    assert places.shape == (2, 64, 10, 16, 16)
    assert np.linalg.norm(places, axis=1) == pytest.approx(1, abs=1e-4)
    assert np.linalg.norm(sentences, axis=1) == pytest.approx(1, abs=1e-4)
    heat = words.heat(places, sentences[1])
    slow = np.log(np.exp(4 * heat.astype(float)).sum((1, 2, 3))) / 4
    assert words.fit(places, sentences)[:, 1] == pytest.approx(slow, abs=1e-3)


def test_the_two_languages_of_one_statement_are_near(words: LungWords) -> None:
    zh, en, other = words.sentences(["毛刺结节", "spiculated nodule", "良性结节"])
    assert zh @ en > zh @ other + 0.1


@pytest.mark.parametrize("text", ["", "   ", "ℵ☃☃", "あいう"])
def test_words_that_mean_nothing_are_refused(words: LungWords, text: str) -> None:
    with pytest.raises(InvalidInputError, match="no word"):
        words.sentences([text])


def test_other_bad_input(words: LungWords, tmp_path: Path) -> None:
    with pytest.raises(InputTooLargeError):
        words.sentences(["毛刺" * 300])
    for shape in ((1, 20, 32), (1, 20, 32, 33), (1, 0, 32, 32)):
        with pytest.raises(InvalidInputError, match="multiples"):
            words.places(np.zeros(shape, np.float32))
    with pytest.raises(CheckpointError, match="expected images and words"):
        LungWords.load(shipped_folder("lung-nodules"))
    copy = tmp_path / "words"
    shutil.copytree(shipped_folder("lung-words"), copy)
    (copy / "text.onnx").write_bytes((copy / "text.onnx").read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"text\.onnx"):
        LungWords.load(copy)


def test_no_torch_is_imported() -> None:
    code = (
        "import sys; from xinglin.model.align.runtime import LungWords; from xinglin.model.shipped import shipped_folder; "
        "LungWords.load(shipped_folder('lung-words')).sentences(['nodule']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
