"""``xinglin data`` and the verbs quality, split, manifest, verify, key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from xinglin.cli import data as data_verbs
from xinglin.cli import records_manifest, records_quality
from xinglin.errors import (
    InvalidInputError,
    MissingDataError,
    NotPermittedError,
    UnknownNameError,
    XinglinError,
)
from xinglin.ledger import entries, verify
from xinglin.ledger.grants import give_consent, grant
from xinglin.records.catalogue import catalogue
from xinglin.store import Store, open_store

app = typer.Typer()
records_quality.register(app)
records_manifest.register(app)
app.add_typer(data_verbs.app, name="data")
Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def call(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(item) for item in arguments])
        if isinstance(result.exception, XinglinError):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    root.mkdir()
    for site in ("east", "west"):
        with (root / f"{site}.jsonl").open("w", encoding="utf-8") as out:
            for number in range(60):
                text = f"患者{number * 7919 % 997}因第{number}次腹痛就诊,自述{site}院区,体温正常,编号{number * 104729}。"
                labs = [
                    {"name": "血钾", "value": 4.0 if number else 44.0, "unit": "mmol/L", "time": "2020-01-01"}
                ]
                row = {
                    "id": f"{site}-{number}",
                    "text": text,
                    "patient": {"age": 40, "sex": "male"},
                    "labs": labs,
                }
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return root


def actions(store: Store) -> list[str]:
    with store.read() as connection:
        verify(connection)
        return [entry.action for entry in entries(connection)]


def test_quality_split_manifest_verify(run: Run, folder: Path, tmp_path: Path, store: Store) -> None:
    """The whole road: report, split, report with the split, manifest, signature, and a changed byte."""
    html, told, table = tmp_path / "r.html", tmp_path / "r.json", folder / "split.tsv"
    result = run("quality", folder, "--site-by-file", "--out", html, "--json", told)
    assert "数值可能" in result.output
    assert "2 / 120" in result.output
    report = json.loads(told.read_text(encoding="utf-8"))
    assert report["counts"]["sites"] == 2
    assert "east-0" in html.read_text(encoding="utf-8")
    run("quality", folder, "--strict", code=1)

    result = run(
        "split", folder, "--out", table, "--site-by-file", "--parts", "train=0.7,test=0.3", "--json", told
    )
    assert "跨划分的患者 subjects across parts: 0" in result.output
    assert sum(part["records"] for part in json.loads(told.read_text())["parts"].values()) == 120
    result = run("quality", folder, "--places", table, "--json", told, "--format", "jsonl")
    found = {o["rule"]: o for o in json.loads(told.read_text(encoding="utf-8"))["outcomes"]}
    assert found["part-missing"]["status"] == "pass"

    key, manifest = tmp_path / "key.pem", folder / "manifest.json"
    run("key", key)
    steps = tmp_path / "steps.json"
    steps.write_text(json.dumps([{"step": "made up", "parameters": {"n": 120}, "code": "test 1"}]))
    run(
        "manifest", folder, "--licence", "CC0-1.0", "--consent", "synthetic", "--out", manifest, "--places", table,
        "--seed", 0, "--transformations", steps, "--sign", key,
    )  # fmt: skip
    decoded = json.loads(manifest.read_text(encoding="utf-8"))
    assert decoded["counts"]["records"] == 120
    assert decoded["splits"]["table"] == "split.tsv"
    assert sorted(decoded["splits"]["parts"]) == ["test", "train"]
    assert decoded["transformations"][0]["step"] == "made up"
    run("verify", manifest, "--key", f"{key}.pub")
    with (folder / "west.jsonl").open("r+b") as stream:
        stream.seek(100)
        byte = stream.read(1)
        stream.seek(100)
        stream.write(bytes([byte[0] ^ 1]))
    (folder / "more.txt").write_text("x")
    result = run("verify", manifest, code=1)
    assert "已改动 changed: west.jsonl" in result.output
    assert "多出 added: more.txt" in result.output
    assert actions(open_store()) == ["split.make", "manifest.make"]
    other = tmp_path / "other.pem"
    run("key", other)
    with pytest.raises(InvalidInputError, match="public_key"):
        run("verify", manifest, "--key", f"{other}.pub")
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("CC0-1.0", "MIT"), encoding="utf-8")
    with pytest.raises(InvalidInputError, match="digest"):
        run("verify", manifest, "--key", f"{key}.pub")


def test_a_data_set_of_the_archive_needs_a_grant(
    run: Run, folder: Path, tmp_path: Path, store: Store
) -> None:
    from xinglin.records.readers.detect import open_reader
    from xinglin.records.run import intake

    intake(store, open_reader("jsonl", str(folder)), dataset="wards", form="jsonl", actor="cli")
    with pytest.raises(NotPermittedError):
        run("quality", "--dataset", "wards")
    with store.write() as connection:
        give_consent(
            connection, "wards", subject=None, purpose="quality", basis="synthetic", by="cli", expires=None
        )
        grant(connection, "wards", grantee="cli", purpose="quality", by="cli", expires=None)
    told = tmp_path / "r.json"
    run("quality", "--dataset", "wards", "--json", told)
    assert json.loads(told.read_text(encoding="utf-8"))["counts"]["records"] == 120
    with pytest.raises(NotPermittedError):
        run("split", "--dataset", "wards", "--out", tmp_path / "s.tsv")


def test_a_line_that_cannot_be_read_is_told_by_its_place(run: Run, folder: Path, tmp_path: Path) -> None:
    with (folder / "east.jsonl").open("a") as out:
        out.write('{"text": 5}\n')
    told = tmp_path / "r.json"
    run("quality", folder, "--json", told)
    found = {o["rule"]: o for o in json.loads(told.read_text(encoding="utf-8"))["outcomes"]}
    assert found["unreadable"]["examples"] == ["east.jsonl line 61"]
    with pytest.raises(InvalidInputError, match=r"east\.jsonl line 61"):
        run("split", folder, "--out", tmp_path / "s.tsv")
    assert not (tmp_path / "s.tsv").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quality",), "one of them"),
        (("quality", "x", "--dataset", "y"), "one of them"),
        (("quality", "--dataset", "y", "--site-by-file"), "belong to a path"),
        (("quality", "x", "--tolerance", "future"), "RULE=SHARE"),
        (("quality", "x", "--tolerance", "future=2"), "RULE=SHARE"),
        (("split", "x", "--out", "y", "--parts", "a"), "--parts"),
        (("split", "x", "--out", "y", "--by", "moon"), "--by"),
    ],
)
def test_wrong_options_are_named(
    run: Run,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(folder) if item == "x" else item for item in arguments]
    with pytest.raises(InvalidInputError, match=re.escape(words)):
        run(*given)
    assert not (tmp_path / "y").exists()


def test_a_table_of_other_records_is_refused(run: Run, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    table.write_text("id\tpart\nnobody\ttrain\n")
    with pytest.raises(InvalidInputError, match="1 of 1 records"):
        run("quality", folder, "--places", table)
    for content in ("part\nx\n", "id\tmoon\na\tb\n", "id\tpart\na\n", "id\na\na\n", "id\n\t\n"):
        table.write_text(content)
        with pytest.raises(InvalidInputError, match=r"t\.tsv"):
            run("quality", folder, "--places", table)


def test_the_catalogue_is_listed(run: Run) -> None:
    result = run("data", "list")
    assert "受限" in result.output
    assert "51 个数据集" in result.output
    listed = json.loads(run("data", "list", "--json").output)
    assert {item["name"] for item in listed} == set(catalogue())
    assert all(file["sha256"] for item in listed for file in item["files"])


def test_a_set_is_brought_from_the_shared_folder(run: Run, data: Path, tmp_path: Path, store: Store) -> None:
    result = run("data", "get", "fed-heart-disease", "--mirror", data, "--into", tmp_path / "here")
    assert "5 个文件已取得" in result.output
    copied = tmp_path / "here" / "text" / "fed-heart-disease" / "va.csv"
    assert copied.read_bytes() == (data / "text" / "fed-heart-disease" / "va.csv").read_bytes()
    assert (
        "0 个文件已取得"
        in run("data", "get", "fed-heart-disease", "--mirror", data, "--into", tmp_path / "here").output
    )
    assert actions(store) == ["data.get", "data.get"]


def test_what_is_restricted_or_unknown_or_without_a_mirror(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XINGLIN_MIRROR", raising=False)
    with pytest.raises(NotPermittedError, match="restricted"):
        run("data", "get", "dxbench", "--mirror", tmp_path)
    with pytest.raises(MissingDataError, match="not in the mirror"):
        run("data", "get", "dxbench", "--mirror", tmp_path, "--restricted", "--into", tmp_path / "x")
    with pytest.raises(MissingDataError, match=r"github\.com/abachaa/MedQuAD"):
        run("data", "get", "medquad")
    with pytest.raises(UnknownNameError, match="medquad"):
        run("data", "get", "medquat")
