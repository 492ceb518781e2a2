"""The one ServerApp and the one ClientApp, on Flower's Message API.

Both run unchanged in the simulation and as real processes; what differs is where the coordinator and the hospital
learn what they are: from arguments there, from the run's and the node's configuration here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xinglin import __version__
from xinglin.errors import ConfigurationError, InvalidInputError, MissingExtraError, XinglinError
from xinglin.federate import site as steps
from xinglin.federate.job import Job, read_job
from xinglin.federate.keep import write_whole
from xinglin.federate.processes import PID
from xinglin.federate.rounds import Coordination, coordinate
from xinglin.federate.site import Hospital
from xinglin.federate.strategy import WEIGHT
from xinglin.federate.wire import PROTOCOL, from_record, metrics, to_record
from xinglin.store import open_store

try:
    from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp
    from flwr.serverapp import Grid, ServerApp
except ImportError as error:
    raise MissingExtraError("federated training", "federate") from error

ADMITTED = "xinglin.admitted"
"""Where Flower keeps, for this run, that the hospital took part and which round it trained last."""
_LOG = logging.getLogger("xinglin.federate")


def server_app(coordination_of: Callable[[Context], Coordination]) -> ServerApp:
    """Return the coordinator."""
    app = ServerApp()

    @app.main()  # type: ignore[untyped-decorator, unused-ignore]
    def main(grid: Grid, context: Context) -> None:
        coordinate(grid, coordination_of(context), context)

    return app


def client_app(hospital_of: Callable[[Context], Hospital]) -> ClientApp:
    """Return the hospital's side: one function a message type, each refusing in words rather than failing."""
    from xinglin.federate.secure import masked

    app = ClientApp()

    @app.query()  # type: ignore[untyped-decorator, unused-ignore]
    def query(message: Message, context: Context) -> Message:
        return _answered(message, hospital_of(context), lambda hospital: _admit(hospital, message, context))

    @app.train(mods=[masked])  # type: ignore[untyped-decorator, unused-ignore]
    def train(message: Message, context: Context) -> Message:
        return _answered(message, hospital_of(context), lambda hospital: _train(hospital, message, context))

    @app.evaluate()  # type: ignore[untyped-decorator, unused-ignore]
    def evaluate(message: Message, context: Context) -> Message:
        return _answered(message, hospital_of(context), lambda hospital: _evaluate(hospital, message))

    return app


def _answered(message: Message, hospital: Hospital, step: Callable[[Hospital], dict[str, Any]]) -> Message:
    """Run a step; what it refuses for becomes a reason, in words that name no row."""
    try:
        records, reason = step(hospital), ""
    except XinglinError as error:
        records, reason = {}, f"{error.title}: {error}"
    except OSError as error:  # its text may hold a path
        records, reason = {}, f"{type(error).__name__}: {error.strerror}"
    except Exception as error:
        # The hospital's log has all of it; the coordinator learns the kind only, since a text may quote a row.
        _LOG.exception("a step of a federated job failed")
        records, reason = {}, f"{type(error).__name__} at the hospital: its log says more"
    answer = ConfigRecord({"site": hospital.site, "refused": reason})
    return Message(RecordDict({"answer": answer, **records}), reply_to=message)


def _admit(hospital: Hospital, message: Message, context: Context) -> dict[str, Any]:
    job = steps.agree(_told(message))
    admitted = steps.admit(hospital, job)
    known = context.state.config_records.get(ADMITTED)
    if known is None or known["job"] != job.digest():
        context.state.config_records[ADMITTED] = ConfigRecord({"job": job.digest(), "round": 0})
    return {"metrics": MetricRecord({WEIGHT: admitted.examples})}


def _train(hospital: Hospital, message: Message, context: Context) -> dict[str, Any]:
    job, number, shared = _round(message)
    steps.check_turn(context.state.config_records.get(ADMITTED), job, number)
    # Noted first: a step that fails half-way may have spent budget, and is not tried twice.
    context.state.config_records[ADMITTED]["round"] = number
    trained = steps.train(hospital, job, number, shared)
    records: dict[str, Any] = {
        "arrays": to_record(trained.state),
        "metrics": MetricRecord({**metrics(trained.metrics), WEIGHT: trained.examples}),
    }
    if (budget := trained.budget) is not None:
        told: dict[str, Any] = {
            "unit": budget.unit,
            "spent": budget.spent,
            "allowed": budget.allowed,
            "delta": budget.delta,
        }
        records["budget"] = ConfigRecord(told)
    return records


def _evaluate(hospital: Hospital, message: Message) -> dict[str, Any]:
    job, number, shared = _round(message)
    last = bool(_told(message).get("last", False))
    found: dict[str, Any] = dict(metrics(steps.evaluate(hospital, job, number, shared, last=last)))
    return {"metrics": MetricRecord(found)}


def _told(message: Message) -> ConfigRecord:
    told = message.content.config_records.get("config")
    if told is None:
        raise InvalidInputError("the coordinator's message has no configuration")
    return told


def _round(message: Message) -> tuple[Job, int, dict[str, Any]]:
    told = _told(message)
    job, number = steps.agree(told), told.get("server-round")
    arrays = message.content.array_records.get("arrays", ArrayRecord())
    if not isinstance(number, int) or not 1 <= number <= job.rounds:
        raise InvalidInputError(f"round: expected 1 to {job.rounds}, got {number!r}")
    return job, number, from_record(arrays, steps.expected(job), sender="coordinator")


def _coordination(context: Context) -> Coordination:
    """The coordinator of a real federation: its job lies in the folder that the run's configuration names."""
    from xinglin.federate.history import registered

    number = str(context.run_config["job"])
    folder = Path(os.environ["XINGLIN_FEDERATION"]) / "jobs" / number
    if not number.isalnum() or not folder.is_dir():
        raise ConfigurationError(f"there is no job {number[:40]!r} in this federation")
    # Flower starts this process in a session of its own, out of the SuperLink's reach: ``processes.stop`` looks here.
    write_whole(folder / PID, str(os.getpid()).encode())
    store = open_store()
    return Coordination(read_job(folder / "JOB.toml"), number, store, folder, "federation", registered(store))


def _hospital(context: Context) -> Hospital:
    """The hospital of a real federation: as ``xinglin federate node`` was told."""
    told = context.node_config
    data = str(told.get("data", ""))
    return Hospital(
        site=str(told["site"]),
        home=Path(os.environ["XINGLIN_HOME"]),
        data=Path(data) if data else None,
        url=os.environ.get("XINGLIN_DATABASE_URL"),
        issuers=tuple(str(told.get("issuers", "")).split()),
        signer=str(told.get("signer", "")) or None,
    )


server = server_app(_coordination)
client = client_app(_hospital)

VERSIONS = {"protocol": PROTOCOL, "xinglin": __version__}
