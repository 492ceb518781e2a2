"""Docking with real processes: errors are rows, nothing is docked twice, a fault ends one ligand alone."""

from __future__ import annotations

import csv
import io
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from rdkit import Chem

from tests.apps.drugs.small_target import small_target
from xinglin.apps.drugs.dock.engine import Engine
from xinglin.apps.drugs.dock.ligand import ligand_form, prepare_ligand
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.dock.pool import Pool
from xinglin.apps.drugs.dock.poses import pose_molecule, write_sdf
from xinglin.apps.drugs.dock.run import dock_many
from xinglin.apps.drugs.dock.shelf import Shelf
from xinglin.apps.drugs.dock.table import COLUMNS, docked_csv
from xinglin.apps.drugs.target.box import Box
from xinglin.apps.drugs.target.target import Target
from xinglin.errors import DockingError

OPTIONS = DockOptions(exhaustiveness=1, timeout=60)
PYRIDINE, PHENOL = "c1ccncc1", "Oc1ccccc1"


@pytest.fixture(scope="module")
def target(data: Path) -> Target:
    return small_target(data)


@pytest.fixture(scope="module")
def pool(target: Target) -> Iterator[Pool]:
    with Pool(target, OPTIONS, 1) as opened:
        yield opened


def test_a_score_does_not_depend_on_what_was_docked_before(target: Target) -> None:
    engine = Engine(target.receptor, target.box, OPTIONS)
    phenol, pyridine = (ligand_form(text, OPTIONS) for text in (PHENOL, PYRIDINE))
    first = [engine.dock(form) for form in (phenol, pyridine, phenol)]
    assert first[0].score == first[2].score
    assert first[0].pose == first[2].pose
    assert first[0].score < 0
    assert first[1].score != first[0].score
    alone = Engine(target.receptor, target.box, OPTIONS).dock(phenol)
    assert alone.score == first[0].score
    # The pose is one with that score: Vina's own scoring of it, without a search, agrees.
    pose = (
        "\n".join(line for line in first[0].pose.splitlines() if not line.startswith(("MODEL", "ENDMDL")))
        + "\n"
    )
    assert engine.score_only(pose) == pytest.approx(first[0].score, abs=0.05)


def test_rows_keep_their_order_and_errors_have_no_score(pool: Pool, target: Target, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf")
    asked = [PHENOL, "C1CC", "OB(O)c1ccccc1", PYRIDINE, "C1=CC=CC=C1O", "C" * 101]
    seen = []
    rows = dock_many(asked, OPTIONS, pool, shelf, lambda done, total: seen.append((done, total)))
    assert [row.smiles for row in rows] == asked
    assert [row.score is None for row in rows] == [False, True, True, False, False, True]
    assert all(row.answer.error for row in rows if row.score is None)
    assert all(row.answer.pose is None for row in rows if row.score is None)
    assert rows[0].score == rows[4].score  # written otherwise, the same molecule
    assert rows[0].per_heavy_atom == pytest.approx(rows[0].score / 7)
    assert seen[-1] == (6, 6)
    again = dock_many(asked, OPTIONS, pool, shelf)
    assert [row.kept for row in again] == [True, False, False, True, True, False]
    assert [row.score for row in again] == [row.score for row in rows]
    table = list(
        csv.DictReader(io.StringIO(docked_csv([(f"line {i}", f"m{i}", row) for i, row in enumerate(rows)])))
    )
    assert tuple(table[0]) == COLUMNS
    assert [bool(line["score_kcal_mol"]) for line in table] == [bool(not line["error"]) for line in table]
    assert not any(line["score_kcal_mol"] in ("0", "0.000") for line in table)
    sdf = tmp_path / "poses.sdf"
    assert write_sdf(sdf, [(f"m{i}", row) for i, row in enumerate(rows)]) == 3
    read = list(Chem.SDMolSupplier(str(sdf), removeHs=False))
    assert [item.GetProp("_Name") for item in read] == ["m0", "m3", "m4"]
    assert float(read[0].GetProp("score_kcal_mol")) == pytest.approx(rows[0].score)
    assert target.box.holds(read[0].GetConformer().GetPositions()).mean() > 0.7


@pytest.mark.slow
def test_a_ligand_that_takes_too_long_is_given_up(target: Target) -> None:
    slow = DockOptions(exhaustiveness=1024, timeout=1.0)
    with Pool(target, slow, 1) as pool:
        rows = dock_many(["CCCCc1ccc(OCCN)cc1", "C1CC"], slow, pool)
    assert [row.score for row in rows] == [None, None]
    assert rows[0].answer.error == "given up after 1 s"


@pytest.mark.slow
def test_a_process_that_dies_costs_the_ligand_it_was_at_and_no_other(target: Target) -> None:
    slow = DockOptions(exhaustiveness=1024, timeout=60.0)
    forms = [ligand_form("CCCCc1ccc(OCCN)cc1", slow)]
    with Pool(target, slow, 1) as pool:

        def kill_at_work() -> None:
            while not pool._workers or pool._workers[0].job is None:
                time.sleep(0.02)
            pool._workers[0].process.kill()

        killer = Thread(target=kill_at_work)
        killer.start()
        answers = list(pool.run(forms))
        killer.join()
    assert len(answers) == 1
    assert answers[0][1].score is None
    assert answers[0][1].error == "the docking process ended with code -9"


def test_a_process_that_dies_between_ligands_costs_none(pool: Pool) -> None:
    forms = [ligand_form(text, OPTIONS) for text in (PHENOL, PYRIDINE)]
    found = {}
    for index, answer in pool.run(forms):
        found[index] = answer
        if index == 0:
            pool._workers[0].process.kill()
            pool._workers[0].process.join()
    assert [found[index].score is not None for index in (0, 1)] == [True, True]


def test_a_receptor_that_vina_refuses_ends_the_run() -> None:
    line = "ATOM      1  C   ALA A   1       0.000   0.000   0.000  1.00  0.00     0.100 Xx\n"
    target = Target("bad", line, Box((0.0, 0.0, 0.0), (5.0, 5.0, 5.0)))
    with Pool(target, OPTIONS, 1) as pool, pytest.raises(DockingError, match="refuses the receptor"):
        dock_many([PHENOL], OPTIONS, pool)


def test_an_interrupted_run_loses_only_what_was_under_way(pool: Pool, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf")
    asked = [PHENOL, PYRIDINE, "Cc1ccccc1"]

    def stop(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dock_many(asked, OPTIONS, pool, shelf, stop)
    assert len(list(shelf.folder.iterdir())) == 1
    rows = dock_many(asked, OPTIONS, pool, shelf)
    assert [row.kept for row in rows] == [True, False, False]


def test_the_shelf_survives_damage_and_is_bounded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from xinglin.apps.drugs.dock.engine import Answer

    shelf = Shelf(tmp_path / "docking" / "one")
    form = ligand_form(PHENOL, OPTIONS)
    assert shelf.get(form) is None
    shelf.put(form, Answer(None, None, 1.0, (), "failed"))
    assert shelf.get(form) is None  # failures are not kept
    answer = Answer(-5.25, "MODEL 1\n", 1.5, ("note",))
    shelf.put(form, answer)
    assert shelf.get(form) == answer
    tautomers = [ligand_form(text, OPTIONS) for text in ("Oc1ccccn1", "O=c1cccc[nH]1")]
    assert tautomers[0].inchikey == tautomers[1].inchikey
    shelf.put(tautomers[0], answer)
    assert shelf.get(tautomers[1]) is None  # another form of the same InChIKey is docked for itself
    other = Shelf(tmp_path / "docking" / "two")
    other.put(form, answer)
    other.bound(limit=10)
    assert shelf.get(form) is None
    assert other.get(form) == answer
    path = next(other.folder.iterdir())
    path.write_text('{"score": "x"}')
    with caplog.at_level(logging.WARNING):
        assert other.get(form) is None
    assert "docked again" in caplog.text


def test_a_pose_that_is_none_is_refused() -> None:
    with pytest.raises(DockingError, match="cannot be read"):
        pose_molecule("hello")
    ligand = prepare_ligand(ligand_form(PHENOL, OPTIONS), OPTIONS)
    assert pose_molecule(ligand.pdbqt).GetNumHeavyAtoms() == 7
