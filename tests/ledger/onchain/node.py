"""A real node over HTTP for tests: ganache from npm, on a free port, with its chain in a folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

PACKAGE = "ganache@7.9.2"


def binary() -> list[str]:
    """The command that starts ganache: ``XINGLIN_TEST_NODE``, one on the path, or installed into a temporary folder."""
    named = os.environ.get("XINGLIN_TEST_NODE")
    if named:
        return [named]
    found = shutil.which("ganache")
    if found:
        return [found]
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("no node of a chain: set XINGLIN_TEST_NODE to ganache, or install npm")
    folder = Path(tempfile.gettempdir()) / "xinglin-test-node"
    program = folder / "node_modules" / ".bin" / "ganache"
    if not program.exists():
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", PACKAGE],
            cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"npm could not install {PACKAGE}: {done.stderr[-300:]}")
    return [str(program)]


class Node:
    """One ganache; may be stopped and started again with what it has written."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [
            *binary(), "--server.port", str(self.port), "--server.host", "127.0.0.1",
            "--database.dbPath", str(self.folder / "db"), "--wallet.deterministic",
            "--chain.chainId", "1337", "--logging.quiet", *self.options,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.rpc("web3_clientVersion")
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the node did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def rpc(self, method: str, *params: object) -> object:
        import json

        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        asked = Request(self.url, body, {"Content-Type": "application/json"})
        with urlopen(asked, timeout=30) as answer:
            return json.load(answer).get("result")

    def fund(self, address: str) -> None:
        """Send some of what the node's first account owns."""
        accounts = self.rpc("eth_accounts")
        assert isinstance(accounts, list)
        self.rpc("eth_sendTransaction", {"from": accounts[0], "to": address, "value": hex(10**19)})
