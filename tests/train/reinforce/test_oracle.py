"""A budget counts different molecules, keeps their order, and never turns a failure into a score."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin.errors import InvalidInputError

pytest.importorskip("rdkit")

from xinglin.train.reinforce.oracle import Budgeted, canonical


def carbons(smiles):
    """Share of carbon letters; nothing for nitriles."""
    return np.array([np.nan if "#N" in one else one.upper().count("C") / len(one) for one in smiles])


def test_spellings_of_one_molecule_are_one_call():
    asked = []

    def oracle(smiles):
        asked.append(list(smiles))
        return carbons(smiles)

    budgeted = Budgeted(oracle, 10)
    scores = budgeted(["OCC", "CCO", "C(O)C", "not a molecule", "", "CC#N"])
    assert asked == [["CCO", "CC#N"]]
    assert scores[:3].tolist() == [pytest.approx(2 / 3)] * 3
    assert np.isnan(scores[3:]).all()
    assert (budgeted.calls, budgeted.left, budgeted.failed) == (2, 8, 1)
    again = budgeted(["CCO", "N#CC"])
    assert asked == [["CCO", "CC#N"]]  # a failure is not asked again either
    assert again[0] == scores[0]
    assert np.isnan(again[1])
    assert [call.smiles for call in budgeted.best(5)] == ["CCO"]


def test_no_call_beyond_the_budget():
    budgeted = Budgeted(carbons, 3)
    scores = budgeted(["C", "CC", "CCC", "CCCC", "CCCCC"])
    assert np.isnan(scores).tolist() == [False, False, False, True, True]
    assert (budgeted.left, budgeted.refused) == (0, 2)
    assert budgeted(["C", "CCCC"])[0] == 1.0
    assert budgeted.calls == 3


def test_history_is_resumed():
    first = Budgeted(carbons, 4)
    first(["C", "CO", "CC#N"])
    second = Budgeted(carbons, 4, first.history)
    assert second.calls == 3
    assert second.known("CO")
    second(["OC", "CCO", "CCCO"])
    assert [call.smiles for call in second.history] == ["C", "CO", "CC#N", "CCO"]


@pytest.mark.parametrize("scores", [np.ones(3), np.array([np.inf, 0.0]), np.ones((2, 1))])
def test_a_wrong_answer_is_refused(scores):
    with pytest.raises(InvalidInputError, match="oracle"):
        Budgeted(lambda smiles: scores, 5)(["C", "CC"])


@pytest.mark.parametrize("history", [[("C", 1.0), ("CC", 1.0)], [("C", 1.0), ("C", 1.0)]])
def test_history_must_fit_the_budget(history):
    with pytest.raises(InvalidInputError, match="budget"):
        Budgeted(carbons, 1, history)


def test_no_molecule_has_no_canonical_form():
    assert canonical("C1CC") is None
    assert canonical("") is None
    assert canonical("c1ccccc1C(=O)[O-]") == "O=C([O-])c1ccccc1"


def test_what_rdkit_cannot_read_back_is_no_molecule() -> None:
    """A molecule whose own canonical SMILES is refused was found in a design run, which it ended."""
    assert canonical("CCC1=c2ccc(C)=Cs2CCC(=O)[C@H]1CC") is None
