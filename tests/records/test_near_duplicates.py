"""Near-duplicates against brute force on real questions, and against datasketch's own index."""

from __future__ import annotations

import gzip
import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import MissingExtraError
from xinglin.records.near_duplicates import (
    NearDuplicates,
    bands,
    jaccard,
    near_duplicate_groups,
    ngrams,
    plain_text,
)


def similar(texts: list[str], n: int = 3) -> dict[tuple[int, int], float]:
    """Every pair compared on plain Python sets of n-grams; the Jaccard index of those that share one."""
    sets = [{text[i : i + n] for i in range(max(len(text) - n + 1, 1))} for text in map(plain_text, texts)]
    found = {}
    for i, j in combinations(range(len(texts)), 2):
        shared = len(sets[i] & sets[j]) if texts[i] and texts[j] else 0
        if shared:
            found[i, j] = shared / (len(sets[i]) + len(sets[j]) - shared)
    return found


def brute(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    return {pair for pair, index in similar(texts).items() if index >= threshold}


def components(pairs: set[tuple[int, int]], n: int) -> list[int]:
    group = list(range(n))
    for i, j in sorted(pairs):
        a, b = group[i], group[j]
        group = [min(a, b) if item in (a, b) else item for item in group]
    return group


def questions(data: Path, limit: int) -> list[str]:
    path = data / "text" / "toyhom_internal_medicine_dialogue" / "dev.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["ask"] for line, _ in zip(lines, range(limit), strict=False)]


@pytest.fixture(scope="module")
def planted(data: Path) -> tuple[list[str], dict[tuple[int, int], float]]:
    """Distinct real questions and copies of some with up to nine characters changed; all pairs by brute force."""
    texts = list(dict.fromkeys(questions(data, 260)))
    generator = np.random.default_rng(0)
    for source in texts[:120]:
        characters = list(source)
        for _ in range(int(generator.integers(1, 10))):
            characters[int(generator.integers(len(characters)))] = "某"
        texts.append("".join(characters))
    texts = list(dict.fromkeys(texts))
    return texts, similar(texts)


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.8])
def test_groups_of_real_questions_against_brute_force(
    planted: tuple[list[str], dict[tuple[int, int], float]], threshold: float
) -> None:
    texts, index = planted
    expected = components({pair for pair, value in index.items() if value >= threshold}, len(texts))
    groups = near_duplicate_groups(texts, threshold=threshold)
    every = list(combinations(range(len(texts)), 2))
    whole = {(i, j) for i, j in every if expected[i] == expected[j]}
    found = {(i, j) for i, j in every if groups[i] == groups[j]}
    assert len(whole) > 20
    assert found <= whole, "a reported pair that brute force does not know"
    assert len(found) / len(whole) >= 0.99


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_every_reported_pair_reaches_the_threshold(
    planted: tuple[list[str], dict[tuple[int, int], float]], threshold: float
) -> None:
    texts, index = planted
    collected = NearDuplicates(threshold=threshold)
    for text in texts:
        collected.add(text)
    truth = {pair for pair, value in index.items() if value >= threshold}
    pairs = set(collected.pairs())
    assert len(truth) > 20
    assert pairs <= truth
    assert len(pairs) / len(truth) >= 0.99


def test_the_candidates_are_those_of_datasketch(
    planted: tuple[list[str], dict[tuple[int, int], float]],
) -> None:
    from datasketch import MinHash, MinHashLSH

    texts, _ = planted
    ours = NearDuplicates(threshold=0.7)
    index = MinHashLSH(num_perm=128, params=(ours.bands, ours.rows))
    theirs: set[tuple[int, int]] = set()
    for place, text in enumerate(texts):
        ours.add(text)
        signature = MinHash(num_perm=128, seed=1, hashfunc=int, scheme="affine32")
        signature.update_batch(ngrams(plain_text(text)))
        theirs |= {(other, place) for other in index.query(signature)}
        index.insert(place, signature)
    grams = [ngrams(plain_text(text)) for text in texts]
    reached = {(i, j) for i, j in theirs if jaccard(grams[i], grams[j]) >= 0.7}
    assert len(reached) > 20
    assert set(ours.pairs()) == reached


def test_the_same_text_in_other_dress_is_exact() -> None:
    collected = NearDuplicates()
    for text in ("胸痛3天", " 胸痛 3天\n", "胸痛３天", "", "", "头晕", "x"):
        collected.add(text)
    assert collected.exact().tolist() == [0, 0, 0, 3, 4, 5, 6]
    assert collected.groups().tolist() == [0, 0, 0, 3, 4, 5, 6]


def test_nothing_and_one() -> None:
    assert near_duplicate_groups([]).tolist() == []
    assert near_duplicate_groups(["胸痛"]).tolist() == [0]
    assert near_duplicate_groups(["", "a"]).tolist() == [0, 1]


def test_a_crowd_of_templates_hangs_together() -> None:
    """Reports off one template are one group, without comparing each with each."""
    body = "双肺纹理清晰,未见明显实变影,心影大小形态正常,双侧膈面光整,肋膈角锐利。" * 4
    texts = [f"{body}编号{number:04d}" for number in range(400)]
    assert set(near_duplicate_groups(texts).tolist()) == {0}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="甲乙丙ab ", max_size=12), max_size=14))
def test_groups_are_what_brute_force_finds_on_small_texts(texts: list[str]) -> None:
    plain = [plain_text(text) for text in texts]
    expected = components(brute(plain, 0.8), len(plain))
    assert near_duplicate_groups(texts, permutations=256).tolist() == expected


def test_ngrams_are_a_set_and_tell_texts_apart() -> None:
    assert len(ngrams("abab" * 50)) == 2
    assert len(ngrams("a")) == 1
    words = {f"{a}{b}{c}" for a in "胸腹头背腰" for b in "痛胀晕麻酸" for c in "甚微久急缓"}
    assert len({int(ngrams(word)[0]) for word in words}) == len(words)
    assert jaccard(ngrams("abcdef"), ngrams("abcdeg")) == pytest.approx(3 / 5)


def test_bands_hold_their_promise() -> None:
    for threshold in (0.5, 0.7, 0.8, 0.9):
        count, rows = bands(threshold, 128)
        assert count * rows <= 128
        assert (1 - threshold**rows) ** count <= 0.001


@pytest.mark.parametrize("options", [{"threshold": 0}, {"threshold": 1.1}, {"n": 0}, {"permutations": 4}])
def test_senseless_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 < threshold"):
        NearDuplicates(**options)  # type: ignore[arg-type]


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(MissingExtraError, match=r"xinglin\[records\]"):
        NearDuplicates()
