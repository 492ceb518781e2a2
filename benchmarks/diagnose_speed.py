"""A whole diagnosis in process, with and without its ledger entry; and the command from process start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._line import Line, aim, quantile, quantiles
from benchmarks._texts import TEXTS


def run(quick: bool) -> list[Line]:
    with tempfile.TemporaryDirectory() as folder:
        return [*_in_process(Path(folder), quick), *_from_start(Path(folder), 1 if quick else 5)]


def _in_process(folder: Path, quick: bool) -> list[Line]:
    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.answer import answer
    from xinglin.apps.diagnosis.facts import gather
    from xinglin.apps.diagnosis.remember import remember_prediction
    from xinglin.apps.diagnosis.render import as_json
    from xinglin.store import open_store

    model, store = load_differential(engine="graph"), open_store(f"sqlite:///{folder / 'speed.db'}")
    times: dict[str, list[float]] = {"bare": [], "ledger": [], "cpu": []}
    abstained = 0
    for round_ in range(-1, 2 if quick else 25):  # round -1 warms up
        for text in TEXTS:
            started, cpu = time.perf_counter(), time.thread_time()
            case = gather(model, text)
            rendered = as_json(model, answer(model, case))
            bare = time.perf_counter()
            remember_prediction(store, case.text, rendered, actor="benchmark")
            if round_ >= 0:
                times["ledger"].append(1000 * (time.perf_counter() - started))
                times["bare"].append(1000 * (bare - started))
                times["cpu"].append(1000 * (time.thread_time() - cpu))
                abstained += rendered["abstained"] and round_ == 0
    store.close()

    def note(q: float, value: float) -> str:
        return f"{aim(value, 5, 'ms')}; {len(TEXTS)} texts, {abstained} abstain" if q == 0.5 else ""

    bare = quantiles("diagnosis in process, no ledger", times["bare"], "ms", "gather + answer + as_json")
    return [
        *quantiles(
            "diagnosis in process, SQLite ledger",
            times["ledger"],
            "ms",
            note,
            reference=bare[0].value,
            reference_name="p50 without ledger, same run",
        ),
        *bare,
        *quantiles(
            "the same with ledger, CPU time",
            times["cpu"],
            "ms",
            "thread_time: without waiting for other jobs",
        ),
    ]


def _from_start(folder: Path, repeats: int) -> list[Line]:
    command = [sys.executable, "-m", "xinglin"]
    diagnose = [*command, "diagnose", TEXTS[0]]
    python = _wall([sys.executable, "-c", "pass"], [folder / "python"] * repeats)
    fresh = _wall(diagnose, [folder / f"fresh{i}" for i in range(repeats)])
    warm = _wall(diagnose, [folder / "fresh0"] * repeats)
    shown = _wall([*command, "--help"], [folder / "help"] * repeats)
    reference = quantile(python, 0.5).value
    lines = []
    for name, samples, limit in (
        ("xinglin diagnose, first ever (fresh XINGLIN_HOME, creates the store)", fresh, 2.5),
        ("xinglin diagnose, again", warm, 2.5),
        ("xinglin --help", shown, 0.7),
    ):
        middle = quantile(samples, 0.5)
        said = f"{aim(middle.value, limit, 's')}; process start to exit; files in the page cache"
        lines.append(
            Line(
                *(name, "median wall", middle.value, "s", len(samples), middle.low, middle.high),
                reference=reference,
                reference_name="python -c pass, same run",
                note=said,
            )
        )
    return lines


def _wall(command: Sequence[str], homes: Sequence[Path]) -> list[float]:
    samples = []
    for home in homes:
        environment = {**os.environ, "XINGLIN_HOME": str(home)}
        environment.pop("XINGLIN_DATABASE_URL", None)
        started = time.perf_counter()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        samples.append(time.perf_counter() - started)
    return samples
