"""What would change the answer: the smallest set of changes that puts another disease first.

Changes are of two kinds: a finding taken to be present, absent or unknown instead of what it is (weighed by the
whole engine, text as it stands), and, where a text model has a say, a part of the text deleted.

First every single change is weighed. If none flips the first candidate, pairs are weighed in the order of what the
singles promise: log scores of a graph add up, so the sum of two shifts is close to the shift of both. Of several
flips of the same size the one that touches what the case tells comes first, then the one that leads to the disease
that was closest behind.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case
from xinglin.apps.diagnosis.join import Array
from xinglin.apps.diagnosis.posterior import Engine
from xinglin.apps.diagnosis.weighing import weigh
from xinglin.explain.basis import Change, Counterfactual, Pair
from xinglin.explain.game import Score
from xinglin.explain.units import Unit, without
from xinglin.types import STATES, State

RIVALS = 12
"""Diseases that may come first once something changes: their findings are tried beside those of the first."""
SINGLES = 1_500
"""Most single changes of findings that are weighed."""
PAIRS = 400
"""Most pairs of changes of findings that are weighed."""
TEXTS = 48
"""Most pairs of deleted parts of the text that the model is asked about."""

Weigher = Callable[[Sequence[tuple[int, ...]]], Array]
"""Sets of options -> log posterior, one row a set."""


@dataclass(frozen=True, slots=True)
class Option:
    """One finding taken to be otherwise."""

    finding: int
    state: State
    told: bool
    """Whether the case says anything of it."""


@dataclass(frozen=True, slots=True)
class Flip:
    """What a search found."""

    options: tuple[int, ...] | None
    """``None``: nothing within two options."""
    winner: int | None
    evaluations: int
    complete: bool
    """Whether no set of two or fewer was left out that could be better."""


def search(
    weigher: Weigher,
    base: Array,
    places: Sequence[Hashable],
    ranks: Sequence[int],
    pairs: int,
    left_out: bool = False,
) -> Flip:
    """Return the smallest set of options that makes another class the first.

    Args:
        weigher: the model.
        base: log posterior with no option taken, shape (classes,).
        places: what each option changes; two options of one place do not go together.
        ranks: of each option; of two sets of a size the one with the smaller sum of ranks is better.
        pairs: most pairs to weigh.
        left_out: whether there are options that are not even listed.
    """
    first, count = int(np.argmax(base)), len(places)
    if not count:
        return Flip(None, None, 0, not left_out)
    singles = weigher([(option,) for option in range(count)])
    flipped = np.flatnonzero(singles.argmax(axis=1) != first)
    if len(flipped):
        best = min(flipped.tolist(), key=lambda i: (ranks[i], *_closest(base, singles[i]), i))
        return Flip((best,), int(singles[best].argmax()), count, not left_out)
    listed = [pair for pair in combinations(range(count), 2) if places[pair[0]] != places[pair[1]]]
    margins = _promised(base, singles, listed, first)
    order = np.argsort(margins, kind="stable")[:pairs]
    tried = [listed[i] for i in order.tolist()]
    complete = not left_out and len(tried) == len(listed)
    if not tried:
        return Flip(None, None, count, complete)
    rows = weigher(tried)
    winners = np.flatnonzero(rows.argmax(axis=1) != first)
    spent = count + len(tried)
    if not len(winners):
        return Flip(None, None, spent, complete)
    found = min(
        winners.tolist(),
        key=lambda i: (sum(ranks[o] for o in tried[i]), *_closest(base, rows[i]), tried[i]),
    )
    return Flip(tried[found], int(rows[found].argmax()), spent, complete)


def _closest(base: Array, row: Array) -> tuple[float, float]:
    """The new first class: how far behind it was before, and how clear its lead is now; smaller is better."""
    winner = int(row.argmax())
    ordered = np.sort(row)
    return float(base.max() - base[winner]), float(ordered[-2] - ordered[-1]) if len(ordered) > 1 else 0.0


def _promised(
    base: Array, singles: Array, pairs: Sequence[tuple[int, int]], first: int
) -> NDArray[np.float64]:
    """How far the first class would stay ahead after each pair if shifts added up; smaller is likelier to flip."""
    if not pairs:
        return np.zeros(0)
    near = np.unique(
        np.concatenate([[first], np.argsort(-np.vstack([base, singles]), axis=1)[:, :4].ravel()])
    )
    shifts, here = singles[:, near] - base[near], int(np.searchsorted(near, first))
    left, right = np.array(pairs).T
    margins = np.empty(len(pairs))
    for start in range(0, len(pairs), 20_000):  # a block at a time keeps memory flat
        block = slice(start, start + 20_000)
        total = base[near] + shifts[left[block]] + shifts[right[block]]
        margins[block] = total[:, here] - np.delete(total, here, axis=1).max(axis=1, initial=-np.inf)
    return margins


def by_findings(differential: Differential, case: Case, logits: NDArray[np.float32] | None) -> Counterfactual:
    """Return the smallest change of findings that puts another disease first.

    Args:
        differential: the loaded model.
        case: the case.
        logits: what the text model says of ``case.text``; ``None`` asks it, once for every change.
    """
    engine = differential.engine
    told = stated(engine, case)

    def weighed(changes: Sequence[Option]) -> Array:
        states = told | {option.finding: option.state for option in changes}
        known: dict[int, State] = {f: state for f, state in states.items() if state != "unknown"}
        return _log(weigh(differential, replace(case, states=implied(engine, known)), logits).posterior)

    base = weighed(())
    options = possible(engine, told, base)
    kept = options[:SINGLES]
    flip = search(
        lambda sets: np.array([weighed([kept[i] for i in chosen]) for chosen in sets]),
        base,
        [option.finding for option in kept],
        [int(not option.told) for option in kept],
        PAIRS,
        left_out=len(options) > len(kept),
    )
    changes = tuple(
        Change(
            (engine.pack.findings[option.finding].name, engine.pack.findings[option.finding].en),
            told.get(option.finding, "unknown"),
            option.state,
        )
        for option in (kept[i] for i in flip.options or ())
    )
    return Counterfactual(
        "findings",
        changes,
        _named(differential, int(base.argmax())),
        None if flip.winner is None else _named(differential, flip.winner),
        flip.evaluations,
        flip.complete,
    )


def by_words(score: Score, text: str, units: Sequence[Unit], names: Sequence[Pair]) -> Counterfactual:
    """Return the smallest deletion of units that puts another class first.

    Args:
        score: the model, texts -> log probabilities.
        text: the note.
        units: its units.
        names: name of each class.
    """
    base = score([text])[0]

    def weigher(sets: Sequence[tuple[int, ...]]) -> Array:
        kept = np.ones((len(sets), len(units)), np.bool_)
        for row, chosen in zip(kept, sets, strict=True):
            row[list(chosen)] = False
        return score([without(text, units, row) for row in kept])

    flip = search(weigher, base, range(len(units)), [0] * len(units), TEXTS)
    changes = tuple(Change((units[i].text, units[i].text), None, None) for i in flip.options or ())
    after = None if flip.winner is None else names[flip.winner]
    return Counterfactual("words", changes, names[int(base.argmax())], after, flip.evaluations, flip.complete)


def stated(engine: Engine, case: Case) -> dict[int, State]:
    """Return the findings that the case states itself, by pack index, without those that follow from them."""
    places = ((engine.finding_index.get(item.code.value), item) for item in case.findings)
    return {
        place: case.states[place]
        for place, item in places
        if place is not None and item.origin != "derived" and place in case.states
    }


def implied(engine: Engine, told: dict[int, State]) -> dict[int, State]:
    """Return stated findings with what follows: a child present implies its parents, a parent absent denies its
    children; what is stated stays.
    """
    states = dict(told)
    for finding in sorted(told):
        if told[finding] == "present":
            for above in engine.ancestors[finding]:
                states.setdefault(above, "present")
    for finding in sorted(told):
        if told[finding] == "absent":
            for below in engine.descendants[finding]:
                states.setdefault(below, "absent")
    return states


def possible(engine: Engine, told: dict[int, State], base: Array) -> list[Option]:
    """Return every change worth weighing, those of stated findings first.

    A finding that the case does not tell can only matter with an edge to the first diseases.
    """
    options = [Option(f, state, True) for f, before in told.items() for state in STATES if state != before]
    near = np.argsort(-base, kind="stable")[: RIVALS + 1].tolist()
    seen = set(told)
    for disease in near:
        for finding in engine.disease_findings[disease].tolist():
            if finding not in seen:
                seen.add(finding)
                options += [Option(finding, "present", False), Option(finding, "absent", False)]
    return options


def _named(differential: Differential, disease: int) -> Pair:
    found = differential.pack.diseases[disease]
    return found.name, found.en


def _log(posterior: Array) -> Array:
    return np.asarray(np.log(np.maximum(posterior, 1e-300)))
