"""Values as clinicians write them, against values read by eye."""

from __future__ import annotations

import pytest

from xinglin.terms.characters import normalise
from xinglin.terms.quantity import parse_limits, read_quantities
from xinglin.terms.vocabulary import Vocabulary

SAID = [
    ("BP 80/50mmHg", {"收缩压": 80, "舒张压": 50}),
    ("BP120/80mmHg", {"收缩压": 120, "舒张压": 80}),
    ("血压180/110", {"收缩压": 180, "舒张压": 110}),
    ("血压高达180/110mmHg", {"收缩压": 180, "舒张压": 110}),
    ("血压：１２０／８０ｍｍＨｇ", {"收缩压": 120, "舒张压": 80}),
    ("血压 24/14 kPa", {"收缩压": 180.014, "舒张压": 105.008}),
    ("Blood pressure was 80/50", {"收缩压": 80, "舒张压": 50}),
    ("收缩压85mmHg", {"收缩压": 85}),
    ("85/50mmHg", {"收缩压": 85, "舒张压": 50}),
    ("血压测不出", {}),
    ("高血压3年", {}),
    ("体温39.5℃", {"体温": 39.5}),
    ("体温39度5", {"体温": 39.5}),
    ("体温39度半", {"体温": 39.5}),
    ("T 36.5°C", {"体温": 36.5}),
    ("T36.5", {"体温": 36.5}),
    ("temperature 102.2F", {"体温": 39.0}),
    ("temp 101.3", {"体温": 38.5}),
    ("fever of 104°F", {"体温": 40.0}),
    ("发烧到39度", {"体温": 39}),
    ("烧到三十九度五", {"体温": 39.5}),
    ("最高体温40.1℃", {"体温": 40.1}),
    ("室温39℃", {}),
    ("膝关节屈曲40度", {}),
    ("HR 130", {"心率": 130}),
    ("HR:130bpm", {"心率": 130}),
    ("心率130次/分", {"心率": 130}),
    ("心率快，130次/分", {"心率": 130}),
    ("脉搏98次/分", {"心率": 98}),
    ("P 98次/分", {"心率": 98}),
    ("pulse of 112", {"心率": 112}),
    ("p<0.05", {}),
    ("R 28次/分", {"呼吸频率": 28}),
    ("呼吸28次/分", {"呼吸频率": 28}),
    ("呼吸困难3天", {}),
    ("SpO2 86%", {"血氧饱和度": 86}),
    ("SpO₂ 86%", {}),  # a subscript digit is another spelling; the vocabulary would have to list it
    ("血氧86%", {"血氧饱和度": 86}),
    ("sats 88% on room air", {"血氧饱和度": 88}),
    ("GCS 8分", {"GCS评分": 8}),
    ("GCS E3V4M5", {"GCS评分": 12}),
    (
        "T36.5℃,P80次/分,R20次/分,BP120/80mmHg",
        {"体温": 36.5, "心率": 80, "呼吸频率": 20, "收缩压": 120, "舒张压": 80},
    ),
    (
        "T 38.9℃ P 110次/分 R 24次/分 BP 95/60mmHg",
        {"体温": 38.9, "心率": 110, "呼吸频率": 24, "收缩压": 95, "舒张压": 60},
    ),
    ("肌钙蛋白 0.8 ng/mL", {"肌钙蛋白I": 0.8}),
    ("cTnI 800 ng/L", {"肌钙蛋白I": 0.8}),
    ("WBC 15.2", {"白细胞计数": 15.2}),
    ("WBC 15.2×10^9/L", {"白细胞计数": 15.2}),
    ("WBC15.2*10^9/L", {"白细胞计数": 15.2}),
    ("白细胞15.2×10⁹/L", {"白细胞计数": 15.2}),
    ("白细胞 15.2x10E9/L", {"白细胞计数": 15.2}),
    ("白细胞(WBC)15.2×109/L", {"白细胞计数": 15.2}),
    ("WBC 15,200/uL", {"白细胞计数": 15.2}),
    ("白细胞升高至15.2", {"白细胞计数": 15.2}),
    ("CRP 120mg/L", {"C反应蛋白浓度": 120}),
    ("CRP 12 mg/dL", {"C反应蛋白浓度": 120}),
    ("血糖 25.3mmol/L", {"血糖值": 25.3}),
    ("随机血糖25.3", {"血糖值": 25.3}),
    ("glucose 450 mg/dL", {"血糖值": 24.975}),
    ("血糖高3年", {}),
    ("K+ 6.8", {"血钾": 6.8}),
    ("K 6.8mmol/L", {"血钾": 6.8}),
    ("血钾为6.8 mmol/L", {"血钾": 6.8}),
    ("potassium was 2.9", {"血钾": 2.9}),
    ("维生素K1", {}),
    ("血红蛋白 52g/L", {"血红蛋白": 52}),
    ("Hb 5.2 g/dL", {"血红蛋白": 52}),
    ("肌酐 1.2mg/dL", {"血肌酐": 106.08}),
    ("eGFR 25 ml/min/1.73m2", {"估算肾小球滤过率": 25}),
    ("血小板 23×10^9/L", {"血小板计数": 23}),
    ("白细胞3天前复查", {}),
    ("T12椎体骨折", {}),
    ("pt is 58", {}),
    ("58岁男性,胸痛3天", {}),
    ("电话13800138000", {}),
    ("葡萄糖 GLU 4+", {}),
    ("血糖控制在7左右", {"血糖值": 7}),
]


@pytest.mark.parametrize(("text", "expected"), SAID)
def test_values(text: str, expected: dict[str, float], vocabulary: Vocabulary) -> None:
    quantities, problems = read_quantities(normalise(text), vocabulary)
    assert {q.analyte.name: q.value for q in quantities} == pytest.approx(expected, rel=1e-4)
    assert problems == []
    for quantity in quantities:
        assert text[slice(*quantity.span)].strip()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("血红蛋白 5.2", "implausible_value"),
        ("体温 55℃", "implausible_value"),
        ("心率 30000次/分", "implausible_value"),
        ("WBC 15200", "implausible_value"),
        ("肌酐 1.2", "implausible_value"),
        ("CRP 12 mg/mL", "unknown_unit"),
    ],
)
def test_what_cannot_be_is_reported_and_not_used(text: str, kind: str, vocabulary: Vocabulary) -> None:
    quantities, problems = read_quantities(normalise(text), vocabulary)
    assert quantities == []
    assert [problem.kind for problem in problems] == [kind]
    assert problems[0].zh
    assert problems[0].en


@pytest.mark.parametrize(
    ("text", "comparator", "low", "high", "flag"),
    [
        ("肌钙蛋白 <0.01 ng/mL", "<", None, None, None),
        ("CRP>200mg/L", ">", None, None, None),
        ("白细胞 12.5 (3.5-9.5)", "", 3.5, 9.5, None),
        ("白细胞 12.5×10^9/L↑(参考值 3.5～9.5)", "", 3.5, 9.5, "high"),
        ("血红蛋白 5.2 g/dL (11.5-15.0)", "", 115, 150, None),
        ("肌钙蛋白 0.8ng/mL(<0.04)", "", None, 0.04, None),
        ("血钾 2.8↓", "", None, None, "low"),
        ("WBC 15.2 H", "", None, None, "high"),
        ("血钾 6.8 mmol/L ↑ [3.5-5.3]", "", 3.5, 5.3, "high"),
    ],
)
def test_signs_marks_and_own_ranges(
    text: str,
    comparator: str,
    low: float | None,
    high: float | None,
    flag: str | None,
    vocabulary: Vocabulary,
) -> None:
    quantities, _ = read_quantities(normalise(text), vocabulary)
    assert len(quantities) == 1
    got = quantities[0]
    assert (got.comparator, got.flag) == (comparator, flag)
    assert (got.low, got.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(
    ("cell", "limits"),
    [
        ("3.5-9.5", (3.5, 9.5)),
        ("<0.04", (None, 0.04)),
        (">60", (60, None)),
        ("0--10", (0, 10)),
        ("阴性", (None, None)),
    ],
)
def test_limits_of_a_cell(cell: str, limits: tuple[float | None, float | None]) -> None:
    assert parse_limits(cell) == limits


def test_stated_units_are_told_from_assumed_ones(vocabulary: Vocabulary) -> None:
    stated, _ = read_quantities("血钾 6.8 mmol/l", vocabulary)
    assumed, _ = read_quantities("血钾 6.8", vocabulary)
    assert [stated[0].unit_stated, assumed[0].unit_stated] == [True, False]
