"""A design run: search with the reward, then the best molecules with all their values, screened once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.dock.pool import Dockers
from xinglin.apps.drugs.dock.run import Docked, dock_many
from xinglin.apps.drugs.dock.shelf import Shelf
from xinglin.apps.drugs.reward import AIMS, Aim, Reward, Scored, Toxicity
from xinglin.apps.drugs.safety.screening import Refusal, screen
from xinglin.apps.drugs.target.target import Target
from xinglin.errors import ConfigurationError, MissingExtraError
from xinglin.records.molecules.scaffold import murcko

if TYPE_CHECKING:
    from xinglin.model.molecule.sampling import Prior
    from xinglin.train.reinforce.design import Step

STATE = "state"
"""Folder of the resumable search, below that of the results."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How much is searched, and what is shown of it."""

    calls: int = 3000
    """Molecules that are scored at most."""
    batch: int = 64
    """Molecules that the policy writes in one step."""
    scaffold_limit: int = 25
    """Rewarded molecules a scaffold; further ones are worth nothing to the search."""
    listed: int = 100
    """Molecules in the results."""
    per_scaffold: int = 5
    """Of one scaffold in the results."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.calls, self.batch, self.scaffold_limit, self.listed, self.per_scaffold) < 1:
            raise ConfigurationError(
                "design: calls, batch, scaffold_limit, listed and per_scaffold: at least 1"
            )


@dataclass(frozen=True, slots=True)
class DesignRun:
    """What a design found."""

    target: Target
    options: SearchOptions
    docking: DockOptions
    aims: tuple[Aim, ...]
    found: tuple[Scored, ...]
    """The best, at most ``per_scaffold`` of one scaffold, best first."""
    every: tuple[Scored, ...]
    """All that were scored, in the order of calls."""
    curve: tuple[tuple[int, float, float], ...]
    """(calls, best reward, mean of the ten best)."""
    calls: int
    failed: int
    problems: Mapping[str, int]
    refusals: tuple[Refusal, ...]
    prior: str
    """Identity of the prior."""
    toxicity: str | None
    """What predicts toxicity; ``None``: nothing does."""


def design(
    target: Target,
    prior: Prior,
    dockers: Dockers,
    docking: DockOptions,
    options: SearchOptions,
    out: Path,
    *,
    shelf: Shelf | None = None,
    toxicity: tuple[str, Toxicity] | None = None,
    known: Sequence[str] = (),
    start: Sequence[str] = (),
    aims: Sequence[Aim] = AIMS,
    report: Callable[[Step], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DesignRun:
    """Search molecules for a target; an interrupted search in the same folder goes on.

    Args:
        target: receptor and box.
        prior: a molecule language model.
        dockers: what docks, made with ``target`` and ``docking``.
        docking: options of docking.
        options: of the search.
        out: folder; the state of the search lies below it.
        shelf: where docking scores are kept: with it a resumed search docks nothing twice.
        toxicity: name and predictor.
        known: molecules that should not be repeated.
        start: molecules that are scored first, e.g. the reference ligand; they count as calls.
        aims: of the reward.
        report: called after each step.
        progress: called with (done, of) as molecules of a step are docked.

    Raises:
        TrainingError: the folder holds a search of other settings, or the loss is not finite.
        MissingExtraError: torch is not installed.
    """
    try:
        from xinglin.train.reinforce.design import Designer, DesignOptions
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin drugs design", "train") from error

    seen: dict[str, Docked] = {}

    def docks(smiles: Sequence[str]) -> Sequence[Docked]:
        new = [one for one in smiles if one not in seen]
        seen.update(zip(new, dock_many(new, docking, dockers, shelf, progress), strict=True))
        return [seen[one] for one in smiles]

    predict = None if toxicity is None else toxicity[1]
    reward = Reward(docks, toxicity=predict, known=known, aims=aims)
    settings = DesignOptions(batch=options.batch, scaffold_limit=options.scaffold_limit, seed=options.seed)
    out.mkdir(parents=True, exist_ok=True)
    # A controlled structure is not written into the state either.
    first = [smiles for smiles in start if screen(smiles) is None]
    designer = Designer(prior, reward, options.calls, settings, state=out / STATE, known=first)
    designer.run(report)
    history = designer.oracle.history
    every = reward.scored([call.smiles for call in history if not np.isnan(call.score)])
    return DesignRun(
        target=target,
        options=options,
        docking=docking,
        aims=reward.aims,
        found=tuple(_best(every, options)),
        every=tuple(every),
        curve=tuple(learning_curve([call.score for call in history])),
        calls=len(history),
        failed=designer.oracle.failed,
        problems=dict(reward.problems),
        refusals=tuple(reward.refusals.values()),
        prior=prior.identity,
        toxicity=None if toxicity is None else toxicity[0],
    )


def _best(every: Sequence[Scored], options: SearchOptions) -> list[Scored]:
    """The best that fail no aim wholly and are no controlled structure, few of one scaffold."""
    counts: dict[str, int] = {}
    found: list[Scored] = []
    for item in sorted(every, key=lambda one: -one.reward if not np.isnan(one.reward) else np.inf):
        if not item.reward > 0 or len(found) == options.listed:
            break
        scaffold = murcko(item.smiles) or item.smiles
        if counts.get(scaffold, 0) >= options.per_scaffold or screen(item.smiles) is not None:
            continue
        counts[scaffold] = counts.get(scaffold, 0) + 1
        found.append(item)
    return found


def learning_curve(scores: Sequence[float], points: int = 200) -> list[tuple[int, float, float]]:
    """Return (calls, best, mean of the ten best) along a history; NaN scores count as calls alone."""
    best: list[float] = []
    curve = []
    every = max(1, len(scores) // points)
    for count, score in enumerate(scores, 1):
        if not np.isnan(score):
            best = sorted([*best, score], reverse=True)[:10]
        if best and (count % every == 0 or count == len(scores)):
            curve.append((count, best[0], float(np.mean(best))))
    return curve
