from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.volumes import unpack as module
from xinglin.records.volumes.unpack import safe_name, unpack


def test_names_inside_lead_nowhere(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        for name in (
            "../../etc/evil.dcm",
            "/abs/IM1",
            "a\\b\\..\\IM2",
            "影像/IM;3 $(x)",
            "x/..",
            "deep/IM1",
            "deep/2",
        ):
            made.writestr(name, name)
        made.writestr("folder/", "")
    (tmp_path / "out").mkdir()
    assert unpack(tmp_path / "a.zip", tmp_path / "out") == 7
    found = sorted(
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    )
    assert found == [
        "00000/evil.dcm",
        "00001/IM1",
        "00002/IM2",
        "00003/IM_3 _x_",
        "00004/file",
        "00005/2",
        "00005/IM1",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]
    assert safe_name("") == "file"


def test_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        for name, content in (("d/IM;1", "one"), ("d/IM?1", "two"), ("e/IM_1", "three")):
            made.writestr(name, content)
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.zip", tmp_path / "out")
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text()
        for path in (tmp_path / "out").rglob("*_1")
    }
    assert found == {"00000/IM_1": "one", "00000/2_IM_1": "two", "00001/IM_1": "three"}


def test_bounds_are_counted_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb", b"\0" * 5_000_000)
        made.writestr("more", b"x")
    monkeypatch.setattr(module, "MAX_BYTES", 2**20)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputTooLargeError, match="unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) <= 2**20
    monkeypatch.setattr(module, "MAX_FILES", 1)
    with pytest.raises(InputTooLargeError, match="files"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_damaged_and_protected_archives_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(InvalidInputError, match=r"a\.zip: not a zip"):
        unpack(tmp_path / "a.zip", tmp_path)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as made:
        made.writestr("one", "text")
    raw = bytearray((tmp_path / "b.zip").read_bytes())
    raw[6] |= 1  # the flag of encryption, in both headers
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "b.zip").write_bytes(raw)
    with pytest.raises(InvalidInputError, match="password"):
        unpack(tmp_path / "b.zip", tmp_path)
