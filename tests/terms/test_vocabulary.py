"""The loader against its schema: what is read, and that each breach names its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from xinglin.errors import MissingDataError, UnknownNameError, VocabularyError
from xinglin.terms import read
from xinglin.terms.vocabulary import Vocabulary, checked, in_band, load_vocabulary, starter_vocabulary

HEADER = "name\ten\tkind\tparents\taliases\taliases_en\tsource\tverified\treviewed_by\n"
CORE = "findings-core.tsv"


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    (folder / CORE).write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_reads_terms_with_codes(vocabulary: Vocabulary) -> None:
    term = vocabulary.finding("压榨性胸痛")
    assert (term.code.system, term.code.value) == ("xinglin", "crushing-chest-pain")
    assert term.parents == ("胸痛",)
    assert vocabulary.ancestors("压榨性胸痛") == ("胸痛",)
    assert "压榨性胸痛" in vocabulary.descendants("胸痛")
    assert vocabulary.analytes["血红蛋白"].units == (("g/L", 1.0), ("g/dL", 10.0))
    assert vocabulary.drugs["华法林"].classes == ("抗凝药",)


def test_extra_terms_share_a_spelling_with_findings(vocabulary: Vocabulary) -> None:
    systems = {term.code.system for term in vocabulary.spelled("高血压")}
    assert systems == {"xinglin", "xinglin-disease"}


def test_unknown_name_lists_near_ones(vocabulary: Vocabulary) -> None:
    with pytest.raises(UnknownNameError, match="胸痛"):
        vocabulary.finding("压榨样的胸痛")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["发热\tfever\tsymptom"], ":2: expected 9"),
        (["发热\tfever\tfeeling\t\t\t\ts\t\t"], ":2: expected a kind"),
        (["\tfever\tsymptom\t\t\t\ts\t\t"], ":2: expected a value in column 'name'"),
        (["发热\t\tsymptom\t\t\t\ts\t\t"], ":2: expected a value in column 'en'"),
    ],
)
def test_breach_names_its_line(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(VocabularyError, match=message):
        load_vocabulary(write(tmp_path, *lines))


def test_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="missing kind"):
        load_vocabulary(write(tmp_path, header=HEADER.replace("\tkind", "")))


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        load_vocabulary(tmp_path)


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / CORE).write_bytes(HEADER.encode() + "发热".encode("gbk"))
    with pytest.raises(VocabularyError, match="UTF-8"):
        load_vocabulary(tmp_path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["发热\tfever\tsymptom\t\t烧\t\ts\t\t", "烫伤\tburn\tsign\t\t烧\t\ts\t\t"], "names both"),
        (["高热\thigh fever\tsymptom\t发热\t\t\ts\t\t"], "which is no finding"),
        (["甲\ta\tsign\t乙\t\t\ts\t\t", "乙\tb\tsign\t甲\t\t\ts\t\t"], "own ancestor"),
        (["甲\ta b\tsign\t\t\t\ts\t\t", "乙\ta-b\tsign\t\t\t\ts\t\t"], "same English id"),
        (["甲\ta\tsign\t\t\t\ts\t\t", "甲\tb\tsign\t\t\t\ts\t\t"], "defined twice"),
    ],
)
def test_conflicts_are_collected_and_refused_on_demand(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    loaded = load_vocabulary(write(tmp_path, *lines))
    assert any(message in conflict for conflict in loaded.conflicts)
    with pytest.raises(VocabularyError, match=message):
        checked(loaded)


@pytest.mark.parametrize(
    ("age", "low", "high", "inside"),
    [
        (18, 18, None, True),
        (17.99, 18, None, False),
        (18, 13, 18, False),
        (0, None, 1, True),
        (5, None, None, True),
    ],
)
def test_bands_are_half_open(age: float, low: float | None, high: float | None, inside: bool) -> None:
    assert in_band(age, low, high) is inside


def test_starter_vocabulary_loads_quickly() -> None:
    start = time.process_time()
    starter = load_vocabulary()
    assert time.process_time() - start < 2.0  # 70 ms on the author's machine; loose on purpose
    assert len(starter.findings) > 500
    assert starter_vocabulary() is starter_vocabulary()


@pytest.mark.parametrize(
    ("text", "burnt"),
    [
        *(
            ("烧了三天", False),
            ("昨天烧到今天", False),
            ("烧到39度不退", False),
            ("每天下午发烧,早上就退烧", False),
        ),
        *(
            ("开水烫到手", True),
            ("火烧到了身上,烧到脸", True),
            ("炉子烧着了手", True),
            ("胳膊烧伤起泡", True),
        ),
    ],
)
def test_a_fever_is_no_burn(text: str, burnt: bool) -> None:
    names = {finding.code.display for finding in read(text).findings}
    assert ("烧烫伤" in names) is burnt
    assert burnt or "发热" in names
