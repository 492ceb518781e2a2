"""What never leaves the assistant: doses, and probabilities that no engine gave.

A dose is a number with a unit of mass, volume or activity, or with a countable form (片, 粒, tablets) beside a verb of
taking. Concentrations (mg/dL, g/L, IU/L) and rates of excretion (per 24 h) are results, not doses. The whole clause goes,
so that no half of it is left; that something was removed is said. The rule is strict on purpose: it also removes some
amounts that are no doses (water to drink), never the other way round if it can be helped.
"""

from __future__ import annotations

import re
from collections.abc import Collection

DOSE_MARK = "〔剂量已删除 dose removed〕"
PROBABILITY_MARK = "〔概率已删除:非引擎给出 probability removed: not from the engine〕"
_NUMBER = (
    r"(?:\d[\d.,\s]*(?:\s*[-~至到–]\s*\d[\d.,]*)?|[零〇一二两三四五六七八九十百千万半壹贰叁几]+|"
    r"\b(?:half|one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|forty|fifty|"
    r"(?:a |five |two |three |one )?hundred|thousand)(?:\s+(?:a|and a half))?)"
)
_MASS = (
    r"(?:m\s*g|毫\s*克|微\s*克|μ\s*g|u\s*g|mcg|ug|公\s*克|克(?![罗隆氏林仑拉山雷伦])|g|m\s*l|毫\s*升|iu|万\s*单位|国际单位|单位|"
    r"milligrams?|micrograms?|grams?|millilit(?:er|re)s?|units?)"
)
_RESULT = r"(?!\s*(?:/|每|per\s)\s*(?:d\s*l|m\s*l|l\b|升|毫升|分升|24\s*(?:h|小时)|min|dl|hour|μl|ul))"
_COUNT = (
    r"(?:片|粒|丸|颗|胶囊|袋|包|支|瓶|滴|喷|揿|贴|枚|勺|汤匙|板|tablets?|capsules?|pills?|drops?|puffs?|sachets?|"
    r"teaspoons?|ampoules?|vials?)"
)
_TAKE = (
    r"(?:服|吃|吞|喝|用|口含|注射|静滴|静推|肌注|输|打|涂|抹|敷|滴|每次|一次|每日|每天|一天|一日|剂量|日量|加量|减量|开|"
    r"给|take|taken|give|swallow|inject|daily|dose|twice|once|every|administer|b\.?i\.?d|t\.?i\.?d|q\.?\d+\.?h|po\b)"
)
_FREQUENCY = (
    r"(?:(?:每|一)\s*(?:日|天|晚|周)\s*[\d一二两三四五六]+\s*(?:次|回|顿|遍)|日\s*[\d一二两三四五六]\s*次|"
    r"每\s*(?:隔\s*)?[\d一二两三四五六八十]+\s*(?:个\s*)?小时\s*(?:一|1)?\s*次?|\b[bt]\.?i\.?d\b|\bq\.?\s?\d+\.?\s?h\b|\bqd\b|\bqn\b|"
    r"(?:once|twice|\w+ times) (?:a|per|daily)(?: day)?)"
)
_MASS_DOSE = re.compile(rf"{_NUMBER}\s*{_MASS}(?![a-z0-9]){_RESULT}", re.IGNORECASE)
_COUNT_DOSE = re.compile(rf"{_NUMBER}\s*(?:小|大)?{_COUNT}(?![a-z])", re.IGNORECASE)
_TAKING = re.compile(_TAKE, re.IGNORECASE)
_REGULAR = re.compile(_FREQUENCY, re.IGNORECASE)
_SHORTHAND = re.compile(r"\b(?:[bt]\.?i\.?d|q\.?\s?\d+\.?\s?h|qd|qn|qid)\b\.?", re.IGNORECASE)
_GIVEN = re.compile(r"服|吃|用药|注射|涂|敷|滴|take|taken|inject|apply", re.IGNORECASE)
_CLAUSE = re.compile(r"[^,，。;；、!！?？\n()（）]+|[,，。;；、!！?？\n()（）]")
_PERCENT = re.compile(
    r"百分之\s*[\d零一二三四五六七八九十百点.]+|\d+(?:\.\d+)?\s*(?:%|％|percent|per cent)|"
    r"[一二三四五六七八九]\s*成(?:[以之]?[上下]|半|的?(?:可能|概率|几率|把握|机会))|"
    r"(?:概率|可能性|几率|机率|把握|probability|likelihood|chance)[^,，。;；\n]{0,12}?"
    r"(?:0?\.\d+|[一二三四五六七八九]\s*成)|"
    r"(?:nine|eight|seven|six|five|four|three|two|one|\d+)\s+(?:in|out of)\s+(?:ten|a hundred|10|100)\b",
    re.IGNORECASE,
)


def is_dose(clause: str) -> bool:
    """Whether a clause names a dose or a regimen of taking something."""
    if _MASS_DOSE.search(clause) or _SHORTHAND.search(clause):
        return True
    if _REGULAR.search(clause) and _GIVEN.search(clause):
        return True
    return _COUNT_DOSE.search(clause) is not None and _TAKING.search(clause) is not None


def without_doses(text: str) -> tuple[str, int]:
    """Return a text with every clause that names a dose removed, and how many were."""
    parts: list[str] = []
    removed = 0
    for match in _CLAUSE.finditer(text):
        clause = match.group()
        struck = len(parts) > 1 and DOSE_MARK in parts[-2:]
        if len(clause) > 1 and (is_dose(clause) or (struck and _REGULAR.search(clause))):
            removed += 1
            clause = DOSE_MARK
        if clause:
            parts.append(clause)
    joined = "".join(parts)
    return joined, removed


def without_probabilities(text: str, allowed: Collection[str]) -> tuple[str, int]:
    """Return a text with every probability removed that is not literally among the allowed ones.

    Args:
        text: a sentence of a language model.
        allowed: what the engine or a cited source states, e.g. ``"62 %"``; compared without spaces.
    """
    known = {re.sub(r"\s", "", item).replace("％", "%").lower() for item in allowed}
    removed = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal removed
        if re.sub(r"\s", "", match.group()).replace("％", "%").lower() in known:
            return match.group()
        removed += 1
        return PROBABILITY_MARK

    return _PERCENT.sub(replaced, text), removed


def percentages(text: str) -> list[str]:
    """Return every probability or percentage that a text states, as written."""
    return [match.group() for match in _PERCENT.finditer(text)]
