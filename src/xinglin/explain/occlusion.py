"""Occlusion: what is lost when one unit alone is deleted (Zeiler and Fergus 2014). The floor of the comparison."""

from __future__ import annotations

import numpy as np

from xinglin.explain.attribution import Attribution
from xinglin.explain.door import Explainable
from xinglin.explain.game import Floats, Game


def occlusion_values(game: Game) -> Attribution:
    """Explain a note by deleting one unit at a time; blind to units that say the same."""
    start = game.begin()
    return game.explained("occlusion", occlusion(game), start)


def occlusion(game: Explainable) -> Floats:
    """Return full minus the log-odds without each part, shape (parts,)."""
    parts = len(game)
    masks = np.vstack([np.ones((1, parts), bool), ~np.eye(parts, dtype=bool)])
    game.expect(len(masks))
    worth = game.value(masks)
    lost: Floats = worth[0] - worth[1:]
    return lost
