"""Secure aggregation: the coordinator learns the sum of the updates and no single one (SecAgg+, Bell et al. 2020,
ePrint 2020/704).

The protocol is Flower's, which has it on its older interface only; a round of it stands in for a plain one. What is
masked is the change of the weights, not the weights: SecAgg+ cuts every number to a range before it is turned into an
integer, and a weight beyond the range would be cut silently. A hospital whose change does not fit says so instead.

What it costs: no norm can be measured, no median taken, nobody's update refused for what it holds (``job`` refuses a job
that asks for both). The number of examples of each hospital is sent openly, as Flower sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, NotPermittedError
from xinglin.federate.asking import ask, told_budget
from xinglin.federate.history import Answer
from xinglin.federate.job import Job
from xinglin.federate.strategy import WEIGHT
from xinglin.federate.wire import State, layout, metrics, text

if TYPE_CHECKING:
    from flwr.app import ConfigRecord, Context, Message
    from flwr.serverapp import Grid


def secure_round(
    grid: Grid,
    context: Context,
    job: Job,
    number: int,
    state: State,
    asked: Mapping[str, int],
    rows: Mapping[str, int],
    config: ConfigRecord,
) -> tuple[dict[str, NDArray[Any]] | None, dict[str, Answer]]:
    """Run one round of training under SecAgg+.

    Args:
        context: of the ServerApp; Flower keeps the protocol's state there.
        state: that the round starts from.
        asked: site -> Flower's node number.
        rows: examples of each site at its admission; the largest is the protocol's ``max_weight``.
        config: what a plain round would carry.

    Returns:
        The new weights, name -> array; ``None`` if too few hospitals were left to undo the masks. And what came of each
        site.
    """
    from flwr.app import ConfigRecord
    from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
    from flwr.compat.common.recorddict_compat import parameters_to_arrayrecord
    from flwr.server.compat import LegacyContext
    from flwr.server.workflow import SecAggPlusWorkflow
    from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key

    names = list(layout(state))
    parameters = ndarrays_to_parameters([state[name] for name in names])
    listening = _Listening(grid, job.timeout)
    total = _Total(listening, asked, {**config, "server-round": number})
    legacy = LegacyContext(context, strategy=total, client_manager=total)  # type: ignore[arg-type]
    legacy.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({Key.CURRENT_ROUND: number})
    legacy.state.array_records[MAIN_PARAMS_RECORD] = parameters_to_arrayrecord(parameters, True)
    SecAggPlusWorkflow(
        num_shares=1.0 if job.secure.shares is None else job.secure.shares,
        reconstruction_threshold=2 / 3 if job.secure.threshold is None else job.secure.threshold,
        max_weight=float(max(rows[site] for site in asked)),
        clipping_range=job.secure.clipping_range,
        quantization_range=job.secure.quantization_range,
        timeout=job.timeout,
    )(cast("Any", listening), legacy)
    answers = {site: listening.answer(site, node, rows[site]) for site, node in asked.items()}
    if total.parameters is None or any(answer.state == "refused" for answer in answers.values()):
        return None, answers
    change = parameters_to_ndarrays(total.parameters)
    return {name: state[name] + one for name, one in zip(names, change, strict=True)}, answers


def masked(message: Message, context: Context, call_next: Callable[[Message, Context], Message]) -> Message:
    """Flower modifier of the hospital's training: a message of the protocol goes through SecAgg+, another straight on."""
    from flwr.client.mod import secaggplus_mod
    from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS

    if RECORD_KEY_CONFIGS not in message.content.config_records:
        return call_next(message, context)

    def step(told: Message, of: Context) -> Message:
        return _translated(told, of, call_next)

    return secaggplus_mod(message, context, step)


def _translated(
    message: Message, context: Context, call_next: Callable[[Message, Context], Message]
) -> Message:
    """Let the training see a plain message, and give the protocol the change of the weights."""
    from flwr.app import ArrayRecord, Message, RecordDict
    from flwr.common import Code, FitRes, Status, ndarrays_to_parameters
    from flwr.compat.common.recorddict_compat import fitres_to_recorddict

    from xinglin.federate.site import agree, expected

    told = message.content.config_records["fitins.config"]
    arrays = message.content.array_records["fitins.parameters"]
    job = agree(told)
    names = list(expected(job))
    if len(arrays) != len(names):
        raise InvalidInputError(f"the coordinator sent {len(arrays)} arrays, the model has {len(names)}")
    named = ArrayRecord({name: arrays[str(place)] for place, name in enumerate(names)})
    message.content = RecordDict({"arrays": named, "config": told})
    reply = call_next(message, context)
    refused = reply.content.config_records["answer"]["refused"]
    if refused:  # Flower's protocol knows no answer in words: an error is what it can carry
        raise NotPermittedError(str(refused))
    change = [
        reply.content.array_records["arrays"][name].numpy() - np.asarray(named[name].numpy())
        for name in names
    ]
    largest = max((float(np.abs(one).max(initial=0.0)) for one in change), default=0.0)
    if largest > job.secure.clipping_range:
        raise NotPermittedError(
            f"a weight changed by {largest:.3g}, [secure] clipping_range is {job.secure.clipping_range:.3g}: raise it, "
            "or train in smaller steps"
        )
    own = reply.content.metric_records["metrics"]
    fit = FitRes(Status(Code.OK, ""), ndarrays_to_parameters(change), int(cast("int", own[WEIGHT])), {})
    content = fitres_to_recorddict(fit, False)
    content["answer"] = reply.content["answer"]
    content["metrics"] = own
    if "budget" in reply.content.config_records:
        content["budget"] = reply.content["budget"]
    return Message(content, reply_to=message)


class _Total:
    """What Flower's older interface wants of a strategy and of its clients: who takes part, and where the sum goes."""

    def __init__(self, grid: _Listening, asked: Mapping[str, int], config: Mapping[str, Any]) -> None:
        self.parameters: Any = None
        self._grid, self._asked, self._config = grid, asked, dict(config)

    def num_available(self) -> int:
        """Return how many hospitals take part."""
        return len(self._asked)

    def configure_fit(self, server_round: int, parameters: Any, client_manager: Any) -> list[Any]:
        """Return one (client, instructions) a hospital."""
        from flwr.common import FitIns
        from flwr.server.compat.grid_client_proxy import GridClientProxy

        run = self._grid.run.run_id
        return [
            (GridClientProxy(node, self._grid, run), FitIns(parameters, dict(self._config)))  # type: ignore[arg-type]
            for node in self._asked.values()
        ]

    def aggregate_fit(
        self, server_round: int, results: list[Any], failures: list[Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Keep the average of the changes; Flower hands it over as everybody's result."""
        self.parameters = results[0][1].parameters if results else None
        return self.parameters, {}


class _Listening:
    """The grid, with the answers of each node remembered."""

    def __init__(self, grid: Grid, timeout: float) -> None:
        self._grid, self._timeout = grid, timeout
        self._last: dict[int, Message | None] = {}
        self._trained: dict[int, Message] = {}
        self.run = grid.run

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Ask, and note who answered what."""
        sent = list(messages)
        replies = ask(self._grid, sent, timeout=self._timeout if timeout is None else timeout)
        for message in sent:
            node = message.metadata.dst_node_id
            reply = replies.get(node)
            self._last[node] = reply
            if reply is not None and reply.has_content() and "metrics" in reply.content.metric_records:
                self._trained[node] = reply
        return list(replies.values())

    def answer(self, site: str, node: int, rows: int) -> Answer:
        """Return what came of a site over all stages of the protocol."""
        last, trained = self._last.get(node), self._trained.get(node)
        if last is not None and last.has_error():
            return Answer("silent", text(last.error.reason))
        if last is None or trained is None:
            return Answer("silent", "no answer in time")
        own = dict(trained.content.metric_records["metrics"])
        examples = own.pop(WEIGHT, 0)
        if not isinstance(examples, int) or not 1 <= examples <= rows:
            return Answer("refused", f"claims {examples} examples, was admitted with {rows}")
        return Answer("ok", examples=examples, train=metrics(own), budget=told_budget(trained, site))
