"""Membership inference on real patients: it succeeds on a model that overfits, and fails where training was private."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu, norm
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from xinglin.errors import InvalidInputError
from xinglin.federate.privacy.accountant import noise_for
from xinglin.federate.privacy.dpsgd import private_training
from xinglin.federate.privacy.membership import Attack, attack, likelihood_scores, loss_scores

Array = np.ndarray[Any, Any]
SHADOWS = 8
PASSES, BATCHES = 12, 4
DELTA = 1e-3


def hearts(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Patients of four hospitals whose ten findings are all stated; standardised."""
    names = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak"]
    rows = []
    for path in sorted((folder / "text" / "fed-heart-disease").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            rows += [
                [float(row[name]) for name in (*names, "num")]
                for row in csv.DictReader(stream)
                if "?" not in (row[name] for name in (*names, "num"))
            ]
    table = np.asarray(rows)
    x = (table[:, :-1] - table[:, :-1].mean(0)) / table[:, :-1].std(0)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(table[:, -1] > 0, dtype=torch.long)


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 2))


def confidence(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Array:
    """Probability of the true answer."""
    with torch.no_grad():
        chances = torch.softmax(model(x).double(), 1)
    return chances[torch.arange(len(y)), y].numpy()


def overfit(x: torch.Tensor, y: torch.Tensor, seed: int) -> nn.Module:
    model = network(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(250):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def privately(x: torch.Tensor, y: torch.Tensor, seed: int, noise: float) -> nn.Module:
    model = network(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    loader = DataLoader(TensorDataset(x, y), batch_size=-(-len(x) // BATCHES))
    run, private, batches = private_training(
        model, optimizer, loader, noise_multiplier=noise, max_grad_norm=1.0, seed=seed, secret=b"test"
    )
    for _ in range(PASSES):
        for a, b in batches:
            private.zero_grad()
            nn.functional.cross_entropy(run(a), b).backward()
            private.step()
    return model


def attacked(train: Any, x: torch.Tensor, y: torch.Tensor, seed: int) -> tuple[Attack, Attack, float]:
    """Loss attack, likelihood-ratio attack with shadow models, accuracy on those who were not members."""
    inside = np.random.default_rng(seed).random(len(x)) < 0.5
    own = confidence(train(x[inside], y[inside], seed), x, y)
    shadows = np.full((SHADOWS, len(x)), np.nan)
    for number in range(SHADOWS):
        seen = np.random.default_rng((seed, number)).random(len(x)) < 0.5
        shadows[number, ~seen] = confidence(train(x[seen], y[seen], 100 + number), x, y)[~seen]
    known = (~np.isnan(shadows)).sum(0) >= 2
    lira = attack(likelihood_scores(own[known], shadows[:, known]), inside[known])
    return attack(loss_scores(-np.log(own)), inside), lira, float((own[~inside] > 0.5).mean())


def test_an_overfit_model_gives_its_patients_away_and_a_private_one_does_not(data: Path) -> None:
    x, y = hearts(data)
    assert len(x) == 740
    noise = noise_for(1.0, DELTA, 1 / BATCHES, PASSES * BATCHES)
    inside = np.random.default_rng(0).random(len(x)) < 0.5

    def by_loss(model: nn.Module) -> tuple[Attack, float]:
        own = confidence(model, x, y)
        return attack(loss_scores(-np.log(own)), inside), float((own[~inside] > 0.5).mean())

    plain, plain_accuracy = by_loss(overfit(x[inside], y[inside], 0))
    private, accuracy = by_loss(privately(x[inside], y[inside], 0, noise))
    assert plain.low > 0.55, "members are told apart"
    assert private.low < 0.5 < private.high < plain.low, "they are not where training was private"
    assert accuracy > 0.7, "and the private model has learnt something"
    assert accuracy > plain_accuracy - 0.05


@pytest.mark.slow
def test_shadow_models_see_more_and_noise_blinds_them_too(data: Path) -> None:
    x, y = hearts(data)
    noise = noise_for(1.0, DELTA, 1 / BATCHES, PASSES * BATCHES)
    loss, lira, _ = attacked(overfit, x, y, 0)
    _, blind, _ = attacked(lambda a, b, seed: privately(a, b, seed, noise), x, y, 0)
    assert lira.auc > loss.auc
    assert lira.low > 0.6
    assert blind.high < lira.low
    # the best test of one round of (1, delta): balanced accuracy, and so AUC, below e / (1 + e)
    assert blind.high < np.e / (1 + np.e)


def test_the_area_is_the_rank_statistic_and_its_interval_covers() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        scores = np.concatenate([generator.normal(0.7, 1, 40), generator.normal(0, 1, 60)])
        member = np.arange(100) < 40
        found = attack(scores.round(1), member)
        statistic = mannwhitneyu(scores.round(1)[member], scores.round(1)[~member]).statistic
        assert found.auc == pytest.approx(statistic / 2400)
        exact = attack(scores, member)
        covered += exact.low <= norm.cdf(0.7 / np.sqrt(2)) <= exact.high
    assert covered / 300 > 0.91
    assert attack([3, 2, 1, 0], [True, True, False, False]).auc == 1.0
    assert (found.members, found.others) == (40, 60)


def test_likelihood_ratio_takes_out_how_hard_a_record_is() -> None:
    generator = np.random.default_rng(1)
    hard = generator.normal(0, 3, 400)  # how hard each record is hides who was a member
    member = np.arange(400) < 200
    own = 1 / (1 + np.exp(-(hard + 1.5 * member + generator.normal(0, 1, 400))))
    shadows = 1 / (1 + np.exp(-(hard + generator.normal(0, 1, (16, 400)))))
    shadows[generator.random((16, 400)) < 0.3] = np.nan
    by_loss, by_ratio = (
        attack(loss_scores(-np.log(own)), member),
        attack(likelihood_scores(own, shadows), member),
    )
    assert by_loss.auc < 0.7 < 0.8 < by_ratio.low


def test_bad_scores_are_refused() -> None:
    for scores, member in (([], []), ([1.0], [True]), ([1.0, np.nan], [True, False]), ([[1.0]], [[True]])):
        with pytest.raises(InvalidInputError):
            attack(scores, member)
    with pytest.raises(InvalidInputError, match="two or more members"):
        attack([1.0, 2.0, 3.0], [True, False, False])
    with pytest.raises(InvalidInputError, match="shape"):
        attack([1.0, 2.0], [True])
    with pytest.raises(InvalidInputError, match="shadows"):
        likelihood_scores([0.5, 0.5], [[0.5, 0.5]])
    with pytest.raises(InvalidInputError, match="shape"):
        likelihood_scores([0.5, 0.5], [0.5, 0.5])
    with pytest.raises(InvalidInputError, match="probabilities"):
        likelihood_scores([0.5, 1.5], [[0.5, 0.5]] * 2)
    with pytest.raises(InvalidInputError, match="losses"):
        loss_scores([np.inf])
