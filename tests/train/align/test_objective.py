"""The losses against a slow oracle, and that they move the right way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from xinglin.model.align.networks import Aligned, WordsConfig
from xinglin.train.align.objective import AlignObjective, own_share

PLACES = 16


def batch(near: list[int], count: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    at = torch.zeros(len(near), PLACES, dtype=torch.bool)
    for row, some in enumerate(near):
        at[row, :some] = True
    return {
        "features": torch.randn(len(near), 20, PLACES, 1, 1, generator=generator),
        "near": at,
        "far": ~at,
        "input_ids": torch.randint(5, 30, (6, 7), generator=generator),
        "attention_mask": torch.ones(6, 7, dtype=torch.long),
        "truth": torch.tensor([[1, 0, 1, 0, -1, 1], [0, 1, 0, 1, 1, -1]])[:count],
        "meant": torch.tensor([-1, -1, 0, 0, 1, 1]),
    }


@pytest.fixture(scope="module")
def model() -> Aligned:
    torch.manual_seed(0)
    return Aligned(WordsConfig(vocab_size=30, width=4, depth=1, text_width=16, space=8)).eval()


def test_the_parts_are_what_the_papers_say(model: Aligned) -> None:
    given = batch([5, 3, 0])
    with torch.no_grad():
        found = AlignObjective(model)(**given)
        places = model.places.vectors(given["features"]).flatten(2).numpy()
        texts = model.sentences(given["input_ids"], given["attention_mask"]).numpy()
    scale, bias = math.exp(float(model.scale)), float(model.bias)
    assert np.linalg.norm(places, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(texts, axis=1) == pytest.approx(1, abs=1e-5)

    def fit(row: int, text: int, region: np.ndarray) -> float:
        logits = [
            scale * float(places[row, :, p] @ texts[text]) + bias for p in np.flatnonzero(region[row].ravel())
        ]
        return math.log(sum(math.exp(4 * one) for one in logits)) / 4

    near, far, truth = (given[name].numpy() for name in ("near", "far", "truth"))
    yes, no = [], []
    for text in range(6):
        column = [(truth[row, text], fit(row, text, near)) for row in range(2)]
        for wanted, side, into in ((1, -1, yes), (0, 1, no)):
            own = [math.log1p(math.exp(side * value)) for known, value in column if known == wanted]
            if own:
                into.append(sum(own) / len(own))
    assert float(found["pairs"]) == pytest.approx(np.mean(yes) + np.mean(no), rel=1e-4)
    away = [math.log1p(math.exp(fit(row, text, far))) for row in range(3) for text in range(6)]
    assert float(found["away"]) == pytest.approx(np.mean(away), rel=1e-4)


def test_whose_is_whose_counts_every_true_one() -> None:
    fit = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 2.0]])
    known = torch.tensor([[True, False, False], [False, True, True]])
    expected = [
        math.log(math.exp(3) / (math.exp(3) + math.e + 1)),
        math.log(2 * math.exp(2) / (1 + 2 * math.exp(2))),
    ]
    assert own_share(fit, known).tolist() == pytest.approx(expected, abs=1e-5)


def test_a_few_steps_learn_a_batch_by_heart(model: Aligned) -> None:
    torch.manual_seed(1)
    objective = AlignObjective(Aligned(model.config)).train()
    optimiser = torch.optim.AdamW(objective.parameters(), 5e-3)
    given = batch([5, 3, 0])
    losses = []
    for _ in range(60):
        found = objective(**given)
        losses.append(float(found["loss"]))
        optimiser.zero_grad()
        found["loss"].backward()
        optimiser.step()
    assert all(map(math.isfinite, losses))
    assert losses[-1] < 0.6 * losses[0]


def test_the_trunk_is_the_detectors_and_stays(model: Aligned) -> None:
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert trained
    assert not any("stem" in name for name in trained)
    images = torch.randn(1, 1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        known = model.places.features(images)
        assert known.shape == (1, 20, 4, 8, 8)
        assert torch.allclose(model.places.vectors(known), model.places(images))
