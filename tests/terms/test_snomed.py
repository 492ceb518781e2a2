"""The RF2 loader on the fictitious release of Snowstorm, and on broken and hostile ones made here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError, UnknownNameError
from xinglin.terms.snomed import load_snomed, valid_sctid

ROOT = "138875005"
HEADS = {
    "Concept": "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId",
    "Description": "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignif"
    "icanceId",
    "Relationship": "id\teffectiveTime\tactive\tmoduleId\tsourceId\tdestinationId\trelationshipGroup\ttype"
    "Id\t"
    "characteristicTypeId\tmodifierId",
}
FSN, SYNONYM, IS_A = "900000000000003001", "900000000000013009", "116680003"


def concept(value: str, active: str = "1") -> str:
    return f"{value}\t20200101\t{active}\t1\t900000000000074008"


def description(value: str, term: str, kind: str = FSN, active: str = "1") -> str:
    return f"1\t20200101\t{active}\t1\t{value}\ten\t{kind}\t{term}\t1"


def is_a(child: str, parent: str, active: str = "1") -> str:
    return f"1\t20200101\t{active}\t1\t{child}\t{parent}\t0\t{IS_A}\t1\t1"


def release(folder: Path, **files: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for kind, lines in files.items():
        text = "\r\n".join([HEADS[kind], *lines]) + "\r\n"
        (folder / f"sct2_{kind}_Snapshot_INT_20200101.txt").write_text(text, encoding="utf-8", newline="")
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return release(
        tmp_path / "release",
        Concept=[concept("22298006"), concept("64572001"), concept(ROOT), concept("123037004", active="0")],
        Description=[
            description("22298006", "Myocardial infarction (disorder)"),
            description("22298006", "Heart attack", SYNONYM),
            description("22298006", "心肌梗死", SYNONYM),
            description("22298006", "Cardiac infarct", SYNONYM, active="0"),
            description("64572001", "Disease (disorder)"),
            description(ROOT, "SNOMED CT Concept"),
        ],
        Relationship=[
            is_a("22298006", "64572001"), is_a("64572001", ROOT), is_a("22298006", "123037004"),
            is_a(ROOT, "22298006", active="0"),
        ],
    )  # fmt: skip


def test_codes_terms_and_ancestors(small: Path) -> None:
    snomed = load_snomed(small)
    assert len(snomed) == 3
    assert snomed.code("22298006").display == "Myocardial infarction (disorder)"
    assert snomed.terms("22298006") == ("Myocardial infarction (disorder)", "Heart attack", "心肌梗死")
    assert [p.value for p in snomed.parents("22298006")] == ["64572001"]
    assert snomed.ancestors("22298006") == {"64572001", ROOT}
    assert snomed.is_a("22298006", ROOT)
    assert not snomed.is_a(ROOT, "22298006")
    assert "123037004" not in snomed


def test_a_zip_reads_as_its_folder(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "release.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in small.iterdir():
            archive.write(file, f"Snapshot/Terminology/{file.name}")
    assert load_snomed(path).ancestors("22298006") == load_snomed(small).ancestors("22298006")


def test_a_cycle_does_no_harm(tmp_path: Path) -> None:
    path = release(
        tmp_path, Concept=[concept("22298006"), concept("64572001")], Description=[],
        Relationship=[is_a("22298006", "64572001"), is_a("64572001", "22298006")],
    )  # fmt: skip
    snomed = load_snomed(path)
    assert snomed.ancestors("22298006") == {"64572001"}
    assert snomed.descendants("22298006") == ("64572001",)


def test_unknown_and_mistyped_ids_are_told_apart(small: Path) -> None:
    snomed = load_snomed(small)
    with pytest.raises(UnknownNameError, match="edition"):
        snomed.code("44054006")
    with pytest.raises(UnknownNameError, match="check digit"):
        snomed.code("22298007")


@pytest.mark.parametrize(
    ("text", "valid"),
    [("22298006", True), ("22298007", False), ("138875005", True), ("12", False), ("x", False)],
)
def test_check_digit(text: str, valid: bool) -> None:
    assert valid_sctid(text) is valid


def test_absent_and_empty_releases(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="absent"):
        load_snomed(tmp_path / "nowhere")
    with pytest.raises(MissingDataError, match="Snapshot"):
        load_snomed(tmp_path)
    (tmp_path / "a.zip").write_text("no zip")
    with pytest.raises(InvalidInputError, match="neither"):
        load_snomed(tmp_path / "a.zip")


def test_damaged_files_are_named_by_line(small: Path) -> None:
    file = small / "sct2_Concept_Snapshot_INT_20200101.txt"
    file.write_text(HEADS["Concept"] + "\nnot a row\n")
    with pytest.raises(InvalidInputError, match=":2: expected 5 cells"):
        load_snomed(small)
    file.write_text("code\tname\n")
    with pytest.raises(InvalidInputError, match=":1: expected the RF2 columns"):
        load_snomed(small)
    file.write_bytes(HEADS["Concept"].encode() + b"\n\xff\xfe\n")
    with pytest.raises(InvalidInputError, match="UTF-8"):
        load_snomed(small)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sct2_Concept_Snapshot_INT.txt", b"0" * 20_000_000)
    with pytest.raises(InputTooLargeError, match="times its size"):
        load_snomed(path)
    with pytest.raises(InputTooLargeError, match="at most 10 bytes"):
        load_snomed(small, max_bytes=10)


@pytest.mark.parametrize(
    ("name", "concepts"), [("SnomedCT_Dummy_RF2_Snapshot.zip", 101), ("SnomedCT_MiniRF2.zip", 13)]
)
def test_the_fictitious_releases_of_snowstorm(data: Path, name: str, concepts: int) -> None:
    snomed = load_snomed(data / "text" / "snomed_mini_rf2" / name)
    assert len(snomed) == concepts
    assert snomed.is_a("404684003", ROOT)
    assert set(snomed.descendants(ROOT)) | {ROOT} == {value for value in snomed if snomed.is_a(value, ROOT)}
