"""The matcher against a brute-force search, and its two rules by example."""

from __future__ import annotations

import string
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from xinglin.terms.characters import normalise
from xinglin.terms.gaps import matches_across_fillers
from xinglin.terms.matcher import Matcher

ALPHABET = "胸痛发热无尿频ab1 "
texts = st.text(ALPHABET, max_size=30)
patterns = st.lists(st.text("胸痛发热无尿频ab1", min_size=1, max_size=4), max_size=12)


def brute_force(text: str, words: list[str]) -> set[tuple[int, int, str]]:
    """Every occurrence that does not cut a Latin word."""
    latin = set(string.ascii_lowercase + string.digits)
    found = set()
    for word in words:
        for start in range(len(text) - len(word) + 1):
            end = start + len(word)
            if text[start:end] != word:
                continue
            if start and word[0] in latin and text[start - 1] in latin:
                continue
            if end < len(text) and word[-1] in latin and text[end] in latin:
                continue
            found.add((start, end, word))
    return found


@given(texts, patterns)
def test_all_matches_are_those_of_brute_force(text: str, words: list[str]) -> None:
    matcher = Matcher((word, word) for word in words)
    found = {(m.start, m.end, m.payload) for m in matcher.all_matches(text)}
    assert found == brute_force(text, words)


@given(texts, patterns)
def test_longest_do_not_overlap_and_nothing_longer_was_free(text: str, words: list[str]) -> None:
    matcher = Matcher((word, word) for word in words)
    kept = matcher.longest(text)
    for left, right in pairwise(kept):
        assert left.end <= right.start
    taken = {(m.start, m.end) for m in kept}
    for start, end, word in brute_force(text, words):
        if (start, end) in taken or word[0] in "无不没未非":
            continue
        assert any(s < end and start < e and e - s >= end - start for s, e in taken)


def test_longest_wins_then_leftmost() -> None:
    matcher = Matcher((w, w) for w in ("右下腹痛", "腹痛", "下腹", "痛", "ab", "abc"))
    assert [m.payload for m in matcher.longest("右下腹痛 腹痛 abc")] == ["右下腹痛", "腹痛", "abc"]


def test_a_negated_list_is_not_read_as_a_term() -> None:
    matcher = Matcher((w, w) for w in ("无尿", "尿频", "无力"))
    assert [m.payload for m in matcher.longest("无尿频")] == ["尿频"]
    assert [m.payload for m in matcher.longest("无尿,无力")] == ["无尿", "无力"]


def test_latin_needs_word_boundaries() -> None:
    matcher = Matcher([("mi", 1), ("wbc", 2)])
    assert [m.start for m in matcher.longest("mi, family mice; 心梗mi患者")] == [0, 19]
    assert matcher.longest("wbc15") == []
    assert Matcher([("wbc", 2)], digits_after=True).longest("wbc15")


@given(st.text(max_size=200))
def test_normalising_keeps_every_offset(text: str) -> None:
    assert len(normalise(text)) == len(text)
    assert normalise(normalise(text)) == normalise(text)


def test_normalising_makes_forms_alike() -> None:
    assert normalise("ＢＰ：１２０／８０，發熱。") == "bp:120/80,发热。"


def test_fillers_are_crossed_and_offsets_are_those_of_the_source() -> None:
    matcher = Matcher((w, w) for w in ("胸口疼", "头痛", "发烧", "咳痰"))

    def found(text: str) -> list[tuple[str, bool]]:
        return [(text[m.start : m.end], m.negated) for m in matches_across_fillers(text, matcher)]

    assert found("他胸口有点疼") == [("胸口有点疼", False)]
    assert found("发了三天烧") == [("发了三天烧", False)]
    assert found("头倒是不痛") == [("头倒是不痛", True)]
    assert found("咳不出痰") == []
    assert found("头,痛") == []
    assert found("头痛") == []
