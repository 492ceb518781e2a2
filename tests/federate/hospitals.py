"""Hospitals with tables of their own, a job over them, and a grid that hands messages straight to the real ClientApp."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from xinglin.federate.environment import quiet
from xinglin.federate.job import Job, job_from
from xinglin.federate.overview import JobHistory, overview
from xinglin.federate.rounds import Coordination, coordinate
from xinglin.federate.site import Hospital
from xinglin.federate.wire import State
from xinglin.store import Store

quiet(os.environ)
COLUMNS = ("age", "pressure", "sugar")
ROWS = {"site-1": 60, "site-2": 90, "site-3": 40, "site-4": 120}
BASE: dict[str, Any] = {
    "job": {"name": "tiny", "task": "tabular", "rounds": 2, "seed": 3, "timeout": 60.0},
    "data": {"dataset": "tiny"},
    "train": {
        **{"target": "sick", "positive": ["1"], "negative": ["0"], "numeric": list(COLUMNS)},
        **{"steps": 5, "batch": 16, "learning_rate": 0.3},
    },
}


def a_job(**sections: Mapping[str, Any]) -> Job:
    merged = {name: {**BASE.get(name, {}), **sections.get(name, {})} for name in {*BASE, *sections}}
    return job_from(merged)


def write_tables(folder: Path, rows: Mapping[str, int] = ROWS, seed: int = 0) -> dict[str, Path]:
    """Write one folder a hospital with train.csv and test.csv of one common truth, shifted a little at each."""
    truth = np.array([1.0, -2.0, 0.5])
    folders = {}
    for place, (site, many) in enumerate(rows.items()):
        rng = np.random.default_rng([seed, place])
        folders[site] = folder / site
        folders[site].mkdir(parents=True)
        for part, count in (("train", many), ("test", 30)):
            x = rng.normal(0.1 * place, 1.0, (count, 3))
            sick = rng.random(count) < 1 / (1 + np.exp(-x @ truth))
            lines = [
                ",".join([*(f"{value:.4f}" for value in row), str(int(y))])
                for row, y in zip(x, sick, strict=True)
            ]
            text = "\n".join([",".join([*COLUMNS, "sick"]), *lines]) + "\n"
            (folders[site] / f"{part}.csv").write_text(text, encoding="utf-8")
    return folders


class DirectGrid:
    """A Flower grid without a network: each message runs through the real ClientApp at once, in this process."""

    def __init__(
        self, hospitals: Iterable[Hospital], change: Mapping[str, Callable[[Any, Any], Any]] | None = None
    ) -> None:
        from flwr.app import Context, RecordDict
        from flwr.supercore.task_identity import TaskIdentity

        from xinglin.federate.app import client_app

        # What Flower's own entry points set before they call an app.
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 0
        self.run = SimpleNamespace(run_id=1)
        self._app = client_app(lambda context: self._sites[context.node_id])
        self._sites = {100 + place: site for place, site in enumerate(hospitals)}
        self._contexts = {
            node: Context(run_id=1, node_id=node, node_config={}, state=RecordDict(), run_config={})
            for node in self._sites
        }
        self._change = dict(change or {})
        """Site -> what becomes of its answer: (message asked, answer) -> answer, or None for silence."""
        self._answers: dict[str, Any] = {}
        self._count = 0

    def get_node_ids(self) -> list[int]:
        return list(self._sites)

    def push_messages(self, messages: Iterable[Any]) -> list[str]:
        from flwr.app import Error

        numbers = []
        for message in messages:
            self._count += 1
            number = str(self._count)
            message.metadata.__dict__["_message_id"] = number
            node = message.metadata.dst_node_id
            try:
                # As over a wire: what the hospital gets is a copy.
                answer = self._app(copy.deepcopy(message), self._contexts[node])
            except Exception as error:
                answer = type(message)(Error(2, f"{type(error)}:<'{error}'>"), reply_to=message)
            answer.metadata.__dict__["_reply_to_message_id"] = number
            answer.metadata.__dict__["_src_node_id"] = node
            change = self._change.get(self._sites[node].site)
            self._answers[number] = answer if change is None else change(message, answer)
            numbers.append(number)
        return numbers

    def pull_messages(self, numbers: Iterable[str]) -> list[Any]:
        found = [self._answers.pop(number, None) for number in list(numbers)]
        return [answer for answer in found if answer is not None]


def run_direct(
    job: Job,
    folders: Mapping[str, Path],
    place: Path,
    store: Store,
    change: Mapping[str, Callable[[Any, Any], Any]] | None = None,
    number: str = "a1",
) -> State:
    """Run a job through a direct grid; the history is in the store."""
    from flwr.app import Context, RecordDict

    sites = [Hospital(site, place / "sites" / site, data) for site, data in sorted(folders.items())]
    for site in sites:
        site.home.mkdir(parents=True, exist_ok=True)
    folder = place / "jobs" / number
    folder.mkdir(parents=True)
    context = Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config={})
    coordination = Coordination(job, number, store, folder, "simulation", expected=len(sites))
    return coordinate(DirectGrid(sites, change), coordination, context)  # type: ignore[arg-type]


def newest(store: Store) -> JobHistory:
    return overview(store).jobs[0]
