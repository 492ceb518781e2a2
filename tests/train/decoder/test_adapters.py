"""QLoRA where 4 bits can be had, a named error where they cannot, and adapters that do not fit."""

from __future__ import annotations

import builtins
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.train.decoder.conftest import quick
from xinglin.errors import CheckpointError, MissingDataError, MissingExtraError

pytest.importorskip("trl")
from xinglin.train.decoder.adapters import fold, open_base
from xinglin.train.decoder.stages import train_stage


def test_without_bitsandbytes_qlora_says_what_is_missing(
    qwen3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "bitsandbytes":
            raise ImportError(name)
        return given(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"QLoRA.*bitsandbytes"):
        open_base(qwen3, "qlora")


@pytest.mark.slow
def test_qlora_trains_adapters_over_four_bits(chats: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    from tests.model.decoder.small import small_decoder

    start = small_decoder(tmp_path / "start", width=64)
    opened = open_base(start, "qlora")
    assert type(opened.model.model.layers[0].mlp.up_proj).__name__ == "Linear4bit"
    made = train_stage(
        "sft", start, chats, tmp_path / "out", quick(adapter="qlora", steps=20, learning_rate=3e-2)
    )
    loss = made.manifest["metrics"]["loss"]
    assert loss["last"] < loss["first"]
    assert made.manifest["settings"]["adapter_files"]


def test_an_adapter_that_is_none_or_does_not_fit(qwen3: Path, chats: Path, tmp_path: Path) -> None:
    from tests.model.decoder.small import small_decoder

    with pytest.raises(MissingDataError, match="no adapter"):
        fold(qwen3, tmp_path)
    train_stage("sft", qwen3, chats, tmp_path / "out", quick(adapter="lora", steps=1))
    with pytest.raises(CheckpointError, match="does not fit"):
        fold(small_decoder(tmp_path / "wide", width=48), tmp_path / "out.adapter")
    pickled = Path(shutil.copytree(tmp_path / "out.adapter", tmp_path / "pickled"))
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    with pytest.raises(MissingDataError, match="no pickle"):
        fold(qwen3, pickled)
