"""Scaffolds and the splits by them."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from xinglin.errors import InvalidInputError
from xinglin.records.molecules import murcko, scaffold_split
from xinglin.records.molecules.scaffold import scaffold_folds, scaffold_groups


def _smiles(data: Path) -> list[str]:
    with gzip.open(data / "molecules" / "moleculenet" / "bace_train_valid.csv.gz", "rt") as file:
        return [row["smiles"] for row in csv.DictReader(file)][:200]


def test_murcko() -> None:
    assert murcko("CC(=O)Oc1ccccc1C(=O)O") == "c1ccccc1"
    assert murcko("CCCC") == ""
    assert murcko("C[C@H]1CCCN1") == murcko("C[C@@H]1CCCN1")
    with pytest.raises(InvalidInputError, match="unclosed"):
        murcko("C1CC")


def test_no_scaffold_lies_in_two_parts(data: Path) -> None:
    smiles = _smiles(data)
    parts = scaffold_split(smiles)
    assert sorted(np.concatenate(parts)) == list(range(200))
    assert len(parts) == 3
    names = [{murcko(smiles[at]) for at in part} for part in parts]
    assert not names[0] & names[1]
    assert not (names[0] | names[1]) & names[2]
    assert [len(part) for part in parts] == pytest.approx([160, 20, 20], abs=10)
    largest = np.bincount(scaffold_groups(smiles)).argmax()
    assert set(np.flatnonzero(scaffold_groups(smiles) == largest)) <= set(parts[0].tolist())
    with pytest.raises(InvalidInputError, match="sum to 1"):
        scaffold_split(smiles, (0.5, 0.2))


def test_folds(data: Path) -> None:
    smiles = _smiles(data)
    folds = scaffold_folds(smiles, 5, seed=1)
    assert np.array_equal(folds, scaffold_folds(smiles, 5, seed=1))
    assert not np.array_equal(folds, scaffold_folds(smiles, 5, seed=2))
    groups = scaffold_groups(smiles)
    assert all(len(set(folds[groups == group])) == 1 for group in range(groups.max() + 1))
    assert np.bincount(folds).min() > 30
    with pytest.raises(InvalidInputError, match="as many scaffolds"):
        scaffold_folds(["CC", "CCC"], 2, seed=0)
