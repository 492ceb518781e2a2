"""The schedule files: every row is checked, and an error names file and line."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from xinglin.apps.drugs.safety.entries import ACTIONS, CATEGORIES, SCHEDULES, VERIFIED, load
from xinglin.errors import MissingDataError, VocabularyError


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SCHEDULES, tmp_path / "schedules"))


def test_the_shipped_files_cover_every_category_and_name_their_sources() -> None:
    lists = load()
    entries = [*lists.members.values(), *(family.entry for family in lists.families)]
    assert len(lists.members) >= 150
    assert len(lists.families) >= 30
    assert {entry.category for entry in entries} == set(CATEGORIES)
    assert {entry.action for entry in entries} == set(ACTIONS)
    assert {entry.verified for entry in entries} == set(VERIFIED)
    for source in lists.sources.values():
        assert source.where.startswith("http")
    assert {entry.source.id for entry in entries} <= set(lists.sources)


def test_no_structure_of_a_member_is_in_the_files() -> None:
    header, *lines = (SCHEDULES / "members.tsv").read_text(encoding="utf-8").splitlines()
    assert "smiles" not in header
    assert len(lines) == len(load().members)


def test_a_pattern_needs_no_more_than_it_says() -> None:
    """What is skipped for want of atoms must not contain the pattern: wild cards and alternatives count for none."""
    needs = {family.entry.id: family.needs for family in load().families}
    assert needs["alkylphosphorus"] == {"P": 1}
    assert needs["morphinan"] == {"N": 1}
    assert needs["nitrogen-mustard"] == {"Cl": 2}
    assert all(not {"C", "H"} & set(found) for found in needs.values())


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("members.tsv", "cwc-1\t", "cwc-9\t", "category must be one of"),
        ("members.tsv", "\trefuse\t", "\tallow\t", "action must be one of"),
        ("members.tsv", "\topened\t", "\tsurely\t", "verified must be one of"),
        ("members.tsv", "\tcwc-annex\t", "\thearsay\t", "source must be one of"),
        ("members.tsv", "C10H17N7O4", "ten carbons", "Hill order"),
        ("members.tsv", "saxitoxin", "", "expected a value"),
        ("families.tsv", "[#6][P;X4](=[O,S])F", "[#6][P;X4](=[O,S]F", "SMARTS"),
        ("families.tsv", "lewisite\t", "sulfur-mustard\t", "already listed"),
    ],
)
def test_a_broken_row_is_named(copied: Path, file: str, old: str, new: str, said: str) -> None:
    path = copied / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(VocabularyError, match=said) as caught:
        load(copied)
    assert f"{file}:{line}:" in str(caught.value)


def test_a_member_twice_and_a_short_key_are_refused(copied: Path) -> None:
    path = copied / "members.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, lines[1]]), encoding="utf-8")
    with pytest.raises(VocabularyError, match="already listed"):
        load(copied)
    path.write_text("\n".join([lines[0], lines[1][3:]]), encoding="utf-8")
    with pytest.raises(VocabularyError, match="14 letters"):
        load(copied / ".")


def test_an_absent_file_is_named(copied: Path) -> None:
    (copied / "families.tsv").unlink()
    with pytest.raises(MissingDataError, match=r"families\.tsv"):
        load(copied)


def test_counts_by_category_are_as_the_page_says() -> None:
    page = (Path(__file__).parents[3] / "docs" / "drugs-safety.md").read_text(encoding="utf-8")
    lists = load()
    members = Counter(entry.category for entry in lists.members.values())
    families = Counter(family.entry.category for family in lists.families)
    for category in CATEGORIES:
        assert f"| `{category}` | {members[category]} | {families[category]} |" in page
