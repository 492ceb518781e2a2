"""The report: complete, self-contained, escaped, in either language or both."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.explained import (
    FIRST,
    MARKED,
    TEXT,
    attribution,
    explanation,
    faithfulness,
)
from xinglin.explain.basis import Change, Counterfactual
from xinglin.explain.change import sentence
from xinglin.explain.network import sides
from xinglin.explain.note import marked_note, strengths
from xinglin.explain.phrases import PHRASES, QUALIFIERS, plain
from xinglin.explain.report import page
from xinglin.explain.units import Unit
from xinglin.explain.waterfall import axis, steps
from xinglin.measure.typography import full_width
from xinglin.types import DISCLAIMER

ATTACK = '<script>alert("1")</script>胸痛\'"><img src=x onerror=alert(2)> & 3天'
VOID = {"meta", "br", "hr", "img"}


class Reader(HTMLParser):
    """Well-formedness, the elements, their attributes and the words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def words_of(html: str) -> str:
    return "".join(read(html).words)


def test_every_phrase_has_both_languages_and_the_same_blanks() -> None:
    assert len(PHRASES) > 80
    for key, (zh, en) in (PHRASES | QUALIFIERS).items():
        assert zh.strip(), key
        assert en.strip(), key
        assert re.search(r"[\u4e00-\u9fff]", zh) or key == "model", key
        assert {*re.findall(r"{(\w+)}", zh)} == {*re.findall(r"{(\w+)}", en)}, key


@pytest.mark.parametrize("lang", ["zh", "en", "both"])
def test_everything_is_in_the_report(lang: Any) -> None:
    words = words_of(page(explanation(), lang))
    zh = [
        "急性冠脉综合征",
        "立即转急诊",
        "支持",
        "到这份病历",
        "可信",
        "图谱中的路径",
        "什么会改变",
        "未经审阅",
    ]
    en = ["acute coronary syndrome", "emergency", "an empty note", "trusted", "Paths in", "What would change"]
    for expected, there in ((zh, lang != "en"), (en, lang != "zh")):
        for word in expected:
            assert (word in words) == there, word
    assert (full_width(DISCLAIMER["zh"]) in words) == (lang != "en")
    assert (DISCLAIMER["en"] in words) == (lang != "zh")
    for fact in (
        "I24",
        "0.1.0",
        "0123456789abcdef",
        "ab" * 32,
        "ai_hospital_cases",
        "CC BY 4.0",
        "+2.06",
        "−0.41",
    ):
        assert fact in words, fact
    assert "hpo/phenotype.hpoa:1203" in words
    if lang == "en":
        ours = words.replace("+", "").replace("−", "").replace(TEXT, "")
        for typed, *_ in MARKED:
            ours = ours.replace(typed, "")
        assert re.search(r"[\u4e00-\u9fff]", ours) is None


def test_the_report_needs_nothing_from_elsewhere() -> None:
    html = page(explanation())
    reader = read(html)
    names = {name for name, _ in reader.elements}
    assert {"svg", "style", "mark", "table"} <= names
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, given_ in reader.elements:
        assert not {"src", "href", "action", "data"} & given_.keys()
        assert not [key for key in given_ if key.startswith("on")]
    assert not re.search(r"https?:|url\(|@import|//[a-z]", html)


@given(st.text(max_size=60))
def test_any_text_is_shown_as_typed(text: str) -> None:
    shown = explanation(text=text, attribution=None, faithfulness=None)
    assert str(marked_note(shown, "both")).count("<") == 2


def test_markup_in_a_note_stays_text() -> None:
    marked = ((ATTACK[:12], "word", None, 1.0), ("胸痛", "finding", "胸痛<b>", -2.0))
    shown = explanation(text=ATTACK, attribution=attribution(ATTACK, marked), english={"胸痛<b>": "<i>'\""})
    for lang in ("zh", "en", "both"):
        html = page(shown, lang)
        reader = read(html)
        assert not {name for name, _ in reader.elements} & {"script", "img"}
        assert ATTACK in "".join(reader.words).replace("+", "").replace("−", "")


def test_marks_tell_sign_and_strength() -> None:
    shown = explanation()
    note = str(marked_note(shown, "both"))
    assert (
        '<mark class="xw-for xw-s4" title="ST段压低 ST depression: +2.06">ST段压低<sup>+</sup></mark>' in note
    )
    assert 'class="xw-against xw-s2"' in note
    assert '<span title="心电图: +0.02">心电图</span>' in note
    assert strengths(attribution()) == (1, 2, 3, 1, 3, 1, 2, 0, 4)
    assert words_of(note).replace("+", "").replace("−", "") == TEXT
    told_twice = "胸痛3天,又胸痛"
    unit = Unit("胸痛", ((0, 2), (6, 8)), "finding", "胸痛")
    twice = attribution(told_twice, (("胸痛", "finding", "胸痛", 1.0),), units=(unit,))
    assert str(marked_note(explanation(text=told_twice, attribution=twice), "zh")).count("<mark") == 2


def test_the_waterfall_adds_up() -> None:
    for rows in (2, 10):
        drawn = steps(explanation(), "both", rows)
        assert drawn[0].end == pytest.approx(-4.2)
        for before, after in pairwise(drawn[:-1]):
            assert after.start == pytest.approx(before.end)
        assert drawn[-2].end == pytest.approx(drawn[-1].end)
        assert drawn[-1].end == pytest.approx(attribution().full)
    assert len(steps(explanation(), "both", 2)) == 5
    between = explanation(attribution=attribution(full=attribution().full + 0.7, rest=0.7))
    assert "标点与虚词" in steps(between, "zh")[-2].label
    assert steps(between, "zh")[-2].end == pytest.approx(attribution().full + 0.7)
    lime = explanation(attribution=attribution(full=1.0))
    assert "未能解释" in "".join(step.label for step in steps(lime, "zh"))
    assert steps(lime, "zh")[-2].end == pytest.approx(1.0)


@given(st.integers(-50_000, 49_000).map(lambda n: n / 1000), st.floats(1e-3, 90))
def test_the_axis_is_round_and_inside(low: float, width: float) -> None:
    ticks = axis(low, low + width)
    assert 1 <= len(ticks) <= 8
    assert all(low - 1e-9 <= tick <= low + width + 1e-9 for tick in ticks)
    assert (0.0 in ticks) == (low <= 0 <= low + width)


def test_a_failed_check_is_said_loudly() -> None:
    good = page(explanation())
    assert "通过了所做的全部检查" in good
    assert 'role="alert"' not in good
    bad = page(explanation(faithfulness=faithfulness(failed=("randomised", "deletion"), randomised=0.93)))
    alert = re.search(r'<p class="xw-alarm" role="alert">(.*?)</p>', bad)
    assert alert is not None
    assert "未通过 2 项检查" in words_of(f"<p>{alert.group(1)}</p>")
    assert "random weights, deletion" in words_of(f"<p>{alert.group(1)}</p>")
    assert bad.index('xw-alarm" role') < bad.index("<mark")
    assert bad.count('<li class="xw-failed">') == 2
    assert "通过了所做的全部检查" not in bad
    assert "此模型不能做" in page(explanation(faithfulness=faithfulness(randomised=None)))
    assert "未作忠实度检查" in page(explanation(faithfulness=None))


def test_percentages_only_where_calibrated() -> None:
    assert "%" not in words_of(page(explanation(), "zh"))
    first = explanation().target
    calibrated = type(first)(first.name, first.system, first.code, first.level, 0.52, 0.52)
    assert "52%" in words_of(page(explanation(target=calibrated), "zh"))


def test_abstention_and_absence_are_said() -> None:
    abstained = page(explanation(abstained=("没有识别到症状。", "No symptom was recognised.")))
    assert abstained.index("本例不作排序结论") < abstained.index("<h1>")
    assert "是结论" in abstained
    record = words_of(page(explanation(text="", attribution=None, faithfulness=None, paths=())))
    assert "没有文字可供逐词解释" in record
    assert "没有从本例发现到这个疾病的路径" in record
    flat = attribution(values=(0.0,) * len(MARKED), full=-4.2)
    assert "没有影响这个答案" in words_of(page(explanation(attribution=flat)))


@pytest.mark.parametrize(
    ("before", "after", "zh", "en"),
    [
        ("present", "absent", "如果没有“咳”", "If there were no cough"),
        ("present", "unknown", "如果没有提到“咳”", "If cough had not been mentioned"),
        ("absent", "present", "如果有“咳”（现为无）", "If there were cough (now absent)"),
        ("absent", "unknown", "如果不曾否认“咳”", "If cough had not been denied"),
        ("unknown", "present", "如果还有“咳”", "If cough were found as well"),
        ("unknown", "absent", "如果查明没有“咳”", "If cough were ruled out"),
    ],
)
def test_a_change_in_words(before: Any, after: Any, zh: str, en: str) -> None:
    one = Counterfactual("findings", (Change(("咳", "cough"), before, after),), FIRST, ("甲", "A"), 9, True)
    said = sentence(one)
    assert said[0] == f"{zh}，首位候选就会由“急性冠脉综合征”变为“甲”。"
    assert said[1] == f"{en}, the first candidate would change from acute coronary syndrome to A."


def test_two_changes_and_none() -> None:
    cut = Change(("胸痛", "胸痛"), None, None)
    two = Counterfactual("words", (cut, Change(("大汗", "大汗"), None, None)), FIRST, ("甲", "A"), 9, True)
    assert sentence(two)[0].startswith("如果删去“胸痛”，并且删去“大汗”，首位")
    assert "if the words “大汗” were deleted, the first" in sentence(two)[1]
    none = Counterfactual("findings", (), FIRST, None, 700, True)
    assert "改变任意一处或两处发现" in sentence(none)[0]
    assert "one or two findings puts another" in sentence(none)[1]
    unsure = Counterfactual("findings", (), FIRST, None, 700, False)
    assert "试算 700 次" in sentence(unsure)[0]
    assert "other combinations were not tried" in sentence(unsure)[1]


def test_the_drawn_graph_holds_every_edge_once() -> None:
    findings, exams = sides(explanation().paths)
    assert [node.name for node in findings] == ["ST段压低", "胸痛", "大汗", "发热、咳嗽"]
    assert [node.name for node in exams] == ["心电图", "肌钙蛋白", "冠状动脉造影"]
    html = page(explanation(), "zh")
    assert html.count('class="xw-line-for"') == 3
    assert html.count('class="xw-line-against"') == 1
    assert html.count('class="xw-line-exam"') == 3
    assert html.count('class="xw-node xw-authored"') == 6
    assert html.count('class="xw-node"') == 1


def test_a_long_note_and_a_note_of_one_finding() -> None:
    long = "发热咳嗽," * 400
    marked = tuple((f"第{n}处", "word", None, 0.1 * n) for n in range(60))
    text = "".join(words for words, *_ in marked) + long
    assert len(text) > 2000
    html = page(explanation(text=text, attribution=attribution(text, marked)))
    assert text in words_of(html).replace("+", "")
    assert "其余 50 处" in words_of(html)
    one = attribution("胸痛", (("胸痛", "finding", "胸痛", 0.5),))
    words = words_of(page(explanation(text="胸痛", attribution=one), "zh"))
    assert words.count("胸痛") >= 2
    assert plain(("中", "middle"), "both") == "中 middle"
