"""The runtime is what the lock names, or it is refused by name."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from xinglin.errors import CheckpointError, MissingDataError, MissingProgramError
from xinglin.serve.edge import fetch as runtime


def test_the_lock_pins_every_package_and_names_no_registry() -> None:
    lock = runtime.read_lock()
    assert len(lock["npm"]) == 3
    assert len(lock["wheels"]) == 1
    assert all(package["integrity"].startswith("sha512-") for package in lock["npm"])
    assert all(len(item.sha256) == 64 for item in runtime.runtime_files())
    text = runtime.LOCK.read_text(encoding="utf-8")
    assert "registry" not in text
    assert "resolved" not in text
    assert len({item.name for item in runtime.runtime_files()}) == 9


def test_an_absent_runtime_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"python -m xinglin\.serve\.edge\.fetch"):
        runtime.check_runtime(tmp_path)


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    for item in runtime.runtime_files():
        (tmp_path / item.name).write_bytes(b"not it")
    with pytest.raises(CheckpointError, match=r"pyodide\.mjs: not the file of runtime\.lock\.json"):
        runtime.check_runtime(tmp_path)


def test_a_wheel_of_other_bytes_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = runtime.read_lock()
    monkeypatch.setattr(runtime, "read_lock", lambda: {"npm": [], "wheels": lock["wheels"]})
    wrong = tmp_path / "numpy.whl"
    wrong.write_bytes(b"another wheel")
    with pytest.raises(CheckpointError, match="it is not used"):
        runtime.fetch(tmp_path / "runtime", numpy=wrong)
    assert list((tmp_path / "runtime").iterdir()) == []


def test_a_carrier_without_the_wheel_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = runtime.read_lock()
    carrier = tmp_path / "carrier.whl"
    with zipfile.ZipFile(carrier, "w") as made:
        made.writestr("other.txt", "nothing")
    monkeypatch.setattr(runtime, "read_lock", lambda: {"npm": [], "wheels": lock["wheels"]})
    monkeypatch.setattr(runtime, "_pip", lambda *_: carrier)
    with pytest.raises(CheckpointError, match="--numpy FILE"):
        runtime.fetch(tmp_path / "runtime")


def test_no_npm_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(MissingProgramError, match="npm was not found"):
        runtime.fetch(tmp_path)


def test_an_archive_of_other_bytes_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\necho x > package.tgz\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(program))
    with pytest.raises(CheckpointError, match=r"pyodide@[\d.]+: the archive's SHA-512"):
        runtime.fetch(tmp_path / "runtime")


def test_a_registry_that_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\necho 'E404 not found' >&2\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(program))
    with pytest.raises(MissingDataError, match="E404 not found"):
        runtime.fetch(tmp_path / "runtime")


def test_numpy_is_the_file_that_pyodide_itself_names() -> None:
    if not (runtime.RUNTIME / "pyodide-lock.json").is_file():
        pytest.skip(f"the runtime is not here: {runtime.COMMAND}")
    official = json.loads((runtime.RUNTIME / "pyodide-lock.json").read_text(encoding="utf-8"))
    wheel = runtime.read_lock()["wheels"][0]
    assert official["packages"]["numpy"]["file_name"] == wheel["file"]
    assert official["packages"]["numpy"]["sha256"] == wheel["sha256"]
