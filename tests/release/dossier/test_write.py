"""Files in a folder: complete, checkable, the same on another machine's folder; bad requests refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.release.dossier.made import NODULES, everything, version
from xinglin.cli.dossier import tell
from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.release.dossier import AUTHORITIES, write_dossier

REBUILD = """
import json, sys
from pathlib import Path
from xinglin.release.dossier import write_dossier
from xinglin.release.registry.version import Evidence, Version
body = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
body["evidence"] = tuple(Evidence(**item) for item in body["evidence"])
write_dossier(Version(**body), sys.argv[2], Path(sys.argv[3]))
"""


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("reportlab", "reportlab.lib", "reportlab.lib.pagesizes", "reportlab.pdfbase"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"xinglin\[release\]"):
        write_dossier(version(), "eu", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("authority", ["card", "NMPA", "", "../eu"])
def test_an_unknown_authority_is_refused(authority: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected one of nmpa, fda, eu, pipl"):
        write_dossier(version(), authority, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="is a file"):
        write_dossier(version(), "eu", tmp_path / "out")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


@pytest.fixture
def reportlab() -> None:
    pytest.importorskip("reportlab", reason="ReportLab is absent: no file is written (extra release)")


@pytest.mark.usefixtures("reportlab")
def test_another_machine_s_folder_gets_the_same_bytes(tmp_path: Path) -> None:
    made = version(evidence=everything()[:6])
    _, sums = write_dossier(made, "fda", tmp_path / "here")
    given, there = tmp_path / "version.json", tmp_path / "杏 林" / "there"
    given.write_text(json.dumps(asdict(made)), encoding="utf-8")
    surroundings = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TZ": "Pacific/Apia",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "1",
        "HOME": str(tmp_path),
    }
    subprocess.run(
        [sys.executable, "-c", REBUILD, given, "fda", there], env=surroundings, cwd=tmp_path, check=True
    )
    written = {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()}
    assert written == {path.name: path.read_bytes() for path in there.iterdir()}
    assert set(written) == {*sums, "dossier-fda.sha256"}
    assert set(sums) == {
        *("dossier-fda.md", "dossier-fda.pdf", "dossier-fda.json"),
        *("model-card.md", "bom.cdx.json"),
    }
    checked = subprocess.run(
        ["sha256sum", "--check", "dossier-fda.sha256"],
        cwd=there,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout.count(": OK") == 5


@pytest.mark.usefixtures("reportlab")
def test_the_command_tells_what_is_missing_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = version(NODULES, ())
    sums = tell(bare, "pipl", tmp_path / "out", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == sums
    assert "pipl-10" in told["missing"]
    assert told["counts"]["complete"] == 0
    tell(bare, "pipl", tmp_path / "out")
    shown = capsys.readouterr().out
    assert "缺失 missing: pipl-01" in shown
    assert "dossier-pipl.pdf" in shown
    body = json.loads((tmp_path / "out" / "dossier-pipl.json").read_text(encoding="utf-8"))
    assert body["counts"]["missing"] == len(told["missing"])
    assert body["model"]["checkpoint"] == bare.checkpoint


@pytest.mark.usefixtures("reportlab")
def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_dossier(version(evidence=()), "pipl", tmp_path)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert not list(tmp_path.glob(".*.part"))


def test_every_authority_can_be_asked_for() -> None:
    assert AUTHORITIES == ("nmpa", "fda", "eu", "pipl")
