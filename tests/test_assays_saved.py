"""The benchmark of assays saved, on libraries whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit")

from benchmarks import _assays_docking, assays
from benchmarks.assays import Library


def _made(size: int = 300) -> Library:
    """A line of molecules whose neighbours are alike and whose activity is one hill."""
    place = np.linspace(0, 10, size)
    values = np.exp(-((place - 7) ** 2))
    alike = np.exp(-((place[:, None] - place) ** 2)).astype(np.float32)
    hit = values >= np.sort(values)[-15]
    generator = np.random.default_rng(0)
    return Library(
        [""] * size,
        values,
        hit,
        alike,
        alike,
        generator.permutation(size).astype(float),
        np.arange(size) // 4,
    )


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = _made()
    monkeypatch.setattr(assays, "_library", lambda target: library)
    monkeypatch.setattr(assays, "_labelled", lambda target: (library.smiles, library.values, library.hit))
    return library


def test_random_order_needs_what_counting_says(made: Library) -> None:
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(300)
        hits = counted = 0
        while hits < 8:
            hits += made.hit[order[counted]]
            counted += 1
        assert assays._needed("x", "random", "random", 24, seed) == counted


def test_weight_order_is_heavy_first_and_the_same_for_all_seeds(made: Library) -> None:
    order = np.argsort(-made.weight)
    expected = int(np.flatnonzero(np.cumsum(made.hit[order]) == 8)[0]) + 1
    assert {assays._needed("x", "weight", "random", 24, seed) for seed in range(5)} == {expected}


def test_the_loop_climbs_the_hill() -> None:
    needed = {
        arm: np.mean([assays._needed("x", arm, "random", 12, seed) for seed in range(10)])
        for arm in ("loop", "random")
    }
    assert needed["loop"] < 0.4 * needed["random"]


def test_a_start_of_some_scaffolds_is_not_in_the_pool_and_not_counted(made: Library) -> None:
    known = assays._of_some_scaffolds(made, 24, np.random.default_rng(3))
    assert 24 <= len(known) < 36
    assert not set(made.scaffold[known]) & set(np.delete(made.scaffold, known))
    needed = [assays._needed("x", "random", "scaffold", 24, seed) for seed in range(10)]
    assert max(needed) <= 300 - 24


def test_the_cut_is_a_ratio_of_means_with_pairs_kept() -> None:
    theirs = np.array([100.0, 200.0, 300.0, 400.0])
    assert assays._cut(0.4 * theirs, theirs) == pytest.approx((0.6, 0.6, 0.6))
    value, low, high = assays._cut(np.array([40.0, 90.0, 110.0, 160.0]), theirs)
    assert value == pytest.approx(0.6)
    assert low < 0.6 < high


def test_lines_say_met_missed_and_not_significant() -> None:
    found = {
        "a": {
            "loop": np.full(20, 30.0),
            "random": np.full(20, 100.0),
            "similarity": 60 + np.arange(20.0),
            "weight": np.full(20, 90.0),
        },
        "b": {
            "loop": 55 + 10 * np.tile([-1.0, 1.0], 10),
            "random": np.full(20, 100.0),
            "similarity": np.full(20, 55.0),
            "weight": np.full(20, 90.0),
        },
    }
    lines = assays._lines(found, "here", 20)
    assert [line.value for line in lines] == pytest.approx([0.7, 1 - 30 / 69.5, 0.45, 0.0])
    assert [("MISSED" in line.note, "NOT a significant" in line.note) for line in lines] == [
        (False, False),
        (False, False),
        (True, False),
        (False, True),
    ]
    means = assays._over_targets(found, "here", 20)
    assert means[0].value == pytest.approx((0.7 + 0.45) / 2)


@pytest.mark.slow
def test_a_quick_run_on_real_assays(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XINGLIN_BENCH_STATE", str(tmp_path))
    lines = assays.run(True)
    assert len(lines) == 4
    assert all(line.n == 3 and line.value is not None for line in lines)
    assert lines[0].value > 0.4


def test_docking_order_is_lowest_first_and_what_could_not_be_docked_is_last(
    made: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = np.where(made.hit, -9.0, -5.0)
    first = np.flatnonzero(made.hit)[:10]
    scores[first] = np.inf
    monkeypatch.setattr(assays, "_docking", lambda target: scores)
    # Five hits come first, then all 285 others, then the ten that failed, in their order.
    assert {assays._needed("x", "docking", "random", 24, seed) for seed in range(3)} == {5 + 285 + 3}


def test_a_docked_target_has_its_order_among_the_simple_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assays, "_docking", lambda target: np.zeros(300))
    monkeypatch.setenv("XINGLIN_BENCH_DOCKED", "CHEMBL1862_Ki,unknown")
    assert assays._docked() == ["CHEMBL1862_Ki"]
    found = assays._arms("CHEMBL1862_Ki", "random", 24, 2)
    assert assays._simple({arm: np.array(row, float) for arm, row in found.items()}) == [
        "similarity",
        "weight",
        "docking",
    ]
    assert "docking" not in assays._arms("CHEMBL2971_Ki", "random", 24, 1)


@pytest.mark.parametrize("target", sorted(_assays_docking.RECEPTORS))
def test_receptors_and_boxes_can_be_read(target: str, data: Path) -> None:
    site = _assays_docking._site(data / "molecules", target)
    assert "ATOM" in site.receptor
    assert all(15 <= side <= 30 for side in site.box.size)


@pytest.mark.slow
def test_scores_are_docked_once_and_what_cannot_be_docked_is_infinite(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XINGLIN_BENCH_STATE", str(tmp_path))
    monkeypatch.setenv("XINGLIN_BENCH_WORKERS", "1")
    asked = ["Oc1ccccc1", "C1CC", "CCO"]
    scores = _assays_docking.docking_scores(data / "molecules", "CHEMBL1862_Ki", asked)
    assert np.isfinite(scores).tolist() == [True, False, True]
    assert scores[0] < scores[2] < 0
    (kept,) = tmp_path.glob("docking-*/*.json")
    kept.write_text("[-1.0, null, -2.0]")
    again = _assays_docking.docking_scores(data / "molecules", "CHEMBL1862_Ki", asked)
    assert again.tolist() == [-1.0, np.inf, -2.0]
