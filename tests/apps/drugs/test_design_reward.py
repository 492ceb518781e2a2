"""The reward: each aim's line, the mean of them, and what has no reward."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import QED, AllChem
from rdkit.DataStructs import TanimotoSimilarity

from tests.apps.drugs.told import Told
from xinglin.apps.drugs.accessibility import synthetic_accessibility
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.dock.run import dock_many
from xinglin.apps.drugs.reward import AIMS, Aim, Reward, Scored, pareto_front, weighted_geometric_mean
from xinglin.errors import ConfigurationError

ASPIRIN, IBUPROFEN, SARIN = "CC(=O)Oc1ccccc1C(=O)O", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "CC(C)OP(C)(=O)F"
OPTIONS = DockOptions()


def reward(rule=lambda form: -float(form.heavy_atoms), told: Told | None = None, **more) -> Reward:
    told = told or Told(rule)
    return Reward(lambda smiles: dock_many(smiles, OPTIONS, told), **more)


@given(st.floats(-20, 20), st.sampled_from(AIMS))
def test_a_desirability_is_a_line_between_its_ends(value: float, aim: Aim) -> None:
    found = float(aim.desirability(np.float64(value)))
    low, high = sorted((aim.worst, aim.best))
    assert 0 <= found <= 1
    if value <= low or value >= high:
        assert found == float((value >= high) == (aim.best > aim.worst))
    else:
        assert aim.worst + found * (aim.best - aim.worst) == pytest.approx(value)
    assert np.isnan(aim.desirability(np.float64("nan")))


def test_every_value_is_kept_and_the_reward_is_their_weighted_geometric_mean() -> None:
    made = reward(toxicity=lambda smiles: np.full(len(smiles), 0.5), known=[IBUPROFEN, "CCO"])
    item = made.scored([ASPIRIN])[0]
    molecule = Chem.MolFromSmiles(ASPIRIN)
    prints = [
        AllChem.GetMorganFingerprintAsBitVect(Chem.MolFromSmiles(one), 2, 2048)
        for one in (ASPIRIN, IBUPROFEN)
    ]
    assert item.values == pytest.approx(
        {"docking": -13, "efficiency": -1, "toxicity": 0.5, "qed": QED.qed(molecule),
         "sa": synthetic_accessibility(molecule), "similarity": TanimotoSimilarity(*prints)}
    )  # fmt: skip
    assert item.nearest == IBUPROFEN
    worth = {aim.name: float(aim.desirability(np.float64(item.values[aim.name]))) for aim in AIMS}
    powers = [worth[aim.name] ** aim.weight for aim in AIMS]
    assert item.reward == pytest.approx(np.prod(powers) ** (1 / sum(aim.weight for aim in AIMS)))
    assert made([ASPIRIN])[0] == item.reward
    assert 1.5 < item.values["sa"] < 1.7  # aspirin 1.58 by the published script


def test_what_was_not_given_is_no_aim() -> None:
    assert [aim.name for aim in reward().aims] == ["docking", "efficiency", "qed", "sa"]
    with pytest.raises(ConfigurationError):
        reward(aims=[Aim("toxicity", "", "", 1, 0)])


def test_a_missing_value_is_no_reward_and_never_zero() -> None:
    made = reward(lambda form: None if "[O-]" in form.smiles else -8.0, known=[IBUPROFEN])
    found = made([ASPIRIN, "c1ccncc1", "not a molecule"])
    assert np.isnan(found[[0, 2]]).all()
    assert found[1] > 0
    assert sum(made.problems.values()) == 2
    assert made.problems["not a molecule"] == 1
    unknown = reward(toxicity=lambda smiles: np.array([np.nan if "n" in one else 0.1 for one in smiles]))
    assert np.isnan(unknown(["c1ccncc1", ASPIRIN])).tolist() == [True, False]
    assert dict(unknown.problems) == {"no value": 1}


def test_a_controlled_structure_is_neither_docked_nor_rewarded() -> None:
    told = Told(lambda form: -8.0)
    made = reward(told=told)
    assert np.isnan(made([SARIN, ASPIRIN])).tolist() == [True, False]
    assert len(told.asked) == 1
    assert list(made.refusals) == [SARIN]
    assert made.problems["controlled substance"] == 1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_the_front_is_that_of_brute_force(points: list[tuple[int, int]]) -> None:
    scored = [Scored("C", {}, {"a": x / 4, "b": y / 4}, 0.5) for x, y in points]
    scored.append(Scored("C", {}, {}, float("nan")))
    expected = [
        i for i, one in enumerate(points)
        if not any(o != one and o[0] >= one[0] and o[1] >= one[1] for o in points)
    ]  # fmt: skip
    assert pareto_front(scored, ("a", "b")) == expected


def test_the_mean_is_zero_where_one_aim_fails_and_between_its_parts() -> None:
    aims = [Aim("a", "", "", 0, 1, 2.0), Aim("b", "", "", 0, 1)]
    assert weighted_geometric_mean(aims, {"a": 0.0, "b": 1.0}) == 0.0
    for a, b in itertools.product((0.1, 0.5, 1.0), repeat=2):
        assert min(a, b) - 1e-12 <= weighted_geometric_mean(aims, {"a": a, "b": b}) <= max(a, b) + 1e-12
