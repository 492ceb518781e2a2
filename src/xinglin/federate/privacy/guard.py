"""What was to be trained did change, and nothing else: adapters under a private optimizer can silently stay as they are.

Such a run looks healthy: the loss moves, epsilon is spent, no error is raised (reported for LoRA with Opacus in
github.com/meta-pytorch/opacus/issues/820). So the weights themselves are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from xinglin.errors import InvalidInputError, NotTrainedError

Array = np.ndarray[Any, Any]


def require_changed(
    before: Mapping[str, Array], after: Mapping[str, Array], trained_names: Iterable[str]
) -> None:
    """Refuse a training that did not do what it should.

    Args:
        before: weights by name.
        after: the same after training.
        trained_names: those that were to be trained; every other one must be as it was, bit by bit.

    Raises:
        NotTrainedError: one that was to be trained did not change, is not finite, or has changed its shape or kind;
            or one that was frozen did change. Names the first of each.
        InvalidInputError: the names differ, or nothing was to be trained.
    """
    wanted = set(trained_names)
    if before.keys() != after.keys():
        odd = sorted(before.keys() ^ after.keys())
        raise InvalidInputError(
            f"weights: expected the same names before and after, {odd[0]!r} is in one only"
        )
    if not wanted or not wanted <= before.keys():
        unknown = sorted(wanted - before.keys())
        raise InvalidInputError(
            f"weights: {unknown[0]!r} was to be trained and is not there"
            if unknown
            else "weights: nothing was to be trained"
        )
    stuck, moved = [], []
    for name in sorted(before):
        old, new = np.asarray(before[name]), np.asarray(after[name])
        if old.shape != new.shape or old.dtype != new.dtype:
            raise NotTrainedError(
                f"{name}: {new.shape} {new.dtype} after training, {old.shape} {old.dtype} before"
            )
        if new.dtype.kind == "f" and not np.isfinite(new).all():
            raise NotTrainedError(
                f"{name}: its weights are not finite after training: lower the learning rate"
            )
        same = bool(np.array_equal(old, new))
        if name in wanted and same and old.size:
            stuck.append(name)
        elif name not in wanted and not same:
            moved.append(name)
    if stuck:
        raise NotTrainedError(
            f"{len(stuck)} of {len(wanted)} weights that were to be trained did not change, {stuck[0]} among them: "
            "privacy was spent for nothing. Check that the optimizer holds them and that they require a gradient"
        )
    if moved:
        raise NotTrainedError(
            f"{len(moved)} frozen weights changed, {moved[0]} among them: nothing of this run leaves"
        )
