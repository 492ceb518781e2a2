"""The challenge that ships: its commitments are those of the open data, and it holds none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.errors import UnknownNameError
from xinglin.release.challenge.parts import cases_bytes, check_opening, inputs_bytes, labels_bytes
from xinglin.release.challenge.shipped import FOLDER, shipped_challenge
from xinglin.store.keys import digest


def test_it_opens_with_the_open_data(data: Path) -> None:
    from benchmarks._challenge_parts import read_parts

    parts, shipped = read_parts(data), shipped_challenge("triage-zh")
    manifest = shipped.manifest
    committed = manifest.committed()
    assert manifest.public is not None
    assert digest(cases_bytes(parts.public)) == manifest.public.sha256
    assert (len(parts.hidden), len(parts.public)) == (committed.cases, manifest.public.rows)
    check_opening("triage-zh", committed, "inputs", inputs_bytes(parts.hidden), shipped.salts["inputs"])
    check_opening("triage-zh", committed, "labels", labels_bytes(parts.hidden), shipped.salts["labels"])
    assert parts.labels == manifest.labels
    hidden = {case.text for case in parts.hidden}
    assert not hidden & {case.text for case in parts.public}
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.json"))
    assert not any(case.text in text for case in parts.public[:200])


def test_an_unknown_one_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="triage-zh"):
        shipped_challenge("triage")
