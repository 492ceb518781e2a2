"""A metric that another distribution brings: an entry point of ``xinglin.metrics``.

It is called for one case with the true labels and the ranked ones, and returns the case's figure, a number; the mean over
cases is reported, with its bootstrap interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from xinglin.errors import InvalidInputError, PluginError
from xinglin.measure.intervals import Figure, bootstrap
from xinglin.store.plugins import blamed, load

Case = tuple[Sequence[str], Sequence[str]]
"""True labels, and labels ranked by the model, the likeliest first."""


def measured(name: str, cases: Sequence[Case], *, seed: int = 0) -> Figure:
    """Return the mean of an installed metric over cases, with its 95 % interval.

    Raises:
        UnknownNameError, PluginError: as ``store.plugins.load``; or it returns what is no finite number.
        InvalidInputError: no case.
    """
    plugin, metric = load("metrics", name)
    if not cases:
        raise InvalidInputError("metric: expected at least one case")
    found = []
    for truth, ranked in cases:
        with blamed(plugin):
            value = metric(tuple(truth), tuple(ranked))
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise PluginError(f"{plugin}: expected a finite number for a case, got {type(value).__name__}")
        found.append(float(value))
    values = np.array(found)
    return bootstrap(lambda index: float(values[index].mean()), len(values), seed=seed)
