"""``xinglin evaluate molecules``: the models of a training table on a fifth of it that they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.train.molecules.activity import ActivityOptions, Split, enough, kind_of
from xinglin.train.molecules.tables import read_training
from xinglin.train.molecules.validation import Scored, held_back

Array = NDArray[np.float64]


def evaluate_table(
    train: Path,
    options: ActivityOptions | None = None,
    *,
    split: Split | None = None,
    only: Sequence[str] | None = None,
    report: Callable[[str], None] | None = None,
) -> list[Scored]:
    """Return the held-back fifth of every data set of a training table, scored.

    Args:
        train: measured molecules, as for :func:`xinglin.apps.drugs.predict.predict`.
        options: how to fit.
        split: None: the one that fits the table.
        only: names of data sets or tasks; None: all.
        report: told of each task that is fitted.

    Raises:
        InvalidInputError: nothing of that name, or no task with enough labels.
    """
    training = read_training(train)
    options = replace(options or ActivityOptions(), split=split or training.split)
    scored: list[Scored] = []
    for table in training.tables:
        labels = {
            task: one for task, one in table.labels.items() if only is None or {task, table.name} & set(only)
        }
        if labels and _possible(labels):
            scored += held_back(replace(table, labels=labels), options, report)
    if not scored:
        raise InvalidInputError(f"{train.name}: no task to evaluate: too few labels, or none of that name")
    return scored


def _possible(labels: dict[str, Array]) -> bool:
    known = [one[np.isfinite(one)] for one in labels.values()]
    return any(len(one) and enough(one, kind_of(one)) for one in known)
