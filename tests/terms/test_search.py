"""Concept search against a slow scan, on real labels, and an index that does not survive damage unnoticed."""

from __future__ import annotations

import gzip
import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.terms.test_snomed import SYNONYM, concept, description, is_a, release
from xinglin.errors import InvalidInputError, MissingDataError, UnknownNameError, VocabularyError
from xinglin.terms.grams import grams_of, search_key
from xinglin.terms.search import LEAST, ConceptMatch, ConceptSearch
from xinglin.terms.search_index import (
    KINDS,
    Concept,
    ConceptIndex,
    build_index,
    concepts_from_tsv,
    concepts_of,
    open_index,
    save_index,
)
from xinglin.terms.snomed import load_snomed

SOME = [
    Concept(value, tuple(terms.items()), parents)  # type: ignore[arg-type]
    for value, parents, terms in (
        ("22298006", ("414545008",), {
            "心肌梗死": "preferred", "Myocardial infarction (disorder)": "fsn", "Heart attack": "synonym", "MI": "synonym",
        }),
        ("414545008", ("64572001",), {"Ischemic heart disease (disorder)": "fsn", "缺血性心脏病": "synonym"}),
        ("64572001", (), {"Disease (disorder)": "fsn", "疾病": "synonym"}),
        ("62315008", ("404684003",), {"腹泻": "preferred", "Diarrhea (finding)": "fsn", "拉肚子": "synonym"}),
        ("404684003", (), {"Clinical finding (finding)": "fsn"}),
        ("195967001", ("64572001",), {
            "支气管哮喘": "preferred", "Asthma (disorder)": "fsn", "Bronchial asthma": "synonym",
        }),
        ("363346000", ("64572001",), {
            "恶性肿瘤": "preferred", "Malignant neoplastic disease (disorder)": "fsn", "癌": "synonym",
        }),
        ("254637007", ("363346000",), {"非小细胞肺癌": "preferred", "Non-small cell lung cancer (disorder)": "fsn"}),
        ("30693006", ("404684003",), {"Heart attack anxiety": "preferred", "急性腹泻病": "synonym"}),
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def some() -> ConceptSearch:
    return ConceptSearch(build_index(SOME, "snomedct"))


def values(found: tuple[ConceptMatch, ...]) -> list[str]:
    return [one.code.value for one in found]


@pytest.mark.parametrize(
    ("query", "first", "match"),
    [
        ("腹泻", "62315008", "exact"), ("癌", "363346000", "exact"), ("myocardial infarction", "22298006", "exact"),
        ("MI", "22298006", "exact"), ("Myocard", "22298006", "prefix"), ("asthma", "195967001", "exact"),
        ("infarction myocardial", "22298006", "overlap"), ("myocardal infraction", "22298006", "overlap"),
        ("astma", "195967001", "overlap"), ("心机梗死", "22298006", "overlap"), ("拉肚", "62315008", "prefix"),
        ("  HEART   attack ", "22298006", "exact"), ("ＭＩ", "22298006", "exact"), ("腹瀉", "62315008", "exact"),
        ("cell lung", "254637007", "contains"), ("肺癌", "254637007", "contains"),
    ],
)  # fmt: skip
def test_found_first(some: ConceptSearch, query: str, first: str, match: str) -> None:
    best = some.search(query)[0]
    assert (best.code.value, best.match) == (first, match)
    assert 0 < best.score <= 1
    if match == "exact":
        assert best.score == 1


def test_the_order_is_exact_beginning_part_overlap(some: ConceptSearch) -> None:
    assert values(some.search("heart attack")) == ["22298006", "30693006"]
    assert [one.match for one in some.search("腹泻")] == ["exact", "contains"]
    assert values(some.search("癌")) == ["363346000", "254637007"]
    assert some.search("腹泻")[0].code.display == "腹泻"
    assert some.search("heart attack")[0].code.display == "心肌梗死"


def test_hierarchy_and_kinds(some: ConceptSearch) -> None:
    assert values(some.search("disease", under="64572001"))[0] == "64572001"
    assert values(some.search("heart", under="404684003")) == ["30693006"]
    assert values(some.search("癌", under="363346000")) == ["363346000", "254637007"]
    assert values(some.search("癌", kinds=("preferred",))) == ["254637007"]
    assert some.search("heart attack", kinds=("fsn",)) == ()
    assert [one.kind for one in some.search("asthma", kinds=("synonym",))] == ["synonym"]
    for round_ in range(3):  # more hierarchies than are remembered
        for one in SOME:
            assert one.value in values(some.search(one.terms[0][0], under=one.value)), round_
    with pytest.raises(UnknownNameError, match="concept of the index"):
        some.search("癌", under="1")
    with pytest.raises(InvalidInputError, match="kinds of"):
        some.search("癌", kinds=("name",))  # type: ignore[arg-type]


@pytest.mark.parametrize("query", ["", "   ", "zzzzz", "()", "\0", "\ud800", "饕餮", "-", "x" * 10_000])
def test_nothing_for_nothing(some: ConceptSearch, query: str) -> None:
    assert some.search(query) == ()


def test_a_limit_is_kept(some: ConceptSearch) -> None:
    assert len(some.search("disease", limit=1)) == 1
    assert some.search("disease", limit=0) == ()


def slow_grams(key: str) -> set[tuple[str, ...]]:
    """Grams of one key, character by character."""
    found: set[tuple[str, ...]] = set()
    word = ""
    for at, char in enumerate(key + " "):
        if char == " " or not (char.isalnum()) or "\u4e00" <= char <= "\u9fff":
            marked = "^" + word
            found |= {tuple(marked[i : i + 3]) for i in range(len(marked) - 2)} if word else set()
            word = ""
        else:
            word += char
        if "\u4e00" <= char <= "\u9fff":
            found.add((char,))
            if at + 1 < len(key) and "\u4e00" <= key[at + 1] <= "\u9fff":
                found.add((char, key[at + 1]))
    return found


LETTERS = st.text(st.sampled_from("abcde 腹泻癌病心1,("), min_size=1, max_size=12).filter(search_key)


@settings(max_examples=100, deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=6))
def test_grams_against_a_slow_count(texts: list[str]) -> None:
    keys = [search_key(text) for text in texts]
    _, owners = grams_of(keys)
    assert np.bincount(owners, minlength=len(keys)).tolist() == [len(slow_grams(key)) for key in keys]
    index = build_index([Concept(str(i), ((text, "preferred"),)) for i, text in enumerate(texts)], "hpo")
    assert sorted(index.grams_in.tolist()) == sorted(len(slow_grams(key)) for key in keys)


def slow_search(concepts: list[Concept], query: str, limit: int) -> list[tuple[str, str]]:
    """A scan over all terms by the definition of the order."""
    wanted, key = slow_grams(search_key(query)), search_key(query)
    ranked: dict[str, tuple[tuple[object, ...], str]] = {}
    every = sorted(
        (search_key(text).encode(), concept.value, KINDS.index(kind), text)
        for concept in concepts
        for text, kind in concept.terms
    )
    for place, (raw, value, kind, _) in enumerate(every):
        other = raw.decode()
        grams = slow_grams(other)
        dice = 2 * len(wanted & grams) / (len(wanted) + len(grams)) if wanted or grams else 1.0
        if other == key:
            match = "exact"
        elif other.startswith(key):
            match = "prefix"
        elif wanted and key in other and wanted <= grams:
            match = "contains"
        elif dice >= LEAST and wanted:
            match = "overlap"
        else:
            continue
        if match != "overlap":
            dice = len(key.encode()) / len(raw)
        order = ("exact", "prefix", "contains", "overlap").index(match)
        rank = (order, kind == 2, -dice, kind, place)
        if value not in ranked or rank < ranked[value][0]:
            ranked[value] = (rank, match)
    best = sorted(ranked.items(), key=lambda item: item[1][0])[:limit]
    return [(value, match) for value, (_, match) in best]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(LETTERS, st.sampled_from(KINDS)), min_size=1, max_size=25), LETTERS, st.integers(1, 12)
)
def test_search_against_a_scan(terms: list[tuple[str, str]], query: str, limit: int) -> None:
    concepts = [
        Concept(f"{i:03d}", ((text, kind), (text + "病", "synonym")) if i % 3 else ((text, kind),))  # type: ignore[arg-type]
        for i, (text, kind) in enumerate(terms)
    ]
    found = ConceptSearch(build_index(concepts, "hpo")).search(query, limit)
    assert [(one.code.value, one.match) for one in found] == slow_search(concepts, query, limit)


@pytest.fixture(scope="module")
def phenotypes(data: Path) -> list[Concept]:
    with gzip.open(data / "text" / "hpo_zh" / "labels_en_zh.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Concept(row["id"], ((row["zh"], "preferred"), (row["en"], "synonym")))
        for row in rows[:6000]
        if row["zh"].strip() and unicodedata.normalize("NFC", row["zh"])
    ]


def test_real_labels_against_a_scan(phenotypes: list[Concept]) -> None:
    search = ConceptSearch(build_index(phenotypes, "hpo"))
    asked = [
        "腹泻",
        "癌",
        "肌张力",
        "身高异常",
        "abnormality of the",
        "seizur",
        "hypotonai",
        "多囊肾",
        "a",
        "kidney dysplasia multicystic",
    ]
    for query in asked:
        found = [(one.code.value, one.match) for one in search.search(query, 10)]
        assert found == slow_search(phenotypes, query, 10), query


def test_saved_and_opened_in_place(tmp_path: Path, some: ConceptSearch) -> None:
    save_index(some.index, tmp_path / "index")
    opened = open_index(tmp_path / "index")
    assert isinstance(opened.postings, np.memmap)
    assert opened.digest == some.index.digest
    assert len(opened) == len(SOME)
    for query in ("腹泻", "heart attack", "astma"):
        assert ConceptSearch(opened).search(query) == some.search(query)
    with pytest.raises(InvalidInputError, match="never overwritten"):
        save_index(some.index, tmp_path / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_the_order_of_the_input_does_not_matter(some: ConceptSearch) -> None:
    assert build_index(SOME[::-1], "snomedct").digest == some.index.digest
    assert build_index(SOME[1:], "snomedct").digest != some.index.digest


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch, some: ConceptSearch) -> None:
    monkeypatch.setattr("xinglin.terms.search_index._BATCH", 4)
    assert build_index(SOME, "snomedct").digest == some.index.digest


def test_damage_is_found(tmp_path: Path, some: ConceptSearch) -> None:
    names = sorted(path.name for path in _saved(some.index, tmp_path / "names").iterdir())
    assert len(names) == 16
    for at, name in enumerate(names):
        for how, harm in enumerate(
            (_flip, lambda path: path.write_bytes(path.read_bytes()[:-5]), Path.unlink)
        ):
            folder = _saved(some.index, tmp_path / f"{at}-{how}")
            harm(folder / name)
            if (folder / name).exists() and (folder / name).stat().st_size <= 128:
                continue
            with pytest.raises((InvalidInputError, MissingDataError)):
                open_index(folder)


def _saved(index: ConceptIndex, folder: Path) -> Path:
    save_index(index, folder)
    return folder


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(bytes(raw))


def test_a_pickle_is_not_opened(tmp_path: Path, some: ConceptSearch) -> None:
    folder = _saved(some.index, tmp_path / "index")
    np.save(folder / "postings.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInputError, match="postings"):
        open_index(folder)
    with pytest.raises(MissingDataError):
        open_index(tmp_path / "none")


@pytest.mark.parametrize(
    "concepts",
    [
        [], [Concept("1", ())], [Concept("1", ((" ", "fsn"),))],
        [Concept("1", (("a", "fsn"),)), Concept("1", (("b", "fsn"),))],
    ],
)  # fmt: skip
def test_what_is_no_set_of_concepts_is_refused(concepts: list[Concept]) -> None:
    with pytest.raises(InvalidInputError):
        build_index(concepts, "hpo")
    with pytest.raises(UnknownNameError):
        build_index(SOME, "mesh")


def test_a_cycle_in_the_hierarchy_does_no_harm() -> None:
    index = build_index(
        [Concept("1", (("a b", "fsn"),), ("2",)), Concept("2", (("a c", "fsn"),), ("1", "9"))], "hpo"
    )
    assert values(ConceptSearch(index).search("a", under="1")) == ["1", "2"]


def test_from_a_release(tmp_path: Path) -> None:
    path = release(
        tmp_path,
        Concept=[concept("22298006"), concept("64572001")],
        Description=[
            "7\t20200101\t1\t1\t22298006\ten\t900000000000013009\tMI\t1",
            description("22298006", "Myocardial infarction (disorder)"), description("22298006", "Heart attack", SYNONYM),
            description("64572001", "Disease (disorder)"),
        ],
        Relationship=[is_a("22298006", "64572001")],
    )  # fmt: skip
    (path / "der2_cRefset_LanguageSnapshot-en_INT_20200101.txt").write_text(
        "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\tacceptabilityId\n"
        "u\t20200101\t1\t1\t900000000000509007\t7\t900000000000548007\n"
    )
    search = ConceptSearch(build_index(concepts_of(load_snomed(path)), "snomedct"))
    (found,) = search.search("heart attack", under="64572001")
    assert (found.code.value, found.code.display, found.kind) == ("22298006", "MI", "synonym")
    assert search.search("MI")[0].kind == "preferred"
    assert search.search("disease")[0].match == "exact"


def test_from_a_table(tmp_path: Path) -> None:
    path = tmp_path / "icd.tsv"
    path.write_text(
        "code\tterm\tkind\tparents\ni21\tMI\tsynonym\tI20-X\nI21\t心肌梗死\tpreferred\t\n".replace(
            "I20-X", ""
        ),
        encoding="utf-8",
    )
    (one,) = concepts_from_tsv(path, "icd10-who")
    assert one == Concept("I21", (("心肌梗死", "preferred"), ("MI", "synonym")))
    path.write_text("code\tterm\tkind\tparents\nI21\tMI\tname\t\n", encoding="utf-8")
    with pytest.raises(VocabularyError, match=r"icd\.tsv:2"):
        list(concepts_from_tsv(path, "icd10-who"))


def test_the_fictitious_release(data: Path) -> None:
    snomed = load_snomed(data / "text" / "snomed_mini_rf2" / "SnomedCT_Dummy_RF2_Snapshot.zip")
    search = ConceptSearch(build_index(concepts_of(snomed), "snomedct"))
    assert len(search.index) == sum(bool(snomed.terms(value)) for value in snomed) == 100
    found = search.search("clinical finding")
    assert (found[0].code.value, found[0].match) == ("404684003", "exact")
    assert {one.code.value for one in search.search("finding", 200, under="404684003")} <= {
        "404684003", *snomed.descendants("404684003"),
    }  # fmt: skip
