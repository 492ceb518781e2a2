"""Index, search and scheme at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xinglin.cli.concepts import app
from xinglin.errors import InvalidInputError, XinglinError
from xinglin.labels.scheme import scheme_from_json


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if isinstance(result.exception, XinglinError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_table_is_indexed_and_searched(tmp_path: Path) -> None:
    (tmp_path / "icd.tsv").write_text(
        "code\tterm\tkind\tparents\nA09\t腹泻\tpreferred\t\nA09\tDiarrhoea\tsynonym\t\nK59\t便秘\tpreferred\tA09\n",
        encoding="utf-8",
    )
    assert "2 个概念" in run("index", tmp_path / "icd.tsv", tmp_path / "index")
    (found,) = json.loads(run("search", tmp_path / "index", "腹泻", "--json"))
    assert found == {
        "system": "icd10-who", "code": "A09", "display": "腹泻", "term": "腹泻", "kind": "preferred", "match": "exact",
        "score": 1.0,
    }  # fmt: skip
    assert "A09" in run("search", tmp_path / "index", "diarhoea")
    assert "nothing found" in run("search", tmp_path / "index", "zzz")
    assert (
        json.loads(run("search", tmp_path / "index", "便秘", "--under", "A09", "--json"))[0]["code"] == "K59"
    )


def test_a_release_is_searched_and_makes_a_scheme(data: Path, tmp_path: Path) -> None:
    release = data / "text" / "snomed_mini_rf2" / "SnomedCT_Dummy_RF2_Snapshot.zip"
    run("index", release, tmp_path / "index")
    asked = ("clinical finding", "--json")
    assert run("search", release, *asked) == run("search", tmp_path / "index", *asked)
    run("scheme", release, tmp_path / "scheme.json", "--name", "findings", "--under", "404684003", "--multi")
    scheme = scheme_from_json(json.loads((tmp_path / "scheme.json").read_text("utf-8")))
    assert scheme.multi
    assert len(scheme.classes) >= 1
    with pytest.raises(InvalidInputError, match="--under or --refset"):
        run("scheme", release, tmp_path / "s.json", "--name", "x")
