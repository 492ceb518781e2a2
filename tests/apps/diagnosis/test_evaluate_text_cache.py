"""Arrays kept by digest."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from xinglin.apps.diagnosis.evaluate.text_cache import Shelf, digest_of, file_digest


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "a")
    assert shelf.get("k") is None
    shelf.put("k", {"x": np.arange(6.0).reshape(2, 3)})
    found = shelf.get("k")
    assert found is not None
    assert found["x"].dtype == np.float32
    assert found["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert [path.name for path in shelf.folder.iterdir()] == ["k.safetensors"]


def test_home_is_used(home: Path) -> None:
    Shelf.home().put("k", {"x": np.zeros(1)})
    assert (home / "cache" / "evaluate" / "k.safetensors").is_file()


@pytest.mark.parametrize("size", [0, 5, 40])
def test_a_damaged_file_is_said_and_computed_again(
    size: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("k", {"x": np.zeros(9)})
    path = tmp_path / "k.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with caplog.at_level(logging.WARNING):
        assert shelf.get("k") is None
    assert "computed again" in caplog.text
    shelf.put("k", {"x": np.ones(9)})
    assert shelf.get("k") is not None


def test_the_oldest_go_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, limit=10_000)
    for number in range(5):
        shelf.put(f"k{number}", {"x": np.zeros(1000)})
        os.utime(tmp_path / f"k{number}.safetensors", (number, number))
    kept = {path.stem for path in tmp_path.glob("*.safetensors")}
    assert kept == {"k3", "k4"}
    Shelf(tmp_path, limit=10).put("big", {"x": np.zeros(1000)})
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {"big"}


def test_a_shelf_that_cannot_be_written_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        Shelf(tmp_path / "file" / "below").put("k", {"x": np.zeros(1)})
    assert "not kept" in caplog.text


def test_digests_tell_settings_and_files_apart(tmp_path: Path) -> None:
    assert digest_of(a=1, b=[2]) == digest_of(b=[2], a=1) != digest_of(a=1, b=[3])
    path = tmp_path / "a"
    path.write_bytes(b"")
    assert file_digest(path).startswith("e3b0c442")
