"""Watching a job from outside: its history as it grows, and its end even if its process died without a word."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from xinglin.federate.history import end_job
from xinglin.federate.overview import JobHistory, job_history
from xinglin.store import Store

PAUSE, ENQUIRE = 0.5, 60.0
"""Seconds between two looks into the store, and between two questions whether the process still runs."""


def follow(store: Store, number: str, ended: Callable[[], bool]) -> Iterator[JobHistory]:
    """Yield a job's history each time that it has grown, until the job has ended.

    Args:
        ended: whether the process that runs the job has ended. One that ended and left the job running has died; the
            job is then entered as stopped.
    """
    rounds, asked = -1, time.monotonic()
    while True:
        found = job_history(store, number)
        if found is not None and (len(found.rounds) > rounds or found.state != "running"):
            rounds = len(found.rounds)
            yield found
            if found.state != "running":
                return
        if time.monotonic() - asked > ENQUIRE:
            asked = time.monotonic()
            if ended():
                if job_history(store, number) is None:
                    return
                # Does nothing to a job that has an end of its own by now.
                why = "the coordinator's process ended without a word: see its log"
                end_job(store, number, "stopped", reason=why, model=None, actor="coordinator")
                continue
        time.sleep(PAUSE)
