"""The designer: molecules towards what an oracle scores, with as few calls of it as can be.

One step: the policy writes new molecules; children are bred from the best so far; the oracle scores both; the memory
keeps the best; the policy takes several updates on draws from it. Genetic-GFN (Kim et al. 2024, arXiv 2402.05961) with
Augmented Memory's respelt replay (Guo and Schwaller 2024, arXiv 2305.16160) and a scaffold memory (Blaschke et al. 2020).
Until two scores differ there is nothing to learn: the policy writes on as the prior, and neither breeds nor is trained,
since both would only go in circles around what was asked first. Every draw depends on the seed and the step, so that a
run that was stopped and resumed is the run that was not.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import ConfigurationError, InvalidInputError, TrainingError
from xinglin.model.molecule.sampling import Prior
from xinglin.model.saving import heal, saving
from xinglin.train.reinforce.diversity import ScaffoldMemory
from xinglin.train.reinforce.genetic import Breeding, offspring
from xinglin.train.reinforce.memory import Memory
from xinglin.train.reinforce.oracle import Budgeted, Call, Oracle, canonical
from xinglin.train.reinforce.policy import Policy
from xinglin.train.reinforce.surrogate import Surrogate

STATE = "design.json"
STILL = 20
"""Steps in a row without a new molecule after which the search is over."""
ROUNDS = 4
"""Times a step that the policy writes, until half of a batch is new."""
SAVED = 20.0
"""Seconds after which a step is followed by saving, however few steps there were."""


@dataclass(frozen=True, slots=True)
class DesignOptions:
    """How molecules are searched; by default as Genetic-GFN, but for what is said."""

    batch: int = 64
    """Molecules a step that the policy writes."""
    generations: int = 2
    offspring: int = 8
    """Children a generation."""
    mutation_rate: float = 0.01
    breeders: int = 100
    """Best molecules that children are bred from: on PMO's tuning tasks, 1,500 calls, children of the best 100 brought
    a sum of 1.59, of the best 500 one of 1.42 (genetic operators with a surrogate, one seed)."""
    candidates: int = 4
    """Candidates for every call; the surrogate chooses among them. 1: no surrogate, all are asked."""
    explored: float = 0.25
    """Share of the calls of written molecules that the surrogate has no say in."""
    memory: int = 1024
    rank_coefficient: float = 0.01
    updates: int = 8
    """Steps of the optimiser after each scored batch."""
    replay: int = 64
    """Molecules an update."""
    respelt: float = 0.0
    """Share of the replay in random spellings."""
    beta: float = 50.0
    """Sharpness: the policy's optimum draws in proportion to exp(beta * reward)."""
    kl: float = 0.01
    learning_rate: float = 5e-4
    flow_rate: float = 0.1
    flow: float = 5.0
    scaffold_limit: int | None = None
    """Rewarded molecules a Murcko scaffold; ``None``: no diversity filter."""
    save_every: int = 10
    """Steps between saved states."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What is reported of one step."""

    number: int
    calls: int
    budget: int
    best: float
    """Best score so far; NaN before the first."""
    top10: float
    """Mean of the ten best; NaN before the first."""
    written: float
    """Share of the policy's SMILES that were molecules."""
    new: float
    """Share of those that had not been asked before."""
    failed: int
    """Calls that gave no score, so far."""
    loss: float
    """Mean loss of the updates; NaN without any."""
    oracle_seconds: float
    """Within the oracle, since the start or resumption."""
    own_seconds: float
    """Beside the oracle."""


class Designer:
    """Designs molecules.

    Args:
        prior: where the policy starts from.
        oracle: scores in [0, 1], higher is better; NaN: could not be scored, counted and never learned from.
        budget: most calls.
        options: settings.
        state: folder of the resumable state; one of the same settings is resumed, one of others refused.
        known: molecules that are asked first, e.g. known actives; they count as calls.

    Raises:
        TrainingError: the state is damaged or of other settings.
        ConfigurationError: settings that do not make sense.
    """

    def __init__(
        self,
        prior: Prior,
        oracle: Oracle,
        budget: int,
        options: DesignOptions | None = None,
        *,
        state: Path | None = None,
        known: Sequence[str] = (),
    ) -> None:
        self.options = options = options or DesignOptions()
        if min(options.batch, options.updates, options.replay, options.save_every) < 1:
            raise ConfigurationError("design: batch, updates, replay and save_every: expected at least 1")
        self.state = state
        self.known = list(known)
        self.policy = Policy(
            prior, learning_rate=options.learning_rate, flow_rate=options.flow_rate, flow=options.flow
        )
        self.memory = Memory(options.memory, options.rank_coefficient, ScaffoldMemory(options.scaffold_limit))
        self.surrogate = Surrogate()
        self.step = 0
        self._still = 0
        settings = json.dumps([asdict(options), prior.identity, budget, self.known], sort_keys=True)
        self._digest = hashlib.sha256(settings.encode()).hexdigest()
        self._oracle_seconds = self._own_seconds = 0.0
        self._saved = time.perf_counter()
        self._groups: list[int] = []
        self._lowest, self._highest = np.inf, -np.inf
        history, groups = self._restore()
        self.oracle = Budgeted(self._timed(oracle), budget, history)
        for size in groups:  # sums are repeated as they were made, down to the rounding
            first = sum(self._groups)
            self._remember(self.oracle.history[first : first + size])

    def run(self, report: Callable[[Step], None] | None = None) -> list[Call]:
        """Search until the budget is spent or nothing new is found; return the calls, the best first.

        Raises:
            InvalidInputError: the oracle gave what is no score, or one outside of [0, 1].
            TrainingError: the loss is not finite, or the disk is full; the last saved state is intact.
        """
        while self.oracle.left and self._still < STILL:
            said = self._one()
            if report is not None:
                report(said)
            if self.step % self.options.save_every == 0 or time.perf_counter() - self._saved > SAVED:
                self.save()
        self.save()
        return self.oracle.best(self.oracle.calls)

    def save(self) -> None:
        """Write the resumable state after a whole step; nothing without a folder for it."""
        if self.state is None:
            return
        with saving(self.state) as new:
            self.policy.save(new)
            body = {
                "format": 1,
                "digest": self._digest,
                "step": self.step,
                "still": self._still,
                "groups": self._groups,
                # JSON has no NaN: a failed call is null.
                "history": [
                    [call.smiles, None if np.isnan(call.score) else call.score]
                    for call in self.oracle.history
                ],
            }
            (new / STATE).write_text(json.dumps(body, allow_nan=False), encoding="utf-8")
        self._saved = time.perf_counter()

    def _restore(self) -> tuple[list[tuple[str, float]], list[int]]:
        """Read a saved state, if there is one; return its history and how many calls came at a time."""
        if self.state is None:
            return [], []
        heal(self.state)
        if not (self.state / STATE).is_file():
            return [], []
        try:
            body = json.loads((self.state / STATE).read_text(encoding="utf-8"))
            digest, self.step, self._still = body["digest"], int(body["step"]), int(body["still"])
            history = [
                (str(one), np.nan if score is None else float(score)) for one, score in body["history"]
            ]
            groups = [int(size) for size in body["groups"]]
            if sum(groups) != len(history):
                raise ValueError(f"{len(history)} calls, expected {sum(groups)}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{self.state / STATE}: cannot be read ({error}); remove the folder to start anew"
            ) from None
        if digest != self._digest:
            raise TrainingError(
                f"{self.state} holds a search of another prior, budget or settings: repeat those to resume, or "
                "remove the folder to start anew"
            )
        self.policy.restore(self.state)
        return history, groups

    def _one(self) -> Step:
        """One step of the search."""
        options, began, asked = self.options, time.perf_counter(), self._oracle_seconds
        generator = np.random.default_rng((options.seed, self.step))
        calls = self.oracle.calls
        if self.step == 0 and self.known:
            self._ask(self.known)
        written, molecules, new = self._written(generator)
        self._ask(new)
        for _ in range(options.generations if self._told_apart else 0):
            self._ask(self._bred(generator))
        updates = options.updates if self._told_apart else 0
        draws = [self.memory.draw(options.replay, generator) for _ in range(updates)]
        spelt = [self.policy.spelt(entries, options.respelt, generator) for entries in draws]
        losses = self.policy.learn(spelt, beta=options.beta, kl=options.kl)
        self.step += 1
        self._still = self._still + 1 if self.oracle.calls == calls else 0
        self._own_seconds += time.perf_counter() - began - (self._oracle_seconds - asked)
        best = [call.score for call in self.oracle.best(10)]
        return Step(
            number=self.step,
            calls=self.oracle.calls,
            budget=self.oracle.budget,
            best=best[0] if best else np.nan,
            top10=float(np.mean(best)) if best else np.nan,
            written=molecules / max(1, written),
            new=len(new) / max(1, molecules),
            failed=self.oracle.failed,
            loss=float(np.mean(losses)) if losses else np.nan,
            oracle_seconds=self._oracle_seconds,
            own_seconds=self._own_seconds,
        )

    def _written(self, generator: np.random.Generator) -> tuple[int, int, list[str]]:
        """How many SMILES the policy wrote, how many were molecules, and those to ask, not asked before."""
        options = self.options
        written = molecules = 0
        new: dict[str, None] = {}
        for _ in range(ROUNDS):
            drawn = self.policy.sample(
                options.batch * options.candidates, seed=int(generator.integers(2**31))
            )
            found = [one for one in map(canonical, drawn) if one is not None]
            written, molecules = written + len(drawn), molecules + len(found)
            new |= dict.fromkeys(one for one in found if not self.oracle.known(one))
            if 2 * len(new) >= options.batch:
                break
        wanted, free = list(new), round(options.explored * options.batch)
        return written, molecules, wanted[:free] + self._likely(wanted[free:], options.batch - free)

    def _bred(self, generator: np.random.Generator) -> list[str]:
        """Children of the memory's best."""
        options = self.options
        breeding = Breeding(mutation_rate=options.mutation_rate, rank_coefficient=options.rank_coefficient)
        children = offspring(
            self.memory.parents()[: options.breeders],
            options.offspring * options.candidates,
            seed=int(generator.integers(2**31)),
            options=breeding,
        )
        return self._likely([one for one in children if not self.oracle.known(one)], options.offspring)

    def _likely(self, smiles: list[str], count: int) -> list[str]:
        """The ``count`` molecules that the surrogate expects most of; the first ones without a choice to make."""
        if self.options.candidates == 1 or len(smiles) <= count or not self._told_apart:
            return smiles[:count]
        order = np.argsort(-self.surrogate.predict(smiles), kind="stable")
        return [smiles[place] for place in order[:count]]

    def _ask(self, smiles: Sequence[str]) -> None:
        """Score molecules and enter the newly scored ones into the memory."""
        before = self.oracle.calls
        self.oracle(smiles)
        self._remember(self.oracle.history[before:])

    def _remember(self, calls: Sequence[Call]) -> None:
        self._groups.append(len(calls))
        smiles, scores = [call.smiles for call in calls], np.array([call.score for call in calls])
        self.memory.add(smiles, scores)
        if self.options.candidates > 1:
            self.surrogate.add(smiles, scores)
        self._lowest = np.fmin(self._lowest, np.nanmin(scores, initial=np.inf))
        self._highest = np.fmax(self._highest, np.nanmax(scores, initial=-np.inf))

    @property
    def _told_apart(self) -> bool:
        """Whether any two molecules had different scores."""
        return bool(self._lowest < self._highest)

    def _timed(self, oracle: Oracle) -> Oracle:
        """The oracle under a clock, its scores checked."""

        def timed(smiles: Sequence[str], /) -> NDArray[np.float64]:
            began = time.perf_counter()
            scores = np.asarray(oracle(smiles), np.float64)
            self._oracle_seconds += time.perf_counter() - began
            outside = scores[(scores < 0) | (scores > 1)]
            if len(outside):
                raise InvalidInputError(
                    f"oracle: expected scores from 0 to 1 or NaN, got {outside[0]:g}: scale it"
                )
            return scores

        return timed
