"""Tasks by the name that stands in ``JOB.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, cast

from xinglin.errors import UnknownNameError
from xinglin.federate.tasks.protocol import Task

TASKS = {
    "encoder": ("xinglin.federate.tasks.encoder", "Encoder"),
    "tabular": ("xinglin.federate.tasks.tabular", "Tabular"),
}


def task(name: str, options: Mapping[str, Any]) -> Task:
    """Return a task.

    Args:
        name: one of ``TASKS``.
        options: ``[train]`` of the job.

    Raises:
        UnknownNameError: no such task; the nearest is named.
        ConfigurationError: options that the task does not know, or lacks.
        MissingExtraError: the task's libraries are not installed.
    """
    if name not in TASKS:
        near = get_close_matches(name, TASKS, n=1, cutoff=0.4)
        raise UnknownNameError(
            f"there is no task {name!r}; "
            + (f"did you mean {near[0]}?" if near else f"known: {', '.join(TASKS)}")
        )
    module, kind = TASKS[name]
    return cast(Task, getattr(import_module(module), kind)(options))
