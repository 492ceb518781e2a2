"""The knowledge ablation's own arithmetic; that it runs is tested with the other benchmarks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import _ablation_page as rendering
from benchmarks import knowledge
from benchmarks._ablation import examples, said

LABELS = [0] * 30 + [1] * 8 + [2] * 3


@pytest.mark.parametrize("shots", [1, 5, 20])
def test_few_examples_are_so_many_a_class_and_the_same_for_every_arm(shots: int) -> None:
    chosen = examples(LABELS, shots, (4, 0, shots))
    assert chosen == examples(LABELS, shots, (4, 0, shots))
    assert Counter(LABELS[i] for i in chosen) == {0: shots, 1: min(8, shots), 2: min(3, shots)}
    assert len(set(chosen)) == len(chosen)
    assert chosen != examples(LABELS, shots, (5, 0, shots))
    assert examples(LABELS, None, (0,)) == list(range(41))


def test_a_case_is_said_whole_and_an_answer_overrides_the_report() -> None:
    case = {"explicit": {"发热": "1", "咳嗽": "2"}, "implicit": {"皮疹": "0", "咳嗽": "1", "腹泻": "2"}}
    assert said(case) == "患儿有发热、咳嗽;没有皮疹;不确定有没有腹泻。"
    assert said({"explicit": {}, "implicit": {}}) == "没有记录症状。"


def _found(gain: float) -> dict[str, Any]:
    """Five seeds, two figures of 200 cases; the graph is better by ``gain`` on the first."""
    generator = np.random.default_rng(0)

    def cells(more: float) -> list[dict[str, Any]]:
        return [
            {
                "hits": {
                    "one": (generator.random(200) < 0.5 + more).tolist(),
                    "two": (generator.random(200) < 0.4).tolist(),
                },
                "recall": 0.5,
                "validation_loss": 4.0,
            }
            for _ in range(5)
        ]

    return {
        "chosen": "kepler",
        "marks": {"contrastive": 0.4, "kepler": 0.5},
        "development": {"contrastive": [1], "kepler": [1]},
        "cells": {"graph": cells(gain), "none": cells(0.0), "random": cells(0.0)},
        "figures": ["one", "two"],
        "floors": {"one": 0.3, "two": 0.2},
        "settings": {
            "budget": {
                "vocabulary": 8000, "base_steps": 4, "base_rows": 16, "steps": 3, "rows": 8, "length": 128, "weight": 1.0,
                "draws": (1, 2),
            },
            "texts": ("toyhom",), "tokens": 1000, "triples": 10, "entities": 5, "passages_dropped": 0,
        },
    }  # fmt: skip


def test_a_gain_is_found_and_noise_is_not(tmp_path: Path) -> None:
    found = _found(0.35)
    rows = {(row["figure"], row["control"]): row for row in knowledge._comparisons(found)}
    assert len(rows) == 6
    assert rows["one", "none"]["holm"] < 0.01
    assert rows["one", "none"]["test"].gain == pytest.approx(0.35, abs=0.06)
    assert rows["one", "none"]["cases"].low > 0.2
    assert rows["two", "none"]["holm"] > 0.05
    # Holm over four single comparisons, two means: never below the bare p.
    assert all(row["holm"] >= row["test"].p for row in rows.values())
    lines = knowledge._report(found, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"knowledge.md", "knowledge.json", "knowledge.svg"}
    page = (tmp_path / "knowledge.md").read_text(encoding="utf-8")
    assert "against *none*: **the graph is better**" in page
    assert "better 2 (one against none" in page
    assert "Chosen: **kepler**" in page
    assert "cannot go below 0.0625" in page
    assert {line.name for line in lines} >= {"one, graph", "one, graph - random", "graph recalled, none"}


def test_no_gain_is_said_as_plainly() -> None:
    found = _found(0.0)
    rows = knowledge._comparisons(found)
    page = rendering.page(found, rows, knowledge._lines(found, rows))
    assert page.count("**no difference shown**") == 2
    assert "better 0 (none); worse 0 (none)" in page
    worse = _found(-0.4)
    rows = knowledge._comparisons(worse)
    assert "**the graph is worse**" in rendering.page(worse, rows, knowledge._lines(worse, rows))
