"""The smallest change: minimal by brute force, honest about its budget, and true when the case is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from xinglin.apps.diagnosis.counterfactual import (
    Flip,
    Option,
    by_findings,
    by_words,
    implied,
    possible,
    search,
    stated,
)
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case, gather
from xinglin.apps.diagnosis.pack import Pack, PackDisease, PackFinding, edges_for, seal
from xinglin.apps.diagnosis.posterior import Engine
from xinglin.apps.diagnosis.weighing import weigh
from xinglin.explain.units import segment
from xinglin.types import STATES, Code, Finding, State

Array = NDArray[np.float64]
NOTES = (
    "患者男性,58岁,胸痛3天,向左肩放射,大汗,无发热、咳嗽,血压90/60mmHg,心电图显示ST段压低,肌钙蛋白2.1 ng/mL",
    "否认高血压、糖尿病、冠心病病史,未见明显咳嗽,头痛2天。不发烧,就是有点恶心想吐",
    "Denies fever, chills or cough. Chest pain for 2 hours, no history of diabetes.",
    "高热39.5度,右下肺湿啰音,咳黄痰,白细胞15×10^9/L",
)


class Model:
    """A model with shifts that add up, and terms of pairs that do not."""

    def __init__(self, seed: int, options: int, classes: int, mixed: float) -> None:
        generator = np.random.default_rng(seed)
        self.base = generator.normal(size=classes) + np.eye(1, classes)[0] * generator.uniform(1, 5)
        self.shifts = generator.normal(size=(options, classes))
        self.pairs = mixed * generator.normal(size=(options, options, classes))

    def __call__(self, sets: Sequence[tuple[int, ...]]) -> Array:
        rows = []
        for chosen in sets:
            row = self.base + self.shifts[list(chosen)].sum(axis=0)
            rows.append(row + sum((self.pairs[a, b] for a, b in combinations(chosen, 2)), np.zeros(len(row))))
        return np.array(rows)


def brute(model: Model, places: Sequence[int], ranks: Sequence[int]) -> tuple[int, ...] | None:
    """Every set of one, then of two options; the best of the smallest that flip."""
    first, base = int(model.base.argmax()), model.base
    for size in (1, 2):
        flips = []
        for chosen in combinations(range(len(places)), size):
            if len({places[i] for i in chosen}) < size:
                continue
            row = model([chosen])[0]
            winner = int(row.argmax())
            if winner != first:
                lead = np.sort(row)[-2] - row.max()
                flips.append((sum(ranks[i] for i in chosen), base.max() - base[winner], lead, chosen))
        if flips:
            return tuple(min(flips)[-1])
    return None


def test_the_search_equals_brute_force() -> None:
    sizes = {0: 0, 1: 0, 2: 0}
    for seed in range(150):
        generator = np.random.default_rng(1000 + seed)
        count = int(generator.integers(1, 9))
        model = Model(seed, count, int(generator.integers(2, 7)), mixed=float(seed % 3))
        places = generator.integers(0, max(1, count - 2), count).tolist()
        ranks = generator.integers(0, 2, count).tolist()
        found = search(model, model.base, places, ranks, pairs=999)
        expected = brute(model, places, ranks)
        assert found.options == expected, seed
        assert found.complete
        if expected is not None:
            assert found.winner == int(model([expected])[0].argmax()) != int(model.base.argmax())
        sizes[len(expected or ())] += 1
    assert min(sizes.values()) > 10, sizes


def test_the_promise_finds_what_adds_up_with_a_small_budget() -> None:
    found = 0
    for seed in range(60):
        model = Model(seed, 30, 8, mixed=0.0)
        model.base[0] += 4.0
        wide = search(model, model.base, range(30), [0] * 30, pairs=999)
        if wide.options is not None and len(wide.options) == 2:
            narrow = search(model, model.base, range(30), [0] * 30, pairs=1)
            assert narrow.options is not None
            assert len(narrow.options) == 2
            assert not narrow.complete
            assert narrow.evaluations == 31
            found += 1
    assert found > 5


def test_a_budget_that_ran_out_is_said() -> None:
    flat = Model(0, 6, 3, mixed=0.0)
    flat.base, flat.shifts = np.array([9.0, 0.0, 0.0]), 0.1 * flat.shifts
    assert search(flat, flat.base, range(6), [0] * 6, pairs=15) == Flip(None, None, 21, True)
    assert search(flat, flat.base, range(6), [0] * 6, pairs=14) == Flip(None, None, 20, False)
    assert search(flat, flat.base, range(6), [0] * 6, pairs=15, left_out=True).complete is False
    assert search(flat, flat.base, [], [], pairs=15) == Flip(None, None, 0, True)
    assert search(flat, flat.base, [1] * 6, [0] * 6, pairs=15) == Flip(None, None, 6, True)


def test_what_follows_is_what_the_reader_says(differential: Differential) -> None:
    for note in NOTES:
        case = gather(differential, note)
        told = stated(differential.engine, case)
        assert len(told) >= 4
        assert implied(differential.engine, told) == case.states


def small(differential: Differential, seed: int) -> tuple[Differential, Case]:
    """Five diseases, seven findings (one the parent of another), a case that tells four of them."""
    generator = np.random.default_rng(seed)
    rows = [
        {d: float(generator.choice([0.1, 0.5, 0.9])) for d in range(5) if generator.random() < 0.6}
        for _ in range(7)
    ]
    findings = tuple(
        PackFinding(
            f"f{i}", f"征{i}", f"sign {i}", "symptom", (1,) if i == 0 else (), 0.05, edges_for(row, 0.05)
        )
        for i, row in enumerate(rows)
    )
    ahead = float(generator.uniform(0, 12))
    diseases = tuple(
        PackDisease(
            f"d{i}",
            f"病{i}",
            f"disease {i}",
            "icd10-who",
            f"A0{i}",
            0.0 if i else ahead,
            "mild",
            "",
            "any",
            None,
            None,
            None,
        )
        for i in range(5)
    )
    pack = seal(Pack("small", "", findings, diseases, (), ()))
    reduced = replace(differential, engine=Engine.build(pack))
    states: dict[int, State] = {0: "present", 2: "absent", 3: "present", 4: "present"}
    told = tuple(Finding(Code("xinglin", f"f{i}"), state) for i, state in states.items())
    empty = gather(differential, "今天天气")
    case = replace(
        empty, text="", findings=told, states=implied(reduced.engine, states), named_states={}, spans={}
    )
    return reduced, case


def test_findings_are_minimal_by_brute_force(differential: Differential) -> None:
    sizes = {0: 0, 1: 0, 2: 0}
    for seed in range(40):
        reduced, case = small(differential, seed)
        engine, told = reduced.engine, stated(reduced.engine, case)
        base = weigh(reduced, case).posterior
        every = [
            (f, state)
            for f in range(7)
            for state in STATES
            if state != told.get(f, "unknown") and (f in told or len(engine.edge_disease[f]))
        ]
        listed = possible(engine, told, base)
        assert {(option.finding, option.state) for option in listed} == set(every)

        def winner(changes: Sequence[tuple[int, State]], reduced=reduced, case=case, told=told) -> int:  # type: ignore[no-untyped-def]
            states = {f: s for f, s in (told | dict(changes)).items() if s != "unknown"}
            return int(
                weigh(reduced, replace(case, states=implied(reduced.engine, states))).posterior.argmax()
            )

        smallest = 0
        for size in (1, 2):
            sets = [s for s in combinations(every, size) if len({f for f, _ in s}) == size]
            if any(winner(chosen) != base.argmax() for chosen in sets):
                smallest = size
                break
        found = by_findings(reduced, case, None)
        assert len(found.changes) == smallest, seed
        assert found.before == (f"病{base.argmax()}", f"disease {base.argmax()}")
        if smallest:
            at = {f"征{i}": i for i in range(7)}
            changed = [(at[change.name[0]], change.after) for change in found.changes]
            assert found.after is not None
            assert found.after[0] == f"病{winner(changed)}"  # type: ignore[arg-type]
            assert all(change.before == told.get(at[change.name[0]], "unknown") for change in found.changes)
        else:
            assert found.after is None
        sizes[smallest] += 1
    assert sizes[1] > 3, sizes
    assert sizes[2] > 1, sizes


def test_the_changed_case_has_the_new_first(differential: Differential) -> None:
    told, changed = "胸痛3天,大汗,无发热", "胸痛3天,大汗,发热"
    found = by_findings(differential, gather(differential, told), None)
    assert [(change.name[0], change.before, change.after) for change in found.changes] == [
        ("发热", "absent", "present")
    ]
    rewritten = weigh(differential, gather(differential, changed)).posterior
    assert found.after == (
        differential.pack.diseases[int(rewritten.argmax())].name,
        differential.pack.diseases[int(rewritten.argmax())].en,
    )
    assert found.evaluations <= 1_500 + 1_500


def test_told_findings_come_before_untold_ones(differential: Differential) -> None:
    case = gather(differential, NOTES[0])
    engine = differential.engine
    options = possible(engine, stated(engine, case), weigh(differential, case).posterior)
    assert options[0].told
    assert sorted(options, key=lambda option: not option.told) == options
    assert len(set(options)) == len(options)
    assert Option(engine.finding_index["st-depression"], "absent", True) in options


def test_words_are_minimal_by_brute_force() -> None:
    text = "甲乙,丙丁,戊己,庚辛"
    marks = [((3 * n, 3 * n + 2), "word", "") for n in range(4)]
    units = segment(text, marks)  # type: ignore[arg-type]
    names = [("一", "one"), ("二", "two"), ("三", "three")]

    def score(texts: Sequence[str]) -> Array:
        rows = []
        for told in texts:
            here = np.array([unit.text in told for unit in units], float)
            rows.append([1.0 + 2.0 * (here[0] or here[1]), 2.0 - 3 * here[3], 1.5 * here[2]])
        logits = np.array(rows)
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))

    found = by_words(score, text, units, names)
    assert found.kind == "words"
    assert [change.name[0] for change in found.changes] == ["甲乙", "丙丁"]
    assert (found.before, found.after) == (names[0], names[2])
    assert found.complete
    alone = by_words(score, text, units[:1], names)
    assert alone.after is None
    assert alone.complete


@pytest.mark.parametrize("note", NOTES[:2])
def test_the_same_case_gives_the_same_change(differential: Differential, note: str) -> None:
    case = gather(differential, note)
    assert by_findings(differential, case, None) == by_findings(differential, case, None)
