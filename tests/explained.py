"""An explanation made by hand, for what draws it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xinglin.explain.attribution import Attribution
from xinglin.explain.basis import CaseExplanation, Change, Counterfactual, DataSet, Pair, Ranked, Versions
from xinglin.explain.faithfulness import Chance, Faithfulness
from xinglin.explain.paths import AUTHORED, Edge, Path
from xinglin.explain.units import Unit

TEXT = "患者男性,58岁,胸痛3天,大汗,无发热、咳嗽,血压150/95mmHg,心电图显示ST段压低。"
MARKED = (
    ("男性", "word", None, 0.21),
    ("58岁", "word", None, 0.34),
    ("胸痛", "finding", "胸痛", 1.32),
    ("3天", "word", None, -0.18),
    ("大汗", "finding", "大汗", 0.88),
    ("无发热、咳嗽", "finding", "发热、咳嗽", 0.12),
    ("血压150/95mmHg", "value", "收缩压", -0.41),
    ("心电图", "word", None, 0.02),
    ("ST段压低", "finding", "ST段压低", 2.06),
)
ENGLISH = {
    "胸痛": "chest pain",
    "大汗": "profuse sweating",
    "发热、咳嗽": "fever, cough",
    "收缩压": "systolic pressure",
    "ST段压低": "ST depression",
    "心电图": "electrocardiogram",
    "肌钙蛋白": "troponin",
    "冠状动脉造影": "coronary angiography",
}
FIRST: Pair = ("急性冠脉综合征", "acute coronary syndrome")
SECOND: Pair = ("心绞痛", "angina pectoris")
LOW: Pair = ("低", "low")


def units(text: str, marked: Any = MARKED) -> tuple[Unit, ...]:
    return tuple(
        Unit(words, ((text.index(words), text.index(words) + len(words)),), kind, name)
        for words, kind, name, _ in marked
    )


def attribution(text: str = TEXT, marked: Any = MARKED, base: float = -4.2, **changes: Any) -> Attribution:
    values = tuple(value for *_, value in marked)
    made = Attribution(
        "exact", units(text, marked), values, base, base + sum(values), FIRST[0], 2 ** len(values), 0.8
    )
    return replace(made, **changes)


def faithfulness(**changes: Any) -> Faithfulness:
    made = Faithfulness(0.41, 0.08, 0.18, 0.62, Chance(0.16, 0.27, 0.38, 0.39), 1.0, 0.07, ())
    return replace(made, **changes)


def path(finding: str, strength: float, exam: str | None, role: str, source: str = AUTHORED) -> Path:
    told = Edge(FIRST[0], "has_finding", finding, "very_frequent", source, source != AUTHORED, None)
    done = Edge(FIRST[0], "exam", exam or "", role, AUTHORED, False, None)
    size = {"first": 1.0, "confirm": 0.8}[role]
    return Path(finding, FIRST[0], exam, strength * size, strength, size, told, done if exam else None)


def explanation(**changes: Any) -> CaseExplanation:
    """A case with everything; ``changes`` replace fields."""
    first = Ranked(FIRST, "icd10-who", "I24", ("高", "high"), 0.52)
    made = CaseExplanation(
        text=TEXT,
        patient=((("年龄", "Age"), ("58岁", "58 years")), (("性别", "Sex"), ("男", "male"))),
        triage=("立即转急诊", "to an emergency department now"),
        triage_level="emergency_now",
        red_flags=(("疑似急性冠脉综合征", "suspected acute coronary syndrome"),),
        candidates=(
            first,
            Ranked(SECOND, "icd10-who", "I20", ("中", "medium"), 0.21),
            Ranked(("主动脉夹层", "aortic dissection"), "icd10-who", "I71", LOW, 0.08),
            Ranked(("肺栓塞", "pulmonary embolism"), "icd10-who", "I26", LOW, 0.05),
            Ranked(("急性心包炎", "acute pericarditis"), "icd10-who", "I30", LOW, 0.02),
        ),
        target=first,
        place=1,
        abstained=None,
        attribution=attribution(),
        faithfulness=faithfulness(),
        paths=tuple(
            path(finding, strength, exam, role, source)
            for finding, strength, source in (
                ("ST段压低", 2.6, "hpo/phenotype.hpoa:1203"),
                ("胸痛", 2.1, AUTHORED),
                ("大汗", 1.4, AUTHORED),
                ("发热、咳嗽", -0.4, AUTHORED),
            )
            for exam, role in (("心电图", "first"), ("肌钙蛋白", "first"), ("冠状动脉造影", "confirm"))
        ),
        counterfactuals=(
            Counterfactual(
                "findings",
                (Change(("ST段压低", "ST depression"), "present", "absent"),),
                FIRST,
                SECOND,
                512,
                True,
            ),
            Counterfactual("words", (), FIRST, None, 45, True),
        ),
        versions=Versions(
            "0.1.0",
            "both",
            "starter 0123456789abcdef",
            "medical-open-model",
            "ab" * 32,
            "hospital (n=900)",
            (
                DataSet("ai_hospital_cases", "cd" * 32, 506, "CC BY 4.0", False),
                DataSet("mined", "ef" * 32, None, "MIT", True),
            ),
        ),
        time="2026-03-01T08:30:00+00:00",
        english=ENGLISH,
    )
    return replace(made, **changes)
