"""From the hospitals' updates to one model: Flower's own strategies, chosen and numbered by the job.

Who takes part in a round is decided here, from the job's seed and the hospitals' names, so that a run can be repeated;
Flower draws from the process's global generator. The updates reach Flower's arithmetic in the order of the names.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import ConfigurationError, MissingExtraError
from xinglin.federate.job import Job
from xinglin.federate.wire import Layout, State

if TYPE_CHECKING:
    from flwr.serverapp.strategy import FedAvg

WEIGHT = "num-examples"
"""The metric by which Flower weighs an update."""
_NAMES = {"malicious": "num_malicious_nodes", "keep": "num_nodes_to_select"}


def flower_strategy(job: Job) -> FedAvg:
    """Return Flower's strategy that the job names, with the job's numbers.

    Raises:
        MissingExtraError: Flower is not installed.
    """
    try:
        from flwr.serverapp import strategy as flower
    except ImportError as error:
        raise MissingExtraError("federated training", "federate") from error
    asked = job.strategy
    kinds: dict[str, Any] = {
        "fedavg": flower.FedAvg,
        "fedprox": flower.FedProx,
        "fedadam": flower.FedAdam,
        "fedadagrad": flower.FedAdagrad,
        "fedyogi": flower.FedYogi,
        "fedmedian": flower.FedMedian,
        "fedtrimmed": flower.FedTrimmedAvg,
        "krum": flower.MultiKrum if asked.keep else flower.Krum,
    }
    numbers = {_NAMES.get(key, key): value for key, value in asked.numbers().items()}
    # The round's hospitals are drawn by ``draw``; of these Flower takes all.
    made: FedAvg = kinds[asked.name](
        min_train_nodes=1, min_evaluate_nodes=1, min_available_nodes=1, weighted_by_key=WEIGHT, **numbers
    )
    return made


def draw(job: Job, round_number: int, sites: Collection[str]) -> tuple[str, ...]:
    """Return the hospitals of a round: the job's fraction of them, never fewer than ``min_sites``, by name."""
    names = sorted(sites)
    wanted = min(len(names), max(job.min_sites, math.ceil(job.fraction * len(names))))
    order = np.random.default_rng([job.seed, round_number]).permutation(len(names))
    return tuple(sorted(names[place] for place in order[:wanted]))


def shared_names(job: Job, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the arrays that leave a hospital: all but those under ``local_keys``.

    Raises:
        ConfigurationError: a prefix fits no array, or nothing would be shared.
    """
    every = sorted(names)
    for prefix in job.strategy.local_keys:
        if not any(name.startswith(prefix) for name in every):
            raise ConfigurationError(
                f"[strategy] local_keys: no array of {job.task} begins with {prefix!r}; there are: "
                + ", ".join(every[:20])
            )
    shared = tuple(name for name in every if not name.startswith(job.strategy.local_keys or ("\0",)))
    if not shared:
        raise ConfigurationError("[strategy] local_keys: nothing is left that hospitals would share")
    return shared


def as_state(arrays: Mapping[str, NDArray[Any]], expected: Layout) -> State:
    """Return what Flower's arithmetic made, in the model's own types: counts are rounded, weights cut to float32.

    Raises:
        ConfigurationError: the strategy left a number that is not finite.
    """
    state: State = {}
    for name, (kind, shape) in expected.items():
        values = np.asarray(arrays[name]).reshape(shape)
        if not np.isfinite(values).all():
            raise ConfigurationError(
                f"[strategy] {name!r} is not finite after aggregation: lower the server's learning rate"
            )
        state[name] = (np.rint(values) if kind == "int64" else values).astype(kind)
    return state


def node_seed(job: Job, site: str, round_number: int) -> int:
    """Return the seed of one hospital's draws in one round, below 2**63."""
    import hashlib

    told = f"{job.seed}\0{site}\0{round_number}".encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:8], "big") >> 1


def only(state: Mapping[str, Any], names: Iterable[str]) -> State:
    """Return the part of a state with these names."""
    return {name: state[name] for name in names}
