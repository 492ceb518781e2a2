"""Doses and invented probabilities go; results and durations stay."""

from __future__ import annotations

import pytest

from xinglin.apps.assistant.strike import (
    DOSE_MARK,
    PROBABILITY_MARK,
    is_dose,
    without_doses,
    without_probabilities,
)

DOSES = (
    "每次0.5克", "布洛芬400mg", "10 毫克", "5 0 0 m g", "一次两片", "口服半片", "每日3次口服", "500毫升静滴",
    "take two tablets", "20 mg/kg", "bid", "q8h", "胰岛素8单位", "打2支", "服用三粒", "阿司匹林100 mg qd",
    "five hundred milligrams", "喝10ml糖浆", "每天吃1袋",
)  # fmt: skip
NOT_DOSES = (
    "血红蛋白110g/L", "血糖7.0mmol/L", "肌酐 1.2 mg/dL", "发热3天", "两片肺叶", "双肺有片状影", "ICD-10 G30", "克罗恩病",
    "58岁", "尿蛋白150mg/24h", "每日3次腹泻", "体温39度", "心率120次", "2型糖尿病", "收缩压140", "第5腰椎",
)  # fmt: skip


@pytest.mark.parametrize("text", DOSES)
def test_doses_are_seen(text: str) -> None:
    assert is_dose(text)
    clean, removed = without_doses(f"头痛可以休息,{text}。")
    assert removed == 1
    assert clean == f"头痛可以休息,{DOSE_MARK}。"


@pytest.mark.parametrize("text", NOT_DOSES)
def test_results_are_no_doses(text: str) -> None:
    assert not is_dose(text)
    assert without_doses(text) == (text, 0)


def test_the_rest_of_a_regimen_goes_with_its_dose() -> None:
    clean, removed = without_doses("布洛芬每次0.3克,每日三次,饭后。")
    assert (clean, removed) == (f"{DOSE_MARK},{DOSE_MARK},饭后。", 2)


@pytest.mark.parametrize(
    "text",
    ["有90%的可能", "有百分之九十", "九成可能是癌", "概率为0.8", "nine out of ten", "a 75 percent chance", "把握有八成"],
)  # fmt: skip
def test_probabilities_of_a_model_go(text: str) -> None:
    clean, removed = without_probabilities(text, [])
    assert removed == 1
    assert PROBABILITY_MARK in clean


def test_the_engines_own_stays() -> None:
    assert without_probabilities("急性阑尾炎 62%,胆囊炎 61 %", ["62%"]) == (
        f"急性阑尾炎 62%,胆囊炎 {PROBABILITY_MARK}",
        1,
    )
    assert without_probabilities("急性阑尾炎 62 ％", ["62%"])[1] == 0
