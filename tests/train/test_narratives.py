from __future__ import annotations

import random
import re
import time
from collections import Counter

import pytest

from xinglin.errors import InvalidInputError, TrainingError
from xinglin.graph.load import starter
from xinglin.terms.characters import normalise
from xinglin.terms.matcher import Matcher
from xinglin.terms.vocabulary import starter_vocabulary
from xinglin.train.durations import age_en, age_zh, lasting_en, lasting_zh, numeral
from xinglin.train.names import spellings
from xinglin.train.narratives import SOURCE, Narrator, narratives, starter_narrator
from xinglin.train.patients import CHILD_UNTIL

SAMPLE = 3000


@pytest.fixture(scope="module")
def told():
    return list(narratives(SAMPLE, 11))


def test_no_text_holds_a_name_of_its_own_disease(told) -> None:
    """Checked by the terms matcher itself, not by the code that filters."""
    diseases = starter().diseases
    assert len(told) == SAMPLE
    matchers = {}
    for item in told:
        if item.disease not in matchers:
            matchers[item.disease] = Matcher((name, name) for name in spellings(diseases[item.disease]))
        found = matchers[item.disease].all_matches(normalise(item.text))
        assert not found, (item.disease, found[0].payload, item.text)


def test_same_seed_same_texts() -> None:
    assert list(narratives(200, 3)) == list(narratives(200, 3))
    assert list(narratives(200, 3)) != list(narratives(200, 4))
    fresh = Narrator(starter(), starter_vocabulary())
    assert list(fresh.narratives(20, 3)) == list(narratives(20, 3))


def test_every_register_and_both_languages_occur(told) -> None:
    seen = Counter((item.lang, item.register) for item in told)
    assert set(seen) == {(register.lang, register.name) for register in starter_narrator().registers}
    assert min(seen.values()) > SAMPLE / 100
    assert 0.1 < sum(n for (lang, _), n in seen.items() if lang == "en") / SAMPLE < 0.25
    assert {item.source for item in told} == {SOURCE}


def test_texts_vary_in_length_punctuation_and_wording(told) -> None:
    texts = [item.text for item in told if item.lang == "zh"]
    assert len(set(texts)) > 0.99 * len(texts)
    assert sum(len(text) < 16 for text in texts) > 0.05 * len(texts)
    assert sum(len(text) > 120 for text in texts) > 0.05 * len(texts)
    assert sum("," in text for text in texts) > 0.1 * len(texts)
    assert sum("，" in text for text in texts) > 0.3 * len(texts)
    assert sum(not re.search("[男女岁]", text) for text in texts) > 0.1 * len(texts)
    assert sum(bool(re.search("没有|没|无|否认", text)) for text in texts) > 0.25 * len(texts)
    assert sum(bool(re.search(r"\d(\.\d+)?(mmol|g/L|[×x*]10|U/L|mg)", text)) for text in texts) > 0.01 * len(
        texts
    )
    assert len({text[:3] for text in texts}) > 500


def test_children_and_notes_are_told_as_such() -> None:
    dice, narrator = random.Random(5), starter_narrator()
    seen = Counter()
    for _ in range(60):
        item = narrator.narrative("轮状病毒肠炎", dice, "zh")
        assert item is not None
        seen[item.register] += 1
    assert seen["parent"] > 5
    assert seen["patient"] == 0
    notes = [item.text for item in narratives(1500, 2, lang="zh") if item.register == "note"]
    assert len(notes) > 50
    assert all("主诉" in text and "现病史" in text for text in notes)


def test_sex_and_age_limits_hold() -> None:
    dice, narrator = random.Random(1), starter_narrator()
    for name, disease in list(starter().diseases.items())[::7]:
        case = narrator.patients.case(name, dice, most=4, tests=1)
        assert disease.sex in ("any", case.sex)
        assert disease.age_min is None or case.age >= disease.age_min - 0.01
        assert disease.age_max is None or case.age <= disease.age_max
        assert case.child == (case.age < CHILD_UNTIL)
        assert not {said.term.name for said in case.findings} & {said.term.name for said in case.denied}


def test_nearly_every_disease_can_be_told_and_the_rest_is_counted() -> None:
    narrator, dice = starter_narrator(), random.Random(0)
    silent = {name for name in starter().diseases if narrator.narrative(name, dice) is None}
    assert len(silent) <= 3
    assert silent <= set(narrator.skipped)


def test_rare_diseases_have_a_floor() -> None:
    dice, patients = random.Random(0), starter_narrator().patients
    drawn = Counter(starter().diseases[patients.disease(dice)].commonness for _ in range(20000))
    total = Counter(disease.commonness for disease in starter().diseases.values())
    rate = {grade: drawn[grade] / total[grade] for grade in total}
    assert rate["very_common"] > rate["common"] > rate["rare"] > 0
    assert rate["very_common"] / rate["very_rare"] < 10


def test_language_can_be_chosen_and_bad_requests_are_refused() -> None:
    assert {item.lang for item in narratives(50, 1, lang="en")} == {"en"}
    with pytest.raises(InvalidInputError, match="lang"):
        next(narratives(1, 1, lang="fr"))
    with pytest.raises(InvalidInputError, match="count"):
        next(narratives(-1, 1))


def test_a_graph_without_findings_is_an_error_not_an_endless_loop() -> None:
    from dataclasses import replace

    empty = Narrator(replace(starter(), relations=()), starter_vocabulary())
    with pytest.raises(TrainingError, match="relations"):
        next(empty.narratives(1, 0))


def test_speed() -> None:
    list(narratives(3000, 1))  # the wordings of each disease are prepared when it is first drawn
    started = time.process_time()
    list(narratives(1000, 2))
    assert time.process_time() - started < 2.0


def test_ages_and_durations_in_words() -> None:
    dice = random.Random(0)
    assert [numeral(n) for n in (2, 10, 12, 20, 35)] == ["两", "十", "十二", "二十", "三十五"]
    assert {age_zh(58, dice) for _ in range(50)} == {"58岁", "五十八岁"}
    assert any("月" in age_zh(0.4, dice) for _ in range(3))
    assert any("天" in age_zh(0.02, dice) or "日" in age_zh(0.02, dice) for _ in range(3))
    assert age_en(0.5, dice).replace("-", " ") == "6 month old"
    assert {re.sub("[^年]", "", lasting_zh(2000, dice, note=True)) for _ in range(20)} == {"年"}
    assert lasting_en(3, random.Random(1)) in ("3 days", "three days", "3d")
