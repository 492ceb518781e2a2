"""The rounds of a federation in one process: the product's own task, strategy and aggregation, over examples in memory.

What is left out is the wire, the ledger and the processes; ``federate.local.run_local`` walks the same rounds with all
of these, and the benchmark ``fed_heart`` compares the two models bit by bit. For retraining many times what has been
admitted once: coalitions of hospitals, settings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from xinglin.errors import MissingExtraError
from xinglin.federate.job import Job
from xinglin.federate.joining import aggregate
from xinglin.federate.robust import SiteUpdate
from xinglin.federate.strategy import as_state, flower_strategy, node_seed, only, shared_names
from xinglin.federate.tasks.protocol import Privacy, State, Task
from xinglin.federate.wire import layout

Hospitals = Mapping[str, Any]
"""Site -> its examples."""
Joined = dict[str, State]
"""Site -> the common part of the model with the site's own part."""


def federate(
    job: Job,
    task: Task,
    hospitals: Hospitals,
    *,
    private: Mapping[str, Privacy] | None = None,
    watch: Callable[[int, Joined], None] | None = None,
) -> Joined:
    """Run a job's rounds over all hospitals.

    Args:
        job: rounds, strategy, seed, settings.
        task: of that job.
        hospitals: training examples by site.
        private: how each site's training is made private; ``None``: not at all.
        watch: called after every round.

    Raises:
        MissingExtraError: Flower is not installed.
    """
    try:
        from flwr.supercore.task_identity import TaskIdentity
    except ImportError as error:
        raise MissingExtraError("federated training", "federate") from error
    # A message of Flower bears the number of its run, which outside of a run nobody has set.
    logging.getLogger("flwr").setLevel(logging.WARNING)
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 0
    state = task.initial(job.seed)
    shared = shared_names(job, state)
    own = {site: {name: a for name, a in state.items() if name not in shared} for site in sorted(hospitals)}
    common = only(state, shared)
    strategy = flower_strategy(job)
    options = dict(job.train)
    if job.strategy.proximal_mu is not None:
        options["proximal_mu"] = job.strategy.proximal_mu
    for number in range(1, job.rounds + 1):
        updates = {}
        for site in own:
            update = task.train(
                {**common, **own[site]},
                hospitals[site],
                options=options,
                private=None if private is None else private[site],
                seed=node_seed(job, site, number),
            )
            updates[site] = SiteUpdate(only(update.state, shared), update.examples)
            own[site] = {name: a for name, a in update.state.items() if name not in shared}
        # Flower's adaptive strategies note the state that a round starts from when they hand it out.
        setattr(strategy, "current_arrays", dict(common))  # noqa: B010
        common = as_state(aggregate(strategy, number, updates), layout(common))
        if watch is not None:
            watch(number, {site: {**common, **own[site]} for site in own})
    return {site: {**common, **own[site]} for site in own}
