"""Every export before it is let out: run beside its source on a probe set, compared, timed, and refused if it falls short.

One report for every target. Differences are of the logits; the metric is accuracy where the probe set has labels, else
agreement with the source's first choice, a row at a time. Source and export answer each input in turn, so that both meet
the same state of the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import GateClosedError, InvalidInputError
from xinglin.measure import debiased_ece, paired_accuracy

Feed = Mapping[str, NDArray[Any]]
"""Named inputs of one run."""
Runner = Callable[[Feed], NDArray[np.float32]]
"""Answers one feed: logits (rows, labels), (rows, tokens, vocabulary), or maps of images."""
LEAST = 20
"""Fewest inputs of a probe set."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an export may differ by; every value is the largest that passes."""

    delta: float
    """Largest difference of a logit, as a share of the spread of the source's logits."""
    lost: float
    """Accuracy lost: the upper end of its 95 % interval; asked where the probe set has labels."""
    otherwise: float
    """Share of rows whose first choice is not the source's, upper end; asked where there are no labels. Near ties turn
    without anything being lost, so it may be larger."""
    ece: float
    """Expected calibration error gained; asked where the probe set is of real, labelled cases."""
    slower: float
    """Median time of an answer over that of the source by torch, both on one thread."""
    larger: float
    """Size over that of the source's weights in 32 bits."""


EXACT = Limits(delta=1e-3, lost=0.005, otherwise=0.01, ece=0.002, slower=1.5, larger=1.25)
"""Targets in float: the same numbers but for the order of sums."""
EIGHT_BIT = Limits(delta=1.0, lost=0.03, otherwise=0.15, ece=0.02, slower=1.0, larger=0.7)
"""Targets with 8-bit weights. The largest single difference says little there; what is decided by it says much."""
FOUR_BIT = Limits(delta=2.0, lost=0.1, otherwise=0.3, ece=0.05, slower=30.0, larger=0.6)
"""Targets with 4-bit weights. Their runner asks another process for every logit of every place, as no user does: of its
time only a breakdown is refused."""
FLOOR = 1e-4
"""Difference that float arithmetic alone can make, whatever the spread."""


@dataclass(frozen=True, eq=False)
class ProbeSet:
    """What an export is run on."""

    feeds: tuple[Feed, ...]
    of: str
    """What it is, in a word or two."""
    truth: NDArray[np.int64] | None = None
    """Class of each feed; ``None``: unlabelled."""
    natural: bool = False
    """Whether the inputs are real cases: of written ones the calibration error says nothing and is not asked."""

    def __post_init__(self) -> None:
        if len(self.feeds) < LEAST:
            raise InvalidInputError(f"probe set: expected at least {LEAST} inputs, got {len(self.feeds)}")

    @property
    def digest(self) -> str:
        """SHA-256 over the inputs."""
        body = sha256()
        for feed in self.feeds:
            for name in sorted(feed):
                body.update(f"{name}{feed[name].shape}{feed[name].dtype}".encode())
                body.update(np.ascontiguousarray(feed[name]).tobytes())
        return body.hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """Answers of an export against those of its source."""

    max_delta: float
    """Largest absolute difference of a logit."""
    mean_delta: float
    agreement: float
    """Share of the rows with the same first choice."""
    spread: float
    """Standard deviation of the source's logits: what the differences are to be read against."""


def difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> Difference:
    """Compare answers (rows, choices); NaN anywhere makes the differences NaN.

    Raises:
        InvalidInputError: other shapes.
    """
    if found.shape != expected.shape:
        raise InvalidInputError(f"expected answers of shape {expected.shape}, got {found.shape}")
    delta = np.abs(found - expected)
    return Difference(
        float(delta.max()),
        float(delta.mean()),
        float((found.argmax(-1) == expected.argmax(-1)).mean()),
        float(expected.std()),
    )


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """An export beside its source."""

    target: str
    checkpoint: str
    """Id of the source."""
    probe: str
    """What the probe set is."""
    probe_sha256: str
    n: int
    """Rows that were compared."""
    max_delta: float
    mean_delta: float
    spread: float
    metric: str
    """``accuracy``, or ``agreement`` with the source where the probe set has no labels."""
    value: float
    source_value: float
    lost: float
    """``source_value - value``."""
    lost_low: float
    lost_high: float
    """95 % interval by paired bootstrap."""
    ece: float | None
    source_ece: float | None
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """Processor time of an answer, mean; of other processes than this one nothing is seen."""
    source_p50_ms: float
    source_p99_ms: float
    source_cpu_ms: float
    bytes: int
    source_bytes: int
    """Of the source's weights, at four bytes a parameter."""
    runs_on: str
    """What ran the export, with its version."""

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Measured:
    """Answers and times of one side."""

    answers: NDArray[np.float32]
    wall: NDArray[np.float64]
    cpu: NDArray[np.float64]


def alternate(runners: Sequence[Runner], feeds: Sequence[Feed], *, warm: int = 3) -> list[Measured]:
    """Let every runner answer every feed, one after the other, and keep answers and milliseconds.

    Answers of more than two axes are taken as rows: (rows, choices).
    """
    answers: list[list[NDArray[np.float32]]] = [[] for _ in runners]
    times = np.zeros((2, len(runners), len(feeds)))
    for feed in feeds[:warm]:
        for run in runners:
            run(feed)
    for place, feed in enumerate(feeds):
        for side, run in enumerate(runners):
            wall, cpu = time.perf_counter(), time.process_time()
            answer = run(feed)
            times[0, side, place] = 1000 * (time.perf_counter() - wall)
            times[1, side, place] = 1000 * (time.process_time() - cpu)
            answers[side].append(_rows(answer))
    return [
        Measured(np.concatenate(given), times[0, side], times[1, side]) for side, given in enumerate(answers)
    ]


def _rows(answer: NDArray[np.float32]) -> NDArray[np.float32]:
    if answer.ndim == 5:  # maps (n, channels, z, y, x): where the logit is highest
        return answer[:, 0].reshape(len(answer), -1)
    return answer.reshape(-1, answer.shape[-1])


def report(
    target: str,
    checkpoint: str,
    probe: ProbeSet,
    source: Measured,
    export: Measured,
    *,
    size: int,
    source_size: int,
    runs_on: str,
) -> ProbeReport:
    """Return the report of two measured sides."""
    between = difference(export.answers, source.answers)
    ece = source_ece = None
    if probe.truth is not None:
        metric, hits, source_hits = "accuracy", _hits(export, probe.truth), _hits(source, probe.truth)
        if probe.natural:
            ece = debiased_ece(_confidence(export), hits)
            source_ece = debiased_ece(_confidence(source), source_hits)
    else:
        metric = "agreement"
        hits = export.answers.argmax(-1) == source.answers.argmax(-1)
        source_hits = np.ones_like(hits)
    test = paired_accuracy(source_hits, hits)
    return ProbeReport(
        target=target,
        checkpoint=checkpoint,
        probe=probe.of,
        probe_sha256=probe.digest,
        n=len(hits),
        max_delta=between.max_delta,
        mean_delta=between.mean_delta,
        spread=between.spread,
        metric=metric,
        value=float(hits.mean()),
        source_value=float(source_hits.mean()),
        lost=test.gain,
        lost_low=test.low,
        lost_high=test.high,
        ece=ece,
        source_ece=source_ece,
        p50_ms=float(np.quantile(export.wall, 0.5)),
        p99_ms=float(np.quantile(export.wall, 0.99)),
        cpu_ms=float(export.cpu.mean()),
        source_p50_ms=float(np.quantile(source.wall, 0.5)),
        source_p99_ms=float(np.quantile(source.wall, 0.99)),
        source_cpu_ms=float(source.cpu.mean()),
        bytes=size,
        source_bytes=source_size,
        runs_on=runs_on,
    )


def _hits(side: Measured, truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(side.answers.argmax(-1) == truth)


def _confidence(side: Measured) -> NDArray[np.float64]:
    from scipy.special import softmax

    return np.asarray(softmax(side.answers.astype(np.float64), axis=-1).max(-1))


def shortfalls(found: ProbeReport, limits: Limits) -> list[str]:
    """Return what falls short, each with its figure and its limit; empty: the export passes. NaN falls short."""
    allowed = max(FLOOR, limits.delta * found.spread)
    lost = limits.lost if found.metric == "accuracy" else limits.otherwise
    asked: list[tuple[str, float, float]] = [
        ("max difference of a logit", found.max_delta, allowed),
        (f"{found.metric} lost, upper end of 95 %", found.lost_high, lost),
        ("median time over the source's", found.p50_ms / found.source_p50_ms, limits.slower),
        ("size over the source's in 32 bits", found.bytes / found.source_bytes, limits.larger),
    ]
    if found.ece is not None and found.source_ece is not None:
        asked.append(("expected calibration error gained", found.ece - found.source_ece, limits.ece))
    return [f"{name} {value:.4g} > {limit:.4g}" for name, value, limit in asked if not value <= limit]


def require_pass(found: ProbeReport, limits: Limits) -> None:
    """Let an export pass, or refuse it.

    Raises:
        GateClosedError: names everything that falls short, with its limit.
    """
    short = shortfalls(found, limits)
    if short:
        raise GateClosedError(
            f"{found.target}: refused, {found.n} rows of {found.probe}: {'; '.join(short)}. Nothing was written. Train for "
            "8 bits, calibrate on other texts, or choose another target (limits: release/export/probe.py)"
        )
