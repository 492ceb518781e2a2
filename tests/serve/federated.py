"""A federation in the store, entered by the coordinator's own functions: six hospitals, three jobs."""

from __future__ import annotations

import math

from xinglin.federate.history import Answer, end_job, open_job, record_round, register_node
from xinglin.federate.job import Job, job_from
from xinglin.federate.overview import Budget
from xinglin.store import Store

SITES = ("beijing-1", "chengdu-2", "guangzhou-3", "harbin-4", "lhasa-5", "shanghai-6")
HOSTILE = "<img src=x onerror=window.hacked=1>"
ROUNDS = 12


def job(name: str, rounds: int = ROUNDS) -> Job:
    return job_from(
        {
            "job": {"name": name, "task": "tabular", "rounds": rounds, "min_sites": 2},
            "data": {"dataset": "heart"},
            "privacy": {"unit": "patient", "epsilon": 4.0, "delta": 1e-5},
        }
    )


def answers(number: int) -> dict[str, Answer]:
    found = {}
    for place, site in enumerate(SITES):
        reached = 0.80 - 0.02 * place - (0.30 - 0.03 * place) * math.exp(-number / 3)
        spent = min(4.0, 0.9 + 0.3 * place + 0.14 * number)
        budget = Budget(site, "patient", spent, 4.0, 1e-5)
        if site == "lhasa-5" and number in (4, 5):
            found[site] = Answer("silent", "no answer within 60 s")
        elif site == "harbin-4" and number == 7:
            found[site] = Answer("refused", f"norm of the update 913.2 above the bound 25.0 {HOSTILE}")
        else:
            found[site] = Answer(
                "ok",
                examples=300 - 40 * place,
                train={"loss": 0.7 * math.exp(-number / 6) + 0.02 * place},
                evaluate={
                    "n": 80.0 - 9 * place,
                    "accuracy": round(reached, 4),
                    "auc": round(reached + 0.07, 4),
                },
                budget=budget,
            )
    return found


def fill(store: Store) -> None:
    """Enter the federation: one job that is done, one that stopped, one that runs."""
    for site in (*SITES, "xian-7"):
        register_node(store, site, f"ssh-ed25519 key of {site}", str(hash(site) % 10**9), actor="lead")
    open_job(store, job("stopped-early", 5), "b" * 32, "simulation", actor="lead")
    refusal = Answer("refused", "no grant covers the purpose research")
    record_round(store, "b" * 32, 0, {"beijing-1": refusal, "chengdu-2": Answer("ok")},
                 seconds=1.0, model=None, actor="lead")  # fmt: skip
    end_job(
        store,
        "b" * 32,
        "stopped",
        reason="1 hospital was admitted, the job needs 2",
        model=None,
        actor="lead",
    )
    open_job(store, job("heart-disease"), "a" * 32, "federation", actor="lead")
    admitted = {site: Answer("ok") for site in SITES}
    record_round(store, "a" * 32, 0, admitted, seconds=2.0, model=None, actor="lead")
    for number in range(1, ROUNDS + 1):
        record_round(
            store, "a" * 32, number, answers(number), seconds=3.0, model=f"{number:064x}", actor="lead"
        )
    end_job(store, "a" * 32, "done", reason=None, model=f"{ROUNDS:064x}", actor="lead")


def begin(store: Store) -> None:
    """Enter a job that runs, before its first round."""
    open_job(store, job("retina", 3), "c" * 32, "federation", actor="lead")
