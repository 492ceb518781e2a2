"""A simulated round of 20,000 items: the pipeline's true error against votes alone; cost and coverage of its certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from scipy.stats import binomtest, t

from benchmarks._annotation_world import Ints, World, WorldOptions
from benchmarks._audit_rules import fixed_size, prior_posterior, spending
from benchmarks._line import Line, aim
from xinglin.errors import CertificateError
from xinglin.labels.bounds import boundary, stopping
from xinglin.labels.certificate import bounds, certify, stops
from xinglin.labels.dawid_skene import dawid_skene
from xinglin.labels.evidence import AuditPlan, Tally
from xinglin.labels.majority import majority
from xinglin.labels.pipeline import Panel, next_reviews, settle
from xinglin.labels.votes import Votes

WORLD = WorldOptions()
CLAIM = 0.005
SEEDS, REPETITIONS = 10, 1_000
EXPERTS = 0.2
"""Expert reviews an item."""
HARDEST = 0.05
"""What the certificate assumes of the auditors."""
EXPERT_ON_HARD = (1 - WORLD.expert_accuracy) * WORLD.on_hard / WORLD.hard
"""An expert's error on a hard item in this world: .03125."""
SAID = "simulated world and simulated model, see benchmarks/_annotation_world.py"


def run(quick: bool) -> list[Line]:
    seeds, repetitions = (2, 20) if quick else (SEEDS, REPETITIONS)
    world = replace(WORLD, items=2_000) if quick else WORLD
    finished: list[tuple[World, Ints]] = []
    lines = _proof(world, seeds, finished)
    lines += _other_worlds(world, max(2, seeds // 3))
    lines += _audit_sizes(20_000)
    return lines + _coverage(finished, repetitions)


def pipeline(world: World, reviews: float) -> tuple[Ints, float, float]:
    """The product's rule (labels/pipeline.py) on a world.

    Args:
        world: 2 labels and the model's vote an item are drawn from it.
        reviews: expert reviews an item at most; 0 stands for one review of each disagreement.

    Returns:
        Labels (-1: unsettled), labels an item, reviews an item.
    """
    o, votes = world.options, world.votes(2)
    given: list[tuple[Ints, Ints, Ints]] = []
    reviewed: Votes | None = None
    left = round(reviews * o.items) if reviews else int(settle(Panel(votes)).open.sum())
    while left:
        panel = Panel(votes, reviewed)
        # half of what is left at a time: the posterior is computed again, and no disagreement of experts stays open
        batch = next_reviews(panel, left if not reviews else max(left // 2, min(left, 25)))
        if not len(batch):
            break
        experts, labels = world.review(batch, settle(panel).reviewed[batch])
        given.append((batch, experts, labels))
        left -= len(batch)
        items, people, said = (np.concatenate(parts) for parts in zip(*given, strict=True))
        reviewed = Votes(items, people, said, o.items, o.experts, o.classes)
    return settle(Panel(votes, reviewed)).labels, 2.0, sum(len(part[0]) for part in given) / o.items


def _proof(options: WorldOptions, seeds: int, finished: list[tuple[World, Ints]]) -> list[Line]:
    errors: dict[str, list[float]] = {}
    costs: dict[str, tuple[float, list[float]]] = {}
    unsettled = []
    for seed in range(seeds):
        for name, reviews in (
            ("pipeline, one expert a disagreement", 0.0),
            ("pipeline, 0.2 expert reviews", EXPERTS),
        ):
            world = World(seed, options)
            labels, each, used = pipeline(world, reviews)
            errors.setdefault(name, []).append(float((labels != world.truth).mean()))
            costs.setdefault(name, (each, []))[1].append(used)
        finished.append((world, labels))
        unsettled.append(float((labels < 0).mean()))
        for each in (3, 5):
            for model in (False, True):
                world = World(seed, options)
                votes = world.votes(each, model)
                told = " + model" if model else ""
                for method, infer in (("majority", majority), ("Dawid-Skene", dawid_skene)):
                    found = infer(votes).labels
                    errors.setdefault(f"{method}, {each} labels{told}", []).append(
                        float((found != world.truth).mean())
                    )
    ours = _mean(errors["pipeline, 0.2 expert reviews"])
    lines = []
    for name, values in errors.items():
        mean, low, high = _mean(values)
        each, used = costs.get(name, (0.0, []))
        note = f"worst of {seeds} seeds {100 * max(values):.3g} %; {SAID}"
        if used:
            cost = f"{each:g} labels + {np.mean(used):.3f} expert reviews an item"
            note = f"{cost}; {aim(100 * max(values), 0.5, '% in every seed')}; {note}"
        peer = None if name.startswith("pipeline") else "pipeline, 0.2 expert reviews, same seeds"
        lines.append(
            Line(f"true error, {name}", "mean over seeds", 100 * mean, "%", seeds * options.items, 100 * max(low, 0.0),
                 100 * high, 100 * ours[0] if peer else None, peer, note)
        )  # fmt: skip
    mean, low, high = _mean(unsettled)
    lines.append(
        Line("unsettled, pipeline, 0.2 expert reviews", "mean over seeds", 100 * mean, "%", seeds * options.items,
             100 * max(low, 0.0), 100 * high, note="experts differ and time is over; counted as errors above")
    )  # fmt: skip
    return lines


def _other_worlds(options: WorldOptions, seeds: int) -> list[Line]:
    """What the result owes to the assumptions."""
    worlds = {
        "model .90": replace(options, model_accuracy=0.90),
        "experts .99": replace(options, expert_accuracy=0.99),
        "8 of 10 mistakes on hard items": replace(options, on_hard=0.8),
        "every mistake on a hard item to its trap": replace(options, trapped=1.0),
        "annotators .93": replace(options, accuracy=(0.93, 0.93)),
    }
    lines = []
    for name, changed in worlds.items():
        values = []
        for seed in range(seeds):
            world = World(seed, changed)
            values.append(float((pipeline(world, EXPERTS)[0] != world.truth).mean()))
        mean, low, high = _mean(values)
        note = f"pipeline, 0.2 expert reviews; {aim(100 * max(values), 0.5, '% in every seed')}"
        lines.append(
            Line(f"true error if {name}", "mean over seeds", 100 * mean, "%", seeds * options.items, 100 * max(low, 0.0),
                 100 * high, note=note)
        )  # fmt: skip
    return lines


def _audit_sizes(n: int) -> list[Line]:
    """Exact expected audit sizes, perfect auditors: ours, alpha spending, the prior-posterior martingale, fixed sizes."""
    count, alpha, most = round(CLAIM * n), 0.05, n
    falling = 1 / (1 + np.arange(count - 1.0)) ** 1.2
    geometric = 0.8 ** np.arange(count - 1.0)
    rules = {
        "ours": boundary(count, n, alpha, most),
        "alpha spending, x^-1.2": spending(n, count, alpha, falling / falling.sum()),
        "alpha spending, 0.8^x": spending(n, count, alpha, geometric / geometric.sum()),
        "prior-posterior, Beta(1, 200)": prior_posterior(n, count, alpha, most, 200.0),
        "prior-posterior, uniform": prior_posterior(n, count, alpha, most, 1.0),
    }
    lines = []
    for wrong in (0, n // 1000, n // 500, 3 * n // 1000):
        sizes = {}
        for name, limits in rules.items():
            chance = stopping(limits, n, wrong)
            sizes[name] = float((chance * limits).sum() + (1 - chance.sum()) * n)
        before = fixed_size(n, count, alpha, wrong, 0.8)
        for name, size in sizes.items():
            lines.append(
                Line(f"expected audit size, true {100 * wrong / n:g} %, {name}", "exact", size, "items", n,
                     reference=sizes["ours"] if name != "ours" else float(before),
                     reference_name="ours" if name != "ours" else "fixed size with 80 % power, true rate known before",
                     note="claim 0.5 %, 95 %, perfect auditors")
            )  # fmt: skip
    level = float(stopping(rules["ours"], n, count).sum())
    lines.append(
        Line("chance to pass at exactly 0.5 %", "exact", level, "probability", n, note=aim(level, alpha, ""))
    )
    return lines


def _coverage(finished: list[tuple[World, Ints]], repetitions: int) -> list[Line]:
    """Whole certificates, by the product's code, on audits of the simulated experts."""
    n = len(finished[0][0].truth)
    at_claim = round(CLAIM * n)

    def correct(seed: int) -> tuple[World, Ints]:
        world, labels = finished[seed % len(finished)]
        return world, np.where(labels < 0, (world.truth + 1) % world.options.classes, labels)

    def adversarial(seed: int) -> tuple[World, Ints]:
        world = finished[seed % len(finished)][0]
        # just as many wrong labels as are not below the claim, each where the auditors err most and as they would
        hard = np.random.default_rng(seed).permutation(np.nonzero(world.hard)[0])[:at_claim]
        labels = world.truth.copy()
        labels[hard] = world.trap[hard]
        return world, labels

    cases: list[tuple[str, Callable[[int], tuple[World, Ints]], float, float]] = [
        ("pipeline's labels", correct, EXPERT_ON_HARD, 0.0),
        ("exactly 0.5 % wrong, all on traps", adversarial, EXPERT_ON_HARD, 0.0),
        ("the same, auditors as bad as assumed", adversarial, HARDEST, 0.0),
        (
            "the same, ASSUMPTION FALSE: half the wrong labels mislead everyone",
            adversarial,
            EXPERT_ON_HARD,
            0.5,
        ),
    ]
    lines = []
    for number, (name, make, on_hard, misled) in enumerate(cases):
        outcomes = [
            _audit(*make(seed), on_hard, misled, seed + 10_000 * number) for seed in range(repetitions)
        ]
        passed = [one for one in outcomes if one[0]]
        covered = sum(one[1] for one in outcomes)
        sizes = [one[2] for one in outcomes]
        false = sum(one[0] and not one[3] for one in outcomes)
        lines += [
            _share(f"certificates issued, {name}", len(passed), repetitions, ""),
            _share(f"certificates that are false, {name}", false, repetitions, aim(false / repetitions, 0.05, "")),
            _share(f"bound at the end covers the truth, {name}", covered, repetitions,
                   aim(covered / repetitions, 0.95, "", at_most=False)),
            Line(f"audit size, {name}", "mean", float(np.mean(sizes)), "items", repetitions,
                 *_mean([float(size) for size in sizes])[1:], note="two readings an item, apart from the pipeline's cost"),
        ]  # fmt: skip
    return lines


def _audit(
    world: World, labels: Ints, on_hard: float, misled: float, seed: int
) -> tuple[bool, bool, int, bool]:
    """One audit: (issued, the bound covers the truth, items read, the claim is true).

    Args:
        on_hard: chance that a reader errs on a hard item.
        misled: share of the wrong labels that every reader repeats, against the assumption.
    """
    n = len(labels)
    generator = np.random.default_rng(seed)
    plan = AuditPlan(
        "simulated", "0" * 64, "0" * 64, n, str(CLAIM), str(seed), ("A", "B"), ("C",), hardest=str(HARDEST)
    )
    accuracy = np.full(n, 1 - on_hard * world.options.hard / world.options.on_hard)
    order = generator.permutation(n)
    fooled = (labels[order] != world.truth[order]) & (generator.random(n) < misled)
    first, second, third = (world.read(order, accuracy) for _ in range(3))
    first, second = (np.where(fooled, labels[order], read) for read in (first, second))
    reference = np.where(first == second, first, third)
    found = np.cumsum(reference != labels[order])
    differ = np.cumsum(first != second)
    limits = np.asarray(_limits(n))
    places = np.append(np.nonzero(reference != labels[order])[0] + 1, n + 1)
    passing = np.nonzero(limits[: len(places)] < places[: len(limits)])[0]
    read = int(limits[passing[0]]) if len(passing) else n
    result = Tally(read, int(found[read - 1]), int(differ[read - 1]), 0, 0, "0" * 64)
    wrong = int((labels != world.truth).sum())
    found = bounds(plan, result)
    issued = found.total <= found.limit  # else it is refused, and computing how far to go on would take long
    if issued:
        try:
            certify(plan, result, issued="simulated")
        except CertificateError:
            issued = False
    return issued, found.total >= wrong, read, wrong <= plan.limit


_KNOWN: dict[int, list[int]] = {}


def _limits(n: int) -> list[int]:
    """The limits of the plan; they depend on the size alone."""
    if n not in _KNOWN:
        plan = AuditPlan(
            "simulated", "0" * 64, "0" * 64, n, str(CLAIM), "", ("A", "B"), ("C",), hardest=str(HARDEST)
        )
        _KNOWN[n] = stops(plan)
    return _KNOWN[n]


def _share(name: str, hits: int, n: int, note: str) -> Line:
    interval = binomtest(hits, n).proportion_ci(0.95, "exact")
    return Line(name, "share", hits / n, "share", n, float(interval.low), float(interval.high), note=note)


def _mean(values: Iterable[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval by Student's t over the draws."""
    listed = np.asarray(list(values), float)
    mean = float(listed.mean())
    half = (
        float(t.ppf(0.975, len(listed) - 1) * listed.std(ddof=1) / np.sqrt(len(listed)))
        if len(listed) > 1
        else 0.0
    )
    return mean, mean - half, mean + half
