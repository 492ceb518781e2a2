"""Do people and the model rest a label on the same words?

Compared are the characters that a person marked before seeing the model's and those the model marked, where both gave
the same code: intersection over union, a number from 0 (other words) to 1 (the very same). After the token-level
overlap of rationales in DeYoung et al., *ERASER*, ACL 2020, section 4.1; on characters, since Chinese has no spaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from xinglin.labels.results import Result
from xinglin.measure.intervals import Figure, bootstrap

Span = tuple[int, int]


def shared(first: Sequence[Span], second: Sequence[Span]) -> float | None:
    """Return the intersection over union of the characters of two sets of spans; ``None`` where both are empty."""
    one, other = ({at for start, end in spans for at in range(start, end)} for spans in (first, second))
    return len(one & other) / len(one | other) if one | other else None


def overlap(found: Iterable[Result], *, seed: int = 0) -> Figure | None:
    """Return the mean overlap over blind labels of the model's own code where both marked words, with its interval.

    The interval is a bootstrap over labels; two labels of one record are taken as independent.
    """
    each = [
        share
        for result in found
        if not result.audit and result.vote is not None and result.vote.spans
        for one in result.given
        if one.stage == "annotation" and one.marked and result.vote.code in (one.blind or ())
        if (share := shared(one.marked, result.vote.spans)) is not None
    ]
    if not each:
        return None
    values = np.array(each)
    return bootstrap(lambda index: float(values[index].mean()), len(values), seed=seed)
