"""Header facts, and what must not be taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from xinglin.terms.characters import normalise
from xinglin.terms.patient import merge_patient, read_patient
from xinglin.terms.quantity import read_quantities
from xinglin.terms.reading import read
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Patient

DAY = 1 / 365.25
SAID: list[tuple[str, dict[str, Any]]] = [
    ("患者男,58岁,胸痛", {"age": 58, "sex": "male"}),
    ("五十八岁女性", {"age": 58, "sex": "female"}),
    ("1岁6个月", {"age": 1.5}),
    ("2岁半男孩", {"age": 2.5, "sex": "male"}),
    ("3个月大男婴,发热", {"age": 0.25, "sex": "male"}),
    ("患儿,女,7个月", {"age": 7 / 12, "sex": "female"}),
    ("男,9天,黄疸", {"age": 9 * DAY, "sex": "male"}),
    ("新生儿,生后6小时", {"age": DAY / 4}),
    ("宝宝5个月,腹泻", {"age": 5 / 12}),
    ("年龄:45", {"age": 45}),
    ("58-year-old woman", {"age": 58, "sex": "female"}),
    ("fifty-eight-year-old man", {"age": 58, "sex": "male"}),
    ("58F with chest pain", {"age": 58, "sex": "female"}),
    ("58 yo M", {"age": 58, "sex": "male"}),
    ("M/58 with cough", {"age": 58, "sex": "male"}),
    ("6-month-old boy", {"age": 0.5, "sex": "male"}),
    ("6 mo infant girl", {"age": 0.5, "sex": "female"}),
    ("9-day-old male", {"age": 9 * DAY, "sex": "male"}),
    ("Aged 70, she has a cough", {"age": 70, "sex": "female"}),
    ("老年男性", {"sex": "male"}),
    ("胸痛3天", {}),
    ("孕32周,腹痛", {"sex": "female", "pregnant": True, "gestation_weeks": 32}),
    ("孕32+4周", {"sex": "female", "pregnant": True, "gestation_weeks": 32 + 4 / 7}),
    ("妊娠28周", {"sex": "female", "pregnant": True, "gestation_weeks": 28}),
    ("孕妇,头痛", {"sex": "female", "pregnant": True}),
    ("怀孕3个月", {"sex": "female", "pregnant": True}),
    ("28 weeks pregnant", {"sex": "female", "pregnant": True, "gestation_weeks": 28}),
    ("停经40天,腹痛", {"sex": "female"}),
    ("女,30岁,未怀孕", {"sex": "female", "age": 30, "pregnant": False}),
    ("She is not pregnant", {"sex": "female", "pregnant": False}),
    ("妊娠试验阴性", {"sex": "female", "pregnant": False}),
    ("女,28岁,备孕", {"sex": "female", "age": 28}),
    ("孕32周早产儿,生后9天", {"age": 9 * DAY}),
    ("男,30岁,妻子怀孕", {"sex": "male", "age": 30}),
    ("女,30岁,哺乳期", {"sex": "female", "age": 30, "lactating": True}),
    ("breastfeeding mother, 30 yo", {"sex": "female", "age": 30, "lactating": True}),
    ("青霉素过敏", {"allergies": ("青霉素",)}),
    ("对头孢过敏", {"allergies": ("头孢菌素",)}),
    ("对青霉素、头孢过敏", {"allergies": ("青霉素", "头孢菌素")}),
    ("过敏史:青霉素", {"allergies": ("青霉素",)}),
    ("对花粉过敏", {"allergies": ("花粉",)}),
    ("allergic to penicillin", {"allergies": ("青霉素",)}),
    ("penicillin allergy", {"allergies": ("青霉素",)}),
    ("否认药物过敏史", {"allergies": ()}),
    ("无食物、药物过敏史", {"allergies": ()}),
    ("NKDA", {"allergies": ()}),
    ("No known drug allergies", {"allergies": ()}),
    ("过敏性鼻炎", {}),
    ("长期服用华法林", {"drugs": ("华法林",)}),
    ("服用二甲双胍和阿司匹林", {"drugs": ("二甲双胍", "阿司匹林")}),
    ("He takes warfarin daily", {"sex": "male", "drugs": ("华法林",)}),
    ("停用华法林", {}),
    ("未服用阿司匹林", {}),
    ("曾口服阿司匹林", {}),
    ("否认长期用药史", {"drugs": ()}),
    ("eGFR 25 ml/min/1.73m2", {"egfr": 25}),
    # relatives
    ("父亲58岁时死于心梗,患者女,30岁", {"age": 30, "sex": "female"}),
    ("男友感冒", {}),
    ("女儿发烧", {"sex": "female"}),
    ("我奶奶80岁,咳嗽", {"age": 80, "sex": "female"}),
    ("我爸68岁,突发胸痛", {"age": 68, "sex": "male"}),
    ("30岁时患肝炎", {}),
    ("My son is 5 years old with fever", {"age": 5, "sex": "male"}),
    ("母亲青霉素过敏", {}),
    ("Female newborn delivered to a 23-year-old mother", {"sex": "female"}),
    ("没有其他不适", {}),
    ("产后3天,孕39周顺产", {"sex": "female"}),
]


@pytest.mark.parametrize(("text", "expected"), SAID)
def test_header_facts(text: str, expected: dict[str, Any], vocabulary: Vocabulary) -> None:
    normal = normalise(text)
    patient = read_patient(normal, vocabulary, read_quantities(normal, vocabulary)[0])
    got = {name: v for name in Patient.__dataclass_fields__ if (v := getattr(patient, name)) is not None}
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value)


def test_what_the_caller_states_wins() -> None:
    merged = merge_patient(Patient(age=40, allergies=()), Patient(age=58, sex="male", allergies=("青霉素",)))
    assert merged == Patient(age=40, sex="male", allergies=())


@pytest.mark.parametrize(
    ("text", "age", "sex"),
    [
        ("胸口疼怎么办?我爸58岁", 58, "male"),
        ("胸口疼挂什么科\n我爸今年58岁", 58, "male"),
        ("胸口疼,患者是我爸,58岁", 58, "male"),
        ("布洛芬能吃吗,我女儿8岁", 8, "female"),
        ("这个药能吃吗?我奶奶快八十岁了", 80, "female"),
        ("替我妈问的,她65岁,胸闷", 65, "female"),
        ("咳嗽三天\n是我儿子,6岁", 6, "male"),
        ("我头痛三天,我妈65岁也头痛", None, None),
        ("我36岁,头痛,我妈60岁有高血压", 36, None),
        ("胸闷,我爸58岁死于心梗", None, None),
        ("头晕,我妈60岁就得了高血压", None, None),
        ("咳嗽怎么办?我爸58岁,我妈55岁", None, None),
        ("是我爸说我脸色不好,我30岁", 30, None),
    ],
)
def test_a_relative_introduced_later(text: str, age: float | None, sex: str | None) -> None:
    patient = read(text).patient
    assert (patient.age, patient.sex) == (age, sex)
