"""Children are valid, bounded, new, and the same for a seed; the better rank breeds more."""

from __future__ import annotations

import random
from collections import Counter

import pytest

pytest.importorskip("rdkit")
from rdkit import Chem

from xinglin.errors import InvalidInputError
from xinglin.train.reinforce import mutations
from xinglin.train.reinforce.genetic import Breeding, offspring

DRUGS = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cc1ccc(-c2cc(C(F)(F)F)nn2-c2ccc(S(N)(=O)=O)cc2)cc1",
    "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1",
    "Cc1[nH]cnc1CSCCNC(=NC#N)NC",
    "C[C@H]1CC[C@@H](C(C)C)[C@H](O)C1",
    "CN1CC[C@]23c4c5ccc(O)c4O[C@H]2[C@@H](O)C=C[C@H]3[C@H]1C5",
    "O=[N+]([O-])c1ccc(Cl)cc1.[Na+]",
    "C[NH+](C)CCC=C1c2ccccc2CCc2ccccc21",
]
PARENTS = [(1 - rank / 10, smiles) for rank, smiles in enumerate(DRUGS)]


@pytest.mark.parametrize("alone", [0.0, 1.0])
def test_children_are_valid_canonical_bounded_and_new(alone: float) -> None:
    options = Breeding(smallest=8, largest=30, mutation_rate=0.5, alone_rate=alone)
    children = offspring(PARENTS, 400, seed=3, options=options)
    assert len(children) == len(set(children)) == 400
    parents = {Chem.CanonSmiles(smiles) for smiles in DRUGS}
    for child in children:
        mol = Chem.MolFromSmiles(child)
        assert mol is not None
        assert Chem.MolToSmiles(mol) == child
        assert 8 <= mol.GetNumHeavyAtoms() <= 30
        assert not set(child) & set(".@")
        assert child not in parents
        assert sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()) == 0
        assert all(len(ring) <= 7 for ring in mol.GetRingInfo().AtomRings())


def test_a_seed_is_a_family() -> None:
    assert offspring(PARENTS, 50, seed=1) == offspring(PARENTS, 50, seed=1)
    assert offspring(PARENTS, 50, seed=1) != offspring(PARENTS, 50, seed=2)
    assert offspring(PARENTS[::-1], 50, seed=1) == offspring(PARENTS, 50, seed=1)


def test_a_child_holds_atoms_of_both_parents() -> None:
    """A parent of carbon and fluorine, one of carbon and sulfur: without mutation every child is of these, some of both."""
    options = Breeding(mutation_rate=0.0, smallest=2)
    children = offspring([(1.0, "FCCC1CCC(F)CC1"), (1.0, "SCCC1CCC(S)CC1")], 60, seed=0, options=options)
    kinds = Counter(
        frozenset(a.GetSymbol() for a in Chem.MolFromSmiles(child).GetAtoms()) for child in children
    )
    assert set().union(*kinds) <= {"C", "F", "S"}
    assert kinds[frozenset("CFS")] >= 4


def test_the_better_rank_breeds_more() -> None:
    """With k = 0.01 and two of one kind, the first has 1/(0.02) and the second 1/(1.02) of the weight: 98 % against 2 %."""
    parents = [(0.9, "FCCC1CCCCC1"), (0.1, "SCCC1CCCCC1")]
    drawn = [
        offspring(parents, 1, seed=seed, options=Breeding(alone_rate=1.0, rank_coefficient=0.01))[0]
        for seed in range(120)
    ]
    assert sum("F" in child for child in drawn) > 5 * sum("S" in child for child in drawn)


def test_parents_that_cannot_breed_end() -> None:
    assert offspring([(1.0, "C")], 5, seed=0, options=Breeding(smallest=30)) == []


@pytest.mark.parametrize(
    ("parents", "words"),
    [([], "at least one"), ([(1.0, "C1CC")], "valid SMILES"), ([(float("nan"), "CCO")], "finite")],
)
def test_bad_parents_are_refused(parents: list[tuple[float, str]], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        offspring(parents, 1, seed=0)


def test_every_edit_changes_a_molecule() -> None:
    """Each of the seven finds a place in one of the drugs and leaves a molecule that differs and is valid."""
    assert len(mutations.EDITS) == 7
    for edit in mutations.EDITS:
        changed = 0
        for seed in range(60):
            draw = random.Random(seed)
            smiles = DRUGS[1 + seed % 3]
            mol = Chem.RWMol(Chem.MolFromSmiles(smiles))
            Chem.Kekulize(mol, clearAromaticFlags=True)
            if (
                edit(mol, draw)
                and Chem.SanitizeMol(mol, catchErrors=True) == Chem.SanitizeFlags.SANITIZE_NONE
            ):
                changed += Chem.MolToSmiles(mol) != smiles
        assert changed > 5, edit.__name__
