"""Pasted reports in the layouts that hospital systems print, all with the same content."""

from __future__ import annotations

import pytest

from xinglin.terms.characters import normalise
from xinglin.terms.labtable import read_lab_table
from xinglin.terms.reading import read
from xinglin.terms.vocabulary import Vocabulary

LAYOUTS = {
    "tabs": "项目\t结果\t单位\t参考范围\t提示\n白细胞\t15.2\t10^9/L\t3.5-9.5\t↑\n血红蛋白\t88\tg/L\t115-15"
    "0\t↓",
    "no header": "白细胞\t15.2\t10^9/L\t3.5-9.5\t↑\n血红蛋白\t88\tg/L\t115-150\t↓",
    "spaces": "检验项目 结果 单位 参考范围\n白细胞(WBC) 15.2 ×10^9/L 3.5-9.5\n血红蛋白(Hb) 88 g/L 115-150",
    "bars": "| 项目 | 结果 | 提示 | 单位 | 参考值 |\n| 白细胞 | 15.2 | ↑ | 10^9/L | 3.5～9.5 |\n|"
    " 血红蛋白 | 88 | ↓ | g/L | 115～150 |",
    "code column": "序号 项目 英文 结果 参考范围 单位\n1 白细胞 WBC 15.2 3.5--9.5 10^9/L\n2 血红蛋白 HGB "
    "88 115--150 g/L",
    "mark before unit": "白细胞  15.2 H  10^9/L  3.5-9.5\n血红蛋白  88 L  g/L  115-150",
    "range before result": "项目 参考范围 单位 结果\n白细胞 3.5-9.5 10^9/L 15.2\n血红蛋白 115-150 g/L 88",
    "csv": "项目,结果,单位,参考范围,提示\n白细胞,15.2,10^9/L,3.5-9.5,↑\n血红蛋白,88,g/L,115-150,↓",
    "vertical": "白细胞\n15.2\n10^9/L\n3.5-9.5\n↑\n血红蛋白\n88\ng/L\n115-150\n↓",
    "full width": "白细胞　１５．２　10^9/L　３．５－９．５　↑\n血红蛋白　８８　g/L　１１５－１５０　↓",
    "stars": "★白细胞 15.2 10^9/L 3.5-9.5 ↑\n*血红蛋白 88 g/L 115-150 ↓",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_agree(layout: str, vocabulary: Vocabulary) -> None:
    table = read_lab_table(normalise(LAYOUTS[layout]), vocabulary)
    got = {q.analyte.name: (q.value, q.low, q.high) for q in table.quantities}
    assert got == {"白细胞计数": (15.2, 3.5, 9.5), "血红蛋白": (88, 115, 150)}
    assert table.problems == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_findings_of_a_table(layout: str, vocabulary: Vocabulary) -> None:
    reading = read(LAYOUTS[layout], vocabulary)
    states = {f.code.display: f.state for f in reading.findings}
    assert states["白细胞升高"] == "present"
    assert states["白细胞减少"] == "absent"
    assert states["血红蛋白降低"] == "present"


@pytest.mark.parametrize(
    ("text", "name", "state"),
    [
        ("HBsAg\t阳性(+)", "乙肝表面抗原阳性", "present"),
        ("HBsAg\t阴性(-)", "乙肝表面抗原阳性", "absent"),
        ("项目 结果 参考范围\n尿蛋白 阳性(+) 阴性", "尿蛋白阳性", "present"),
        ("| HBsAg | 阴性 |", "乙肝表面抗原阳性", "absent"),
        ("乙肝表面抗原(HBsAg)\t阴性", "乙肝表面抗原阳性", "absent"),
    ],
)
def test_qualitative_rows(text: str, name: str, state: str, vocabulary: Vocabulary) -> None:
    reading = read(text, vocabulary)
    assert {f.code.display: f.state for f in reading.findings}[name] == state


def test_open_ranges_and_signs(vocabulary: Vocabulary) -> None:
    table = read_lab_table(
        normalise("肌钙蛋白I\t<0.01\tng/mL\t<0.04\nC反应蛋白\t120\tmg/L\t0-10\t↑"), vocabulary
    )
    first, second = table.quantities
    assert (first.comparator, first.value, first.low, first.high) == ("<", 0.01, None, 0.04)
    assert (second.value, second.flag) == (120, "high")


def test_implausible_row_is_reported(vocabulary: Vocabulary) -> None:
    table = read_lab_table("血红蛋白\t5.2\tg/l\t115-150", vocabulary)
    assert table.quantities == []
    assert [p.kind for p in table.problems] == ["implausible_value"]


@pytest.mark.parametrize(
    "text",
    [
        "胸痛3天,无发热。\n血压高,血糖3年前正常。",
        "白细胞高\n咳嗽",
        "血压150/90mmHg",
        "血糖3年",
        "呼吸困难\n3天",
    ],
)
def test_prose_is_left_alone(text: str, vocabulary: Vocabulary) -> None:
    table = read_lab_table(normalise(text), vocabulary)
    assert table.quantities == []
    assert table.results == []


def test_prose_around_a_table_is_read_too(vocabulary: Vocabulary) -> None:
    reading = read("患者男,58岁,胸痛2小时,血压80/50mmHg\n白细胞\t15.2\t10^9/L\t3.5-9.5\n无发热", vocabulary)
    states = {f.code.display: f.state for f in reading.findings}
    assert states["胸痛"] == "present"
    assert states["低血压"] == "present"
    assert states["白细胞升高"] == "present"
    assert states["发热"] == "absent"
