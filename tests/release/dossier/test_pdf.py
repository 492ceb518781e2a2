"""The PDF: its text, Chinese included, is that of the dossier; its bytes depend on nothing but the evidence."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.release.dossier.made import HOSTILE, everything, recorded, version
from xinglin.release.dossier import as_pdf, build
from xinglin.types import DISCLAIMER

pytest.importorskip("reportlab", reason="ReportLab is absent: no PDF is tested (extra release)")


@pytest.fixture(scope="module")
def printed() -> bytes:
    made: bytes = as_pdf(build(version(), "pipl"))
    return made


def test_its_text_is_that_of_the_dossier(printed: bytes, tmp_path: Path) -> None:
    text = text_of(printed, tmp_path)
    dossier = build(version(), "pipl")
    for item in dossier.answers:
        assert text.count(squeezed(f"{item.requirement.id} · {item.requirement.article}")) == 1
        assert squeezed(item.requirement.en) in text
    for told in (
        "个人信息保护影响评估",
        "缺失 missing: 人员声明",
        "去标识化",
        DISCLAIMER["zh"],
        DISCLAIMER["en"],
    ):
        assert squeezed(told) in text, told
    assert all(item.digest in text for item in everything())


def test_the_clock_and_the_surroundings_do_not_show(printed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    assert as_pdf(build(version(), "pipl")) == printed
    assert b"D:20261128100028+00'00'" in printed
    assert b"/FlateDecode" not in printed


def test_other_evidence_gives_another_file(printed: bytes) -> None:
    assert as_pdf(build(version(evidence=everything()[:3]), "pipl")) != printed


def test_hostile_and_rare_characters_are_text(tmp_path: Path) -> None:
    said = {"requirement": "pipl-05", "zh": HOSTILE + " 𠮷 😀 ✓", "en": "</para><b>", "person": "<font>"}
    text = text_of(as_pdf(build(version(evidence=[recorded("statement", said, 11)]), "pipl")), tmp_path)
    for told in (
        "<script>alert(1)</script>",
        "<U+20BB7><U+1F600><U+2713>",
        "</para><b>",
        "statedby<font>",
    ):
        assert told in text, told


def text_of(pdf: bytes, folder: Path) -> str:
    """Return a PDF's text without white space, which no two readers place alike."""
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip(
            "pdftotext is absent (Debian: apt-get install poppler-utils poppler-data): the text is not read"
        )
    path = folder / "dossier.pdf"
    path.write_bytes(pdf)
    done = subprocess.run([program, "-enc", "UTF-8", path, "-"], capture_output=True, check=True)
    return squeezed(done.stdout.decode())


def squeezed(text: str) -> str:
    """Return text without white space."""
    return re.sub(r"\s+", "", text)
