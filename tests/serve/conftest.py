from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import XinglinError
from xinglin.ledger import entries, verify
from xinglin.serve.app import create_app
from xinglin.serve.edge import write_edge
from xinglin.serve.edge.fetch import COMMAND, check_runtime
from xinglin.store import Store, open_store
from xinglin.types import Entry

PATIENT = "患者男性,58岁,胸痛3天,心电图显示ST段压低"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="session")
def differential() -> Differential:
    return load_differential(engine="graph")


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """A real uvicorn on a free loopback port, in a thread; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.01)
    else:
        raise TimeoutError("the server did not start within five seconds")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def api_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("api")
    opened = open_store(f"sqlite:///{folder / 'x.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(differential: Differential, api_store: Store) -> Iterator[httpx.Client]:
    """A client of a server in local mode, one a test file."""
    app = create_app(differential, api_store, workbench=False)
    with running(app) as address, httpx.Client(base_url=address, timeout=30) as opened:
        yield opened


def ledger_of(store: Store) -> list[Entry]:
    """Every entry of a chain that verifies."""
    with store.read() as connection:
        found = list(entries(connection))
        assert verify(connection) == len(found)
    return found


def count(store: Store, action: str) -> int:
    return sum(entry.action == action for entry in ledger_of(store))


@pytest.fixture
def refused() -> Callable[[httpx.Response], None]:
    """Assert that an answer is a problem document with a 4xx status and nothing of our insides in it."""

    def check(answer: httpx.Response) -> None:
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
        assert answer.headers["content-type"] == PROBLEM
        body = answer.json()
        assert {"type", "title", "status", "detail"} <= body.keys()
        assert body["status"] == answer.status_code
        assert "Traceback" not in answer.text
        assert 'File "' not in answer.text

    return check


@pytest.fixture(scope="module")
def edge_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the browser, where the runtime is at hand."""
    try:
        check_runtime()
    except XinglinError as error:
        pytest.skip(f"no browser runtime here ({error}); run {COMMAND}")
    return write_edge(tmp_path_factory.mktemp("edge") / "site").path
