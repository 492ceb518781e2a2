"""Tiny random models, and rows a model of that size can learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.model.decoder.small import small_decoder
from xinglin.train.decoder.options import StageOptions

CHATS = [
    {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]}
    for asked, said in (
        ("头痛?", "多休息。"),
        ("发热?", "请就医。"),
        ("咳嗽?", "是感冒。"),
        ("肺炎?", "请就诊。"),
    )
]
PAIRS = [
    {"prompt": f"{asked}是否?", "chosen": "是", "rejected": "否"}
    for asked in ("头痛", "发热", "咳嗽", "肺炎")
]


def write(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def quick(**more: Any) -> StageOptions:
    """Settings under which a tiny model learns in a second or two."""
    base: dict[str, Any] = {
        "steps": 12, "batch_size": 4, "learning_rate": 1e-2, "warmup": 0.0, "length": 64, "threads": 1, "save_every": 50,
    }  # fmt: skip
    return StageOptions(**base | more)


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_decoder(tmp_path_factory.mktemp("start") / "qwen3", "qwen3")


@pytest.fixture(scope="session")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("rows") / "chats.jsonl", CHATS)
