"""The manifest: what a stranger's pull request may hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.release.challenge.contest import draft, manifest
from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.release.challenge.manifest import manifest_from, read_manifest

PUBLIC = {
    "file": "dev.jsonl",
    "sha256": "0" * 64,
    "rows": 3,
    "recipe": "make",
    "source": "somewhere",
    "licence": "MIT",
}


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(draft(), ensure_ascii=False), encoding="utf-8")
    (tmp_path / "a.toml").write_text(
        'format = "xinglin-challenge-1"\nname = "triage-test"\nlabels = ["儿科", "内科", "外科"]\n'
        'metric = "accuracy"\nopens = "2026-11-01T00:00:00+00:00"\ncloses = "2026-12-01T00:00:00+00:00"\n'
        'daily = 5\n[title]\nzh = "分诊"\nen = "Triage"\n'
        '[task]\nzh = "由一句话判断科室"\nen = "The department of a question"\n',
        encoding="utf-8",
    )
    assert read_manifest(tmp_path / "a.json") == read_manifest(tmp_path / "a.toml")
    assert read_manifest(tmp_path / "a.json").digest == manifest().digest
    assert manifest_from(manifest().as_json()) == manifest()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrik": "accuracy"}, "did you mean metric"),
        ({"limits": {"cpu_second": 3}}, "did you mean cpu_seconds"),
        ({"public": PUBLIC | {"licens": "MIT"}}, "did you mean licence"),
        ({"sites": [{"name": "a", "public_keys": "0" * 64}]}, "did you mean public_key"),
        ({"metric": "f1"}, "expected one of accuracy"),
        ({"name": "../etc"}, "name"),
        ({"name": "A b"}, "name"),
        ({"public": PUBLIC | {"file": "../../etc/passwd"}}, "public.file"),
        ({"public": PUBLIC | {"file": "/etc/passwd"}}, "public.file"),
        ({"public": PUBLIC | {"file": "..\\x"}}, "public.file"),
        ({"public": PUBLIC | {"file": ".ssh"}}, "public.file"),
        ({"public": PUBLIC | {"file": "a/b"}}, "public.file"),
        ({"labels": ["b", "a"]}, "sorted"),
        ({"labels": ["a", "a"]}, "sorted"),
        ({"opens": "2026-11-01"}, "zone"),
        ({"opens": "yesterday"}, "zone"),
        ({"closes": "2026-10-01T00:00:00+00:00"}, "after opens"),
        ({"daily": 0}, "daily"),
        ({"daily": "3"}, "daily"),
        ({"inputs": "hidden"}, "nobody can predict"),
        ({"sites": [{"name": n, "public_key": "0" * 64} for n in "ab"]}, "each key once"),
        ({"commitment": {"inputs": "0" * 64, "labels": "1" * 64, "cases": 5, "board": 5}}, "no case"),
        ({"limits": {"memory_mib": 1}}, "memory_mib"),
        ({"title": {"zh": "x" * 5000, "en": "y"}}, "title.zh"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        manifest_from(draft(**change))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        read_manifest(tmp_path / "no.json")
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (256 * 1024 + 1))
    with pytest.raises(InputTooLargeError):
        read_manifest(large)
    for text in ("[1]", "{", '{"daily": NaN}'):
        large.write_text(text)
        with pytest.raises(InvalidInputError):
            read_manifest(large)
    with pytest.raises(InvalidInputError, match="draft"):
        manifest().committed()
