"""The simulation: the same ServerApp and ClientApp in one process, under Flower's engine on Ray.

Every hospital keeps its own home below the job's folder, with its own store, ledger and privacy budget, as it would on
its own machine. Nothing leaves this process's machine.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.errors import InvalidInputError, MissingExtraError, TrainingError
from xinglin.federate.environment import quiet
from xinglin.federate.job import Job
from xinglin.federate.overview import job_history
from xinglin.federate.wire import State
from xinglin.store import Store

if TYPE_CHECKING:
    from xinglin.federate.site import Hospital


def run_local(
    job: Job,
    hospitals: Mapping[str, Path | None],
    folder: Path,
    store: Store,
    *,
    number: str | None = None,
    cpus: float = 1.0,
) -> State:
    """Run a job in the simulation.

    Args:
        hospitals: site -> folder of its data; ``None``: the archive in the site's own store.
        folder: where the hospitals' homes and the job's files go: ``folder/sites/SITE``, ``folder/jobs/NUMBER``.
        store: of the coordinator, for history and ledger.
        number: name of this run, letters and digits; ``None`` draws one.
        cpus: processor cores that Flower reserves for one hospital; 1 on two cores: two train at once.

    Returns:
        The shared part of the model after the last round.

    Raises:
        InvalidInputError: fewer hospitals than ``min_sites``.
        TrainingError: the job stopped; the store says why.
        MissingExtraError: Flower or Ray is not installed.
    """
    if len(hospitals) < job.min_sites:
        raise InvalidInputError(f"the job needs {job.min_sites} hospitals, {len(hospitals)} are given")
    quiet(os.environ)
    try:
        from flwr.app import Context
        from flwr.simulation import run_simulation

        from xinglin.federate.app import client_app, server_app
    except ImportError as error:
        raise MissingExtraError("the simulation", "federate") from error
    from xinglin.federate.rounds import MODEL, Coordination
    from xinglin.federate.site import Hospital

    number = number or uuid.uuid4().hex
    sites = [Hospital(site, folder / "sites" / site, data) for site, data in sorted(hospitals.items())]
    for one in sites:
        one.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = folder / "jobs" / number
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    logging.getLogger("flwr").setLevel(logging.ERROR)
    coordination = Coordination(job, number, store, place, "simulation", expected=len(sites))

    def hospital_of(context: Context) -> Hospital:
        return sites[int(context.node_config["partition-id"])]

    backend: dict[str, Any] = {
        "client_resources": {"num_cpus": cpus, "num_gpus": 0.0},
        "init_args": {"include_dashboard": False},
    }
    try:
        run_simulation(
            server_app(lambda _: coordination),
            client_app(hospital_of),
            num_supernodes=len(sites),
            backend_config=backend,
        )
    except Exception as error:
        told = job_history(store, number)
        if told is not None and told.state == "stopped":
            raise TrainingError(f"the job stopped: {told.reason}") from error
        raise
    from safetensors.numpy import load_file

    return dict(sorted(load_file(place / MODEL).items()))
