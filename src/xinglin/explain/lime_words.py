"""LIME: a weighted ridge regression of the answer on which units are there (Ribeiro et al. 2016).

The regression is ``lime``'s own. Sampling, distance and kernel are those of its text explainer, on our units
instead of its tokens: as many units are deleted as a uniform draw says, the distance is 100 times the cosine
distance to the whole note, the kernel is 25 wide. How we differ: the answer is in log-odds, and no unit is dropped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.explain.attribution import Attribution
from xinglin.explain.door import Explainable
from xinglin.explain.game import Floats, Game

SAMPLES = 1000
KERNEL_WIDTH = 25.0


def lime_values(game: Game, *, samples: int = SAMPLES, seed: int = 0) -> Attribution:
    """Explain a note by LIME.

    Args:
        game: the note and its model.
        samples: variants, the whole note included.
        seed: of the sampling.

    Raises:
        InvalidInputError: fewer than 2 samples.
        MissingExtraError: lime is not installed.
    """
    start = game.begin()
    return game.explained("lime", lime_weights(game, samples=samples, seed=seed), start)


def lime_weights(game: Explainable, *, samples: int = SAMPLES, seed: int = 0) -> Floats:
    """Return the regression weight of each part, shape (parts,).

    Raises:
        InvalidInputError: fewer than 2 samples.
        MissingExtraError: lime is not installed.
    """
    try:
        from lime.lime_base import LimeBase
    except ModuleNotFoundError as error:
        raise MissingExtraError("LIME", "explain") from error
    parts = len(game)
    masks = draw(parts, samples, seed)
    game.expect(samples)
    odds = game.value(masks)
    kept = masks.sum(axis=1)
    distances = 100.0 * (1.0 - np.sqrt(kept / parts))  # cosine distance of a 0/1 row to the row of ones
    base = LimeBase(kernel, random_state=seed)
    _, weights, _, _ = base.explain_instance_with_data(
        masks.astype(float), odds[:, None], distances, 0, parts, feature_selection="none"
    )
    values = np.zeros(parts)
    for place, weight in weights:
        values[place] = weight
    return values


def draw(parts: int, samples: int, seed: int) -> NDArray[np.bool_]:
    """Return masks as ``lime`` draws them, the first one whole; shape (samples, parts)."""
    if samples < 2:
        raise InvalidInputError(f"samples: expected at least 2, got {samples}")
    generator = np.random.RandomState(
        seed
    )  # lime's own generator, so that the same seed means the same samples
    masks = np.ones((samples, parts), dtype=bool)
    for row, size in enumerate(generator.randint(1, parts + 1, samples - 1), start=1):
        masks[row, generator.choice(parts, size, replace=False)] = False
    return masks


def kernel(distances: Floats) -> Floats:
    """Return the weight of each sample from its distance: exponential, lime's default width."""
    weights: Floats = np.sqrt(np.exp(-(distances**2) / KERNEL_WIDTH**2))
    return weights
