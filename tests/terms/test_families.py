"""Phrases that stand for a family of spellings."""

from __future__ import annotations

import pytest

from xinglin.terms.families import Family, by_head
from xinglin.terms.matcher import Match, Matcher

PHRASES = [
    ("{can't/cannot/unable to} {pee/urinate}", "retention"),
    ("{手/脚}{突然/}{没劲/动不了}", "weak"),
    ("{lips/face} {are/} {blue/gone grey}", "cyanosis"),
    ("{been shot/gunshot}", "shot"),
]
MATCHER: Matcher[str] = Matcher([("cannot pee at all", "anuria")], families=PHRASES)


def found(text: str) -> list[tuple[str, str]]:
    return [(match.payload, text[match.start : match.end]) for match in MATCHER.longest(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("he can't urinate today", [("retention", "can't urinate")]),
        ("unable to pee", [("retention", "unable to pee")]),
        ("他手突然动不了", [("weak", "手突然动不了")]),
        ("脚没劲", [("weak", "脚没劲")]),
        ("lips blue, face gone grey", [("cyanosis", "lips blue"), ("cyanosis", "face gone grey")]),
        ("i cannot pee at all", [("anuria", "cannot pee at all")]),
        ("scan't pee", []),
        ("can't peel it", []),
        ("blue", []),
        ("a tetanus shot", []),
    ],
)
def test_every_combination_on_word_boundaries(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_a_family_is_tried_only_where_it_can_begin() -> None:
    assert set(by_head(PHRASES[:1])) == {"ca", "un"}
    assert Family("{/so} {hot}", 1).heads == {"so", "ho"}


def test_a_pattern_of_equal_length_wins() -> None:
    matcher: Matcher[str] = Matcher([("cannot pee", "alias")], families=PHRASES)
    assert matcher.longest("cannot pee") == [Match(0, 10, "alias", 10)]
