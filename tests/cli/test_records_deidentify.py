"""``xinglin records deidentify``, ``reidentify``, ``forget``: files in, files out, nothing left behind."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from xinglin.cli import records_deidentify as verbs
from xinglin.errors import ConfigurationError, InvalidInputError, MissingDataError, UnknownNameError
from xinglin.ledger import entries
from xinglin.store import Store
from xinglin.store.key_files import write_key_file
from xinglin.types import DISCLAIMER

app = typer.Typer()
app.command("deidentify")(verbs.deidentify)
app.command("reidentify")(verbs.reidentify)
app.command("forget")(verbs.forget)
NOTE = "患者王秀兰,身份证11010519491231002X,于2023年5月3日入院。\n"


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(item) for item in arguments], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_a_text_in_either_encoding(tmp_path: Path) -> None:
    for encoding in ("utf-8", "gb18030"):
        source, out = tmp_path / f"{encoding}.txt", tmp_path / f"{encoding}.out.txt"
        source.write_bytes(NOTE.encode(encoding))
        shown = run("deidentify", source, "--out", out, "--show", "--dates", "year")
        assert out.read_text(encoding="utf-8") == "患者[姓名1],身份证[证件号1],于2023年入院。\n"
        assert "王秀兰⟨姓名 name⟩" in shown
        assert "No vault" in shown
        assert DISCLAIMER["zh"] in shown


def test_rows_and_the_way_back(tmp_path: Path, store: Store) -> None:
    source, key, vault = tmp_path / "in.jsonl", tmp_path / "key", tmp_path / "vault.db"
    write_key_file(key)
    rows = [
        {"patient_id": "P1", "note": NOTE},
        {"patient_id": "P1", "note": "胸痛3天"},
        {"patient_id": "P2", "note": NOTE},
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    source.write_text("\n".join([*lines[:2], "{broken", "[1]", lines[2]]), encoding="utf-8")
    shown = run(
        "deidentify", source, "--out", tmp_path / "out.jsonl", "--vault", vault, "--key-file", key, code=1
    )
    assert "in.jsonl:3" in shown
    assert "in.jsonl:4" in shown
    new = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(new) == 3
    assert new[0]["patient_id"] == new[1]["patient_id"] != new[2]["patient_id"]
    assert "王秀兰" not in repr(new)
    assert new[1]["note"] == "胸痛3天"
    pseudonym = new[0]["patient_id"]
    reason = ("--reason", "伦理批准的随访 approved follow-up")
    keys = ("--vault", vault, "--key-file", key)
    assert run("reidentify", pseudonym, *reason, *keys).strip() == "P1"
    assert "1 pseudonyms erased" in run("forget", pseudonym, *keys)
    with pytest.raises(UnknownNameError):
        run("reidentify", pseudonym, *reason, *keys)
    with store.read() as connection:
        found = list(entries(connection))
    assert [entry.action for entry in found] == ["records.deidentify", "vault.reidentify", "vault.forget"]
    assert found[0].detail["done"] == 3
    assert found[0].detail["failed"] == 2
    assert "王秀兰" not in repr(found)


def test_a_folder_with_texts_pictures_and_junk(tmp_path: Path, data: Path) -> None:
    samples = data / "imaging" / "dicom-samples" / "dcmqi_ct3slice_seg_sr.zip"
    if not samples.is_file():
        pytest.skip(f"no DICOM samples at {samples}")
    source, out, page = tmp_path / "in", tmp_path / "out", tmp_path / "page.html"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "王秀兰.txt").write_text(NOTE, encoding="utf-8")
    (source / "junk.bin").write_bytes(b"\x00\x01nothing known")
    with zipfile.ZipFile(samples) as archive:
        for number in (1, 2):
            (source / f"{number}.dcm").write_bytes(archive.read(f"segmentations/ct-3slice/0{number}.dcm"))
    shown = run("deidentify", source, "--out", out, "--mode", "surrogate", "--preview", page, code=1)
    assert "junk.bin" in shown
    names = sorted(path.name for path in out.iterdir())
    assert len(names) == 3
    assert all(name.startswith(("2.25.", "00000")) for name in names)
    assert "王秀兰" not in "".join(path.read_bytes().decode("utf-8", "replace") for path in out.iterdir())
    html = page.read_text(encoding="utf-8")
    assert "王秀兰" in html
    assert "勿外传" in html
    assert DISCLAIMER["en"] in html
    assert page.stat().st_mode & 0o777 == 0o600


def test_what_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text(NOTE, encoding="utf-8")
    with pytest.raises(MissingDataError):
        run("deidentify", tmp_path / "none.txt", "--out", tmp_path / "x")
    with pytest.raises(InvalidInputError, match="exists"):
        run("deidentify", source, "--out", source)
    with pytest.raises(ConfigurationError, match="mode"):
        run("deidentify", source, "--out", tmp_path / "x", "--mode", "hash")
    loose = tmp_path / "key"
    write_key_file(loose)
    os.chmod(loose, 0o644)
    with pytest.raises(ConfigurationError, match="0600"):
        run("deidentify", source, "--out", tmp_path / "x", "--key-file", loose)
    with pytest.raises(InvalidInputError, match="outside"):
        run("deidentify", tmp_path, "--out", tmp_path / "inner")
    with pytest.raises(InvalidInputError, match="--vault"):
        run("reidentify", "S-x", "--reason", "for a test of the command")
    (tmp_path / "a.bin").write_bytes(io.BytesIO(b"\xff\xfe\x00").getvalue())
    with pytest.raises(InvalidInputError, match="neither"):
        run("deidentify", tmp_path / "a.bin", "--out", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert not list(tmp_path.glob("*.part"))
