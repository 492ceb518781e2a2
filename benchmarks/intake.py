"""Taking records in: small JSON lines into SQLite, and the peak of memory at 20,000 and at 200,000 records.

The floor is what nobody can do without: `json.loads` of every line and one `executemany` into SQLite, no check, no
digest, no version, no ledger, nothing to resume. Ours, ours with encrypted bodies (``XINGLIN_ARCHIVE_KEY``; every record
of a subject of its own, the dearest case) and the floor take turns in fresh processes; wall time and CPU time are both
told, since a shared machine stretches the wall.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks._line import Line, aim, quantile
from xinglin.store.key_files import write_key_file

SEED = 0
ROUNDS = 5
AIM = 100_000
"""Records a minute on two cores."""
FLAT = 84.0
"""MB that ten times the records may add to the peak: SQLite's page cache of 64, and 20 of the process."""

OURS = """
import json, resource, sys, time
from pathlib import Path
from xinglin.records.readers.jsonl import JsonLines
from xinglin.records.run import intake
from xinglin.store import open_store
store = open_store("sqlite:///" + sys.argv[2])
wall, cpu = time.perf_counter(), time.process_time()
run = intake(store, JsonLines(Path(sys.argv[1])), dataset="benchmark", form="jsonl", actor="benchmark")
print(json.dumps([run.stored, time.perf_counter() - wall, time.process_time() - cpu,
                  resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
FLOOR = """
import json, resource, sqlite3, sys, time
connection = sqlite3.connect(sys.argv[2])
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE records (id TEXT PRIMARY KEY, body TEXT)")
wall, cpu = time.perf_counter(), time.process_time()
with connection, open(sys.argv[1], encoding="utf-8") as lines:
    connection.executemany("INSERT INTO records VALUES (?, ?)", ((json.loads(line)["id"], line) for line in lines))
count = connection.execute("SELECT count(*) FROM records").fetchone()[0]
print(json.dumps([count, time.perf_counter() - wall, time.process_time() - cpu,
                  resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def run(quick: bool) -> list[Line]:
    small, large = (1_000, 4_000) if quick else (20_000, 200_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bytes_ = {count: _write(folder / f"{count}.jsonl", count) for count in (small, large)}
        key = folder / "key"
        write_key_file(key)
        arms: dict[str, tuple[str, Path | None]] = {
            "ours": (OURS, None),
            "sealed": (OURS, key),
            "floor": (FLOOR, None),
        }
        rates: dict[str, list[tuple[float, float]]] = {who: [] for who in arms}
        for number in range(2 if quick else ROUNDS):
            for who in list(arms)[:: 1 if number % 2 else -1]:
                wall, cpu, _ = _process(arms[who][0], folder, small, arms[who][1])
                rates[who].append((60 * small / wall, 60 * small / cpu))
        wall, cpu, peak = _process(OURS, folder, large)
        peak_small = _process(OURS, folder, small)[2]
        _, _, floor_peak = _process(FLOOR, folder, large)
    lines = []
    for position, clock in ((0, "minute of wall time"), (1, "minute of CPU time")):
        ours, floor = (quantile([rate[position] for rate in rates[who]], 0.5) for who in ("ours", "floor"))
        lines.append(
            Line(
                f"{small:,} records of {bytes_[small] / small:.0f} bytes into SQLite",
                f"records a {clock}, median of runs",
                ours.value,
                "records",
                ours.n,
                ours.low,
                ours.high,
                reference=floor.value,
                reference_name="json.loads + executemany, same file, no checks",
                note=aim(ours.value, AIM, "records", at_most=False) if position == 0 else "one process",
            )
        )
        sealed = quantile([rate[position] for rate in rates["sealed"]], 0.5)
        lines.append(
            Line(f"{small:,} records, bodies encrypted", f"records a {clock}, median of runs", sealed.value, "records",
                 sealed.n, sealed.low, sealed.high, reference=ours.value, reference_name="not encrypted, same run",
                 note=aim(sealed.value, AIM, "records", at_most=False) if position == 0 else "one process")
        )  # fmt: skip
    once = 60 * large / wall
    lines += [
        Line(f"{large:,} records into SQLite", "records a minute of wall time", once, "records", 1,
             note=f"{aim(once, AIM, 'records', at_most=False)}; {60 * large / cpu:,.0f} a minute of CPU time"),
        Line(f"{small:,} records", "peak memory of the process", peak_small, "MB", 1),
        Line(f"{large:,} records", "peak memory of the process", peak, "MB", 1, reference=floor_peak,
             reference_name="json.loads + executemany"),
        Line("ten times the records" if not quick else "four times the records", "added to the peak",
             peak - peak_small, "MB", 1, note=aim(peak - peak_small, FLAT, "MB, 64 of them SQLite's page cache")),
    ]  # fmt: skip
    return lines


def _write(path: Path, count: int) -> int:
    """Write small records such as an outpatient system exports; returns the bytes."""
    draw = np.random.default_rng(SEED)
    words = ["胸痛", "咳嗽", "发热", "头晕", "腹泻", "乏力", "心悸", "气促"]
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            first, second = draw.choice(len(words), 2, replace=False)
            record = {
                "id": f"V{number:07}",
                "text": f"{words[first]}{draw.integers(1, 15)}天,伴{words[second]},无其他不适。",
                "patient": {
                    "age": int(draw.integers(1, 95)),
                    "sex": "male" if draw.random() < 0.5 else "female",
                },
                "labs": [{"name": "血糖", "value": round(float(draw.normal(6, 2)), 1), "unit": "mmol/L"}],
            }
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path.stat().st_size


def _process(code: str, folder: Path, count: int, key: Path | None = None) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MB of a fresh process; its imports are in the peak, not in the times."""
    database = folder / "benchmark.db"
    for left in folder.glob("benchmark.db*"):
        left.unlink()
    command = [sys.executable, "-c", code, str(folder / f"{count}.jsonl"), str(database)]
    environment = {name: value for name, value in os.environ.items() if name != "XINGLIN_ARCHIVE_KEY"}
    if key is not None:
        environment["XINGLIN_ARCHIVE_KEY"] = str(key)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    stored, wall, cpu, peak = json.loads(done.stdout)
    if stored != count:
        raise RuntimeError(f"{count} records were given, {stored} stored")
    return wall, cpu, peak
