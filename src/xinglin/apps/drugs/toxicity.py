"""Toxicity of molecules by the shipped models: a probability, its bounds and whether the model may speak at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.model.molecule.activity import Panel
from xinglin.model.molecule.features import featurise
from xinglin.model.molecule.saved import load_panels
from xinglin.records.molecules.standard import standardise

SHIPPED = "molecules-toxicity"
TOX21 = (
    *("NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma"),
    *("SR-ARE", "SR-ATAD5", "SR-HSE", "SR-MMP", "SR-p53"),
)
"""Assays of nuclear receptors and of stress responses."""
HARMS = ("herg", "ames", "dili", "CT_TOX", *TOX21)
"""Tasks of which a high probability is bad; ``bbb_martins``, crossing the blood-brain barrier, is good or bad by the aim."""
NAMES = {
    "herg": ("hERG 阻断(心律失常风险)", "blocks hERG (risk of arrhythmia)"),
    "ames": ("Ames 致突变", "mutagenic (Ames)"),
    "dili": ("药物性肝损伤", "drug-induced liver injury"),
    "bbb_martins": ("透过血脑屏障", "crosses the blood-brain barrier"),
    "CT_TOX": ("因毒性临床失败", "failed a trial for toxicity"),
} | {task: (f"Tox21 {task}", f"active in Tox21 {task}") for task in TOX21}


@dataclass(frozen=True, slots=True)
class Toxicity:
    """Probabilities of some molecules; arrays of shape (molecules, tasks), NaN where a molecule could not be read."""

    smiles: tuple[str, ...]
    """As given."""
    tasks: tuple[str, ...]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    in_domain: NDArray[np.bool_]
    problems: tuple[str | None, ...]
    """Why a molecule was refused; None where it was not."""

    def worst(self) -> NDArray[np.float64]:
        """Return the highest upper bound among the harms, shape (molecules,): what a design should keep low."""
        at = [self.tasks.index(task) for task in HARMS if task in self.tasks]
        return np.asarray(self.high[:, at].max(axis=1))


def toxicity(
    smiles: Sequence[str], *, tasks: Sequence[str] | None = None, folder: Path | None = None
) -> Toxicity:
    """Return toxicity probabilities, with the upper bound that a reward or a filter should use.

    Args:
        smiles: molecules, read strictly: what is refused is NaN, with its problem.
        tasks: those wanted (``NAMES``); None: all. Fewer are faster only by data set, since its tasks share the work.
        folder: other models of the same form; None: the shipped ones.

    Raises:
        InvalidInputError: a task that the models do not have.
        CheckpointError: the models are damaged.
    """
    panels = _panels(folder)
    known = [model.task for panel in panels for model in panel.models]
    wanted = tuple(tasks or known)
    strange = [task for task in wanted if task not in known]
    if strange:
        raise InvalidInputError(f"expected tasks among {', '.join(known)}, got {', '.join(strange)}")
    problems: list[str | None] = []
    readable: list[str] = []
    for one in smiles:
        try:
            readable.append(standardise(one).smiles)
            problems.append(None)
        except InvalidInputError as error:
            problems.append(str(error))
    rows = np.flatnonzero([problem is None for problem in problems])
    value, low, high = (np.full((len(problems), len(wanted)), np.nan) for _ in range(3))
    inside = np.zeros((len(problems), len(wanted)), bool)
    features = featurise(readable)
    for panel in panels:
        if not any(model.task in wanted for model in panel.models):
            continue
        for task, found in panel.predict(features, wanted).items():
            at = wanted.index(task)
            value[rows, at], low[rows, at], high[rows, at] = found.value, found.low, found.high
            inside[rows, at] = found.in_domain
    return Toxicity(tuple(smiles), wanted, value, low, high, inside, tuple(problems))


@lru_cache(maxsize=2)
def _panels(folder: Path | None) -> tuple[Panel, ...]:
    from xinglin.model.shipped import shipped_folder

    return tuple(load_panels(folder or shipped_folder(SHIPPED))[0])
