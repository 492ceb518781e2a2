"""Shapes of codes and the table of systems."""

from __future__ import annotations

import pytest

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.terms.codes import (
    SYSTEMS,
    code_of,
    coding_system,
    icd10,
    icd10_category,
    is_descendant,
    is_icd10,
    slug,
)


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("I21", "I21"), ("i21.4", "I21.4"), ("I214", "I21.4"), (" I21.9 ", "I21.9"), ("I21.900x001", "I21."
        "900x001"),
        ("C4A.1", "C4A.1"), ("S72.001A", "S72.001A"), ("G01*", "G01"), ("A17.0+", "A17.0"), ("z99", "Z99"),
    ],
)  # fmt: skip
def test_icd10_normal_form(raw: str, normal: str) -> None:
    assert icd10(raw) == normal
    assert icd10(icd10(raw)) == normal
    assert is_icd10(raw)


@pytest.mark.parametrize("raw", ["", "I2", "21", "I20-I25", "胸痛", "I21.", "I21.12345", "II1", "I21 4"])
def test_malformed_icd10_is_refused_with_advice(raw: str) -> None:
    assert not is_icd10(raw)
    with pytest.raises(InvalidInputError, match="expected an ICD-10 code"):
        icd10(raw)


@pytest.mark.parametrize(
    ("code", "ancestor", "expected"),
    [
        ("I21.4", "I21", True), ("I21", "I21", True), ("I21", "I21.4", False), ("I22", "I21", False),
        ("I21.900x001", "I21.9", True), ("I214", "I21.4", True),
    ],
)  # fmt: skip
def test_descendants(code: str, ancestor: str, expected: bool) -> None:
    assert is_descendant(code, ancestor) is expected


def test_category() -> None:
    assert icd10_category("i21.4") == "I21"


@pytest.mark.parametrize(
    ("english", "expected"),
    [("ST elevation", "st-elevation"), ("β-hCG rise", "beta-hcg-rise"), ("Murphy's sign", "murphy-s-sign")],
)
def test_slug(english: str, expected: str) -> None:
    assert slug(english) == expected


def test_systems_have_unique_uris() -> None:
    assert len({system.uri for system in SYSTEMS.values()}) == len(SYSTEMS)


def test_code_of_checks_system_and_shape() -> None:
    assert code_of("icd10-who", "i21").value == "I21"
    with pytest.raises(UnknownNameError, match="icd10-who"):
        coding_system("icd10")
    with pytest.raises(InvalidInputError):
        code_of("icd10-cm", "nonsense")
