"""The runtime against slow oracles: one text at a time, windows cut by hand, and no torch in the process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.text_models import SENTENCES, word_checkpoint
from xinglin.errors import CheckpointError, InputTooLargeError, InvalidInputError
from xinglin.model.checkpoint import amending
from xinglin.model.runtime import MAX_WINDOWS, TextClassifier
from xinglin.model.tokenizer import load_tokenizer

LABELS = ("感冒", "肺炎", "偏头痛", "stroke")
LONG = "发热咳嗽咳痰三天,伴胸闷气促。"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    taught = {"肺炎": SENTENCES[1], "stroke": SENTENCES[6]}
    return word_checkpoint(tmp_path_factory.mktemp("runtime") / "words", LABELS, taught)


@pytest.fixture(scope="module")
def model(folder: Path) -> TextClassifier:
    return TextClassifier.load(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "words")
    return tmp_path / "words"


def by_hand(folder: Path, ids: list[int], output: str = "logits") -> np.ndarray:  # type: ignore[type-arg]
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    row = np.array([[1, *ids, 2]])
    found: np.ndarray = session.run([output], {"input_ids": row, "attention_mask": np.ones_like(row)})[0][0]  # type: ignore[type-arg]
    return found


def test_what_is_loaded(folder: Path, model: TextClassifier) -> None:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert model.labels == LABELS
    assert model.id == manifest["id"]
    assert model.manifest == manifest
    assert model.calibration is None
    assert model.precision == "fp32"


def test_logits_are_those_of_each_text_alone(folder: Path, model: TextClassifier) -> None:
    logits = model.logits(SENTENCES)
    assert logits.shape == (len(SENTENCES), len(LABELS))
    assert logits.dtype == np.float32
    tokenizer = load_tokenizer(folder)
    for text, row in zip(SENTENCES, logits, strict=True):
        np.testing.assert_allclose(row, by_hand(folder, tokenizer.encode(text).ids[1:-1]), atol=1e-5)
    assert LABELS[logits[1].argmax()] == "肺炎"
    assert LABELS[logits[6].argmax()] == "stroke"
    pooled = model.pooled(SENTENCES)
    assert pooled.shape == (len(SENTENCES), model.width)
    np.testing.assert_allclose(
        pooled[0], by_hand(folder, tokenizer.encode(SENTENCES[0]).ids[1:-1], "pooled"), atol=1e-5
    )


def test_order_and_company_do_not_matter(model: TextClassifier) -> None:
    texts = [*SENTENCES, LONG * 40, *SENTENCES]
    together = model.logits(texts)
    backwards = model.logits(texts[::-1])[::-1]
    alone = np.concatenate([model.logits([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together, backwards, atol=1e-5)
    assert np.abs(together - together[0]).max() > 0.1


@pytest.mark.parametrize("tokens", [1, 253, 254, 255, 508, 509, 2032, 2033, 6000])
def test_a_long_text_is_the_mean_of_its_windows(folder: Path, model: TextClassifier, tokens: int) -> None:
    tokenizer = load_tokenizer(folder)
    text = "".join(np.random.default_rng(0).choice(list("发热咳嗽胸痛头晕腹泻"), size=tokens))
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    room, count = 254, min(MAX_WINDOWS, -(-len(ids) // 254))
    starts = [round(i * max(0, len(ids) - room) / max(1, count - 1)) for i in range(count)]
    assert starts[-1] + room >= len(ids), "the end of the text is not read"
    if count < MAX_WINDOWS:
        assert all(b - a <= room for a, b in pairwise(starts)), "a gap between windows"
    expected = np.mean([by_hand(folder, ids[start : start + room]) for start in starts], axis=0)
    np.testing.assert_allclose(model.logits([text])[0], expected, atol=1e-5)


@pytest.mark.parametrize("text", ["", " \n\t", "\u3000"])
def test_nothing_to_read(model: TextClassifier, text: str) -> None:
    with pytest.raises(InvalidInputError, match="text 2: expected words, got an empty text"):
        model.logits(["胸痛", text])


def test_what_is_no_list_of_texts(model: TextClassifier) -> None:
    with pytest.raises(InvalidInputError, match="expected a list of texts"):
        model.logits("胸痛")
    with pytest.raises(InvalidInputError, match="text 1: expected a string, got NoneType"):
        model.logits([None])  # type: ignore[list-item]
    assert model.logits([]).shape == (0, len(LABELS))
    assert model.pooled([]).shape == (0, model.width)


def test_a_text_that_cannot_be_encoded(model: TextClassifier) -> None:
    assert np.isfinite(model.logits(["胸痛\ud800三天", "\x00\x01", "🫀" * 300])).all()


def test_a_text_of_100000_characters_is_refused_at_once(model: TextClassifier) -> None:
    assert np.isfinite(model.logits(["痛" * 20_000])).all()
    start = time.process_time()
    with pytest.raises(InputTooLargeError, match="at most 20000 characters, got 100000"):
        model.logits(["胸痛", "痛" * 100_000])
    assert time.process_time() - start < 0.2


def test_many_threads_at_once(model: TextClassifier) -> None:
    texts = [*SENTENCES, LONG * 30]
    expected = model.logits(texts)
    wrong: list[float] = []

    def ask() -> None:
        for _ in range(20):
            wrong.append(float(np.abs(model.logits(texts) - expected).max()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 160
    assert max(wrong) < 1e-5


def test_more_threads_give_the_same(folder: Path, model: TextClassifier) -> None:
    two = TextClassifier.load(folder, threads=2)
    np.testing.assert_allclose(two.logits(SENTENCES), model.logits(SENTENCES), atol=1e-5)
    with pytest.raises(InvalidInputError, match="threads: expected at least 1"):
        TextClassifier.load(folder, threads=0)


def test_the_calibration_is_read(copy: Path) -> None:
    with amending(copy) as new:
        (new / "calibration.json").write_text('{"temperature": 1.5}')
    assert TextClassifier.load(copy).calibration == {"temperature": 1.5}
    with amending(copy) as new:
        (new / "calibration.json").write_text('{"temperature": NaN}')
    with pytest.raises(CheckpointError, match="NaN"):
        TextClassifier.load(copy)


def test_an_onnx_file_of_another_checkpoint(copy: Path, tmp_path: Path) -> None:
    other = word_checkpoint(tmp_path / "other", LABELS, seed=1)
    with amending(copy) as new:
        shutil.copyfile(other / "model.onnx", new / "model.onnx")
    with pytest.raises(CheckpointError, match="exported from checkpoint"):
        TextClassifier.load(copy)


def test_an_onnx_file_that_cannot_be_run(copy: Path) -> None:
    with amending(copy) as new:
        (new / "model.onnx").write_bytes(b"this is no graph" * 10)
    with pytest.raises(CheckpointError, match=r"model\.onnx: cannot be run"):
        TextClassifier.load(copy)


def test_a_checkpoint_that_was_never_exported(copy: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected model\.int8\.onnx"):
        TextClassifier.load(copy, precision="int8")
    with amending(copy) as new:
        (new / "model.onnx").unlink()
    with pytest.raises(CheckpointError, match="xinglin release export"):
        TextClassifier.load(copy)


def test_a_damaged_checkpoint_is_not_loaded(copy: Path) -> None:
    with (copy / "tokenizer.json").open("a") as file:
        file.write(" ")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is not the file that was sealed"):
        TextClassifier.load(copy)


def test_no_torch_in_the_process(folder: Path) -> None:
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, *a):\n"
        "        if name.split('.')[0] in ('torch', 'transformers', 'onnx', 'sklearn'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "from pathlib import Path\n"
        "from xinglin.model import TextClassifier\n"
        "print(TextClassifier.load(Path(sys.argv[1])).logits(['胸痛3天']).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(1, 4)"
