"""Frozen vignettes: under-triage is the sin; and mutations that must not change the level, or must."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.graph.knowledge import TRIAGE
from xinglin.measure.intervals import upper_bound_zero_or_more

FOLDER = Path(__file__).parent / "vignettes"
FILES = ("emergencies_zh", "emergencies_en", "benign_zh", "benign_en")
NOW = TRIAGE.index("emergency_now")


def vignettes(kind: str) -> list[dict[str, str]]:
    return [
        json.loads(line)
        for name in FILES
        if name.startswith(kind)
        for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def level(differential: Differential, text: str) -> int:
    return TRIAGE.index(answer(differential, gather(differential, text)).triage)


def test_the_vignettes_are_the_frozen_ones() -> None:
    sums = dict(reversed(line.split()) for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {f"{name}.jsonl" for name in FILES}
    for name, digest in sums.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest
    assert len(vignettes("emergencies")) == 320
    assert len(vignettes("benign")) == 120


def test_no_emergency_is_under_triaged(differential: Differential) -> None:
    cases = vignettes("emergencies")
    missed = [f"{case['id']} {case['text']}" for case in cases if level(differential, case["text"]) < NOW]
    bound = upper_bound_zero_or_more(len(missed), len(cases))
    print(f"under-triage {len(missed)}/{len(cases)}, one-sided 95 % upper bound {bound:.4f}")
    assert missed == []


def test_benign_cases_are_rarely_over_triaged(differential: Differential) -> None:
    cases = vignettes("benign")
    over = [f"{case['id']} {case['text']}" for case in cases if level(differential, case["text"]) >= NOW]
    print(f"over-triage {len(over)}/{len(cases)}")
    assert len(over) <= 0.05 * len(cases), over


ADDED = {
    "zh": [
        "平时身体还可以,{}",
        "{}。家里人很担心,想问问怎么办",
        "{},没有出国旅行史",
        "  {}\n\n",
        "医生您好!{}谢谢!",
    ],
    "en": [
        "Hello doctor, {}",
        "{} No recent travel.",
        "  {}\n\n",
        "Usually well. {}",
        "{} What should I do?",
    ],
}


@pytest.mark.parametrize("seed", range(2))
def test_words_around_an_emergency_do_not_hide_it(differential: Differential, seed: int) -> None:
    generator = random.Random(seed)
    missed = []
    for case in vignettes("emergencies"):
        text = generator.choice(ADDED[case["lang"]]).format(case["text"])
        if level(differential, text) < NOW:
            missed.append(f"{case['id']} {text}")
    assert missed == []


FULL_WIDTH = str.maketrans({",": ",", ".": "。", "(": "(", ")": ")", ":": ":"})


def test_punctuation_does_not_hide_an_emergency(differential: Differential) -> None:
    cases = [
        case
        for case in vignettes("emergencies")
        if case["lang"] == "zh" and not any(c.isdigit() for c in case["text"])
    ]
    assert len(cases) > 50
    missed = [case["id"] for case in cases if level(differential, case["text"].translate(FULL_WIDTH)) < NOW]
    assert missed == []


DENIED = {
    "zh": "鼻塞流涕2天。没有{}",
    "en": "Runny nose for 2 days. No {}",
}


def test_a_denied_danger_is_no_danger(differential: Differential) -> None:
    """Every finding that raises a flag by itself must not raise it when denied."""
    raised, tried = [], 0
    for name, term in differential.vocabulary.findings.items():
        alone = [
            flag
            for flag, expression in differential.rules.flags
            if getattr(expression, "name", None) == name and not hasattr(expression, "sign")
        ]
        if not alone or max(TRIAGE.index(flag.level) for flag in alone) < NOW:
            continue
        for lang, word in (("zh", name), ("en", term.en)):
            tried += 1
            if level(differential, DENIED[lang].format(word)) >= NOW:
                raised.append(f"{lang}: {word}")
    assert tried > 20
    assert len(raised) <= 0.05 * tried, raised


def test_the_second_set_gets_no_worse(differential: Differential) -> None:
    """Measured once and not mended: the only estimate for unseen wording (docs/results/triage.md)."""
    lines = (FOLDER / "second.jsonl").read_text(encoding="utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    assert len(cases) == 130
    wrong = {"emergency": 0, "benign": 0}
    for case in cases:
        wrong[case["kind"]] += (level(differential, case["text"]) >= NOW) != (case["kind"] == "emergency")
    print(wrong)
    assert wrong["emergency"] <= 5
    assert wrong["benign"] <= 1
