"""The first challenge, run from its commitment to its close: Chinese department triage, a linear SVM as the baseline.

Every entry goes through the same doors as a stranger's: predictions file, Ladder, daily cap, ledger, ranking on the part
that no score has touched. Which attempt is put up as the winner is decided on the public part alone. Aim: at least 12 %
fewer errors than the linear SVM.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks._challenge_entries import Attempt, attempts
from benchmarks._challenge_parts import read_parts
from benchmarks._line import Line

ROOT = Path(__file__).resolve().parents[1]
BASELINE, AIM = "linear SVM", 0.12
QUICK = 600
"""Public questions of a quick run, which leaves the encoder out."""


def run(quick: bool) -> list[Line]:
    from xinglin.measure import paired_accuracy
    from xinglin.release.challenge.board import figures_of
    from xinglin.release.challenge.closing import close_challenge
    from xinglin.release.challenge.entering import enter_file
    from xinglin.release.challenge.metrics import METRICS
    from xinglin.release.challenge.parts import cases_bytes
    from xinglin.release.challenge.predictions import read_predictions
    from xinglin.release.challenge.record import create_challenge
    from xinglin.release.challenge.shipped import shipped_challenge
    from xinglin.release.challenge.verifying import check_files, verify_challenge, write_opening
    from xinglin.store import open_store
    from xinglin.store.keys import digest

    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    parts, known = read_parts(data), shipped_challenge("triage-zh")
    manifest = known.manifest
    if manifest.public is None or digest(cases_bytes(parts.public)) != manifest.public.sha256:
        raise SystemExit("the data set here does not make the public part that the manifest names")
    public = parts.public[:QUICK] if quick else parts.public
    new = parts.new[parts.new < len(public)]
    questions = [case.text for case in parts.hidden]
    found: dict[str, Attempt] = attempts(public, questions, manifest.labels, new, linear=quick)
    files = {
        name: _file(one, [case.id for case in parts.hidden], manifest.labels) for name, one in found.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'challenge.db'}")
        at = manifest.opening
        create_challenge(
            store, manifest, parts.hidden, organiser=BASELINE, now=at - timedelta(days=1), salts=known.salts
        )
        for name, body in files.items():
            enter_file(store, manifest.name, body, "x.json", entrant=name, title=name, now=at)
        closed = close_challenge(store, manifest.name, by=BASELINE, now=manifest.closing)
        with store.read() as connection:
            verify_challenge(connection, manifest.name)
            write_opening(connection, closed, Path(folder) / "opening")
        _, told = check_files(Path(folder) / "opening")
    truth = {case.id: case for case in told}
    hits: dict[str, dict[str, np.ndarray]] = {"final": {}, "hidden": {}}
    for name, body in files.items():
        answers = read_predictions(body, "x.json", truth, manifest.labels)
        metric = METRICS[manifest.metric]
        for part, cases in (("final", [case for case in told if case.part == "final"]), ("hidden", told)):
            hits[part][name] = figures_of(metric, answers, cases) > 0.5
    winner = min((name for name in found if name != BASELINE), key=lambda name: found[name].loss)
    lines = [
        Line(
            f"{row.entrant}: final board, rank {row.rank}",
            "accuracy",
            row.figure.value,
            "",
            row.figure.n,
            row.figure.low,
            row.figure.high,
            note=f"public part, out of fold: accuracy {found[row.entrant].accuracy:.4f}, negative log-likelihood "
            f"{found[row.entrant].loss:.4f} (n {found[row.entrant].n})"
            + ("; put up as the winner" if row.entrant == winner else ""),
        )
        for row in closed.final
    ]
    for part, said in (("final", "the part that decides"), ("hidden", "all hidden questions")):
        for name in found:
            if name == BASELINE:
                continue
            test = paired_accuracy(hits[part][name], hits[part][BASELINE])
            lines.append(_cut(name, winner, said, hits[part][name], hits[part][BASELINE], test.p))
    return lines


def _file(one: Attempt, ids: Sequence[str], labels: Sequence[str]) -> bytes:
    """An attempt's answers as the file that is entered."""
    rows: Mapping[str, Mapping[str, float]] = {
        key: {label: float(value) for label, value in zip(labels, row / row.sum(), strict=True)}
        for key, row in zip(ids, one.probabilities, strict=True)
    }
    return json.dumps(rows, ensure_ascii=False).encode()


def _cut(name: str, winner: str, said: str, ours: np.ndarray, theirs: np.ndarray, p: float) -> Line:
    """Share of the baseline's errors that an entry does not make, with a paired bootstrap interval."""
    from xinglin.measure import bootstrap

    def cut(index: np.ndarray) -> float:
        wrong = float((~theirs[index]).sum())
        return 1 - float((~ours[index]).sum()) / wrong if wrong else float("nan")

    figure = bootstrap(cut, len(ours))
    met = (
        "MISSED" if figure.value < AIM else "met" if p < 0.05 else "met by the figure, not shown by the test"
    )
    note = f"errors {int((~ours).sum())} against {int((~theirs).sum())}; exact McNemar p = {p:.3g}"
    if name == winner:
        note += f"; aim >= {AIM:.0%}: {met}"
    return Line(
        f"{name}, {said}",
        "errors fewer than the linear SVM's",
        figure.value,
        "",
        figure.n,
        figure.low,
        figure.high,
        note=note,
    )
