"""The designer learns what is scored, never from a failure, and a stopped run goes on as if it had not been."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("rdkit")

from tests.model.molecule.chain import small_prior
from xinglin.errors import ConfigurationError, InvalidInputError, TrainingError
from xinglin.train.reinforce.design import Designer, DesignOptions

SMALL = DesignOptions(
    batch=16, offspring=4, generations=1, memory=128, updates=4, replay=32, respelt=0.3, save_every=1, seed=3
)


def oxygens(smiles):
    """Oxygen atoms, six are enough."""
    return np.array([min(1.0, one.count("O") / 6) for one in smiles])


def without_carbonyls(smiles):
    return np.array(
        [np.nan if "=O" in one else score for one, score in zip(smiles, oxygens(smiles), strict=True)]
    )


@pytest.mark.slow
def test_the_policy_learns_what_is_scored():
    plain = replace(SMALL, generations=0)
    designer = Designer(small_prior(), oxygens, 240, plain)
    said = []
    best = designer.run(said.append)
    before = oxygens(designer.policy.prior.sample(300, seed=1)).mean()
    after = oxygens(designer.policy.sample(300, seed=1)).mean()
    assert after > before + 0.1
    assert designer.oracle.calls == 240 == len(best)
    assert [call.score for call in best] == sorted((call.score for call in best), reverse=True)
    assert said[-1].calls == 240
    assert said[-1].top10 >= said[0].top10
    assert all(0 <= step.written <= 1 and 0 <= step.new <= 1 for step in said)


def test_children_help_and_are_asked():
    with_children = Designer(small_prior(), oxygens, 90, SMALL)
    with_children.run()
    alone = Designer(small_prior(), oxygens, 90, replace(SMALL, generations=0))
    alone.run()
    assert with_children.oracle.calls == alone.oracle.calls == 90
    assert with_children.step < alone.step  # four of each step's calls are children


def test_failures_are_counted_and_never_learned_from():
    designer = Designer(small_prior(), without_carbonyls, 100, SMALL)
    best = designer.run()
    assert designer.oracle.failed > 5
    assert len(best) == 100 - designer.oracle.failed
    assert not any("=O" in entry.smiles for entry in designer.memory.entries)
    assert len(designer.memory) == min(128, len(best))


def test_an_oracle_that_always_fails_ends_without_learning():
    designer = Designer(small_prior(), lambda smiles: np.full(len(smiles), np.nan), 40, SMALL)
    assert designer.run() == []
    assert designer.oracle.failed == 40
    for now, then in zip(
        designer.policy.decoder.parameters(), small_prior().decoder.parameters(), strict=True
    ):
        assert now.equal(then)


def test_until_two_scores_differ_the_prior_is_asked_and_nothing_is_learned():
    """A reward that is 0 until a rare pattern is met: what is asked up to there is what the prior writes."""
    asked = []

    def rare(smiles):
        asked.extend(smiles)
        return np.array([float(len(asked) > 60 and "N" in one) for one in smiles])

    blind = Designer(small_prior(), lambda smiles: np.zeros(len(smiles)), 60, SMALL)
    blind.run()
    for now, then in zip(blind.policy.decoder.parameters(), small_prior().decoder.parameters(), strict=True):
        assert now.equal(then)
    designer = Designer(small_prior(), rare, 120, SMALL)
    designer.run()
    assert [call.smiles for call in designer.oracle.history[:60]] == [
        call.smiles for call in blind.oracle.history
    ]
    assert any(
        not now.equal(then)
        for now, then in zip(
            designer.policy.decoder.parameters(), small_prior().decoder.parameters(), strict=True
        )
    )


def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path):
    whole = Designer(small_prior(), oxygens, 100, SMALL, known=["CCO", "OCCO"])
    whole.run()
    asked = []

    def stopping(smiles):
        asked.append(len(smiles))
        if len(asked) == 7:
            raise KeyboardInterrupt
        return oxygens(smiles)

    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        Designer(small_prior(), stopping, 100, SMALL, state=state, known=["CCO", "OCCO"]).run()
    resumed = Designer(small_prior(), oxygens, 100, SMALL, state=state, known=["CCO", "OCCO"])
    assert 0 < resumed.step < whole.step
    assert resumed.memory.entries[0].reward > 0
    resumed.run()
    assert resumed.oracle.history == whole.oracle.history
    assert resumed.memory.entries == whole.memory.entries
    for now, then in zip(resumed.policy.decoder.parameters(), whole.policy.decoder.parameters(), strict=True):
        assert now.equal(then)
    assert resumed.policy.flow.equal(whole.policy.flow)
    # Once more, when all is done: nothing is asked.
    again = Designer(small_prior(), stopping, 100, SMALL, state=state, known=["CCO", "OCCO"])
    assert again.run() == whole.oracle.best(100)


def test_states_of_other_settings_and_damaged_ones_are_refused(tmp_path):
    state = tmp_path / "state"
    Designer(small_prior(), without_carbonyls, 20, SMALL, state=state).run()
    with pytest.raises(TrainingError, match="settings"):
        Designer(small_prior(), oxygens, 21, SMALL, state=state)
    with pytest.raises(TrainingError, match="settings"):
        Designer(small_prior(), oxygens, 20, replace(SMALL, seed=4), state=state)
    path = state / "design.json"
    body = json.loads(path.read_text())
    assert None in [score for _, score in body["history"]]
    path.write_text(path.read_text()[:-20])
    with pytest.raises(TrainingError, match="anew"):
        Designer(small_prior(), oxygens, 20, SMALL, state=state)
    path.write_text(json.dumps(body))
    (state / "policy.safetensors").write_bytes(b"no tensors")
    with pytest.raises(TrainingError, match="anew"):
        Designer(small_prior(), oxygens, 20, SMALL, state=state)


@pytest.mark.parametrize("score", [1.5, -0.1])
def test_scores_outside_of_the_unit_interval_are_refused(score):
    designer = Designer(small_prior(), lambda smiles: np.full(len(smiles), score), 50, SMALL)
    with pytest.raises(InvalidInputError, match="from 0 to 1"):
        designer.run()


@pytest.mark.parametrize("change", [{"batch": 0}, {"updates": 0}, {"memory": 0}, {"rank_coefficient": 0.0}])
def test_senseless_settings_are_refused(change):
    with pytest.raises(ConfigurationError):
        Designer(small_prior(), oxygens, 10, replace(SMALL, **change))
