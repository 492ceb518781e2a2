"""The tables of requirements: what they must cover, and what the checker refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from xinglin.errors import InvalidInputError, MissingDataError, VocabularyError
from xinglin.release.dossier.fields import fields_of, kind_name, names
from xinglin.release.dossier.questions import FOLDER, TITLES, check, requirements
from xinglin.release.registry.version import KINDS

ROW = "fda-x-01\tFDA\tDoc\tII\t中文问题?\tA question?\tmetric:name,value\tunverified\t\t"


def test_every_table_passes_its_checker() -> None:
    counts = check()
    assert set(counts) == set(TITLES)
    assert sum(total for total, _ in counts.values()) > 130
    assert all(0 < verified <= total for total, verified in counts.values())


@pytest.mark.parametrize(
    ("name", "articles"),
    [
        ("pipl", [f"第{number}条" for number in (24, 28, 29, 31, 38, 39, 40, 47, 55, 56, 73)]),
        ("pipl", ["GB/T 37964", "GB/T 39725"]),
        ("nmpa", ["2022 No. 8", "2021 No. 47", "2022 No. 21", "医疗器械监督管理条例", "处理对象", "成熟度", "更新控制"]),
        ("fda", ["Predetermined Change Control Plan", "Criterion 1", "Criterion 2", "Criterion 3", "Criterion 4"]),
        ("fda", ["Description of Modifications", "VII.B(1)", "VII.B(2)", "VII.B(3)", "VII.B(4)", "Impact Assessment"]),
        ("eu", ["Annex IV", "Annex II", "Annex III", "Rule 11"]),
        ("card", ["4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9"]),
    ],
)  # fmt: skip
def test_what_was_asked_for_is_asked(name: str, articles: list[str]) -> None:
    asked = [f"{item.document} {item.article}" for item in requirements(name)]
    for article in articles:
        assert any(article in text for text in asked), article


def test_annex_iv_is_whole() -> None:
    articles = [item.article for item in requirements("eu") if item.document.startswith("AI Act")]
    assert len(articles) == 27
    for point in (*(f"1({c})" for c in "abcdefgh"), *(f"2({c})" for c in "abcdefgh"), *"3456789"):
        assert any(article.startswith(point) for article in articles), point


def test_every_kind_of_evidence_answers_something() -> None:
    asked = {term.kind for name in TITLES for item in requirements(name) for term in item.terms}
    assert asked >= set(KINDS)


def test_the_page_counts_as_the_tables_do() -> None:
    text = (Path(__file__).parents[3] / "docs" / "dossier.md").read_text(encoding="utf-8")
    rows = [
        line.split(" | ")
        for line in text.splitlines()
        if line.startswith(tuple(f"| {name} |" for name in TITLES))
    ]
    told = {(row[0].strip("| "), row[1]): (int(row[2]), int(row[3])) for row in rows}
    true: dict[tuple[str, str], tuple[int, int]] = {}
    for name in TITLES:
        for item in requirements(name):
            total, verified = true.get((name, item.document), (0, 0))
            true[name, item.document] = (total + 1, verified + item.verified)
    assert told == true


def test_no_id_stands_in_two_tables() -> None:
    ids = [item.id for name in TITLES for item in requirements(name)]
    assert len(ids) == len(set(ids))


def test_an_unknown_authority_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected one of nmpa, fda, eu, pipl"):
        requirements("../nmpa")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "tables"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("unverified\t\t", "verified\t\t"), "names its source"),
        (("unverified\t\t", "verified\thttps://example.org/a\t"), "names its source"),
        (("unverified\t\t", "verified\tfrom memory\tall of it"), "names its source"),
        (("unverified\t\t", "unverified\thttps://example.org/a\tall"), "an unverified row has no source"),
        (("unverified", "maybe"), "verified or unverified"),
        (("fda-x-01", "nmpa-x-01"), "expected fda-"),
        (("fda-x-01", "FDA-1"), "expected fda-"),
        (("中文问题?", "A question?"), "in Chinese and in English"),
        (("A question?", "中文问题?"), "in Chinese and in English"),
        (("A question?", ""), "question_en"),
        (("metric:name,value", ""), "at least one term"),
        (("metric:name,value", "measure:name"), "is no kind"),
        (("metric:name,value", "metric"), "lists its fields"),
        (("metric:name,value", "statement:zh"), "lists its fields"),
        (("metric:name,value", "metric:name,p_value"), "metric has no p_value"),
        (("metric:name,value", "metric[group=]:name"), "expected kind"),
        (("metric:name,value", "metric:name;value"), "expected kind"),
        (("\tII\t", "\tII\textra\t"), "tab-separated cells"),
    ],
)
def test_a_row_that_breaks_the_schema_is_named(tables: Path, change: tuple[str, str], message: str) -> None:
    path = tables / "fda.tsv"
    last = len(path.read_text(encoding="utf-8").splitlines()) + 1
    assert change[0] in ROW
    with path.open("a", encoding="utf-8") as file:
        file.write(ROW.replace(*change, 1) + "\n")
    with pytest.raises(VocabularyError, match=message) as raised:
        check(tables)
    assert f"fda.tsv:{last}" in str(raised.value)


def test_the_unchanged_row_is_accepted(tables: Path) -> None:
    with (tables / "fda.tsv").open("a", encoding="utf-8") as file:
        file.write(ROW + "\n")
    assert check(tables)["fda"][0] == check()["fda"][0] + 1


def test_a_table_twice_empty_or_absent_is_refused(tables: Path) -> None:
    path = tables / "pipl.tsv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(VocabularyError, match="stand twice"):
        requirements("pipl", tables)
    (tables / "eu.tsv").write_text(text.splitlines()[0] + "\n", encoding="utf-8")
    with pytest.raises(VocabularyError, match="found none"):
        requirements("eu", tables)
    (tables / "nmpa.tsv").unlink()
    with pytest.raises(MissingDataError, match=r"nmpa\.tsv"):
        requirements("nmpa", tables)


def test_fields_have_names_and_foreign_ones_are_refused(tmp_path: Path) -> None:
    assert kind_name("metric") == "性能指标 performance metric"
    assert fields_of("gate") == ()
    head = "kind\tfield\tzh\ten\n"
    for row, message in (
        ("measure\t*\t指标\tmeasure\n", "expected a kind"),
        ("metric\t*\t指标\tmetric\nmetric\t*\t指标\tmetric\n", "stands twice"),
        ("metric\t*\t指标\tmetric\n", "no row names the kinds"),
    ):
        path = tmp_path / f"{len(row)}.tsv"
        path.write_text(head + row, encoding="utf-8")
        with pytest.raises(VocabularyError, match=message):
            names(path)
