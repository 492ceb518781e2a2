"""The same models written slowly: one vote, one class, one annotator after another, with the standard library."""

from __future__ import annotations

import math
from collections import Counter

from xinglin.labels.votes import Votes

Rows = list[list[float]]


def triples(votes: Votes) -> list[tuple[int, int, int]]:
    return list(zip(votes.items.tolist(), votes.annotators.tolist(), votes.labels.tolist(), strict=True))


def majority(votes: Votes) -> Rows:
    classes = range(votes.n_classes)
    counts = Counter((item, label) for item, _, label in triples(votes))
    rows = []
    for item in range(votes.n_items):
        total = sum(counts[item, k] for k in classes)
        rows.append([counts[item, k] / total if total else 1 / votes.n_classes for k in classes])
    return rows


def normalised(logs: list[float]) -> tuple[list[float], float]:
    top = max(logs)
    total = math.fsum(math.exp(x - top) for x in logs)
    return [math.exp(x - top) / total for x in logs], top + math.log(total)


def log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def dawid_skene(votes: Votes, smoothing: float, iterations: int) -> tuple[Rows, list[float], list[float]]:
    """Posterior, prior, and the log-likelihood after each iteration."""
    classes, rows = range(votes.n_classes), triples(votes)
    voted = sorted({item for item, _, _ in rows})
    posterior, trace = majority(votes), []
    for _ in range(iterations):
        prior = [math.fsum(posterior[i][k] for i in voted) / len(voted) for k in classes]
        confusion: dict[tuple[int, int, int], float] = {}
        for j in range(votes.n_annotators):
            for k in classes:
                part = [
                    math.fsum(posterior[i][k] for i, who, what in rows if who == j and what == label)
                    for label in classes
                ]
                total = math.fsum(part) + smoothing * votes.n_classes
                for label in classes:
                    share = (part[label] + smoothing) / total if total else 1 / votes.n_classes
                    confusion[j, k, label] = share
        reached = smoothing * math.fsum(map(math.log, confusion.values())) if smoothing else 0.0
        for i in range(votes.n_items):
            logs = [
                log(prior[k]) + sum(log(confusion[j, k, label]) for item, j, label in rows if item == i)
                for k in classes
            ]
            posterior[i], evidence = normalised(logs)
            reached += evidence if i in voted else 0.0
        trace.append(reached)
    return posterior, prior, trace


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def glad(votes: Votes, iterations: int) -> tuple[Rows, list[float], list[float], list[float]]:
    """Posterior, ability, ease, and what is climbed after each iteration."""
    rows = triples(votes)
    ability, ease = [1.0] * votes.n_annotators, [1.0] * votes.n_items
    posterior, _ = _glad_expect(votes, rows, ability, ease)
    trace = []
    for _ in range(iterations):
        for j in range(votes.n_annotators):
            mine = [(posterior[i][label], math.exp(ease[i])) for i, who, label in rows if who == j]
            ability[j] = _climb(ability[j], mine, lambda t, f: t * f, lambda t, f: f)
        for i in range(votes.n_items):
            mine = [(posterior[i][label], ability[j]) for item, j, label in rows if item == i]
            ease[i] = _climb(ease[i], mine, lambda t, f: f * math.exp(t), lambda t, f: f * math.exp(t))
        posterior, reached = _glad_expect(votes, rows, ability, ease)
        trace.append(reached)
    return posterior, ability, ease, trace


def _glad_expect(votes: Votes, rows, ability, ease) -> tuple[Rows, float]:  # type: ignore[no-untyped-def]
    posterior, reached = [], 0.0
    for i in range(votes.n_items):
        logs = [-math.log(votes.n_classes)] * votes.n_classes
        for item, j, label in rows:
            if item == i:
                x = ability[j] * math.exp(ease[i])
                for k in range(votes.n_classes):
                    logs[k] -= softplus(-x) if k == label else softplus(x) + math.log(votes.n_classes - 1)
        row, evidence = normalised(logs)
        posterior.append(row)
        reached += evidence
    return posterior, reached - sum((x - 1) ** 2 for x in [*ability, *ease]) / 2


def _climb(theta: float, votes, margin, slope) -> float:  # type: ignore[no-untyped-def]
    """One damped Fisher-scoring step of one parameter."""

    def height(t: float) -> float:
        return sum(p * margin(t, f) - softplus(margin(t, f)) for p, f in votes) - (t - 1) ** 2 / 2

    sigma = [1 / (1 + math.exp(-margin(theta, f))) for _, f in votes]
    gradient = sum(slope(theta, f) * (p - s) for (p, f), s in zip(votes, sigma, strict=True)) - (theta - 1)
    curvature = sum(slope(theta, f) ** 2 * s * (1 - s) for (_, f), s in zip(votes, sigma, strict=True)) + 1
    step = max(-1.0, min(1.0, gradient / curvature))
    for _ in range(21):
        if height(theta + step) >= height(theta):
            return theta + step
        step /= 2
    return theta


def digamma(x: float) -> float:
    """Abramowitz and Stegun 6.3.5 and 6.3.18."""
    total = 0.0
    while x < 30:
        total -= 1 / x
        x += 1
    y = 1 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
    return total + math.log(x) - 0.5 / x - series


def mace(votes: Votes, iterations: int) -> tuple[Rows, Rows, Rows]:
    """Posterior, and expected votes out of knowledge and out of habit, from the start that treats all alike."""
    classes, rows = range(votes.n_classes), triples(votes)
    usage = Counter((j, label) for _, j, label in rows)
    known = [[0.65 * usage[j, k] for k in classes] for j in range(votes.n_annotators)]
    habit = [[0.35 * usage[j, k] for k in classes] for j in range(votes.n_annotators)]
    posterior: Rows = []
    for _ in range(iterations):
        know, guess = [], []
        for mine, by_habit in zip(known, habit, strict=True):
            a, b, c = sum(mine) + 0.5, sum(by_habit) + 0.5, [x + 10.0 for x in by_habit]
            know.append(math.exp(digamma(a) - digamma(a + b)))
            miss = digamma(b) - digamma(a + b)
            guess.append([math.exp(miss + digamma(x) - digamma(sum(c))) for x in c])
        posterior = []
        for i in range(votes.n_items):
            logs = [
                sum(
                    math.log(guess[j][label] + (know[j] if k == label else 0.0))
                    for item, j, label in rows
                    if item == i
                )
                for k in classes
            ]
            posterior.append(normalised(logs)[0])
        known = [[0.0] * votes.n_classes for _ in known]
        habit = [[0.0] * votes.n_classes for _ in habit]
        for i, j, label in rows:
            share = posterior[i][label] * know[j] / (know[j] + guess[j][label])
            known[j][label] += share
            habit[j][label] += 1 - share
    return posterior, known, habit
