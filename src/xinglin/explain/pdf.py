"""A report as PDF, printed by a Chromium of the system: no Python dependency, the same drawing as on the screen."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from xinglin.errors import MissingProgramError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""Programs looked for on PATH; all print alike."""
SECONDS = 120
"""For which a browser may print: beyond any report, so only a hanging one reaches it."""
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pdf-header-footer",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
"""The last one lets nothing leave the machine: a report needs nothing from elsewhere."""


def as_pdf(html: str) -> bytes:
    """Print a self-contained HTML report on A4.

    Raises:
        MissingProgramError: there is no Chromium on PATH, no font with Chinese characters, or it would not print.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise MissingProgramError(
            "PDF 需要 Chromium: a PDF report is printed by Chromium, and none of "
            f"{', '.join(BROWSERS)} is on PATH. Install it (Debian: apt-get install chromium fonts-noto-cjk), or "
            "print the HTML report from any browser"
        )
    _check_fonts()
    with tempfile.TemporaryDirectory(prefix="xinglin-report-") as name:
        folder = Path(name)
        source, printed = folder / "report.html", folder / "report.pdf"
        source.write_text(html, encoding="utf-8")
        command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={printed}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium's sandbox refuses to run as root
        try:
            done = subprocess.run(
                [*command, source.as_uri()], capture_output=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise MissingProgramError(
                f"{browser} did not print within {SECONDS} seconds: print the HTML report from a browser"
            ) from None
        if not printed.is_file() or not printed.read_bytes().startswith(b"%PDF"):
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise MissingProgramError(
                f"{browser} printed no PDF ({last[0][:200]}): print the HTML report from a browser"
            )
        return printed.read_bytes()


def _check_fonts() -> None:
    """Refuse to print empty boxes for Chinese; where the system cannot list its fonts, they are taken to be there."""
    lister = shutil.which("fc-list")
    if lister is None:
        return
    listed = subprocess.run([lister, ":lang=zh", "family"], capture_output=True, timeout=SECONDS, check=False)
    if listed.returncode == 0 and not listed.stdout.strip():
        raise MissingProgramError(
            "PDF 需要中文字体: no font with Chinese characters is installed. Install one (Debian: apt-get install "
            "fonts-noto-cjk), or print the HTML report from any browser"
        )
