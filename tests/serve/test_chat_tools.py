"""The engine as tools: each answers by its schema, with plain data."""

from __future__ import annotations

import json

import pytest

from xinglin.apps.assistant import tools as names
from xinglin.apps.assistant.tools import call
from xinglin.apps.diagnosis.differential import Differential
from xinglin.serve.chat_tools import diagnosis_tools

STORY = "右下腹痛伴发热1天,男,30岁,青霉素过敏"


@pytest.mark.parametrize(
    "name", [names.RED_FLAGS, names.DIFFERENTIAL, names.EXAMS, names.PLAN, names.EXPLAIN]
)
def test_each_tool_answers_in_both_languages(differential: Differential, name: str) -> None:
    tools = diagnosis_tools(differential)
    assert set(tools) == {
        *(names.RED_FLAGS, names.DIFFERENTIAL, names.EXAMS, names.PLAN, names.MEDICINE, names.EXPLAIN)
    }
    for lang in ("zh", "en"):
        made = call(tools, name, {"text": STORY, "lang": lang})
        assert made.error is None
        assert json.loads(json.dumps(made.result, ensure_ascii=False)) == made.result
    failed = call(tools, name, {"text": " "})
    assert failed.result is None
    assert "nothing to read" in str(failed.error)


def test_what_they_say(differential: Differential) -> None:
    tools = diagnosis_tools(differential)
    explained = tools[names.EXPLAIN].function(text=STORY)
    assert explained["disease"] == "急性阑尾炎"
    assert any("腹痛" in word["text"] for word in explained["words"])
    plan = tools[names.PLAN].function(text=STORY)["plans"][0]
    avoided = [option["display"] for option in plan["options"] if option["outcome"] == "avoid"]
    assert avoided == ["静脉广谱抗菌药物"]
    checked = tools[names.MEDICINE].function(name="阿莫西林", text=STORY)
    assert any("过敏" in warning for warning in checked["warnings"])
    assert "妊娠/哺乳" in checked["not_checked"]
