"""What one hospital does: take part or not, train, measure. Its rows are read here and nowhere else.

Every step begins from the job as it was admitted: a coordinator that skips the admission, changes the job meanwhile or
asks for a round twice is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xinglin import __version__
from xinglin.errors import ConfigurationError, InvalidInputError, MissingDataError, NotPermittedError
from xinglin.federate.job import Job, job_from
from xinglin.federate.keep import load_state, save_state
from xinglin.federate.strategy import node_seed, only, shared_names
from xinglin.federate.tasks.protocol import Archived, Files, NodeData, Task
from xinglin.federate.tasks.registry import task as find_task
from xinglin.federate.wire import PROTOCOL, Layout, State, digest, layout
from xinglin.ledger.chain import append
from xinglin.store import Store, open_store

ACTOR = "federation"
"""Who reads at a hospital on behalf of a job; its steward grants to this name."""
LOCAL, MODEL = "local.safetensors", "model.safetensors"


@dataclass(frozen=True, slots=True)
class Hospital:
    """Where one hospital keeps what."""

    site: str
    home: Path
    """Its own ``XINGLIN_HOME``: store, ledger, budget, what a job leaves behind."""
    data: Path | None
    """Folder of its data set, with ``manifest.json``; ``None``: the archive of its store."""
    url: str | None = None
    """URL of its store; ``None``: ``xinglin.db`` in ``home``."""

    def store(self) -> Store:
        """Open the hospital's own store."""
        return open_store(self.url or f"sqlite:///{self.home / 'xinglin.db'}")

    def folder(self, job: Job) -> Path:
        """Return where this job leaves its files: private weights, and the model at the end."""
        return self.home / "federation" / f"{job.name}-{job.digest()[:12]}"

    def node_data(self, store: Store, job: Job, part: str) -> NodeData:
        """Return where the examples of a part of the data lie."""
        if self.data is not None:
            return Files(self.data, part)
        return Archived(store, job.data.dataset, ACTOR, job.purpose)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A hospital that takes part."""

    examples: int


@dataclass(frozen=True, slots=True)
class Trained:
    """What a hospital sends after a round: the shared part of its state."""

    state: State
    examples: int
    metrics: dict[str, float]


def agree(told: Mapping[str, Any]) -> Job:
    """Return the job that a coordinator's message carries.

    Raises:
        ConfigurationError: it speaks another version; both versions are named.
        InvalidInputError: it is no job.
    """
    import json

    theirs = (told.get("protocol"), told.get("xinglin"))
    if theirs != (PROTOCOL, __version__):
        raise ConfigurationError(
            f"version mismatch: this hospital runs xinglin {__version__}, protocol {PROTOCOL}; the coordinator "
            f"xinglin {str(theirs[1])[:40]}, protocol {str(theirs[0])[:10]}: install the same version on both sides"
        )
    spelled = told.get("job")
    if not isinstance(spelled, str) or len(spelled) > 1024 * 1024:
        raise InvalidInputError("the coordinator's message carries no job")
    try:
        decoded = json.loads(spelled)
    except (ValueError, RecursionError):
        raise InvalidInputError("the coordinator's job is no JSON") from None
    if not isinstance(decoded, dict):
        raise InvalidInputError("the coordinator's job is no JSON object")
    return job_from(decoded)


def admit(hospital: Hospital, job: Job) -> Admitted:
    """Decide whether this hospital takes part, before the first round.

    Raises:
        NotPermittedError: no grant or consent covers the purpose.
        InvalidInputError: the data set has no rows, or does not fit the job.
        MissingDataError: there are no data.
    """
    task = find_task(job.task, job.train)
    shared_names(job, task.initial(job.seed))
    store = hospital.store()
    try:
        rows = len(_examples(task, hospital, store, job, "train"))
        with store.write() as connection:
            append(
                connection,
                "federation.admit",
                actor=ACTOR,
                subjects=(job.digest(),),
                detail={"job": job.name, "task": job.task, "purpose": job.purpose},
            )
    finally:
        store.close()
    return Admitted(rows)


def train(hospital: Hospital, job: Job, round_number: int, shared: State) -> Trained:
    """Train one round on this hospital's rows, from the common state and the hospital's own part.

    Raises:
        NotPermittedError, BudgetExceededError, NotTrainedError, TrainingError: see the task and the privacy budget.
    """
    task = find_task(job.task, job.train)
    initial = task.initial(job.seed)
    names = shared_names(job, initial)
    before = _joined(hospital, job, initial, shared)
    options = dict(job.train)
    if job.strategy.proximal_mu is not None:
        options["proximal_mu"] = job.strategy.proximal_mu
    store = hospital.store()
    try:
        examples = _examples(task, hospital, store, job, "train")
        update = task.train(
            before,
            examples,
            options=options,
            private=None,
            seed=node_seed(job, hospital.site, round_number),
        )
        if len(names) < len(initial):
            save_state(_own(update.state, names), hospital.folder(job) / LOCAL)
        leaving = only(update.state, names)
        with store.write() as connection:
            append(
                connection,
                "federation.train",
                actor=ACTOR,
                subjects=(job.digest(), digest(leaving)),
                detail={"job": job.name, "round": round_number},
            )
    finally:
        store.close()
    return Trained(leaving, update.examples, dict(update.metrics))


def evaluate(
    hospital: Hospital, job: Job, round_number: int, shared: State, *, last: bool
) -> dict[str, float]:
    """Measure the common state, with the hospital's own part, on its test part; keep the model after the last round.

    Without a test part the figures are those of the training rows, and their names begin with ``train_``.
    """
    task = find_task(job.task, job.train)
    state = _joined(hospital, job, task.initial(job.seed), shared)
    store = hospital.store()
    try:
        try:
            found = task.evaluate(state, _examples(task, hospital, store, job, "test"))
        except MissingDataError:
            own = task.evaluate(state, _examples(task, hospital, store, job, "train"))
            found = {f"train_{name}": value for name, value in own.items()}
        if last:
            save_state(state, hospital.folder(job) / MODEL, {"job": job.digest(), "round": str(round_number)})
            with store.write() as connection:
                append(
                    connection,
                    "federation.receive",
                    actor=ACTOR,
                    subjects=(job.digest(), digest(state)),
                    detail={"job": job.name, "round": round_number},
                )
    finally:
        store.close()
    return found


def expected(job: Job) -> Layout:
    """Return the layout of what crosses the wire in this job."""
    initial = find_task(job.task, job.train).initial(job.seed)
    return layout(only(initial, shared_names(job, initial)))


def check_turn(admitted: Mapping[str, Any] | None, job: Job, round_number: int) -> None:
    """Check that this round of this job is what comes next.

    Args:
        admitted: ``job`` (digest) and ``round`` (last trained), as kept since the admission; ``None``: none was given.

    Raises:
        NotPermittedError: the job was not admitted, is another one, or the round was trained already.
    """
    if admitted is None or admitted["job"] != job.digest():
        raise NotPermittedError("this job was not admitted here: its first message must be the admission")
    if round_number <= int(admitted["round"]):
        raise NotPermittedError(f"round {round_number} was trained here already")


def _examples(task: Task, hospital: Hospital, store: Store, job: Job, part: str) -> Any:
    found = task.load(hospital.node_data(store, job, part))
    if not len(found):
        raise InvalidInputError(f"data set {job.data.dataset!r} has no rows in its part {part!r}")
    return found


def _own(state: State, shared: tuple[str, ...]) -> State:
    return {name: array for name, array in state.items() if name not in shared}


def _joined(hospital: Hospital, job: Job, initial: State, shared: State) -> State:
    """Return the whole state: the common part as it came, the own part as this hospital last left it."""
    own = _own(initial, tuple(shared))
    kept = hospital.folder(job) / LOCAL
    if own and kept.is_file():
        own = load_state(kept, layout(own))
    return dict(sorted({**own, **shared}.items()))
