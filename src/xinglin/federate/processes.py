"""A federation of real processes on this machine: SuperLink, one SuperNode a hospital, TLS, keys. Start, submit, stop.

Everything lies below one folder:

    federation.json   port, hospitals, process numbers
    certificates/     ca.pem, server.pem, server.key
    nodes/SITE/       key, key.pub; home/ is that hospital's XINGLIN_HOME
    flower/           Flower's own folder and the SuperLink's database
    app/  jobs/  logs/

The SuperLink serves Flower's fleet, control and runtime interfaces on one port; only the fleet's asks for a key. Here it
binds to loopback. For hospitals elsewhere a proxy passes ``/v1/fleet/`` and nothing else (docs/federation.md).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from xinglin.errors import ConfigurationError, ConflictError, InvalidInputError, MissingDataError
from xinglin.federate.bundle import write_bundle
from xinglin.federate.certificates import CA, SERVER, SERVER_KEY, new_authority, new_node_key
from xinglin.federate.environment import quiet
from xinglin.federate.history import register_node, registered
from xinglin.federate.job import read_job
from xinglin.federate.keep import save_json, write_whole
from xinglin.federate.node import NodeOptions, node_command, node_environment, program
from xinglin.store import Store

FILE, PID = "federation.json", "pid"
HOST = "127.0.0.1"
START = 60.0
"""Seconds that the SuperLink may take to answer."""
COORDINATOR = "flwr-serverapp"
"""The program in which Flower runs a job's coordinator."""
_CONNECTION = """\
[superlink]
default = "xinglin"

[superlink.xinglin]
address = "{host}:{port}"
root-certificates = "{certificate}"
"""


def start(
    folder: Path,
    hospitals: Mapping[str, Path | None],
    store: Store,
    *,
    port: int | None = None,
    actor: str = "cli",
) -> dict[str, Any]:
    """Start a federation, or start it again with the keys it has.

    Args:
        folder: of the federation.
        hospitals: site -> folder of its data; ``None``: the archive in the site's own store.
        store: of the coordinator.
        port: of loopback; ``None`` takes a free one.

    Returns:
        What is in ``federation.json``.

    Raises:
        ConflictError: it runs already.
        ConfigurationError: the SuperLink did not come up; its log says why.
        MissingExtraError: Flower is not installed.
    """
    if (folder / FILE).is_file() and running(read_federation(folder)):
        raise ConflictError(
            f"the federation in {folder} runs already: `xinglin federate down --dir {folder}` first"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    places = {name: folder / name for name in ("certificates", "flower", "app", "jobs", "logs")}
    for place in places.values():
        place.mkdir(exist_ok=True, mode=0o700)
    if not (places["certificates"] / CA).is_file():
        new_authority(places["certificates"], [HOST, "localhost"])
    write_bundle(places["app"])
    port = port or free_port()
    connection = _CONNECTION.format(host=HOST, port=port, certificate=places["certificates"].resolve() / CA)
    write_whole(places["flower"] / "config.toml", connection.encode())
    pids: dict[str, int] = {}
    state: dict[str, Any] = {"host": HOST, "port": port, "pids": pids, "sites": {}}
    try:
        pids["superlink"] = _spawn(
            _superlink(places, port), coordinator_environment(folder), places["logs"] / "superlink.log"
        )
        _wait(places["certificates"] / CA, port, pids["superlink"], places["logs"] / "superlink.log")
        for site, data in sorted(hospitals.items()):
            state["sites"][site] = None if data is None else str(data.resolve())
            join(folder, site, store, actor=actor)
            pids[site] = _start_node(folder, site, port, data)
        save_json(state, folder / FILE)
    except BaseException:
        _stop(pids)
        raise
    return state


def join(folder: Path, site: str, store: Store, *, key: str | None = None, actor: str = "cli") -> None:
    """Register a hospital at the running SuperLink and in the coordinator's store.

    Args:
        key: its public key; ``None``: of ``nodes/SITE``, made if absent.

    Raises:
        ConflictError: the name is taken by another key.
        ConfigurationError: the SuperLink refuses the key.
    """
    path = folder / "nodes" / site / "key"
    if key is None:
        key = path.with_name("key.pub").read_text().strip() if path.is_file() else new_node_key(path)
    public = path.with_name("key.pub")
    if not public.is_file():
        public.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(public, key.encode() + b"\n")
    if site in registered(store).values():
        register_node(store, site, key, None, actor=actor)  # the same key, or it is refused
        return
    told = flwr(folder, "supernode", "register", str(public), "xinglin", "--format", "json")
    register_node(store, site, key, str(told["node-id"]), actor=actor)


def submit(folder: Path, job: Path) -> tuple[str, str]:
    """Hand a job file to the SuperLink.

    Returns:
        The job's id in the store, and Flower's number of the run.

    Raises:
        MissingDataError: no federation runs in this folder.
        InvalidInputError: it is no job.
        ConfigurationError: the SuperLink refuses it.
    """
    if "superlink" not in running(read_federation(folder)):
        raise MissingDataError(
            f"the federation in {folder} does not run: `xinglin federate up --dir {folder}`"
        )
    read_job(job)
    number = uuid.uuid4().hex
    place = folder / "jobs" / number
    place.mkdir(mode=0o700)
    write_whole(place / "JOB.toml", job.read_bytes())
    config = f'job="{number}"'
    told = flwr(folder, "run", str(folder / "app"), "xinglin", "--run-config", config, "--format", "json")
    return number, str(told["run-id"])


def run_ended(folder: Path, run: str) -> bool:
    """Whether Flower says that a run has ended, in whatever way."""
    told = flwr(folder, "list", "xinglin", "--run-id", run, "--format", "json")
    return any(str(one.get("status", "")).startswith("finished") for one in told.get("runs", []))


def stop(folder: Path) -> list[str]:
    """Stop the processes of a federation; keys, jobs and stores stay.

    Returns:
        What was running.
    """
    state = read_federation(folder)
    alive = running(state)
    jobs = {path.parent.name: int(path.read_text()) for path in folder.glob(f"jobs/*/{PID}")}
    _stop({name: pid for name, pid in jobs.items() if _is_ours(pid, COORDINATOR)}, COORDINATOR)
    _stop({name: state["pids"][name] for name in alive})
    save_json({**state, "pids": {}}, folder / FILE)
    return alive


def stay(folder: Path) -> None:
    """Keep a started federation until TERM or Ctrl-C, then stop it: for a container, which ends with its program.

    Raises:
        ConfigurationError: the SuperLink has ended by itself; its log says why.
    """
    asked = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        while not asked.wait(1.0):
            if "superlink" not in running(read_federation(folder)):
                raise ConfigurationError(f"the SuperLink has ended; see {folder / 'logs' / 'superlink.log'}")
    finally:
        stop(folder)
        for number, handler in before.items():
            signal.signal(number, handler)


def running(state: Mapping[str, Any]) -> list[str]:
    """Return the names of the processes that run: ``superlink`` and sites."""
    return [name for name, pid in state["pids"].items() if _is_ours(pid)]


def read_federation(folder: Path) -> dict[str, Any]:
    """Read ``federation.json``.

    Raises:
        MissingDataError: there is no federation in this folder.
        InvalidInputError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise MissingDataError(f"there is no federation in {folder}: `xinglin federate up --dir {folder}`")
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        pids = {str(name): int(pid) for name, pid in state["pids"].items()}
        return {
            "host": str(state["host"]),
            "port": int(state["port"]),
            "pids": pids,
            "sites": dict(state["sites"]),
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInputError(f"{path} is damaged: stop its processes by hand and delete it") from None


def coordinator_environment(folder: Path) -> dict[str, str]:
    """Return the environment of the coordinator's processes."""
    environment = dict(quiet(dict(os.environ)))
    environment |= {
        "FLWR_HOME": str(folder.resolve() / "flower"),
        "XINGLIN_FEDERATION": str(folder.resolve()),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")]),
    }
    return environment


def flwr(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run Flower's own command on this federation and return its JSON.

    Raises:
        ConfigurationError: it failed; its last words are quoted.
    """
    done = subprocess.run(
        [program("flwr"), *arguments],
        env=coordinator_environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    start = done.stdout.find("{")
    try:
        told: dict[str, Any] = json.loads(done.stdout[start:]) if start >= 0 else {}
    except ValueError:
        told = {}
    if done.returncode or not told.get("success"):
        words = told.get("error-message") or (done.stderr or done.stdout).strip()[-400:]
        raise ConfigurationError(f"flwr {arguments[0]}: {words}")
    return told


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _superlink(places: Mapping[str, Path], port: int) -> list[str]:
    certificates = places["certificates"]
    return [
        program("flower-superlink"),
        *("--host", HOST, "--port", str(port)),
        *("--ssl-ca-certfile", str(certificates / CA)),
        *("--ssl-certfile", str(certificates / SERVER)),
        *("--ssl-keyfile", str(certificates / SERVER_KEY)),
        "--enable-supernode-auth",
        "--disable-runtime-dependency-installation",
        *("--database", str(places["flower"] / "superlink.db")),
    ]


def _start_node(folder: Path, site: str, port: int, data: Path | None) -> int:
    place = folder / "nodes" / site
    options = NodeOptions(
        site, f"{HOST}:{port}", folder / "certificates" / CA, place / "key", data, free_port()
    )
    home = (place / "home").resolve()
    home.mkdir(exist_ok=True, mode=0o700)
    environment = node_environment(home)
    # Each hospital has a store of its own; the coordinator's URL is not theirs.
    environment.pop("XINGLIN_DATABASE_URL", None)
    return _spawn(node_command(options), environment, folder / "logs" / f"{site}.log")


def _spawn(command: list[str], environment: Mapping[str, str], log: Path) -> int:
    """Start a process in a session of its own, so that it and what it starts are stopped together."""
    with log.open("ab") as stream:
        started = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    return started.pid


def _wait(certificate: Path, port: int, pid: int, log: Path) -> None:
    """Wait until the SuperLink answers over TLS with the federation's own certificate."""
    trusted = ssl.create_default_context(cafile=str(certificate))
    until = time.monotonic() + START
    while time.monotonic() < until:
        try:
            with (
                socket.create_connection((HOST, port), timeout=2) as plain,
                trusted.wrap_socket(plain, server_hostname=HOST),
            ):
                return
        except OSError:
            if not _is_ours(pid):
                break
            time.sleep(0.2)
    raise ConfigurationError(f"the SuperLink did not come up; its last words are in {log}")


def _is_ours(pid: int, word: str = "flower-super") -> bool:
    """Whether a process runs and, where the system tells, its command is the one of Flower's that we started.

    After a restart of the machine or the container a number may be another's.
    """
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a child that ended is collected, so that it does not seem to run
    try:
        leader = os.getsid(pid) == pid
    except (ProcessLookupError, PermissionError):
        return False
    told = Path(f"/proc/{pid}")
    if not told.is_dir():
        return leader
    try:
        if (told / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
            return False  # it has ended, and whose child it is has not noticed
        command = (told / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # Empty for a moment while a new process becomes its program.
    return word.encode() in command if command else leader


def _stop(pids: Mapping[str, int], word: str = "flower-super", patience: float = 10.0) -> None:
    """Ask every process, with what it started where it leads a session, to end; then make those end that did not."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        alive = [pid for pid in pids.values() if _is_ours(pid, word)]
        for pid in alive:
            with suppress(ProcessLookupError):
                if os.getsid(pid) == pid:
                    os.killpg(pid, kind)
                else:
                    os.kill(pid, kind)
        until = time.monotonic() + patience
        while any(_is_ours(pid, word) for pid in alive) and time.monotonic() < until:
            time.sleep(0.1)
