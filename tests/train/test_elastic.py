"""Training that loses workers: real processes on gloo, started by torchrun, killed with SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.train.line_worker import Line, draw, main
from xinglin.errors import ConfigurationError, TrainingError
from xinglin.train.elastic import fixed_shards, lost_worker_named, own_shards, require_one_process, world
from xinglin.train.loop import Plan, train
from xinglin.train.options import FineTuneOptions

WORKER = Path(__file__).with_name("line_worker.py")
ROOT = Path(__file__).parents[2]
QUICK = "join_timeout=60,last_call_timeout=8,keep_alive_interval=2,keep_alive_max_attempt=5"


def torchrun(*command: str, nodes: str = "1", workers: int = 2, endpoint: str = "localhost:0") -> list[str]:
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes", nodes, "--nproc-per-node", str(workers)),
        *("--max-restarts", "3", "--monitor-interval", "0.1", "--rdzv-id", "test", "--rdzv-backend", "c10d"),
        *("--rdzv-endpoint", endpoint, "--rdzv-conf", QUICK, *command),
    ]


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    # Else a host that comes late waits in vain: docs/distributed.md.
    own = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    return os.environ | own | more


def said(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "said.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One process over both shards, never stopped."""
    folder = tmp_path_factory.mktemp("undisturbed")
    main(folder, 2)
    return said(folder)


def test_a_killed_worker_changes_nothing_of_the_result(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    done = subprocess.run(
        torchrun(str(WORKER), str(tmp_path), "2", "0", "1:23"),
        capture_output=True, text=True, timeout=300, check=False, env=environment(), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = said(tmp_path)
    assert found["resumed_at"] == 20
    assert found["processes"] == 2
    assert found["steps"] == list(range(1, 41))
    assert "another worker was lost" in (tmp_path / "error-0.txt").read_text(encoding="utf-8")
    # Two shards: halves are summed in either order, so the same bits; more shards may differ in the last ones.
    assert found["weights"] == undisturbed["weights"]
    assert found["losses"] == undisturbed["losses"]
    assert found["tokens"] == undisturbed["tokens"] == 40 * 2 * 32


@pytest.mark.slow
def test_without_restarts_the_error_says_how_to_go_on(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    command = torchrun(str(WORKER), str(tmp_path), "2", "0", "1:23")
    command[command.index("--max-restarts") + 1] = "0"
    done = subprocess.run(command, capture_output=True, timeout=300, check=False, env=environment())
    assert done.returncode != 0
    assert not (tmp_path / "said.json").exists()
    assert json.loads((tmp_path / "run/state.json").read_text(encoding="utf-8"))["step"] == 20
    main(tmp_path, 2)  # the same command again, now with one process: the world shrank from two to one
    found = said(tmp_path)
    assert (found["resumed_at"], found["processes"]) == (20, 1)
    assert found["weights"] == undisturbed["weights"]


@pytest.mark.slow
def test_a_host_comes_late_and_is_lost(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        endpoint = f"localhost:{free.getsockname()[1]}"
    command = torchrun(*(str(WORKER), str(tmp_path), "2", "2"), nodes="1:2", workers=1, endpoint=endpoint)
    conf = command.index(QUICK)

    def step() -> int:
        try:
            return int(json.loads((tmp_path / "run/state.json").read_text(encoding="utf-8"))["step"])
        except FileNotFoundError:
            return 0

    def wait(until: Any, what: str) -> None:
        deadline = time.monotonic() + 400
        while not until():
            assert time.monotonic() < deadline, what
            time.sleep(0.05)

    logs = [(tmp_path / name).open("w") for name in ("first.log", "second.log")]

    def host(log: Any, first: bool) -> subprocess.Popen[bytes]:
        # Both hosts bear this machine's name; said outright, only one of them opens the meeting place.
        command[conf] = f"{QUICK},is_host={int(first)}"
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment(), start_new_session=True)

    hosts = [host(logs[0], True)]
    try:
        wait(lambda: step() >= 5, "the first host alone")
        hosts.append(host(logs[1], False))
        wait(lambda: len(workers_of(hosts[1].pid)) == 1, "the second host's worker")
        reached = step()
        (tmp_path / "fast").touch()
        wait(lambda: step() >= reached + 5, "both")
        for process in (*workers_of(hosts[1].pid), hosts[1].pid):
            os.kill(process, signal.SIGKILL)
        assert hosts[0].wait(timeout=240) == 0, (tmp_path / "first.log").read_text()[-3000:]
    finally:
        for one in hosts:
            if one.poll() is None:
                os.killpg(one.pid, signal.SIGKILL)
            one.wait()
        for log in logs:
            log.close()
    found = said(tmp_path)
    assert found["processes"] == 1
    assert found["resumed_at"] >= 10
    assert found["weights"] == undisturbed["weights"]


def workers_of(parent: int) -> list[int]:
    """The training processes that an agent started; it starts others too while it loads."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"\0LOCAL_RANK=" in (path / "environ").read_bytes():
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.mark.slow
def test_the_command_survives_a_killed_worker(encoder: Path, texts: list[str], tmp_path: Path) -> None:
    """``torchrun -m xinglin train department``: same weights, one ledger entry, nothing left over."""
    from safetensors.numpy import load_file

    from xinglin.ledger import entries
    from xinglin.model.checkpoint import verify_checkpoint
    from xinglin.store import open_store

    names = {"头": "神经内科", "胸": "心血管内科", "腹": "消化内科"}
    rows = [{"text": text, "department": names[text[2]]} for text in texts if text[2] in names]
    assert len(rows) > 30
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")

    def command(out: str) -> list[str]:
        return [
            *("-m", "xinglin", "train", "department", "--data", str(data), "--out", str(tmp_path / out)),
            *("--from", str(encoder), "--epochs", "40", "--batch-size", "8", "--max-length", "32"),
            *("--threads", "1", "--save-every", "5", "--shards", "2", "--json"),
        ]

    alone = subprocess.run(
        [sys.executable, *command("alone")], capture_output=True, text=True, check=False,
        env=environment(XINGLIN_HOME=str(tmp_path / "home-alone")),
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr[-2000:]
    state = tmp_path / ".killed.run/state.json"
    with (tmp_path / "log").open("w") as log:
        agent = subprocess.Popen(
            torchrun(*command("killed")), stdout=log, stderr=log,
            env=environment(XINGLIN_HOME=str(tmp_path / "home")), start_new_session=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 400
            while not state.is_file():
                assert agent.poll() is None, (tmp_path / "log").read_text()[-3000:]
                assert time.monotonic() < deadline
                time.sleep(0.02)
            workers = workers_of(agent.pid)
            assert len(workers) == 2
            os.kill(max(workers), signal.SIGKILL)
            assert agent.wait(timeout=240) == 0, (tmp_path / "log").read_text()[-3000:]
        finally:
            if agent.poll() is None:
                os.killpg(agent.pid, signal.SIGKILL)
            agent.wait()
    made = [verify_checkpoint(tmp_path / out) for out in ("alone", "killed")]
    assert [checkpoint.manifest["settings"]["shards"] for checkpoint in made] == [2, 2]
    weights = [load_file(tmp_path / out / "model.safetensors") for out in ("alone", "killed")]
    assert len(weights[0]) > 10
    for name, tensor in weights[0].items():
        # Batches of odd length split the sum over examples elsewhere: equal but for the last bits.
        np.testing.assert_allclose(weights[1][name], tensor, rtol=0, atol=2e-5)
    store = open_store(f"sqlite:///{tmp_path / 'home' / 'xinglin.db'}")
    with store.read() as connection:
        assert [entry.action for entry in entries(connection)].count("train") == 1
    store.close()
    assert not (tmp_path / ".killed.run").exists()


def test_shards_are_shared_out_once() -> None:
    for shards in range(1, 9):
        for processes in range(1, 11):
            own = [own_shards(shards, process, processes) for process in range(processes)]
            assert sorted(shard for some in own for shard in some) == list(range(shards))


@pytest.mark.slow
def test_hosts_without_a_shared_folder_are_refused(tmp_path: Path) -> None:
    main(tmp_path / "host-0", 2)
    command = torchrun(str(WORKER), str(tmp_path / "host-RANK"), "2")
    command[command.index("--max-restarts") + 1] = "0"
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=environment()
    )
    assert done.returncode != 0
    for rank in (0, 1):
        said_of_it = (tmp_path / f"host-{rank}/error-{rank}.txt").read_text(encoding="utf-8")
        assert "states of different steps (40, 0)" in said_of_it
        assert "file system that all hosts share" in said_of_it


@pytest.mark.slow
def test_more_processes_than_shards_add_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        torchrun(str(WORKER), str(tmp_path), "1"), capture_output=True, timeout=300, check=False, env=environment()
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    main(tmp_path / "one", 1)
    assert said(tmp_path)["processes"] == 2
    np.testing.assert_allclose(
        said(tmp_path)["weights"], said(tmp_path / "one")["weights"], rtol=0, atol=1e-7
    )


def test_the_number_of_shards_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "run"
    assert fixed_shards(None, None) == fixed_shards(None, state) == 1
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert fixed_shards(None, state) == world() == 3
    assert fixed_shards(7, state) == 7
    state.mkdir()
    for body, expected in (
        ('{"shards": 2}', 2),
        ('{"shards": 0}', 3),
        ("{", 3),
        ("[]", 3),
        ('{"shards": "2"}', 3),
    ):
        (state / "state.json").write_text(body, encoding="utf-8")
        assert fixed_shards(None, state) == expected
    with pytest.raises(ConfigurationError, match="open-model runs as one process; got 3"):
        require_one_process("open-model")
    monkeypatch.setenv("WORLD_SIZE", "many")
    with pytest.raises(ConfigurationError, match="WORLD_SIZE"):
        world()
    with pytest.raises(ConfigurationError, match="shards"):
        replace(FineTuneOptions(), shards=0)


def test_a_state_of_another_shape_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    plan = Plan(4, 1e-2, 0.1, 0.01, seed=3, save_every=2, digest="d" * 64, threads=1)
    train(Line(), draw, plan, tmp_path / "run")
    path = tmp_path / "run/optimiser.safetensors"
    moments = load_file(path)
    save_file(moments | {"0.exp_avg": moments["0.exp_avg"].reshape(2, 2)}, path)
    with pytest.raises(TrainingError, match=r"does not fit.*\(2, 2\), expected \(1, 4\)"):
        train(Line(), draw, plan, tmp_path / "run")
    save_file(moments | {"9.exp_avg": moments["0.exp_avg"].clone()}, path)
    with pytest.raises(TrainingError, match="does not fit"):
        train(Line(), draw, plan, tmp_path / "run")


def test_a_group_that_was_replaced_stops(tmp_path: Path) -> None:
    """A host cut off from the others trains on while they go on without it: one of the two may save."""
    plan = Plan(12, 1e-2, 0.1, 0.01, seed=3, save_every=4, digest="d" * 64, threads=1)

    def overtaken(step: int, shard: int, shards: int) -> dict[str, torch.Tensor]:
        if step == 6:
            train(Line(), draw, plan, tmp_path / "run")
        return draw(step, shard, shards)

    with pytest.raises(TrainingError, match="another group of workers"):
        train(Line(), overtaken, plan, tmp_path / "run")
    assert json.loads((tmp_path / "run/state.json").read_text(encoding="utf-8"))["step"] == 12


def test_only_a_lost_peer_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="worker was lost"), lost_worker_named(tmp_path):
        raise RuntimeError("[../gloo/transport/tcp/pair.cc:538] Connection closed by peer [127.0.0.1]:3")
    with pytest.raises(RuntimeError, match="shapes"), lost_worker_named(tmp_path):
        raise RuntimeError("shapes do not match")
