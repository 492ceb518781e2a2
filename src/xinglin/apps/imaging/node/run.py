"""The working side of a node: a complete series is read, its nodules found, its results written and sent.

A series that cannot be used ends with its reason in the log and the ledger; the node goes on. Results stay in the spool
until the peer has them. Images are deleted once their results are written, or once they have failed.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xinglin.apps.imaging.key_images import key_image
from xinglin.apps.imaging.measured import Algorithm, Detect
from xinglin.apps.imaging.node.inbox import Inbox
from xinglin.apps.imaging.node.listen import listen
from xinglin.apps.imaging.node.options import NodeOptions
from xinglin.apps.imaging.node.send import send
from xinglin.apps.imaging.products import write_dicom
from xinglin.apps.imaging.remember import first, keyed, told_of
from xinglin.apps.imaging.report import Report, make_report
from xinglin.apps.imaging.seg import segmentation
from xinglin.apps.imaging.sr import structured_report
from xinglin.errors import InvalidInputError, XinglinError
from xinglin.ledger import append
from xinglin.records.volumes import read_scan
from xinglin.store import Store

log = logging.getLogger("xinglin.imaging.node")
ACTOR = "imaging-node"
SUBJECT = "subject"
"""File in a series' folder: the subject of its ledger entries."""
HOUR = 3600.0
TICK = 0.2


@dataclass(eq=False)
class Node:
    """A DICOM node; ``start`` it, ``stop`` it."""

    store: Store
    detect: Detect
    algorithm: Algorithm
    options: NodeOptions
    inbox: Inbox = field(init=False)
    _server: Any = field(init=False, default=None)
    _worker: threading.Thread | None = field(init=False, default=None)
    _stopping: threading.Event = field(init=False, default_factory=threading.Event)
    _tries: dict[str, tuple[int, float]] = field(init=False, default_factory=dict)
    """Of each result that waits: how often its sending failed, and when it is tried again."""

    def __post_init__(self) -> None:
        self.inbox = Inbox(self.options)
        for half in self.inbox.outbox.glob(".*"):
            shutil.rmtree(half)

    def start(self) -> None:
        """Listen and work until ``stop``; what an earlier run left in the spool is taken up again."""
        self._server = listen(self.options, self.inbox)
        self._worker = threading.Thread(target=self._work, name="imaging-node", daemon=True)
        self._worker.start()
        log.info("listening as %s at %s:%d", self.options.aet, self.options.host, self.options.port)

    def stop(self) -> None:
        """Stop listening, finish the series being worked on, and return; a second call does nothing."""
        self._stopping.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
        if self._worker is not None:
            self._worker.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step()
            except Exception:
                # The store or the disk: nothing was lost, the spool is as it was. Say so and try again.
                log.exception("a round of work failed; trying again in %g s", self.options.retry)
                self._stopping.wait(self.options.retry)
            self._stopping.wait(TICK)

    def step(self) -> None:
        """Work on every complete series, then send what waits."""
        for key in self.inbox.complete():
            if not self._stopping.is_set():
                self._series(key)
        for folder in sorted(self.inbox.outbox.iterdir()):
            if not self._stopping.is_set() and not folder.name.startswith("."):
                self._deliver(folder)

    def _series(self, key: str) -> None:
        folder, count = self.inbox.take(key)
        subject = self._received(key, folder, count)
        try:
            if count < self.inbox.earlier(key):
                raise InvalidInputError(
                    "images came after their series was taken as complete: send the whole series again, and give the "
                    "node a longer idle time"
                )
            report = make_report(read_scan(folder, expected="CT"), self.detect, self.algorithm)
            self._write(report, key, subject)
        except Exception as error:
            # Whatever one series does, the next must be served. Other messages may quote what they choked on.
            reason = str(error) if isinstance(error, XinglinError) else type(error).__name__
            log.warning("series %s failed: %s", subject[:12], reason)
            if not isinstance(error, XinglinError):
                log.debug("series %s", subject[:12], exc_info=True)
            with self.store.write() as connection:
                detail = {"reason": reason[:500], "images": count}
                append(connection, "imaging.node.failed", actor=ACTOR, subjects=(subject,), detail=detail)
            self.inbox.drop(key)
            return
        self.inbox.drop(key, count)

    def _received(self, key: str, folder: Path, count: int) -> str:
        noted = folder / SUBJECT
        if noted.is_file():
            return noted.read_text()
        with self.store.write() as connection:
            detail = {"images": count}
            subject = first(connection, "imaging.node.received", key, actor=ACTOR, detail=detail)
            noted.write_text(subject)
        return subject

    def _write(self, report: Report, key: str, subject: str) -> None:
        """Write the results into a hidden folder, and show it in the transaction that notes them."""
        hidden, shown = self.inbox.outbox / f".{key}", self.inbox.outbox / key
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir(mode=0o700)
        write_dicom(structured_report(report), hidden / "sr.dcm")
        cut = segmentation(report)
        if cut is not None:
            write_dicom(cut, hidden / "seg.dcm")
        for one in report.nodules:
            write_dicom(key_image(report, one), hidden / f"key-{one.number:03d}.dcm")
        (hidden / SUBJECT).write_text(subject)
        contents = {path.name: path.read_bytes() for path in sorted(hidden.glob("*.dcm"))}
        with self.store.write() as connection:
            detail = told_of(report) | {"files": keyed(connection, subject, contents)}
            append(connection, "imaging.node.result", actor=ACTOR, subjects=(subject,), detail=detail)
            shutil.rmtree(shown, ignore_errors=True)
            hidden.rename(shown)
        log.info("series %s: %d nodules, %d objects", subject[:12], len(report.nodules), len(contents))

    def _deliver(self, folder: Path) -> None:
        tries, due = self._tries.get(folder.name, (0, 0.0))
        if time.monotonic() < due:
            return
        subject = (folder / SUBJECT).read_text()
        reason: str | None = "no peer is configured"
        if self.options.peer is not None:
            sent, reason = send(self.options, self.options.peer, sorted(folder.glob("*.dcm")))
            for path in sent:
                path.unlink()
        if reason is not None:
            wait = min(self.options.retry * 2**tries, HOUR)
            self._tries[folder.name] = tries + 1, time.monotonic() + wait
            log.warning("results of %s stay in the spool: %s; next try in %.0f s", subject[:12], reason, wait)
            if tries == 0:
                self._note("imaging.node.spooled", subject, {"reason": reason})
            return
        self._tries.pop(folder.name, None)
        self._note("imaging.node.sent", subject, {})
        shutil.rmtree(folder)
        log.info("results of %s sent", subject[:12])

    def _note(self, action: str, subject: str, detail: dict[str, Any]) -> None:
        with self.store.write() as connection:
            append(connection, action, actor=ACTOR, subjects=(subject,), detail=detail)
