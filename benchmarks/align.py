"""Images and words: lung nodules with templated reports, and VQA-RAD with clinicians' questions and answers.

``--only cubes``: the shipped model (or ``XINGLIN_WORDS``, a folder) on the validation scans of luna16-nodule-cubes, asked
in words that training never used. The reports are templated from radiologists' ratings. ``--only vqa``: VQA-RAD, trained
in this run; the answers of the official test are kept back from this project, so two splits of its training part stand
in: one that shares images, as the official one does, and one of unseen images.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks._line import Line

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("cubes", "vqa")


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    from benchmarks import _align_cubes, _align_vqa

    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "imaging"
    lines: list[Line] = []
    for part, module in (("cubes", _align_cubes), ("vqa", _align_vqa)):
        if only and part not in only:
            continue
        folder = data / module.FOLDER
        if not folder.is_dir():
            lines.append(
                Line(module.FOLDER, "all", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")
            )
            continue
        lines += module.lines(folder, quick)
    return lines
