"""A small challenge: three departments, 60 hidden questions, 24 of them for the board."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from xinglin.release.challenge.entering import enter
from xinglin.release.challenge.manifest import Manifest, manifest_from
from xinglin.release.challenge.parts import Case
from xinglin.release.challenge.predictions import Predictions
from xinglin.release.challenge.record import Challenge, Entered, create_challenge
from xinglin.store import Store

LABELS = ("内科", "外科", "儿科")
ORDERED = tuple(sorted(LABELS))
OPENS = datetime(2026, 11, 1, tzinfo=UTC)
OPEN = OPENS + timedelta(days=3)
CLOSES = OPENS + timedelta(days=30)
OVER = CLOSES + timedelta(hours=1)


def draft(**changes: Any) -> dict[str, Any]:
    return {
        "format": "xinglin-challenge-1",
        "name": "triage-test",
        "title": {"zh": "分诊", "en": "Triage"},
        "task": {"zh": "由一句话判断科室", "en": "The department of a question"},
        "labels": list(ORDERED),
        "metric": "accuracy",
        "opens": OPENS.isoformat(),
        "closes": CLOSES.isoformat(),
        "daily": 5,
        **changes,
    }


def cases(count: int = 60, board: int = 24) -> list[Case]:
    generator = np.random.default_rng(7)
    words = {"内科": "咳嗽胸闷", "外科": "骨折外伤", "儿科": "孩子发热"}
    found = []
    for number in range(count):
        label = ORDERED[int(generator.integers(3))]
        part = "board" if number < board else "final"
        groups = {"sex": "female" if number % 2 else "male", "age": "old" if number % 15 == 0 else "adult"}
        found.append(Case(f"q{number:03d}", f"第{number}问:{words[label]}", label, part, groups))
    return found


def manifest(**changes: Any) -> Manifest:
    return manifest_from(draft(**changes))


def make(store: Store, **changes: Any) -> Challenge:
    return create_challenge(
        store, manifest(**changes), cases(), organiser="chen", now=OPENS - timedelta(days=1)
    )


def answers(wrong: int = 0, *, hidden: list[Case] | None = None, seed: int = 0) -> Predictions:
    """Answers of which so many, spread by the seed, name the next label instead."""
    hidden = sorted(hidden or cases())
    table = np.zeros((len(hidden), 3))
    missed = set(np.random.default_rng(seed).permutation(len(hidden))[:wrong].tolist())
    for number, case in enumerate(hidden):
        truth = ORDERED.index(case.label)
        table[number, (truth + (number in missed)) % 3] = 1.0
    return Predictions(tuple(case.id for case in hidden), ORDERED, table)


def put(store: Store, who: str, wrong: int, *, seed: int = 0, now: datetime = OPEN) -> Entered:
    return enter(
        store, "triage-test", answers(wrong, seed=seed), entrant=who, title=f"{who} {wrong}", now=now
    )
