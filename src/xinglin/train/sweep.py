"""A pool of trials over settings and seeds: run, remembered, and the best chosen on the validation part alone.

The pool is one process, several, or Ray where it is asked for. Whatever the pool, a trial that is done is not run
again, and one that fails stays in the table as an error: a configuration with a failed seed is never chosen, since
the mean over the seeds that survived would flatter it.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.errors import ConfigurationError, MissingExtraError, TrainingError
from xinglin.ledger import append
from xinglin.measure.seeds import compare_seeds, over_seeds
from xinglin.store import Store
from xinglin.train.sweep_plan import LOWER_IS_BETTER, Sweep, Trial, Value, trials
from xinglin.train.sweep_trial import Result, failed, keep, kept, parts, run_trial

RECORDED = "recorded"
Done = Callable[[int, int, Result], None]
"""(trials done, trials, the newest) -> None."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Where trials run."""

    workers: int = 1
    """Trials at a time: on this machine, or the CPUs of a local Ray divided by ``cpus``."""
    ray: str | None = None
    """``local``, ``auto`` (the cluster this runs in) or an address; ``None``: without Ray."""
    cpus: int = 1
    """CPUs of a trial, for Ray."""
    gpus: float = 0.0
    """GPUs of a trial, for Ray."""


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration over its seeds."""

    chosen: dict[str, Value]
    mean: float | None
    """Of the metric over the seeds that came through; ``None``: none did."""
    low: float | None
    high: float | None
    """95 % interval of the mean over seeds (Student); ``None`` below two seeds."""
    seeds: int
    failed: int
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Swept:
    """The outcome of a sweep."""

    metric: str
    rows: tuple[Row, ...]
    """Best first; configurations with a failed seed last."""
    best: int | None
    """Place of the chosen row: always 0, or ``None`` where no configuration came through."""
    checkpoint: str | None
    """Folder of the chosen configuration's checkpoint with the first seed."""
    lead: dict[str, float] | None
    """The best against the second, paired over seeds: ``gain``, ``low``, ``high``, ``p``; of two seeds at least."""
    n: int
    """Validation texts."""
    trials: int
    results: tuple[Result, ...]


def run_sweep(
    sweep: Sweep,
    out: Path,
    store: Store,
    pool: Pool = Pool(),
    *,
    actor: str = "cli",
    retry: bool = False,
    done: Done | None = None,
) -> Swept:
    """Run the trials that are not there yet, enter each into the ledger, and choose.

    Args:
        sweep: what is tried.
        out: folder of the trials and of ``results.json``; with Ray on several hosts, one that all share.
        store: whose ledger remembers.
        pool: where trials run.
        actor: who is entered into the ledger.
        retry: run failed trials again.
        done: called after every trial.

    Raises:
        ConfigurationError: started by torchrun, or Ray does not answer at the address.
        InvalidInputError: the data do not fit; said before anything runs.
        MissingExtraError: Ray is asked for and not installed.
    """
    from xinglin.train.elastic import require_one_process

    require_one_process("xinglin train sweep")
    if sweep.job != "encoder":
        parts(sweep)
    planned = trials(sweep, out)
    results: dict[str, Result] = {}
    waiting = []
    for trial in planned:
        found = kept(trial)
        if found is None or (retry and found.error is not None):
            (trial.folder / RECORDED).unlink(missing_ok=True)
            waiting.append(trial)
        else:
            results[trial.id] = found
            _remember(trial, found, store, actor)
    for trial, result in _run(waiting, pool):
        results[trial.id] = result
        _remember(trial, result, store, actor)
        if done is not None:
            done(len(results), len(planned), result)
    swept = _choose(sweep, planned, results)
    body = json.dumps(asdict(swept), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    new = out / ".results.json"
    new.write_text(body, encoding="utf-8")
    with store.write() as connection:
        detail = {
            "job": sweep.job,
            "metric": sweep.metric,
            "trials": len(planned),
            "failed": sum(result.error is not None for result in results.values()),
            "chosen": swept.rows[0].chosen if swept.best is not None else None,
        }
        subject = sha256(body.encode()).hexdigest()
        append(connection, "train.sweep", actor=actor, subjects=(subject,), detail=detail)
        os.replace(new, out / "results.json")
    return swept


def _remember(trial: Trial, result: Result, store: Store, actor: str) -> None:
    """Enter a trial into the ledger, once; cut off between entry and mark, it is entered twice rather than never."""
    mark = trial.folder / RECORDED
    if mark.exists():
        return
    detail = {"sweep_trial": trial.id, "job": trial.sweep.job, "seed": trial.seed, "metrics": result.metrics}
    if result.error is not None:
        detail["error"] = result.error.partition(":")[0]
    with store.write() as connection:
        subjects = (result.checkpoint,) if result.checkpoint else ()
        action = "train" if result.error is None else "train.failed"
        append(connection, action, actor=actor, subjects=subjects, detail=detail)
    mark.touch()


def _run(waiting: Sequence[Trial], pool: Pool) -> Iterator[tuple[Trial, Result]]:
    if not waiting:
        return
    if pool.ray is not None:
        yield from _on_ray(waiting, pool, pool.ray)
    elif pool.workers == 1:
        for trial in waiting:
            yield trial, run_trial(trial)
    else:
        with ThreadPoolExecutor(pool.workers) as threads:
            futures = {threads.submit(_in_process, trial): trial for trial in waiting}
            for future in as_completed(futures):
                yield futures[future], future.result()


def _in_process(trial: Trial) -> Result:
    """Run a trial in a process of its own, so that one which is killed takes no other with it."""
    process = multiprocessing.get_context("spawn").Process(target=run_trial, args=(trial,))
    (trial.folder / "result.json").unlink(missing_ok=True)
    process.start()
    process.join()
    result = kept(trial)
    if result is None:
        result = failed(trial, TrainingError(f"its process ended with exit code {process.exitcode}"))
        keep(trial, result)
    return result


def _on_ray(waiting: Sequence[Trial], pool: Pool, address: str) -> Iterator[tuple[Trial, Result]]:
    """Run trials on Ray; one whose host is lost is run twice more, from its last state."""
    # No figures of use leave the hospital.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtraError("xinglin train sweep --ray", "federate") from None
    local = address == "local"
    given: dict[str, Any] = {"num_cpus": pool.workers * pool.cpus} if local else {}
    try:
        ray.init(
            address="local" if local else address, include_dashboard=False if local else None,
            log_to_driver=False, logging_level=logging.ERROR, **given,
        )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigurationError(
            f"--ray {address}: expected a running Ray cluster ({type(error).__name__})"
        ) from None
    try:
        remote = ray.remote(num_cpus=pool.cpus, num_gpus=pool.gpus, max_retries=2)(run_trial)
        running = {remote.remote(trial): trial for trial in waiting}
        while running:
            ready = ray.wait(list(running), num_returns=1)[0][0]
            trial = running.pop(ready)
            try:
                result = ray.get(ready)
            except ray.exceptions.RayError as error:
                result = failed(trial, TrainingError(f"Ray lost it ({type(error).__name__})"))
                keep(trial, result)
            yield trial, result
    finally:
        ray.shutdown()


def _choose(sweep: Sweep, planned: Sequence[Trial], results: dict[str, Result]) -> Swept:
    """Return configurations in order of the metric's mean over seeds; a tie goes to the one named first."""
    groups: dict[str, list[Trial]] = {}
    for trial in planned:
        groups.setdefault(json.dumps(trial.chosen, sort_keys=True), []).append(trial)
    sign = 1.0 if sweep.metric in LOWER_IS_BETTER else -1.0
    rows = [_row(sweep.metric, some, results) for some in groups.values()]
    order = sorted(
        range(len(rows)),
        key=lambda i: (rows[i].failed > 0, rows[i].mean is None, sign * (rows[i].mean or 0.0)),
    )
    several = list(groups.values())
    whole = [i for i in order if not rows[i].failed]
    lead = None
    if len(whole) > 1 and len(sweep.seeds) > 1:
        ours, theirs = (
            np.array([results[trial.id].metrics[sweep.metric] for trial in several[i]]) for i in whole[:2]
        )
        compared = compare_seeds(ours, theirs)
        lead = {"gain": compared.gain, "low": compared.low, "high": compared.high, "p": compared.p}
    return Swept(
        metric=sweep.metric,
        rows=tuple(rows[i] for i in order),
        best=0 if whole else None,
        checkpoint=str(several[whole[0]][0].folder / "model") if whole else None,
        lead=lead,
        n=max((result.n for result in results.values()), default=0),
        trials=len(planned),
        results=tuple(results[trial.id] for trial in planned),
    )


def _row(metric: str, some: Sequence[Trial], results: dict[str, Result]) -> Row:
    found = [results[trial.id] for trial in some]
    values = [result.metrics[metric] for result in found if result.error is None]
    mean, low, high = over_seeds(np.array(values)) if values else (None, None, None)
    errors = tuple(dict.fromkeys(result.error for result in found if result.error is not None))
    return Row(dict(some[0].chosen), mean, low, high, len(values), len(found) - len(values), errors)
