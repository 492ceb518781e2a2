from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from xinglin.errors import CheckpointError, ConfigurationError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.train.options import FineTuneOptions, PretrainOptions
from xinglin.train.pretrain import prepare_corpus, pretrain, validation_loss

OPTIONS = PretrainOptions(size="tiny", steps=4, batch_size=4, length=32, threads=1, vocabulary=400)


def test_plain_transformers_completes_medical_text(encoder: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['xinglin'] = None\n"
        "from transformers import AutoTokenizer, AutoModelForMaskedLM\n"
        f"tokenizer = AutoTokenizer.from_pretrained({str(encoder)!r})\n"
        f"model = AutoModelForMaskedLM.from_pretrained({str(encoder)!r})\n"
        "got = model(**tokenizer('患者[MASK]痛三天', return_tensors='pt')).logits\n"
        "print(got.shape[-1] == len(tokenizer), bool(got.isfinite().all()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_a_checkpoint_says_what_made_it(encoder: Path) -> None:
    checkpoint = verify_checkpoint(encoder)
    manifest = checkpoint.manifest
    assert manifest["kind"] == "encoder"
    assert manifest["settings"]["steps"] == 4
    assert manifest["seeds"] == [0]
    assert manifest["data"][0]["licence"] == "Apache-2.0"
    assert manifest["metrics"]["tokens"] > 4 * 4 * 32
    assert {"curves.png", "README.md", "model.safetensors", "tokenizer.json"} <= set(manifest["files"])
    assert "未经注册" in (encoder / "README.md").read_text(encoding="utf-8")
    assert (encoder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not encoder.with_name(f".{encoder.name}.run").exists()


def test_the_same_seed_gives_the_same_weights_and_another_does_not(corpus, tmp_path: Path) -> None:
    made = [
        pretrain(corpus, tmp_path / name, replace(OPTIONS, seed=seed))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    weights = [checkpoint.manifest["files"]["model.safetensors"] for checkpoint in made]
    assert weights[0] == weights[1] != weights[2]
    assert made[0].id == made[1].id != made[2].id


def test_training_lowers_the_loss_on_unseen_documents(corpus, tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    from xinglin.train.pretrain import PretrainStep

    losses = []
    for steps in (1, 40):
        folder = tmp_path / str(steps)
        pretrain(corpus, folder, replace(OPTIONS, steps=steps, save_every=100))
        model = AutoModelForMaskedLM.from_pretrained(folder)
        losses.append(validation_loss(PretrainStep(model, None, 0.0), corpus.validation, 32))
    assert losses[1] < losses[0] - 1.0


def test_the_graph_reaches_the_weights(corpus, tmp_path: Path) -> None:
    from xinglin.model.knowledge import entity_graph

    graph = entity_graph(with_options=False)
    alone = pretrain(corpus, tmp_path / "alone", OPTIONS)
    for objective in ("contrastive", "kepler"):
        with_graph = pretrain(
            corpus, tmp_path / objective, replace(OPTIONS, objective=objective), knowledge=graph
        )
        assert with_graph.manifest["metrics"]["triples"] == len(graph.triples)
        assert (
            with_graph.manifest["files"]["model.safetensors"] != alone.manifest["files"]["model.safetensors"]
        )
    assert (tmp_path / "kepler" / "knowledge.safetensors").is_file()


def test_going_on_needs_the_same_tokenizer(corpus, encoder: Path, texts, tmp_path: Path) -> None:
    other = prepare_corpus(texts[:20], [], vocabulary=400)
    with pytest.raises(CheckpointError, match="tokenizer"):
        pretrain(other, tmp_path / "x", OPTIONS, start=encoder)
    going = pretrain(corpus, tmp_path / "y", OPTIONS, start=encoder)
    assert going.manifest["parents"] == [verify_checkpoint(encoder).id]


@pytest.mark.slow
def test_two_processes_on_gloo_train_one_model(tmp_path: Path, texts) -> None:
    data = tmp_path / "texts.txt"
    data.write_text("\n".join(texts), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "-m", "xinglin", "train", "encoder"),
        *("--data", str(data), "--out", str(tmp_path / "model"), "--size", "tiny", "--steps", "3"),
        *(
            "--batch-size",
            "4",
            "--length",
            "32",
            "--vocabulary",
            "400",
            "--threads",
            "1",
            "--no-graph",
            "--json",
        ),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    manifest = verify_checkpoint(tmp_path / "model").manifest
    assert manifest["metrics"]["processes"] == 2
    assert manifest["metrics"]["tokens"] == 2 * 3 * 4 * 32
    said = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    assert said["kind"] == "encoder"


@pytest.mark.parametrize(
    ("field", "value"),
    [("size", "huge"), ("objective", "magic"), ("length", 4), ("steps", 0), ("batch_size", -1)],
)
def test_bad_settings_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=field):
        replace(PretrainOptions(), **{field: value})
    assert FineTuneOptions().as_json()["head"] == "fresh"


def test_batches_of_processes_do_not_overlap(corpus) -> None:
    from xinglin.train.pretrain import _drawing

    draw = _drawing(corpus.train, None, replace(OPTIONS, batch_size=2))
    rows = [draw(0, process, 2)["labels"].numpy() for process in (0, 1)]
    assert not np.array_equal(rows[0], rows[1])
    assert torch.equal(draw(3, 1, 2)["input_ids"], draw(3, 1, 2)["input_ids"])
