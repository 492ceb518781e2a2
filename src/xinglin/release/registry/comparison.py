"""The paired test of two versions on the same cases, with its power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xinglin.errors import InvalidInputError
from xinglin.measure.paired import paired_accuracy, paired_power
from xinglin.release.registry.change import Comparison
from xinglin.store.keys import canonical_json, digest

MAX_CASES = 1_000_000


def compare(before: Any, after: Any, *, margin: float) -> Comparison:
    """Compare two versions by which cases each got right.

    Args:
        before: case id -> right or wrong, of the last registered version.
        after: the same cases, of the new one.
        margin: largest loss of accuracy that would not matter, in (0, 1).

    Raises:
        InvalidInputError: not such tables, other cases, or a margin out of range.
    """
    for hits in (before, after):
        sound = isinstance(hits, Mapping) and 0 < len(hits) <= MAX_CASES
        if not sound or not all(isinstance(hit, bool) for hit in hits.values()):
            raise InvalidInputError("hits: expected an object of case ids, each true or false")
    if before.keys() != after.keys():
        apart = sorted(before.keys() ^ after.keys())
        raise InvalidInputError(
            f"hits: expected the same cases of both versions; {len(apart)} are of one only, e.g. {apart[0][:40]!r}"
        )
    if not 0 < margin < 1:
        raise InvalidInputError(f"margin: expected a value in (0, 1), got {margin}")
    cases = sorted(before)
    old = np.array([before[case] for case in cases])
    new = np.array([after[case] for case in cases])
    discordant = max(float((old != new).mean()), margin)
    power = paired_power(len(cases), discordant, margin)
    return Comparison(paired_accuracy(new, old), margin, power, digest(canonical_json(cases)))
