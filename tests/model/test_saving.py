"""The last good folder survives: an error, Ctrl-C, a killed process and a full disk, at any moment."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.small_disk import small_disk
from xinglin.errors import CheckpointError, TrainingError
from xinglin.model.saving import ABANDONED, heal, saving

WRITER = """
import os, signal, sys
from pathlib import Path
from xinglin.model.saving import saving

folder, before, sign = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
real, renames = os.rename, 0

def rename(source, target):
    global renames
    renames += 1
    if renames == before + 1:
        os.kill(os.getpid(), sign)
    real(source, target)

os.rename = rename
print("ready", flush=True)
count = 1
while True:
    count += 1
    with saving(folder) as new:
        for name in ("a", "b", "c"):
            (new / name).write_text(f"{count}" * 20_000)
"""
"""Saves for ever; sends itself a signal before its nth rename."""


def write(folder: Path, text: str) -> None:
    with saving(folder) as new:
        for name in ("a", "b", "c"):
            (new / name).write_text(text)


def contents(folder: Path) -> set[str]:
    """The files of one generation hold the same text; returns the texts seen."""
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["a", "b", "c"]
    return {(folder / name).read_text() for name in names}


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.parent.iterdir() if path.name.startswith(f".{folder.name}.")]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    write(folder, "good")
    return folder


def test_a_folder_is_replaced_whole(good: Path) -> None:
    (good / "old").write_text("of the earlier one")
    write(good, "new")
    assert contents(good) == {"new"}
    assert leftovers(good) == []


def test_the_parents_are_made_and_a_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "er" / "model", "x")
    assert contents(tmp_path / "deep" / "er" / "model") == {"x"}
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match="it is a file"):
        write(tmp_path / "file", "x")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_link_stays_a_link(good: Path, tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to(good)
    write(link, "new")
    assert link.is_symlink()
    assert contents(good) == {"new"}


@pytest.mark.parametrize("error", [ValueError("loss is not finite"), KeyboardInterrupt()])
def test_an_error_in_the_block_changes_nothing(good: Path, error: BaseException) -> None:
    def half(new: Path) -> None:
        (new / "a").write_text("half")
        raise error

    with pytest.raises(type(error)), saving(good) as new:
        half(new)
    assert contents(good) == {"good"}
    assert leftovers(good) == []


@pytest.mark.parametrize("before", [0, 1, 2])
def test_ctrl_c_in_the_swap(good: Path, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    """Interrupt before the first rename, between the two, and before the old folder is cleared away."""
    real, renames = os.rename, []

    def rename(source: str, target: str) -> None:
        if len(renames) == before:
            renames.append("interrupted")
            raise KeyboardInterrupt
        renames.append(target)
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        write(good, "new")
    assert "interrupted" in renames
    assert contents(good) == ({"good"} if before < 2 else {"new"})
    write(good, "newer")
    assert contents(good) == {"newer"}
    assert leftovers(good) == []


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
@pytest.mark.parametrize("before", [0, 1, 2, 4], ids="before rename {}".format)
def test_a_process_stopped_at_a_rename(
    good: Path, before: int, sign: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(good), str(before), str(int(sign))],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -sign or b"KeyboardInterrupt" in done.stderr, done.stderr
    # Killed before the second rename of a swap, the name is missing: that is what heal is for.
    missing = sign == signal.SIGKILL and before in (1, 4)
    assert good.exists() is not missing
    with caplog.at_level(logging.WARNING, "xinglin"):
        assert heal(good) is missing
    assert bool(caplog.records) is missing
    first = {"good"} if before < 2 else {"2" * 20_000}
    assert contents(good) == first
    if sign == signal.SIGINT:
        assert [name for name in leftovers(good) if ".saving-" in name and before < 2] == []
    write(good, "after")
    assert contents(good) == {"after"}


def test_a_process_killed_at_any_moment(good: Path) -> None:
    draw = random.Random(0)
    for _ in range(6):
        command = [sys.executable, "-c", WRITER, str(good), "-1", "0"]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(draw.uniform(0.0, 0.15))
        writer.kill()
        writer.wait(timeout=60)
        writer.stdout.close()
        heal(good)
        assert len(contents(good)) == 1, "files of two generations"


def test_a_reader_that_heals_in_the_middle_of_a_swap(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, healed = os.rename, []

    def rename(source: Path, target: Path) -> None:
        real(source, target)
        if not healed:
            monkeypatch.setattr(os, "rename", real)
            healed.append(heal(good))

    monkeypatch.setattr(os, "rename", rename)
    write(good, "new")
    assert healed == [True]
    assert contents(good) == {"new"}
    assert leftovers(good) == []


def test_what_killed_processes_left_is_cleared_after_a_while(good: Path) -> None:
    old, young = good.parent / ".model.saving-0ld", good.parent / ".model.saving-y0ung"
    other = good.parent / ".models.saving-0ld"
    for folder in (old, young, other):
        folder.mkdir()
        (folder / "half").write_text("x")
    past = time.time() - ABANDONED - 60
    for folder in (old, other):
        os.utime(folder, (past, past))
    write(good, "new")
    assert not old.exists()
    assert young.exists()
    assert other.exists()


def fill(folder: Path) -> None:
    with saving(folder) as new:
        (new / "big").write_bytes(b"x" * 3_000_000)


def fill_by_safetensors(folder: Path) -> None:
    """The library reports a full disk by an error of its own."""
    with saving(folder) as new:
        save_file({"big": np.zeros(3_000_000, np.uint8)}, new / "model.safetensors")


@pytest.fixture(name="small_disk")
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    with small_disk(tmp_path / "disk", 1) as place:
        yield place


@pytest.mark.parametrize("act", [fill, fill_by_safetensors])
def test_a_full_disk(small_disk: Path, act: Callable[[Path], None]) -> None:
    folder = small_disk / "model"
    write(folder, "good")
    with pytest.raises(TrainingError, match=r"model: the disk is full \(\d+ bytes free\)") as raised:
        act(folder)
    free = int(str(raised.value).split("(")[1].split()[0])
    assert 0 < free <= 2**20  # what is free once the half-written folder is gone
    assert contents(folder) == {"good"}
    assert leftovers(folder) == []


def test_a_file_that_may_not_grow(good: Path) -> None:
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from xinglin.errors import TrainingError\n"
        "from xinglin.model.saving import saving\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    with saving(Path(sys.argv[1])) as new:\n"
        "        (new / 'big').write_bytes(b'x' * 3_000_000)\n"
        "except TrainingError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(good)], capture_output=True, text=True, check=True)
    assert "the disk is full" in done.stdout
    assert contents(good) == {"good"}
    assert leftovers(good) == []
