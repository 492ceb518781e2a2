"""The coordinator's side of a job: admission, rounds, end. What happens is remembered as it happens.

A hospital that refuses, falls silent or sends what cannot be taken is named with the reason, and the round goes on with
the others while at least ``min_sites`` are left; else the job stops, with the last whole model kept. One that fell
silent is asked in the background whether it is back, and takes part again once it answers.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin import __version__
from xinglin.errors import InvalidInputError, TrainingError, XinglinError
from xinglin.federate.asking import ask, told_budget
from xinglin.federate.history import Answer, end_job, open_job, record_round
from xinglin.federate.job import Job
from xinglin.federate.joining import joined, most_norm, promise
from xinglin.federate.keep import save_json, save_state
from xinglin.federate.robust import SiteUpdate, refuse
from xinglin.federate.strategy import WEIGHT, as_state, draw, flower_strategy, only, shared_names
from xinglin.federate.tasks.registry import task as find_task
from xinglin.federate.wire import PROTOCOL, State, digest, from_record, layout, metrics, text, to_record
from xinglin.store import Store

if TYPE_CHECKING:
    from flwr.app import ConfigRecord, Context, Message
    from flwr.serverapp import Grid

ACTOR = "coordinator"
GATHER = 60.0
"""Seconds for which a job waits for registered hospitals that are not there yet, before it begins without them."""
MODEL, SUMMARY, PRIVACY = "model.safetensors", "summary.json", "privacy.json"


@dataclass(frozen=True, slots=True)
class Coordination:
    """What the coordinator needs for one job."""

    job: Job
    id: str
    store: Store
    folder: Path
    """Where the model goes."""
    mode: str
    """``simulation`` or ``federation``."""
    registered: Mapping[str, str] | None = None
    """Flower's node number -> site, where each hospital is known by its key; ``None``: believed by its word, which only
    the simulation may."""
    expected: int = 0
    """Hospitals to wait for; 0: those registered."""


@dataclass(slots=True)
class _Sites:
    """The hospitals of a job as they come and go."""

    nodes: dict[str, int] = field(default_factory=dict)
    """Site -> Flower's node number, of those admitted."""
    rows: dict[str, int] = field(default_factory=dict)
    away: dict[str, str | None] = field(default_factory=dict)
    """Site that fell silent -> the message that asks whether it is back."""

    def present(self) -> list[str]:
        return sorted(set(self.nodes) - set(self.away))


def coordinate(grid: Grid, coordination: Coordination, context: Context) -> State:
    """Run a job to its end.

    Returns:
        The shared part of the model after the last round, also in ``folder/model.safetensors``.

    Raises:
        TrainingError: fewer than ``min_sites`` hospitals are left, or the disk is full. The job stands as stopped in the
            store, with the reason.
    """
    job, store = coordination.job, coordination.store
    open_job(store, job, coordination.id, coordination.mode, actor=ACTOR)
    try:
        state = _rounds(grid, coordination, context)
        save_json(
            {"job": job.as_json(), "xinglin": __version__, "model": digest(state)},
            coordination.folder / SUMMARY,
        )
    except BaseException as error:
        told = str(error) if isinstance(error, XinglinError) else f"{type(error).__name__} at the coordinator"
        end_job(store, coordination.id, "stopped", reason=text(told), model=None, actor=ACTOR)
        raise
    end_job(store, coordination.id, "done", reason=None, model=digest(state), actor=ACTOR)
    return state


def _rounds(grid: Grid, coordination: Coordination, context: Context) -> State:
    job = coordination.job
    initial = find_task(job.task, job.train).initial(job.seed)
    state = only(initial, shared_names(job, initial))
    expected = layout(state)
    started = time.monotonic()
    sites, answers = _admission(grid, coordination)
    _record(coordination, 0, answers, started, None)
    _enough(job, "the admission", sites.present(), answers)
    if (promised := promise(job, len(sites.nodes))) is not None:
        save_json(promised, coordination.folder / PRIVACY)
    strategy = flower_strategy(job)
    for number in range(1, job.rounds + 1):
        started = time.monotonic()
        _welcome_back(grid, job, sites)
        chosen = draw(job, number, sites.present())
        away = {site: Answer("silent", "has not come back") for site in sites.away}
        _enough(job, f"round {number}", chosen, away)
        if job.secure.secagg:
            from xinglin.federate.secure import secure_round

            asked = {site: sites.nodes[site] for site in chosen}
            summed, answers = secure_round(grid, context, job, number, state, asked, sites.rows, _config(job))
        else:
            updates, answers = _train(grid, job, strategy, number, state, {s: sites.nodes[s] for s in chosen})
            refused = refuse(updates, state, rows=sites.rows, max_norm=most_norm(job))
            answers |= {
                site: replace(answers[site], state="refused", reason=why) for site, why in refused.items()
            }
            kept = {site: updates[site] for site in sorted(updates) if site not in refused}
            admitted = math.ceil(job.fraction * len(sites.nodes))
            summed = None
            if len(kept) >= job.min_sites:
                summed = joined(job, strategy, number, state, kept, admitted)
        trained = [site for site in chosen if answers[site].state == "ok"]
        for site in chosen:
            if answers[site].state == "silent":
                sites.away[site] = None
        if summed is None or len(trained) < job.min_sites:
            _record(coordination, number, answers, started, None)
            _enough(job, f"round {number}", trained, answers)
            raise TrainingError(f"round {number}: the updates could not be joined; see the coordinator's log")
        state = as_state(summed, expected)
        save_state(state, coordination.folder / MODEL, {"job": job.digest(), "round": str(number)})
        _evaluate(grid, job, sites, number, state, answers)
        _record(coordination, number, answers, started, digest(state))
    return state


def _record(
    coordination: Coordination, number: int, answers: Mapping[str, Answer], started: float, model: str | None
) -> None:
    seconds = time.monotonic() - started
    record_round(
        coordination.store, coordination.id, number, answers, seconds=seconds, model=model, actor=ACTOR
    )


def _enough(job: Job, when: str, left: Collection[str], answers: Mapping[str, Answer]) -> None:
    """Stop the job when too few hospitals are left, naming the others and why."""
    if len(left) >= job.min_sites:
        return
    others = "; ".join(
        f"{site}: {answer.reason or answer.state}"
        for site, answer in sorted(answers.items())
        if answer.state != "ok"
    )
    raise TrainingError(
        f"{when}: the job needs {job.min_sites} hospitals, {len(left)} are left"
        + (f" ({others})" if others else "")
    )


def _config(job: Job, **more: Any) -> ConfigRecord:
    from flwr.app import ConfigRecord

    spelled = json.dumps(job.as_json(), ensure_ascii=False, sort_keys=True)
    return ConfigRecord({"protocol": PROTOCOL, "xinglin": __version__, "job": spelled, **more})


def _query(job: Job, node: int) -> Message:
    from flwr.app import Message, MessageType, RecordDict

    return Message(RecordDict({"config": _config(job)}), node, MessageType.QUERY)


def _admission(grid: Grid, coordination: Coordination) -> tuple[_Sites, dict[str, Answer]]:
    """Ask every hospital that is there whether it takes part."""
    job, known = coordination.job, coordination.registered
    wanted = coordination.expected or len(known or {})
    until = time.monotonic() + min(GATHER, job.timeout)
    while len(nodes := sorted(grid.get_node_ids())) < max(wanted, job.min_sites) and time.monotonic() < until:
        time.sleep(0.2)
    replies = ask(grid, [_query(job, node) for node in nodes], timeout=job.timeout)
    sites, answers = _Sites(), {}
    for node in nodes:
        named = None if known is None else known.get(str(node))
        reply = replies.get(node)
        site, answer = _read_admission(reply, named, node)
        if known is not None and named is None:
            answer = Answer("refused", "its key is not registered here")
        elif site in answers:
            site, answer = f"{site[:60]} ({node})", Answer("refused", "another hospital bears this name")
        answers[site] = answer
        if answer.state == "ok" and answer.examples is not None:
            sites.nodes[site], sites.rows[site] = node, answer.examples
    for site in set((known or {}).values()) - set(answers):
        answers[site] = Answer("silent", "not connected")
    return sites, answers


def _read_admission(reply: Message | None, named: str | None, node: int) -> tuple[str, Answer]:
    told, reason = _reason(reply)
    site = named or told or f"node {node}"
    if reason is not None:
        return site, Answer(*reason)
    if named is not None and told != named:
        return site, Answer("refused", f"calls itself {told!r}, its key belongs to {named!r}")
    rows = _examples(reply)
    if rows is None or rows < 1:
        return site, Answer("refused", "it has no rows")
    return site, Answer("ok", examples=rows)


def _reason(reply: Message | None) -> tuple[str | None, tuple[Any, str] | None]:
    """Return the name that a reply bears, and its state with the reason where it is no answer."""
    if reply is None:
        return None, ("silent", "no answer in time")
    if reply.has_error():
        return None, ("silent", text(reply.error.reason))
    answer: Any = reply.content.config_records.get("answer", {})
    site = text(answer.get("site", ""))[:100] or None
    refused = text(answer.get("refused", "it sent no answer"))
    return site, ("refused", refused) if refused else None


def _examples(reply: Message | None) -> int | None:
    told: Any = {} if reply is None else reply.content.metric_records.get("metrics", {})
    value = told.get(WEIGHT)
    return value if isinstance(value, int) and 0 <= value < 2**53 else None


def _train(
    grid: Grid, job: Job, strategy: Any, number: int, state: State, asked: Mapping[str, int]
) -> tuple[dict[str, SiteUpdate], dict[str, Answer]]:
    """Send the state to the round's hospitals; returns the updates that fit the model, and what came of each site."""
    expected = layout(state)
    messages = strategy.configure_train(
        number, to_record(state), _config(job), _Chosen(grid, list(asked.values()))
    )
    replies = ask(grid, messages, timeout=job.timeout)
    updates: dict[str, SiteUpdate] = {}
    answers: dict[str, Answer] = {}
    for site, node in asked.items():
        reply = replies.get(node)
        _, reason = _reason(reply)
        if reply is None or reason is not None:
            answers[site] = Answer(*(reason or ("silent", None)))
            continue
        try:
            updates[site] = _update(reply, expected, site)
        except InvalidInputError as error:
            answers[site] = Answer("refused", text(error))
            continue
        told = {key: value for key, value in reply.content.metric_records["metrics"].items() if key != WEIGHT}
        answers[site] = Answer(
            "ok", examples=updates[site].examples, train=metrics(told), budget=told_budget(reply, site)
        )
    return updates, answers


def _update(reply: Message, expected: Any, site: str) -> SiteUpdate:
    arrays, examples = reply.content.array_records.get("arrays"), _examples(reply)
    if arrays is None or examples is None:
        raise InvalidInputError(f"{site}: sent no arrays, or not on how many examples they rest")
    return SiteUpdate(from_record(arrays, expected, sender=site), examples)


def _evaluate(
    grid: Grid, job: Job, sites: _Sites, number: int, state: State, answers: dict[str, Answer]
) -> None:
    """Let every hospital that is there measure the new state; what it finds joins its answer of the round."""
    from flwr.app import Message, MessageType, RecordDict

    told = _config(job, **{"server-round": number, "last": number == job.rounds})
    content = RecordDict({"arrays": to_record(state), "config": told})
    asked = {site: sites.nodes[site] for site in sites.present()}
    messages = [Message(content, node, MessageType.EVALUATE) for node in asked.values()]
    replies = ask(grid, messages, timeout=job.timeout)
    for site, node in asked.items():
        reply = replies.get(node)
        _, reason = _reason(reply)
        before = answers.get(site, Answer("ok"))
        if reply is not None and reason is None:
            answers[site] = replace(before, evaluate=metrics(reply.content.metric_records.get("metrics", {})))
        elif reason is not None:
            if reason[0] == "silent":
                sites.away[site] = None
            answers[site] = replace(before, reason=before.reason or f"measuring: {reason[1]}")


def _welcome_back(grid: Grid, job: Job, sites: _Sites) -> None:
    """Ask those that fell silent whether they are back, without waiting; who has answered meanwhile takes part again."""
    online = set(grid.get_node_ids())
    for site, number in list(sites.away.items()):
        if number is None:
            if sites.nodes[site] in online:
                sites.away[site] = next(iter(grid.push_messages([_query(job, sites.nodes[site])])), None)
            continue
        for reply in grid.pull_messages([number]):
            if _reason(reply)[1] is None:
                del sites.away[site]
            else:
                sites.away[site] = None


class _Chosen:
    """The grid as Flower's strategy sees it: the hospitals of this round are all there are."""

    def __init__(self, grid: Grid, nodes: list[int]) -> None:
        self._nodes = nodes
        self.run = grid.run

    def get_node_ids(self) -> list[int]:
        """Return the nodes of this round."""
        return self._nodes
