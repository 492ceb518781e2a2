"""What a design is after: several aims as one number in [0, 1], each aim kept beside it.

Each value is mapped to a desirability in [0, 1] by a straight line between a worst and a best value, and the reward is
their weighted geometric mean (Derringer and Suich 1980): a molecule that fails one aim wholly is worth nothing. The ends
of the lines are authored, unreviewed. A molecule of which one value is missing (docking failed, no prediction) has no
reward: NaN, which is counted and never learned from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.drugs.accessibility import synthetic_accessibility
from xinglin.apps.drugs.dock.run import Docked
from xinglin.apps.drugs.safety.screening import Refusal, screen
from xinglin.errors import ConfigurationError, MissingExtraError
from xinglin.model.molecule.fingerprints import ecfp

Array = NDArray[np.float64]
Docks = Callable[[Sequence[str]], Sequence[Docked]]
Toxicity = Callable[[Sequence[str]], Array]
"""SMILES -> the upper bound of the probability that a molecule is toxic (the worst end point); NaN: not predicted."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One aim: how its value becomes a desirability, and its weight."""

    name: str
    zh: str
    en: str
    worst: float
    """Value of desirability 0."""
    best: float
    """Value of desirability 1; below ``worst`` where less is better."""
    weight: float = 1.0

    def desirability(self, value: Array) -> Array:
        """Return values as desirabilities, shape (n,); NaN stays NaN."""
        return np.clip((value - self.worst) / (self.best - self.worst), 0.0, 1.0)


AIMS = (
    Aim("docking", "对接分数", "docking score, kcal/mol", -5.0, -12.0, 2.0),
    Aim("efficiency", "每重原子对接分数", "docking score by heavy atom", -0.15, -0.45),
    Aim("toxicity", "毒性概率上界", "upper bound of toxicity", 1.0, 0.2),
    Aim("qed", "类药性", "QED (Bickerton et al. 2012)", 0.0, 0.9),
    Aim("sa", "合成难度", "SA score (Ertl and Schuffenhauer 2009)", 6.0, 2.0),
    Aim(
        "similarity", "与最近已知分子的相似度", "similarity to the nearest known (Tanimoto, ECFP4)", 0.9, 0.4
    ),
)
"""``similarity`` is the aim of novelty: what resembles a known molecule is worth less."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One molecule with every value of its reward."""

    smiles: str
    values: Mapping[str, float]
    """By aim; NaN where it is missing."""
    desirabilities: Mapping[str, float]
    reward: float
    """In [0, 1]; NaN: a value is missing."""
    docked: Docked | None = None
    nearest: str | None = None
    """The known molecule most similar to it."""
    problem: str | None = None
    """Why there is no reward."""


class Reward:
    """An oracle for :class:`xinglin.train.reinforce.design.Designer`.

    Args:
        docks: docks molecules; keeps what it docked.
        toxicity: predicts; ``None``: toxicity is no aim.
        known: molecules that a design should not repeat, e.g. known actives; none: novelty is no aim.
        aims: their lines and weights.

    Raises:
        ConfigurationError: no weight above 0.
    """

    def __init__(
        self,
        docks: Docks,
        *,
        toxicity: Toxicity | None = None,
        known: Sequence[str] = (),
        aims: Sequence[Aim] = AIMS,
    ) -> None:
        without = {name for name, there in (("toxicity", toxicity), ("similarity", known)) if not there}
        self.aims = tuple(aim for aim in aims if aim.name not in without and aim.weight > 0)
        if not self.aims:
            raise ConfigurationError("reward: expected at least one aim with a weight above 0")
        self._docks, self._toxicity = docks, toxicity
        self._known = tuple(dict.fromkeys(known))
        self._prints = ecfp(self._known).astype(np.float32) if self._known else None
        self.refusals: dict[str, Refusal] = {}
        """Controlled structures that were met, by SMILES: never docked, never learned from."""
        self.problems: Counter[str] = Counter()
        """Why molecules had no reward, and how many."""

    def __call__(self, smiles: Sequence[str], /) -> Array:
        """Return the reward of each molecule, shape (n,), in [0, 1]; NaN where it has none."""
        scored = self.scored(smiles)
        self.problems.update(item.problem.split(":")[0] for item in scored if item.problem)
        return np.array([item.reward for item in scored])

    def scored(self, smiles: Sequence[str]) -> list[Scored]:
        """Return each molecule with all its values."""
        allowed = [one for one in smiles if self._allowed(one)]
        docked = dict(zip(allowed, self._docks(allowed), strict=True))
        near = dict(zip(allowed, self._nearest(allowed), strict=True))
        toxic = dict(zip(allowed, self._toxic(allowed), strict=True))
        return [
            self._one(one, docked[one], near[one], toxic[one]) if one in docked
            else Scored(one, {}, {}, float("nan"), problem=self._why_not(one))
            for one in smiles
        ]  # fmt: skip

    def _allowed(self, smiles: str) -> bool:
        """Whether a SMILES is a molecule that may be worked with."""
        if _molecule(smiles) is None:
            return False
        refusal = screen(smiles)
        if refusal is not None:
            self.refusals[smiles] = refusal
        return refusal is None

    def _why_not(self, smiles: str) -> str:
        return "controlled substance" if smiles in self.refusals else "not a molecule"

    def _one(self, smiles: str, docked: Docked, near: tuple[float, str | None], toxic: float) -> Scored:
        molecule = _molecule(smiles)
        values = {
            "docking": _number(docked.score),
            "efficiency": _number(docked.per_heavy_atom),
            "toxicity": toxic,
            "qed": _qed(molecule),
            "sa": synthetic_accessibility(molecule),
            "similarity": near[0],
        }
        values = {aim.name: values[aim.name] for aim in self.aims}
        worth = {
            aim.name: float(aim.desirability(np.asarray(values[aim.name], np.float64))) for aim in self.aims
        }
        missing = [aim.name for aim in self.aims if np.isnan(worth[aim.name])]
        problem = docked.answer.error
        if missing and problem is None:
            problem = f"no value: {', '.join(missing)}"
        reward = float("nan") if missing else weighted_geometric_mean(self.aims, worth)
        return Scored(smiles, values, worth, reward, docked, near[1], problem)

    def _nearest(self, smiles: Sequence[str]) -> list[tuple[float, str | None]]:
        if self._prints is None or not smiles:
            return [(float("nan"), None)] * len(smiles)
        prints = ecfp(smiles).astype(np.float32)
        shared = prints @ self._prints.T
        either = prints.sum(axis=1)[:, None] + self._prints.sum(axis=1)[None, :] - shared
        similar = shared / np.maximum(either, 1)
        best = similar.argmax(axis=1)
        return [(float(similar[row, column]), self._known[column]) for row, column in enumerate(best)]

    def _toxic(self, smiles: Sequence[str]) -> list[float]:
        if self._toxicity is None or not smiles:
            return [float("nan")] * len(smiles)
        return [float(value) for value in self._toxicity(smiles)]


def weighted_geometric_mean(aims: Sequence[Aim], worth: Mapping[str, float]) -> float:
    """Return the weighted geometric mean of desirabilities; 0 where one is 0."""
    total = sum(aim.weight for aim in aims)
    if any(worth[aim.name] <= 0 for aim in aims):
        return 0.0
    return float(np.exp(sum(aim.weight * np.log(worth[aim.name]) for aim in aims) / total))


def pareto_front(scored: Sequence[Scored], names: Sequence[str]) -> list[int]:
    """Return the indices of molecules that no other beats in every one of some aims; those without reward left out."""
    rows = [index for index, item in enumerate(scored) if not np.isnan(item.reward)]
    worth = np.array([[scored[index].desirabilities[name] for name in names] for index in rows])
    front = []
    for row, index in enumerate(rows):
        no_worse = (worth >= worth[row]).all(axis=1)
        better = (worth > worth[row]).any(axis=1)
        if not (no_worse & better).any():
            front.append(index)
    return front


def _molecule(smiles: str) -> Any:
    try:
        from rdkit import Chem, rdBase
    except ImportError as error:
        raise MissingExtraError("xinglin drugs design", "drugs") from error
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(smiles)


def _qed(molecule: Any) -> float:
    from rdkit.Chem import QED

    drug_likeness: Any = QED.qed
    return float(drug_likeness(molecule))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
