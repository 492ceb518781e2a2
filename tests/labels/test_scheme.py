"""Schemes from tables and RF2: read, checked, versioned, and labels held to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.terms.test_snomed import SYNONYM, concept, description, is_a, release
from xinglin.errors import InvalidInputError, MissingDataError, UnknownNameError, VocabularyError
from xinglin.labels.scheme import (
    COLUMNS,
    Scheme,
    SchemeClass,
    scheme_from_json,
    scheme_from_refset,
    scheme_from_snomed,
    scheme_from_tsv,
    scheme_to_json,
)
from xinglin.terms.snomed import load_snomed
from xinglin.types import Code, Label

ROOT = "138875005"
REFSET = "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId"
ICD = "icd10-who"


def table(folder: Path, *lines: str) -> Path:
    path = folder / "scheme.tsv"
    path.write_text("\n".join(["\t".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def chest(tmp_path: Path) -> Scheme:
    path = table(
        tmp_path,
        "i21\t急性心肌梗死\tAcute myocardial infarction\t心肌缺血坏死\tMyocardial necrosis"
        "\tNSTEMI|STEMI\t陈旧性见 I25.2\t胸痛3小时",
        "I20.0\t不稳定型心绞痛\tUnstable angina\t\t\t\t\t",
        "J93.9\t气胸\tPneumothorax\t\t\t\t\t",
    )
    return scheme_from_tsv(path, name="胸痛", system=ICD)


def test_a_table_is_read_with_its_notes(chest: Scheme) -> None:
    assert [code.value for code in chest.codes] == ["I21", "I20.0", "J93.9"]
    first = chest.classes[0]
    assert (first.include, first.exclude, first.examples) == (
        ("NSTEMI", "STEMI"),
        ("陈旧性见 I25.2",),
        ("胸痛3小时",),
    )
    assert chest.definitions[Code(ICD, "I21")] == "心肌缺血坏死 Myocardial necrosis"


@pytest.mark.parametrize(
    "given_", ["I21", "i21", "急性心肌梗死", "Acute  Myocardial Infarction", Code(ICD, "I21")]
)
def test_a_label_is_of_the_scheme(chest: Scheme, given_: str | Code) -> None:
    label = chest.label("r1", given_, annotator="a", round=2, confidence=0.9)
    assert label == Label("r1", Code(ICD, "I21"), "present", "a", 2, 0.9)
    assert label.code.display == "急性心肌梗死"


@pytest.mark.parametrize(
    ("given_", "near"),
    [
        ("急性心机梗死", "I21"), ("unstable angin", "I20.0"), ("I20", "I20.0"), ("心绞痛", "I20.0"),
        (Code("snomedct", "22298006", "Acute myocardial infarct"), "I21"),
    ],
)  # fmt: skip
def test_an_unknown_label_names_the_nearest(chest: Scheme, given_: str | Code, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean .*{near}"):
        chest.label("r1", given_)


def test_nothing_near_is_said_so(chest: Scheme) -> None:
    with pytest.raises(UnknownNameError, match="choose one of its classes"):
        chest.code("骨折")
    with pytest.raises(UnknownNameError):
        chest.code("")


def test_a_name_that_two_classes_bear_names_neither() -> None:
    scheme = Scheme("s", (SchemeClass(Code(ICD, "J18"), "肺炎"), SchemeClass(Code(ICD, "J12"), "肺炎")))
    with pytest.raises(UnknownNameError):
        scheme.code("肺炎")


def test_single_and_multi_labels(chest: Scheme) -> None:
    two = [chest.label("r1", "I21", annotator="a"), chest.label("r1", "J93.9", annotator="a")]
    with pytest.raises(InvalidInputError, match="one class"):
        chest.check(two)
    both = Scheme(chest.name, chest.classes, multi=True)
    both.check(two)
    with pytest.raises(InvalidInputError, match="each class once"):
        both.check([*two, two[0]])
    chest.check(
        [
            two[0],
            chest.label("r1", "J93.9", annotator="b"),
            chest.label("r1", "J93.9", annotator="a", round=1),
        ]
    )
    chest.check([two[0], Label("r1", Code(ICD, "J93.9"), "absent", "a")])
    with pytest.raises(UnknownNameError):
        chest.check([Label("r1", Code(ICD, "A00"))])


def test_json_both_ways_and_the_digest_is_the_content(chest: Scheme) -> None:
    back = scheme_from_json(json.loads(json.dumps(scheme_to_json(chest))))
    assert back == chest
    assert back.digest == chest.digest
    changed = Scheme(
        chest.name,
        (*chest.classes[:2], SchemeClass(Code(ICD, "J93.9"), "气胸 ", "Pneumothorax")),
        source=chest.source,
    )
    assert changed.digest != chest.digest


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8).filter(
    str.strip
)


@settings(max_examples=50, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=5), st.lists(WORDS, max_size=3), st.booleans())
def test_json_is_lossless(names: list[str], notes: list[str], multi: bool) -> None:
    classes = tuple(
        SchemeClass(Code(ICD, f"I{i:02d}"), zh, "", zh, "", tuple(notes), (), tuple(notes))
        for i, zh in enumerate(names)
    )
    scheme = Scheme("s", classes, multi)
    assert scheme_from_json(json.loads(json.dumps(scheme_to_json(scheme)))) == scheme


def bad(chest: Scheme, **changes: object) -> dict[str, object]:
    return scheme_to_json(chest) | changes


def test_what_is_no_scheme_is_refused(chest: Scheme, tmp_path: Path) -> None:
    good = scheme_to_json(chest)
    row = good["classes"][0]
    for value in (
        None, [], {}, good | {"extra": 1}, good | {"multi": 1}, good | {"classes": []}, good | {"name": " "},
        good | {"classes": [row | {"include": [1]}]}, good | {"classes": [{"code": "I21"}]},
        good | {"classes": [row, row]}, good | {"classes": [row | {"zh": "", "en": " "}]},
        good | {"classes": [row | {"code": "i21"}]}, good | {"classes": [row | {"code": "心"}]},
        good | {"classes": [row, row | {"system": "icd10-cm"}]},
        good | {"classes": [row | {"system": "snomedct", "code": "22298007"}]},
    ):  # fmt: skip
        with pytest.raises(InvalidInputError):
            scheme_from_json(value)
    with pytest.raises(UnknownNameError, match="coding system"):
        scheme_from_json(good | {"classes": [row | {"system": "icd9"}]})
    with pytest.raises(VocabularyError, match=r"scheme.tsv:2"):
        scheme_from_tsv(table(tmp_path, "I21\tonly two"), name="s", system=ICD)
    with pytest.raises(MissingDataError):
        scheme_from_tsv(tmp_path / "none.tsv", name="s", system=ICD)


def test_from_rf2(tmp_path: Path) -> None:
    path = release(
        tmp_path,
        Concept=[concept(ROOT), concept("64572001"), concept("22298006")],
        Description=[
            description(ROOT, "SNOMED CT Concept"), description("64572001", "Disease (disorder)"),
            description("22298006", "Myocardial infarction (disorder)"), description("22298006", "心肌梗死", SYNONYM),
        ],
        Relationship=[is_a("64572001", ROOT), is_a("22298006", "64572001")],
    )  # fmt: skip
    (path / "der2_Refset_SimpleSnapshot_INT_20200101.txt").write_text(
        f"{REFSET}\n"
        "u1\t20200101\t1\t1\t723264001\t22298006\nu2\t20200101\t0\t1\t723264001\t64572001\n"
        "u3\t20200101\t1\t1\t999\t64572001\n"
    )
    snomed = load_snomed(path)
    below = scheme_from_snomed(snomed, name="s", under=ROOT)
    assert [(one.code.value, one.zh, one.en) for one in below.classes] == [
        ("22298006", "心肌梗死", "Myocardial infarction"), ("64572001", "", "Disease"),
    ]  # fmt: skip
    members = scheme_from_refset(path, snomed, name="s", refset="723264001")
    assert [one.code.value for one in members.classes] == ["22298006"]
    with pytest.raises(MissingDataError, match="check its id"):
        scheme_from_refset(path, snomed, name="s", refset="1")
    with pytest.raises(InvalidInputError, match="at least one class"):
        scheme_from_snomed(snomed, name="s", under="22298006")


def test_the_fictitious_release_makes_a_scheme(data: Path) -> None:
    snomed = load_snomed(data / "text" / "snomed_mini_rf2" / "SnomedCT_Dummy_RF2_Snapshot.zip")
    scheme = scheme_from_snomed(snomed, name="findings", under="404684003")
    assert len(scheme.classes) == len(snomed.descendants("404684003")) >= 1
    assert all(snomed.is_a(code.value, "404684003") for code in scheme.codes)
