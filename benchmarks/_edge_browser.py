"""The folder of the browser in real headless Chromium: its own worker, the network cut once it is open."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._line import Line, aim, quantile
from benchmarks._texts import TEXTS

CHROMIUM = Path("/usr/bin/chromium")
SECONDS = 300
TOLD = "one WASM thread in headless Chromium, network cut"
_OPEN = """async (version) => {
  const worker = new Worker("worker.js", { type: "module" });
  let id = 0;
  window.ask = (message) => new Promise((resolve, reject) => {
    const mine = ++id;
    const hear = ({ data }) => {
      if (data.id !== mine) return;
      worker.removeEventListener("message", hear);
      if (data.error === undefined) resolve(data.value); else reject(new Error(data.error));
    };
    worker.addEventListener("message", hear);
    worker.postMessage({ ...message, id: mine });
  });
  return (await window.ask({ kind: "open", version })).ms;
}"""


@dataclass(frozen=True, slots=True)
class Told:
    """One answer of the tab."""

    status: int
    body: dict[str, Any]
    model_ms: float
    """Tokens and text model."""
    engine_ms: float
    """Reading, graph, rules and rendering."""
    ms: float
    """Both."""


@dataclass
class BrowserTab:
    """An open tab."""

    page: Any
    load_ms: float
    """Files checked, Python, graph and text model ready, first answer given."""
    requests: list[str]
    """What went out after it was open."""

    def diagnose(self, body: dict[str, Any]) -> Told:
        """Answer one request body of ``POST /api/diagnose``."""
        sent = json.dumps(body, ensure_ascii=False)
        got = self.page.evaluate("(body) => window.ask({ kind: 'diagnose', body })", sent)
        ms = got["ms"]
        return Told(got["reply"]["status"], got["reply"]["body"], ms["model"], ms["engine"], ms["total"])

    def vectors(self) -> tuple[int, int]:
        """Run the conformance vectors in the tab: how many agree, of how many."""
        got = self.page.evaluate("() => window.ask({ kind: 'vectors' })")
        return got["agreed"], got["of"]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a written folder on loopback; yields its address."""
    import uvicorn
    from fastapi import FastAPI

    from xinglin.serve.edge.mounting import PATH, mount_edge

    app = FastAPI()
    mount_edge(app, folder)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}/"
        finally:
            server.should_exit = True
            thread.join(20)


@contextmanager
def opened(folder: Path) -> Iterator[BrowserTab]:
    """Open a folder in Chromium and cut the network."""
    from playwright.sync_api import sync_playwright

    version = _version(folder)
    with served(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.goto(
            f"{address}edge.json"
        )  # a document of the same origin and policy, without the page's own worker
        load = page.evaluate(_OPEN, version)
        sent: list[str] = []
        context.on("request", lambda request: sent.append(request.url))
        context.set_offline(True)
        yield BrowserTab(page, load, sent)
        browser.close()


def _version(folder: Path) -> str:
    from hashlib import sha256

    from xinglin.serve.edge.build import MANIFEST

    return sha256((folder / MANIFEST).read_bytes()).hexdigest()


def browser_row(
    texts: Sequence[str], *, model: Path | None = None, warm: int = 10
) -> tuple[list[Told], float, int]:
    """Answer texts in a tab over a model folder; returns the answers, the load time in ms and the folder's bytes."""
    from xinglin.serve.edge import write_edge

    with tempfile.TemporaryDirectory() as home:
        written = write_edge(Path(home) / "edge", model=model)
        with opened(written.path) as tab:
            for text in texts[:warm]:
                tab.diagnose({"text": text})
            return [tab.diagnose({"text": text}) for text in texts], tab.load_ms, written.size


def available() -> str | None:
    """Return why there is no browser's figure here, or ``None``."""
    from importlib.util import find_spec

    from xinglin.errors import XinglinError
    from xinglin.serve.edge.fetch import check_runtime

    if find_spec("playwright") is None or not CHROMIUM.is_file():
        return "needs Playwright and Debian's chromium"
    try:
        check_runtime()
    except XinglinError as error:
        return str(error)
    return None


def lines(quick: bool = False) -> list[Line]:
    """Return the browser's rows of ``benchmarks edge``: text model, whole diagnosis, size."""
    name = "browser, one WASM thread"
    why = available()
    if why is not None:
        return [Line(name, "p50", None, "ms", 0, note=why)]
    answers, _, size = browser_row(TEXTS[:4] if quick else TEXTS * 3)
    rows = [Line(name, "folder", size / 1e6, "MB", 1, note=aim(size / 1e6, 60, "MB"))]
    for figure, samples in (
        ("text model INT8 alone", [item.model_ms for item in answers]),
        ("whole diagnosis", [item.ms for item in answers]),
    ):
        for q in (0.5, 0.99):
            found = quantile(samples, q)
            limit = f"; {aim(found.value, 60, 'ms')}" if q == 0.5 and figure == "whole diagnosis" else ""
            note = f"shipped text model, {TOLD}{limit}"
            head = (name, f"{figure} p{q * 100:.0f}", found.value, "ms", found.n, found.low, found.high)
            rows.append(Line(*head, note=note))
    return rows
