from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xinglin.errors import CheckpointError, ConfigurationError, InvalidInputError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.train.finetune import fine_tune
from xinglin.train.options import FineTuneOptions

NAMES = ("头", "胸", "腹")
OPTIONS = FineTuneOptions(
    epochs=6, batch_size=8, learning_rate=2e-3, max_length=32, threads=1, label_smoothing=0.0
)


@pytest.fixture(scope="module")
def labelled(texts) -> tuple[list[str], list[int]]:
    kept = [text for text in texts if not text.startswith("The")]
    return kept, [next(i for i, name in enumerate(NAMES) if name in text[2:4]) for text in kept]


@pytest.fixture(scope="module")
def tuned(encoder: Path, labelled):
    return fine_tune(encoder, *labelled, NAMES, OPTIONS)


def test_it_learns_what_tells_the_classes_apart(tuned, labelled) -> None:
    texts, targets = labelled
    logits = tuned.logits(texts)
    assert logits.shape == (len(texts), 3)
    assert (logits.argmax(1) == targets).mean() > 0.9
    assert tuned.embed(texts[:2]).shape == (2, 128)


def test_the_order_and_number_of_texts_do_not_matter(tuned, labelled) -> None:
    texts = [*labelled[0][:9], "胸", labelled[0][0] * 5]
    whole = tuned.logits(texts, batch_size=4)
    single = np.concatenate([tuned.logits([text]) for text in texts])
    assert np.allclose(whole, single, atol=1e-4)
    assert np.allclose(tuned.logits(texts[::-1]), whole[::-1], atol=1e-4)


@pytest.mark.parametrize("half", [False, True])
def test_plain_transformers_loads_the_classifier(tuned, labelled, tmp_path: Path, half: bool) -> None:
    checkpoint = tuned.save(tmp_path / "model", name="model", data=[], metrics={}, half=half)
    assert verify_checkpoint(tmp_path / "model").id == checkpoint.id
    code = (
        "import sys, json\n"
        "sys.modules['xinglin'] = None\n"
        "import torch\n"
        "from transformers import AutoTokenizer, AutoModelForSequenceClassification\n"
        "tokenizer = AutoTokenizer.from_pretrained('model')\n"
        "model = AutoModelForSequenceClassification.from_pretrained('model')\n"
        f"got = model(**tokenizer({labelled[0][0]!r}, return_tensors='pt')).logits\n"
        "print(json.dumps([got[0].tolist(), str(got.dtype), model.config.id2label], ensure_ascii=False))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    logits, kind, names = json.loads(done.stdout)
    assert np.allclose(logits, tuned.logits(labelled[0][:1])[0], atol=2e-2 if half else 1e-4)
    assert kind == "torch.float32"
    assert list(names.values()) == list(NAMES)
    size = (tmp_path / "model" / "model.safetensors").stat().st_size
    weights = sum(p.numel() for p in tuned.model.parameters())
    assert size < weights * (2 if half else 4) + 20_000


def test_a_stopped_run_ends_where_an_unstopped_one_does(encoder: Path, labelled, tmp_path: Path) -> None:
    options = replace(OPTIONS, epochs=1, save_every=3)
    whole = fine_tune(encoder, *labelled, NAMES, options)

    def stop(tick) -> None:
        if tick.step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fine_tune(encoder, *labelled, NAMES, options, state=tmp_path / "run", report=stop)
    resumed = fine_tune(encoder, *labelled, NAMES, options, state=tmp_path / "run")
    assert resumed.trained.resumed_at == 4
    assert np.array_equal(resumed.logits(labelled[0]), whole.logits(labelled[0]))
    assert (tmp_path / "run").is_dir(), "the state stays until the classifier is saved"
    resumed.save(tmp_path / "model", name="model", data=[], metrics={})
    assert not (tmp_path / "run").exists()


def test_soft_targets_weights_and_a_given_head(encoder: Path, labelled) -> None:
    texts, targets = labelled
    soft = np.full((len(texts), 3), 0.1, np.float32)
    soft[np.arange(len(texts)), targets] = 0.8
    weights = np.ones(len(texts), np.float32)
    head = np.zeros((3, 128), np.float32)
    tuned = fine_tune(encoder, texts, soft, NAMES, replace(OPTIONS, epochs=1), weights=weights, head=head)
    assert np.isfinite(tuned.logits(texts)).all()
    with pytest.raises(InvalidInputError, match="head"):
        fine_tune(encoder, texts, targets, NAMES, OPTIONS, head=head[:, :5])


@pytest.mark.parametrize(
    ("given", "targets", "names", "said"),
    [
        ([], [], NAMES, "at least one"),
        (["胸痛"], [0, 1], NAMES, "as many texts"),
        (["胸痛"], [3], NAMES, "below 3"),
        (["胸痛"], [-1], NAMES, "below 3"),
        (["胸痛"], [0], ("一",), "two classes"),
        (["胸痛"], [0], ("一", "一"), "different names"),
        (["胸痛", " "], [0, 1], NAMES, "example 1"),
        (["胸痛"], np.ones((1, 2), np.float32), NAMES, "3 columns"),
    ],
)
def test_bad_examples_are_named(encoder: Path, given, targets, names, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        fine_tune(encoder, given, targets, names, OPTIONS)


def test_a_damaged_checkpoint_is_refused(encoder: Path, labelled, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(encoder, tmp_path / "broken")
    path = tmp_path / "broken" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        fine_tune(tmp_path / "broken", *labelled, NAMES, OPTIONS)


def test_bad_settings_are_refused() -> None:
    for field, value in (("epochs", 0), ("label_smoothing", 1.0), ("head", "none"), ("token_dropout", -0.1)):
        with pytest.raises(ConfigurationError, match=field):
            replace(OPTIONS, **{field: value})
