"""The next plate: better than chance where there is something to learn, honest where there is not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit")

from xinglin.apps.drugs.assay_table import AssayTable, Measured, read_assay
from xinglin.apps.drugs.assays import DISTANT, PlateOptions, next_plate
from xinglin.errors import InvalidInputError
from xinglin.model.molecule.features import featurise
from xinglin.model.molecule.kernel import DescriptorScale, similarity
from xinglin.records.molecules.standard import Molecule, standardise


@cache
def _everything() -> tuple[Molecule, ...]:
    """Different molecules whose number of fluorines and length vary."""
    cores = ("c1ccc({r})cc1", "c1ccnc({r})c1", "C1CCN({r})CC1", "c1ccc2[nH]c({r})cc2c1", "c1csc({r})n1")
    tails = ("C(=O)N", "CCO", "C(=O)O", "CCCN", "S(=O)(=O)N", "OCC", "CC#N", "C(F)(F)F")
    spacers = ("", "C", "CC", "C(=O)NC", "OC", "NC(=O)", "CNC", "C(C)C")
    every = [
        standardise(core.format(r=spacer + tail)) for core in cores for spacer in spacers for tail in tails
    ]
    return tuple({one.inchikey: one for one in every}.values())


def _series(count: int) -> list[Molecule]:
    return list(_everything()[:count])


def _table(molecules: list[Molecule], values: list[float], sides: list[int] | None = None) -> AssayTable:
    sides = sides or [0] * len(values)
    measured = tuple(
        Measured(one, value, side, 1, (f"line {place}",))  # type: ignore[arg-type]
        for place, (one, value, side) in enumerate(zip(molecules, values, sides, strict=True), 2)
    )
    return AssayTable(measured, (), "p", 1, {}, ())


def _value(molecule: Molecule) -> float:
    """A made-up activity that follows the structure: sulfonamides and amides of aromatic cores."""
    smiles = molecule.smiles
    return 5 + 2 * ("S(N)(=O)=O" in smiles) + ("c1" in smiles) + 0.5 * smiles.count("N")


def _likest(molecules: list[Molecule]) -> float:
    """The highest similarity between two of the molecules."""
    features = featurise([one.smiles for one in molecules])
    alike = similarity(features, features, DescriptorScale.of(features)).fragments
    return float(alike[~np.eye(len(molecules), dtype=bool)].max())


def test_a_plate_holds_more_hits_than_chance() -> None:
    molecules = _series(200)
    order = np.random.default_rng(0).permutation(len(molecules))
    known = [molecules[index] for index in order[:60]]
    pool = [molecules[index] for index in order[60:]]
    plate = next_plate(_table(known, [_value(one) for one in known]), pool, PlateOptions(size=24))
    assert plate.fitted
    assert plate.correlation is not None
    assert plate.correlation > 0.5
    hits = sorted((_value(one) for one in pool), reverse=True)[23]
    expected = np.mean([_value(one) >= hits for one in pool])
    assert np.mean([_value(pick.molecule) >= hits for pick in plate.picks]) > 1.6 * expected
    assert len({pick.molecule.inchikey for pick in plate.picks}) == 24
    assert [pick.well for pick in plate.picks[:13]] == [f"A{n}" for n in range(1, 13)] + ["B1"]
    for pick in plate.picks:
        assert pick.low < pick.predicted < pick.high
        assert pick.reason in ("promising", "uncertain")
        assert pick.nearest is not None
        assert 0 <= pick.similarity <= 1
        assert pick.distant == (pick.similarity < DISTANT)


def test_measured_and_twice_listed_candidates_are_left_out() -> None:
    molecules = _series(60)
    known = molecules[:30]
    plate = next_plate(
        _table(known, [_value(one) for one in known]), [*molecules, *molecules], PlateOptions(size=96)
    )
    assert plate.pool == len(plate.picks) == 30
    assert not {pick.molecule.inchikey for pick in plate.picks} & {one.inchikey for one in known}


def test_what_is_not_allowed_is_not_picked_and_counted() -> None:
    molecules = _series(60)
    known = molecules[:30]
    banned = {one.smiles for one in molecules[40:]}
    plate = next_plate(
        _table(known, [_value(one) for one in known]),
        molecules[30:],
        allowed=lambda smiles: smiles not in banned,
    )
    assert plate.refused == 20
    assert not {pick.molecule.smiles for pick in plate.picks} & banned


@pytest.mark.parametrize("count", [0, 5])
def test_with_too_few_results_the_plate_differs_and_says_so(count: int) -> None:
    molecules = _series(120)
    known = molecules[:count]
    plate = next_plate(
        _table(known, [_value(one) for one in known]), molecules[count:], PlateOptions(size=12)
    )
    assert not plate.fitted
    assert plate.error is None
    assert len(plate.picks) == 12
    assert {pick.reason for pick in plate.picks} == {"different"}
    assert {pick.predicted for pick in plate.picks} == {None}
    # No two of the plate are as alike as the likest of any twelve drawn from the pool.
    generator = np.random.default_rng(1)
    drawn = [generator.permutation(molecules[count:])[:12] for _ in range(6)]
    assert _likest([pick.molecule for pick in plate.picks]) < min(_likest(list(some)) for some in drawn)


def test_equal_results_are_nothing_to_learn_from() -> None:
    molecules = _series(60)
    plate = next_plate(_table(molecules[:20], [5.0] * 20), molecules[20:], PlateOptions(size=4))
    assert not plate.fitted


def test_384_wells_and_more_have_their_names() -> None:
    molecules = _series(80)
    table = _table(molecules[:20], [_value(one) for one in molecules[:20]])
    wells = [pick.well for pick in next_plate(table, molecules[20:], PlateOptions(size=384)).picks]
    assert (wells[0], wells[24]) == ("A1", "B1")
    assert next_plate(table, molecules[20:], PlateOptions(size=385)).picks[2].well == "3"


@pytest.mark.parametrize("size", [0, 1537])
def test_a_plate_out_of_bounds_is_refused(size: int) -> None:
    molecules = _series(20)
    with pytest.raises(InvalidInputError, match="1536"):
        next_plate(_table(molecules[:10], [1.0] * 10), molecules[10:], PlateOptions(size=size))


def test_no_candidate_is_refused_with_the_reason() -> None:
    molecules = _series(20)
    with pytest.raises(InvalidInputError, match="20 measured already"):
        next_plate(_table(molecules, [1.0] * 20), molecules)


@pytest.mark.slow
def test_a_real_target_is_learned_from_its_first_plate(data: Path, tmp_path: Path) -> None:
    """JAK2 of MoleculeACE: of the molecules above 9 among 680, the second plate of 96 finds twice its share."""
    import csv
    import gzip

    with gzip.open(data / "molecules" / "moleculeace" / "train.csv.gz", "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == "CHEMBL2971_Ki"]
    order = np.random.default_rng(0).permutation(len(rows))
    lines = ["smiles,Ki (nM)"]
    for place, index in enumerate(order):
        lines.append(f"{rows[index]['smiles']},{rows[index]['exp_nM'] if place < 96 else ''}")
    path = tmp_path / "jak2.csv"
    path.write_text("\n".join(lines) + "\n")
    table = read_assay(path)
    truth = {standardise(row["smiles"]).inchikey: float(row["p_activity"]) for row in rows}
    plate = next_plate(table, table.open_)
    share = np.mean([truth[one.inchikey] > 9 for one in table.open_])
    picked = [truth[pick.molecule.inchikey] for pick in plate.picks]
    assert np.mean([value > 9 for value in picked]) > 2 * share
    inside = [pick.low <= value <= pick.high for pick, value in zip(plate.picks, picked, strict=True)]
    assert np.mean(inside) > 0.75
