"""``xinglin train open-model`` start to end on a little text, and what a full disk leaves of a run."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.small_disk import small_disk
from xinglin.errors import MissingDataError, TrainingError
from xinglin.graph.load import starter
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.train import recipe
from xinglin.train.corpus import unlearnt
from xinglin.train.options import PretrainOptions
from xinglin.train.pretrain import pretrain
from xinglin.train.weak import mine

_TOLD = (
    "头晕",
    "胸闷",
    "心慌",
    "乏力",
    "失眠",
    "耳鸣",
    "恶心",
    "腿肿",
    "气短",
    "出汗",
    "眼花",
    "手抖",
    "腰酸",
)
ASKED = [f"{one}{days}天，{two}{days + 2}周，老毛病血压高，{three}，怎么办？"
         for days, (one, two, three) in enumerate(list(permutations(_TOLD, 3))[::57], 1)]  # fmt: skip
"""Thirty-one questions that repeat no twelve characters of each other."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with one set of thirty questions of our own."""
    path = tmp_path / "data/text/toyhom_internal_medicine_dialogue/dev.jsonl.gz"
    path.parent.mkdir(parents=True)
    rows = [
        {"department": "心血管科", "title": "高血压怎么办？", "ask": ask, "answer": "少吃盐，按时测血压。"}
        for ask in ASKED
    ]
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return tmp_path / "data"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The recipe's own steps at a size that a test can wait for."""
    monkeypatch.setenv("XINGLIN_HOME", str(tmp_path / "home"))
    options = PretrainOptions(size="tiny", steps=3, batch_size=4, length=32, vocabulary=600)
    monkeypatch.setattr(recipe, "PRETRAIN", options)
    brief = tuple(replace(options, epochs=0.5, max_length=32) for options in recipe.DIAGNOSIS)
    monkeypatch.setattr(recipe, "DIAGNOSIS", brief)
    monkeypatch.setattr(recipe, "NARRATIVES", 64)
    monkeypatch.setattr(recipe, "EMBEDDING", ("transe", 8, 1))
    monkeypatch.setattr(recipe, "WATCHED", 3)


def run(data: Path, out: Path):
    from xinglin.cli.train import app

    return CliRunner().invoke(
        app, ["open-model", "--data", str(data), "--out", str(out), "--threads", "1", "--json"]
    )


def test_one_command_makes_the_model_and_goes_on_where_it_was(
    folder: Path, small: None, tmp_path: Path
) -> None:
    out = tmp_path / "made"
    done = run(folder, out)
    assert done.exit_code == 0, done.output
    first, second = (verify_checkpoint(out / f"encoder-{n}") for n in (1, 2))
    assert second.manifest["parents"] == [first.id]
    model = verify_checkpoint(out / recipe.NAME)
    assert json.loads(done.stdout)["id"] == model.id
    assert (out / recipe.NAME / "model.int8.onnx").is_file()
    earlier = verify_checkpoint(out / "classifier-1")
    assert earlier.manifest["parents"] == [second.id]
    assert model.manifest["parents"] == [earlier.id]
    metrics = model.manifest["metrics"]
    assert metrics["classes"] == len(starter().diseases)
    assert metrics["encoder_tokens"] == sum(made.manifest["metrics"]["tokens"] for made in (first, second))
    learnt = list(mine(folder / "text", exclude=unlearnt))
    assert 10 < len(learnt) < len(list(mine(folder / "text")))
    assert metrics["examples"] + metrics["watched_n"] == len(learnt) + 64
    assert metrics["watched_n"] > 0
    names = {item["name"]: item["records"] for item in model.manifest["data"]}
    assert names["mined: toyhom"] + metrics["watched_n"] == len(learnt)
    # A second call finds every step made; a lost result is made again from the encoders that are there.
    before = (out / "encoder-2/model.safetensors").stat().st_mtime_ns
    shutil.rmtree(out / recipe.NAME)
    assert recipe.build(folder, out, threads=1) == out / recipe.NAME
    assert (out / "encoder-2/model.safetensors").stat().st_mtime_ns == before
    weights = verify_checkpoint(out / recipe.NAME).manifest["files"]["model.safetensors"]
    assert weights == model.manifest["files"]["model.safetensors"], "the same seed, the same weights"


def test_no_text_is_named(small: None, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="no open text"):
        recipe.build(tmp_path, tmp_path / "out")


@pytest.fixture(name="small_disk")
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds two states of a tiny encoder, as long as nothing else fills it."""
    with small_disk(tmp_path / "disk", 16) as place:
        yield place


def test_a_full_disk_stops_a_run_with_its_last_state_intact(corpus, small_disk: Path, tmp_path: Path) -> None:
    options = PretrainOptions(
        size="tiny", steps=6, batch_size=4, length=32, threads=1, vocabulary=400, save_every=1
    )
    out, last = small_disk / "encoder", []
    filler = small_disk / "filler"

    def report(tick) -> None:
        last.append(tick.step)
        if last == [1, 2, 3]:
            free = shutil.disk_usage(small_disk).free
            filler.write_bytes(b"x" * (free - 200_000))

    with pytest.raises(TrainingError, match="the disk is full"):
        pretrain(corpus, out, options, report=report)
    assert last == [1, 2, 3]
    assert not out.exists()
    filler.unlink()
    resumed = pretrain(corpus, out, options, report=report)
    assert last == [1, 2, 3, 3, 4, 5, 6], "the state of step 2 was whole"
    whole = pretrain(corpus, tmp_path / "encoder", options)
    assert resumed.manifest["files"]["model.safetensors"] == whole.manifest["files"]["model.safetensors"]
