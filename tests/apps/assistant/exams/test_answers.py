"""The answer parser on authored outputs: what is an answer, what is none, and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.apps.assistant.exams.answers import REASONS, read_answer

ZH = ("原发病", "出血部位", "出血量", "在胃内停留时间", "以上均非")
EN = ("The supraorbital nerve", "A combination of both", "The mental nerve", "None of the above")
VERDICTS = ("yes", "no", "maybe")
TEXTS = ("C反应蛋白", "血沉", "C反应蛋白和血沉", "白细胞")

READ = [
    ("C", ZH, "C"),
    ("c", ZH, "C"),
    ("(C)", ZH, "C"),
    ("C.", ZH, "C"),
    (" C \n", ZH, "C"),
    ("**C**", ZH, "C"),
    ("C。", ZH, "C"),
    ("（Ｃ）", ZH, "C"),
    ("C. 出血量", ZH, "C"),
    ("C、出血量。", ZH, "C"),
    ("C:出血量", ZH, "C"),
    ("C 出血量", ZH, "C"),
    ("出血量", ZH, "C"),
    ("出血量。", ZH, "C"),
    ("答案:C", ZH, "C"),
    ("答案：Ｃ", ZH, "C"),
    ("答案C。", ZH, "C"),
    ("答案是C", ZH, "C"),
    ("答案为 C。", ZH, "C"),
    ("正确答案是:C", ZH, "C"),
    ("正确答案应该是 C,因为出血量决定表现。", ZH, "C"),
    ("本题的正确选项为C。", ZH, "C"),
    ("答案是C项。", ZH, "C"),
    ("答案:C 出血量", ZH, "C"),
    ("答案是出血量。", ZH, "C"),
    ("选C", ZH, "C"),
    ("故选C。", ZH, "C"),
    ("因此应选C。", ZH, "C"),
    ("我选择C。", ZH, "C"),
    ("本题选C。A错,B错,D错。", ZH, "C"),
    ("综上所述,选C", ZH, "C"),
    ("上消化道出血的表现取决于出血的速度和量(C对),其余次要,故本题选C。", ZH, "C"),
    ("C是正确答案。", ZH, "C"),
    ("选项C为正确选项", ZH, "C"),
    ("C\n\n题目:下一题\nA. 甲", ZH, "C"),
    ("分析:部位次要。\n\nC", ZH, "C"),
    ("<think>也许是A?答案是B?</think>\n答案:C", ZH, "C"),
    ("先想想A还是B……</think>\n\n答案:C", ZH, "C"),
    ("A. 原发病\nB. 出血部位\nC. 出血量\nD. 在胃内停留时间\nE. 以上均非\n答案:C", ZH, "C"),
    ("答案:\nC. 出血量", ZH, "C"),
    (r"所以 \boxed{C}", ZH, "C"),
    (r"$\boxed{\text{C}}$", ZH, "C"),
    ("答案是A。不对,再想。最终答案:C", ZH, "C"),
    ("最终答案是B。更正:最终答案是C。", ZH, "C"),
    ("不选A,也不能选B,应选C。", ZH, "C"),
    ("答案不是A,答案是C。", ZH, "C"),
    ("选项A是错误的,选项B不对,故选C。", ZH, "C"),
    ("我选择选项C。", ZH, "C"),
    ("答案:E", ZH, "E"),
    ("以上均非", ZH, "E"),
    ("ABD", ZH, "ABD"),
    ("DBA", ZH, "ABD"),
    ("A、B、D", ZH, "ABD"),
    ("A,B,D", ZH, "ABD"),
    ("A B D", ZH, "ABD"),
    ("答案:ABD", ZH, "ABD"),
    ("正确答案是A、B和D。", ZH, "ABD"),
    ("应选A、B。", ZH, "AB"),
    ("A. 原发病\nD. 在胃内停留时间", ZH, "AD"),
    ("答案:\nA. 原发病\nD. 在胃内停留时间", ZH, "AD"),
    ("D", EN, "D"),
    ("The answer is D.", EN, "D"),
    ("Answer: (D)", EN, "D"),
    ("answer: d", EN, "D"),
    ("The correct answer is D. None of the above", EN, "D"),
    ("The correct answer is option D because the nerve is sensory.", EN, "D"),
    ("**Final Answer:** D", EN, "D"),
    ("I would choose option D.", EN, "D"),
    ("Option D is the correct answer.", EN, "D"),
    ("A patient may have pain. The best option is: D", EN, "D"),
    ("None of the above", EN, "D"),
    ("The answer is not A. The answer is D.", EN, "D"),
    ("Answer: A, C and D", EN, "ACD"),
    ("The answers are A and C.", EN, "AC"),
    ("yes", VERDICTS, "A"),
    ("Yes.", VERDICTS, "A"),
    ("No, the trial showed no effect.", VERDICTS, "B"),
    ("The answer is maybe.", VERDICTS, "C"),
    ("Answer: yes", VERDICTS, "A"),
    ("答案:C反应蛋白", TEXTS, "A"),
    ("C反应蛋白和血沉", TEXTS, "C"),
    ("答案:C。C反应蛋白和血沉", TEXTS, "C"),
]
UNREAD = [
    ("", ZH, "empty"),
    ("  \n ", ZH, "empty"),
    ("<think>也许是C", ZH, "unfinished thinking"),
    ("<think>答案:C</think>", ZH, "empty"),
    ("上消化道出血的表现取决于出血的速度。", ZH, "no answer"),
    ("A对,B错,C对。", ZH, "no answer"),
    ("抱歉,我无法回答医学问题。", ZH, "refusal"),
    ("I'm sorry, as an AI I cannot give medical advice.", EN, "refusal"),
    ("这些选项都不对。", ZH, "none of the options"),
    ("答案是A。不对,应选C。", ZH, "several answers"),
    ("A\n答案:C", ZH, "several answers"),
    ("答案:A或C", ZH, "undecided"),
    ("The answer is A or C.", EN, "undecided"),
    ("答案:B 出血量", ZH, "letter and text differ"),
    ("B. 出血量", ZH, "letter and text differ"),
    ("答案:F", ZH, "no such option"),
    ("G", ZH, "no such option"),
    ("ABF", ZH, "no such option"),
    ("A. 原发病\nB. 出血部位\nC. 出血量\nD. 在胃内停留时间\nE. 以上均非", ZH, "options restated"),
    ("不选A", ZH, "no answer"),
    ("容易误选B", ZH, "no answer"),
    ("首选A类药物", ZH, "no answer"),
    ("维生素C缺乏可致坏血病", ZH, "no answer"),
    ("答案:C型肝炎病毒", ZH, "no answer"),
    ("A patient with pain in the jaw", EN, "no answer"),
    ("The answer is a combination of drugs and rest", EN, "no answer"),
    ("I think it could be the mental nerve, a branch.", EN, "no answer"),
    ("No significant difference was found.", VERDICTS, "no answer"),
    ("Vitamin B and hepatitis C are unrelated.", EN, "no answer"),
    ("甲", ("甲", "甲", "乙"), "undecided"),
    ("选项A是错误的。", ZH, "no answer"),
    ("答案A是错误的", ZH, "no answer"),
    ("选项A正确,选项B错误。", ZH, "no answer"),
    ("The answer is A is wrong.", EN, "no answer"),
]


def test_there_are_dozens() -> None:
    assert len(READ) >= 75
    assert len(UNREAD) >= 30
    assert {reason for *_, reason in UNREAD} == set(REASONS)


@pytest.mark.parametrize(("text", "options", "letters"), READ)
def test_read(text: str, options: tuple[str, ...], letters: str) -> None:
    found = read_answer(text, options)
    assert (found.letters, found.how in REASONS) == (letters, False), found


@pytest.mark.parametrize(("text", "options", "reason"), UNREAD)
def test_unread(text: str, options: tuple[str, ...], reason: str) -> None:
    found = read_answer(text, options)
    assert (found.letters, found.how) == (None, reason)


@given(st.text(max_size=300))
def test_any_text_is_read_or_has_a_reason(text: str) -> None:
    found = read_answer(text, ZH)
    if found.letters is None:
        assert found.how in REASONS
    else:
        assert found.letters
        assert set(found.letters) <= set("ABCDE")


@given(st.sets(st.sampled_from("ABCDE"), min_size=1), st.sampled_from(["", "、", ",", " "]))
def test_any_set_of_letters_behind_a_cue(letters: set[str], separator: str) -> None:
    wanted = "".join(sorted(letters))
    for cue in ("答案:", "故选", "The answer is "):
        assert read_answer(cue + separator.join(sorted(letters)) + "。", ZH).letters == wanted


def test_a_long_output_takes_no_long_time() -> None:
    assert read_answer("答案" * 50_000 + " A、" * 20_000 + "\n答案:C", ZH).how in (
        *REASONS,
        "letters behind a cue",
    )
