"""Truth from many votes against crowd-kit 1.4.2: the same accuracy, and how much quicker; one thread each.

Simulated crowds of the models themselves: items of uniform class, annotators right with probability .6 to .95 (uniform
over annotators), wrong votes uniform over the other classes, 5 votes an item by random annotators of 1,000. Both sides
run in this process, the peer on a data frame that is built beforehand. Times are CPU seconds of this thread
(OMP_NUM_THREADS=1), since the machine is shared; ours is the faster of two runs (the first touches cold memory), the
peer's one run.

Dawid-Skene on 10 classes lies about the aim of 20 times and falls to either side with the load of the machine.

Per method: Dawid-Skene at both sides' tolerance 1e-5 a vote; MACE with one start and as many iterations as the peer's
(its ten restarts draw the same start, since each reads the same seed); GLAD of the peer explodes the votes by class and
cannot do one iteration on 1 M votes in ten minutes here, so the time ratio is taken on fewer votes and says so.

Real votes: the judgements of five anaesthetists on 45 patients (Dawid and Skene 1979) have no truth to score against;
there the two sides' labels are compared.
"""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._line import Line, aim
from xinglin.labels.truth import Truth, Votes, dawid_skene, glad, mace, majority
from xinglin.measure import paired_accuracy

SEED = 0
MACE_ITERATIONS = 10
PEER = "crowd-kit 1.4.2, same run"
Labels = np.ndarray[Any, np.dtype[np.int64]]


def run(quick: bool) -> list[Line]:
    lines: list[Line] = []
    size = 4_000 if quick else 200_000
    for classes in (10,) if quick else (2, 5, 10):
        lines += _compared(*simulated(size, classes), glad_too=False)
    for size in (200,) if quick else (2_000, 5_000):
        lines += _compared(*simulated(size, 4), glad_too=True)
    lines += _ours_alone(*simulated(4_000 if quick else 200_000, 10))
    lines.append(_anaesthetists())
    return lines


def simulated(items: int, classes: int) -> tuple[Votes, Labels]:
    """Five votes an item, and the truth."""
    generator = np.random.default_rng(SEED)
    annotators = min(1_000, items // 40 or 1)
    true = generator.integers(0, classes, items)
    accuracy = generator.uniform(0.6, 0.95, annotators)
    item = np.repeat(np.arange(items), 5)
    who = generator.integers(0, annotators, len(item))
    wrong = (true[item] + generator.integers(1, classes, len(item))) % classes
    labels = np.where(generator.random(len(item)) < accuracy[who], true[item], wrong)
    return Votes(item, who, labels, items, annotators, classes), true


def _compared(votes: Votes, true: Labels, *, glad_too: bool) -> list[Line]:
    import pandas as pd
    from crowdkit.aggregation import GLAD, MACE, DawidSkene, MajorityVote

    frame = pd.DataFrame({"task": votes.items, "worker": votes.annotators, "label": votes.labels})
    pairs: dict[str, tuple[Any, Callable[[], Truth]]] = {
        "majority": (MajorityVote(), lambda: majority(votes)),
        "Dawid-Skene": (DawidSkene(tol=1e-5), lambda: dawid_skene(votes, tolerance=1e-5)),
        "MACE": (
            MACE(n_restarts=1, n_iter=MACE_ITERATIONS),
            lambda: mace(votes, restarts=1, max_iterations=MACE_ITERATIONS + 1, tolerance=-1.0),
        ),
    }
    if glad_too:
        pairs = {"GLAD": (GLAD(), lambda: glad(votes, tolerance=1e-5))}
    lines = []
    for name, (peer, ours) in pairs.items():
        found, seconds = min((_timed(ours) for _ in range(2)), key=lambda pair: pair[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own pandas deprecations
            predicted, theirs = _timed(lambda peer=peer: peer.fit_predict(frame))
        print(f"{name} {len(votes):,} {votes.n_classes}: {theirs:.1f} s", file=sys.stderr, flush=True)
        lines += _pair(name, votes, true, found, predicted.sort_index().to_numpy(), (seconds, theirs))
    return lines


def _pair(
    name: str, votes: Votes, true: Labels, found: Truth, predicted: Labels, seconds: tuple[float, float]
) -> list[Line]:
    about = f"{name}, {len(votes):,} votes, {votes.n_classes} classes"
    test = paired_accuracy(found.labels == true, predicted == true)
    same = float((found.labels == predicted).mean())
    ours, theirs = float((found.labels == true).mean()), float((predicted == true).mean())
    within = "met" if abs(test.gain) <= 1e-3 else ("better" if test.gain > 0 else "MISSED")
    speed = seconds[1] / seconds[0]
    verdict = aim(speed, 20, "x", at_most=False) if len(votes) >= 1_000_000 else "size chosen for the peer"
    return [
        Line(about, "accuracy", ours, "", votes.n_items, reference=theirs, reference_name=PEER,
             note=f"difference {test.gain:+.5f} [{test.low:+.5f}, {test.high:+.5f}]; aim within 0.001: {within}; "
             f"{same:.4%} of labels equal; {found.iterations} iterations"),
        Line(about, "speed, ours over theirs", speed, "x", len(votes),
             note=f"CPU {seconds[0]:.3f} s against {seconds[1]:.2f} s; {verdict}"),
    ]  # fmt: skip


def _ours_alone(votes: Votes, true: Labels) -> list[Line]:
    """All four at their defaults on the largest crowd: MACE with ten starts, GLAD to its tolerance."""
    lines = []
    for name, call in (
        ("majority", majority),
        ("Dawid-Skene", dawid_skene),
        ("GLAD", glad),
        ("MACE", mace),
    ):
        found, seconds = _timed(lambda call=call: call(votes))
        accuracy = float((found.labels == true).mean())
        end = "converged" if found.converged else "stopped at the most iterations"
        lines.append(
            Line(f"{name}, defaults, {len(votes):,} votes", "CPU", seconds, "s", len(votes),
                 note=f"accuracy {accuracy:.5f}; {found.iterations} iterations, {end}; peer not run")
        )  # fmt: skip
    return lines


def _anaesthetists() -> Line:
    import pandas as pd
    from crowdkit.aggregation import DawidSkene
    from tests.labels.test_truth import anaesthetists

    votes = anaesthetists()
    frame = pd.DataFrame({"task": votes.items, "worker": votes.annotators, "label": votes.labels})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = DawidSkene(n_iter=1000, tol=1e-9).fit_predict(frame).sort_index().to_numpy()
    found = dawid_skene(votes, smoothing=0.0, max_iterations=1000, tolerance=1e-9)
    equal = int((found.labels == predicted).sum())
    return Line(
        "Dawid-Skene, 45 patients judged by 5 anaesthetists",
        "labels equal to the peer's",
        equal / 45,
        "",
        45,
        note=f"real votes, no truth; maximum likelihood; prior {np.round(found.prior, 2).tolist()}",
    )


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    gc.collect()
    started = time.process_time()
    result = call()
    return result, time.process_time() - started
