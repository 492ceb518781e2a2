"""``xinglin model`` and ``xinglin release`` as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.test_cli import good, refused
from tests.text_models import word_checkpoint
from xinglin.graph.load import starter
from xinglin.model import shipped
from xinglin.model.checkpoint import seal_checkpoint, verify_checkpoint

NAME = shipped.NAME


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / NAME
    word_checkpoint(folder, tuple(starter().diseases), name=NAME)
    return folder


@pytest.fixture(autouse=True)
def package(random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shipped, "SHIPPED", random_model.parent)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return random_model


def ledger() -> list[dict[str, object]]:
    return [json.loads(line) for line in good("audit", "list").splitlines()]


def test_get_puts_the_model_where_it_is_loaded_by_name(package: Path) -> None:
    said = good("model", "get", NAME)
    assert f'from_pretrained("{NAME}")' in said
    assert verify_checkpoint(Path(NAME)).id == verify_checkpoint(package).id
    (entry,) = ledger()
    assert entry["action"] == "model.get"
    assert entry["subjects"] == [verify_checkpoint(package).id]
    assert entry["detail"] == {"name": NAME, "restricted": False, "labels": None}


@pytest.mark.parametrize("comma", [",", "，", "、"])
def test_get_with_labels(comma: str) -> None:
    said = good(
        "model", "get", NAME, "--labels", comma.join(("心绞痛", "心肌梗死", "胃食管反流")), "--into", "demo"
    )
    folder = Path("demo") / NAME
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert list(config["id2label"].values()) == ["心绞痛", "心肌梗死", "胃食管反流"]
    for words in ("急性心肌梗死", "仅供演示", "demonstration only", "未经校准"):
        assert words in said
    (entry,) = ledger()
    assert entry["subjects"] == [verify_checkpoint(folder).id]
    detail = entry["detail"]
    assert isinstance(detail, dict)
    assert detail["restricted"] is True
    assert detail["labels"]["心肌梗死"] == "急性心肌梗死"


def test_get_as_json() -> None:
    said = json.loads(good("model", "get", NAME, "--json"))
    assert said["folder"] == NAME
    assert said["id"] == verify_checkpoint(Path(NAME)).id


def test_what_is_refused_leaves_no_folder_and_no_entry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "nearest: medical-open-model" in refused("model", "get", "medical-open")
    assert "心绞痛" in refused("model", "get", NAME, "--labels", "心绞通,心肌梗死")
    assert "both mean" in refused("model", "get", NAME, "--labels", "心绞痛、心绞痛")
    assert "expected 2 to" in refused("model", "get", NAME, "--labels", "心绞痛")
    assert "none empty" in refused("model", "get", NAME, "--labels", "心绞痛,,胃食管反流")
    (tmp_path / "here" / "mine" / NAME).mkdir(parents=True)
    (tmp_path / "here" / "mine" / NAME / "thesis.txt").write_text("x")
    assert "is no copy of" in refused("model", "get", NAME, "--into", "mine")
    assert ledger() == []
    monkeypatch.setenv("XINGLIN_DATABASE_URL", f"sqlite:///{tmp_path / 'absent' / 'x.db'}")
    assert "cannot open the store" in refused("model", "get", NAME)
    assert not Path(NAME).exists()


def test_show(package: Path, tmp_path: Path) -> None:
    said = good("model", "show", NAME)
    for words in ("分类器 classifier", verify_checkpoint(package).id, "数据 data", "限制 limits", "未说明"):
        assert words in said
    folder = tmp_path / "here" / "own"
    shutil.copytree(package, folder)
    seal_checkpoint(
        folder,
        name="own",
        kind="classifier",
        data=[{"name": "蓝皮书", "sha256": "0" * 64, "records": 12, "licence": "CC-BY-4.0", "weak": True}],
        settings={},
        seeds=[3],
        metrics={"top1": 0.61, "escape": "\x1b[31mred"},
        parents=["p" * 64],
        limits="不得用于儿童 not for children",
    )
    said = good("model", "show", "own")
    for words in (
        "蓝皮书",
        "CC-BY-4.0",
        "弱 weak",
        "top1  0.61",
        "p" * 64,
        "not for children",
        "\x20[31mred",
    ):
        assert words in said
    assert "\x1b" not in said
    assert json.loads(good("model", "show", "own", "--json"))["seeds"] == [3]


def test_verify(package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here" / "own"
    shutil.copytree(package, folder)
    assert "完好 intact: 5 个文件 files" in good("model", "verify", str(folder))
    folder.rename(folder.with_name(".own.previous"))  # as a replacement that was cut off leaves it
    assert "完好 intact" in good("model", "verify", "own")
    os.truncate(folder / "model.safetensors", 5000)
    line = refused("model", "verify", "own")
    assert "checkpoint refused" in line
    assert "truncated" in line
    assert "check the path" in refused("model", "verify", "a/b")
    assert "no model 'absent'" in refused("model", "verify", "absent")


def test_export_is_refused_in_one_line(package: Path, tmp_path: Path) -> None:
    assert "there is none" in refused("release", "export", "absent")
    assert "--no-keep-fp32 needs --int8" in refused("release", "export", "absent", "--no-keep-fp32")
    folder = tmp_path / "here" / "own"
    shutil.copytree(package, folder)
    os.truncate(folder / "model.onnx", 50)
    assert "model.onnx is not the file that was sealed" in refused("release", "export", "own")
    assert ledger() == []


@pytest.mark.parametrize("verb", [("model",), ("model", "get"), ("model", "show"), ("release", "export")])
def test_help_is_in_both_languages(verb: tuple[str, ...]) -> None:
    said = good(*verb, "--help")
    assert any("\u4e00" <= char <= "\u9fff" for char in said)
