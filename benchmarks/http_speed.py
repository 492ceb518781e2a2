"""The real server on loopback: requests a second of POST /api/diagnose, latency, errors, CPU, and its ledger."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._line import Line, aim
from benchmarks._load import Load, load, request
from benchmarks._texts import TEXTS

CONNECTIONS = 8
HOST = "127.0.0.1"


def run(quick: bool) -> list[Line]:
    seconds = 1.0 if quick else 8.0
    modes = {
        "API only": ["--no-workbench"],
        "API only, 2 workers": ["--no-workbench", "--workers", "2"],
        "with workbench": ["--workbench"],
    }
    if quick:
        modes = {name: options for name, options in modes.items() if name == "API only, 2 workers"}
    lines = []
    for name, options in modes.items():
        lines += _mode(name, options, seconds)
    return lines


def _mode(name: str, options: list[str], seconds: float) -> list[Line]:
    with tempfile.TemporaryDirectory() as home, server(Path(home), options) as (process, port):
        body = [json.dumps({"text": text}, ensure_ascii=False).encode() for text in TEXTS]
        posts = [request("POST", "/api/diagnose", f"{HOST}:{port}", item) for item in body]
        health = load(HOST, port, [request("GET", "/api/health", f"{HOST}:{port}")], CONNECTIONS, seconds / 4)
        warm = load(HOST, port, posts, CONNECTIONS, seconds / 8)
        before, client = _cpu(process.pid), time.process_time()
        measured = load(HOST, port, posts, CONNECTIONS, seconds)
        spent, client = _cpu(process.pid) - before, time.process_time() - client
        process.terminate()
        process.wait(20)
        sent = len(warm.latencies) + len(measured.latencies)
        entries, whole = _ledger(Path(home))
    return _lines(name, measured, health, spent, client, sent, entries, whole, warm.errors)


def _lines(
    name: str,
    measured: Load,
    health: Load,
    server: float,
    client: float,
    sent: int,
    entries: int,
    whole: bool,
    warm_errors: int,
) -> list[Line]:
    n = len(measured.latencies)
    if not n:
        raise RuntimeError(f"no request was answered, {measured.errors} failed: look at the server's log")
    milliseconds = sorted(1000 * x for x in measured.latencies)
    rate, ceiling = n / measured.seconds, len(health.latencies) / health.seconds
    name = f"POST /api/diagnose, {name}"
    said = f"{CONNECTIONS} keep-alive connections, loopback, {measured.seconds:.1f} s, {os.cpu_count()} cores"
    cpu = 1000 * server / n
    return [
        Line(
            *(name, "requests/s", rate, "1/s", n),
            reference=ceiling,
            reference_name="GET /api/health, same run",
            note=f"{aim(rate, 300, 'requests/s', at_most=False)}; {said}",
        ),
        *(
            Line(name, f"p{q}", milliseconds[min(n - 1, q * n // 100)], "ms", n, note="client side")
            for q in (50, 99)
        ),
        Line(
            *(name, "server CPU per 1,000 requests", cpu, "s", n),
            note=f"/proc; room for {1000 * (os.cpu_count() or 1) / cpu:.0f} requests/s if every core were ours; "
            f"client {1000 * client / n:.2f} s per 1,000",
        ),
        Line(name, "errors", float(measured.errors + warm_errors), "requests", n, note="must be 0"),
        Line(
            *(name, "ledger entries", float(entries), "entries", sent),
            reference=float(sent),
            reference_name="predictions answered, same run",
            note="chain verified" if whole else "CHAIN BROKEN",
        ),
    ]


@contextmanager
def server(home: Path, options: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start ``xinglin serve`` on a free port of loopback with a store of its own; yields process and port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "XINGLIN_HOME": str(home)}
    environment.pop("XINGLIN_DATABASE_URL", None)
    command = [sys.executable, "-m", "xinglin", "serve", "--port", str(port), *options]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://{HOST}:{port}/api/health", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError) as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the server did not start: exit status {process.poll()}") from error
                time.sleep(0.1)
        yield process, port
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(20)


def _cpu(pid: int) -> float:
    """Return the CPU seconds (user + system) of a process and its living children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(_cpu(int(child)) for child in children)


def _ledger(home: Path) -> tuple[int, bool]:
    from xinglin.errors import ChainBrokenError
    from xinglin.ledger import entries, verify
    from xinglin.store import open_store

    store = open_store(f"sqlite:///{home / 'xinglin.db'}")
    try:
        with store.read() as connection:
            count = sum(entry.action == "prediction" for entry in entries(connection))
            try:
                verify(connection)
            except ChainBrokenError:
                return count, False
            return count, True
    finally:
        store.close()
