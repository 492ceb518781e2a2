"""Real processes over TLS: a SuperLink, a SuperNode a hospital, each message a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.federate.hospitals import JOB, a_job, allow, newest, run_direct, write_tables
from xinglin.errors import ConfigurationError, ConflictError, InvalidInputError, MissingDataError
from xinglin.federate import processes
from xinglin.federate.certificates import CA, new_node_key
from xinglin.federate.follow import follow
from xinglin.federate.job import Job, read_job
from xinglin.federate.node import NodeOptions, node_command, node_environment
from xinglin.federate.overview import JobHistory
from xinglin.store import Store, open_store

pytest.importorskip("flwr.app")
SITES = {"site-1": 60, "site-2": 90, "site-3": 40}


@dataclass
class Running:
    """A federation that runs, its coordinator's store, its hospitals' data."""

    folder: Path
    store: Store
    tables: dict[str, Path]

    def log(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def run(self, job: str, path: Path) -> JobHistory:
        path.write_text(job, encoding="utf-8")
        number, run = processes.submit(self.folder, path)
        *_, last = follow(self.store, number, lambda: processes.run_ended(self.folder, run))
        return last


@contextmanager
def started(place: Path, rows: dict[str, int], limit: float | None = None) -> Iterator[Running]:
    """Start a federation whose hospitals let each patient spend at most ``limit``."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XINGLIN_HOME", str(place / "coordinator"))
        environment.setenv("OMP_NUM_THREADS", "1")
        environment.delenv("XINGLIN_DATABASE_URL", raising=False)
        tables, store, folder = write_tables(place / "data", rows), open_store(), place / "fed"
        for site in tables:
            allow(folder / "nodes" / site / "home", a_job(), epsilon=limit)
        processes.start(folder, tables, store)
    try:
        yield Running(folder, store, tables)
    finally:
        processes.stop(folder)
        store.close()


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("federation"), SITES) as running:
        yield running


def until(happened: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.2)


def test_a_job_over_tls_gives_the_model_of_one_process(federation: Running, tmp_path: Path) -> None:
    """The same apps, the same seed: the bytes of the model do not depend on where they ran."""
    done = federation.run(JOB.format(rounds=1, timeout=300), tmp_path / "JOB.toml")
    assert done.state == "done", done.reason
    assert {site.site: site.state for site in done.rounds[1].sites} == dict.fromkeys(SITES, "ok")
    direct = open_store(f"sqlite:///{tmp_path / 'direct.db'}")
    job = a_job(job={"rounds": 1})
    run_direct(job, federation.tables, tmp_path, direct)
    assert newest(direct).model == done.model
    direct.close()
    # Nothing that the coordinator sent was unpacked at a hospital, and each kept its own ledger and model.
    for site in SITES:
        home = federation.folder / "nodes" / site / "home"
        assert not (home / "federation" / "flower" / "apps").exists()
        assert len(list(home.rglob("model.safetensors"))) == 1
    for private in [*federation.folder.glob("nodes/*/key"), *federation.folder.glob("certificates/*")]:
        assert private.stat().st_mode & 0o077 == 0
    with pytest.raises(ConflictError, match="runs already"):
        processes.start(federation.folder, federation.tables, federation.store)


def test_a_node_with_an_unknown_key_is_refused(federation: Running, tmp_path: Path) -> None:
    new_node_key(tmp_path / "key")
    port = processes.read_federation(federation.folder)["port"]
    options = NodeOptions(
        "site-1",
        f"127.0.0.1:{port}",
        federation.folder / "certificates" / CA,
        tmp_path / "key",
        federation.tables["site-1"],
        processes.free_port(),
    )
    log = tmp_path / "log"
    with log.open("wb") as stream:
        stranger = subprocess.Popen(
            node_command(options),
            env=node_environment(tmp_path / "home"),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        until(lambda: stranger.poll() is not None or "SuperNode ID" in log.read_text(), 60)
        assert "SuperNode ID" not in log.read_text()
        assert stranger.returncode != 0
    finally:
        if stranger.poll() is None:
            os.killpg(stranger.pid, signal.SIGKILL)
        stranger.wait()
    known = processes.flwr(federation.folder, "supernode", "list", "xinglin", "--format", "json")["nodes"]
    assert len(known) == len(SITES)


@pytest.mark.slow
def test_a_killed_node_does_not_stop_the_job(federation: Running, tmp_path: Path) -> None:
    before = federation.log("site-3").count("Receiving: train")
    path = tmp_path / "JOB.toml"
    path.write_text(JOB.format(rounds=2, timeout=300), encoding="utf-8")
    number, run = processes.submit(federation.folder, path)
    until(lambda: federation.log("site-3").count("Receiving: train") > before, 900)
    os.killpg(processes.read_federation(federation.folder)["pids"]["site-3"], signal.SIGKILL)
    *_, last = follow(federation.store, number, lambda: processes.run_ended(federation.folder, run))
    assert last.state == "done", last.reason
    first, second = ({site.site: site.state for site in one.sites} for one in last.rounds[1:])
    assert first == {"site-1": "ok", "site-2": "ok", "site-3": "silent"}
    assert second == {"site-1": "ok", "site-2": "ok"}
    assert "site-3" not in processes.running(processes.read_federation(federation.folder))


@pytest.mark.slow
def test_the_nodes_enforce_the_budget_over_jobs(tmp_path: Path) -> None:
    pytest.importorskip("opacus")
    private = '[privacy]\nunit = "example"\nepsilon = 2.0\ndelta = 1e-3\n'
    job = JOB.format(rounds=1, timeout=300) + private
    with started(tmp_path, {"site-1": 60, "site-2": 90}, limit=2.5) as running:
        first = running.run(job, tmp_path / "JOB.toml")
        assert first.state == "done", first.reason
        budgets = [site.budget for site in first.rounds[1].sites]
        assert all(one is not None and 1.5 < one.spent <= 2.0 and one.allowed == 2.5 for one in budgets)
        second = running.run(job.replace('"tiny"', '"again"', 1), tmp_path / "AGAIN.toml")
        assert second.state == "stopped"
        assert (second.reason or "").count("privacy budget exceeded") == 2
        bare = running.run(JOB.format(rounds=1, timeout=300), tmp_path / "BARE.toml")
        assert bare.state == "stopped"
        assert (bare.reason or "").count("privacy budget exceeded") == 2


def test_down_ends_what_it_started_and_nothing_else(tmp_path: Path) -> None:
    """A job's coordinator runs in a session of its own; a number in a file may by now be somebody else's."""

    def sleeper(name: str, *, leads: bool) -> subprocess.Popen[bytes]:
        code = "import time; time.sleep(60)"
        return subprocess.Popen([sys.executable, "-c", code, name], start_new_session=leads)

    link = sleeper("flower-superlink", leads=True)
    coordinator, other = sleeper(processes.COORDINATOR, leads=False), sleeper("another", leads=True)
    try:
        for job, one in (("a", coordinator), ("b", other)):
            (tmp_path / "jobs" / job).mkdir(parents=True)
            (tmp_path / "jobs" / job / processes.PID).write_text(str(one.pid))
        pids = {"superlink": link.pid, "site-1": other.pid}
        told = {"host": "127.0.0.1", "port": 1, "pids": pids, "sites": {}}
        (tmp_path / processes.FILE).write_text(json.dumps(told))
        assert processes.stop(tmp_path) == ["superlink"]
        assert coordinator.poll() is not None
        assert link.poll() is not None
        assert other.poll() is None
    finally:
        for one in (link, coordinator, other):
            one.kill()
            one.wait()


def test_keys_are_never_overwritten_and_folders_are_checked(tmp_path: Path) -> None:
    new_node_key(tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        new_node_key(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before
    with pytest.raises(MissingDataError, match="no federation"):
        processes.stop(tmp_path)
    (tmp_path / processes.FILE).write_text("{")
    with pytest.raises(InvalidInputError, match="damaged"):
        processes.read_federation(tmp_path)


def test_the_job_file_is_the_job_of_the_other_tests(tmp_path: Path) -> None:
    path = tmp_path / "JOB.toml"
    path.write_text(JOB.format(rounds=2, timeout=60.0), encoding="utf-8")
    job: Job = read_job(path)
    assert job == a_job()


def test_a_process_that_is_still_becoming_its_program_counts_as_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Right after a start the system tells an empty command for a moment; one that has ended tells one for good."""
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"" if path.name == "cmdline" else read(path))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        assert processes._is_ours(child.pid)
    finally:
        child.kill()
    child.wait()
    assert not processes._is_ours(child.pid)
