"""What a job's ``[train]`` may say to every task, and how any of it is read: an unknown key names the nearest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from xinglin.errors import ConfigurationError
from xinglin.federate.tasks.protocol import Sampling

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How a hospital trains within one round."""

    epochs: float = 1.0
    """Passes over its examples; not looked at where ``steps`` is given."""
    steps: int | None = None
    """Optimiser steps; the same at every hospital, however many examples it has."""
    batch: int = 32
    """Examples a step; 0: all of them."""
    learning_rate: float = 0.01
    """Of the hospital's optimiser."""
    optimiser: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.0
    """Of SGD; begins anew each round."""
    weight_decay: float = 0.0
    """L2 penalty (SGD) or decoupled decay (AdamW) of weights of two or more dimensions; biases and norms have none."""
    proximal_mu: float = 0.0
    """FedProx: pull towards the state that the round began with (Li et al. 2020, arXiv 1812.06127)."""

    def __post_init__(self) -> None:
        for name, least in (("batch", 0), ("momentum", 0), ("weight_decay", 0), ("proximal_mu", 0)):
            if not getattr(self, name) >= least:
                raise ConfigurationError(f"{name}: expected {least} or more, got {getattr(self, name)}")
        for name in ("epochs", "learning_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(f"{name}: expected more than 0, got {getattr(self, name)}")
        if self.steps is not None and self.steps < 1:
            raise ConfigurationError(f"steps: expected 1 or more, got {self.steps}")

    def batches(self, rows: int) -> int:
        """Return the steps of one pass."""
        return 1 if not self.batch else max(1, -(-rows // self.batch))

    def sampling(self, rows: int) -> Sampling:
        """Return how often one of so many rows is drawn."""
        batches = self.batches(rows)
        return Sampling(1.0 / batches, self.steps or max(1, round(self.epochs * batches)))


def read_options(given: Mapping[str, Any], own: type[T]) -> tuple[T, FitOptions]:
    """Return a task's own options and those of fitting.

    Raises:
        ConfigurationError: an unknown key (the nearest is named), a missing one, or a value of a wrong type or range.
    """
    known = {field.name: kind for kind in (own, FitOptions) for field in fields(kind)}  # type: ignore[arg-type]
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.4)
            raise ConfigurationError(
                f"[train] {key}: no such setting of this task; "
                + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")
            )
    made = []
    for kind in (own, FitOptions):
        hints = get_type_hints(kind)
        mine: tuple[Field[Any], ...] = fields(kind)  # type: ignore[arg-type]
        for field in mine:
            bare = field.default is MISSING and field.default_factory is MISSING
            if bare and field.name not in given:
                raise ConfigurationError(f"[train] {field.name}: this task needs it")
        values = {f.name: _value(f.name, given[f.name], hints[f.name]) for f in mine if f.name in given}
        made.append(kind(**values))
    return made[0], made[1]  # type: ignore[return-value]


def _value(name: str, value: Any, hint: Any) -> Any:
    """Check a value of TOML against the type of its field."""
    wanted = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    for kind in wanted:
        if get_origin(kind) is Literal and value in get_args(kind):
            return value
        if get_origin(kind) is tuple and isinstance(value, list | tuple):
            inner = get_args(kind)[0]
            return tuple(_value(name, item, inner) for item in value)
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if (
            isinstance(kind, type)
            and isinstance(value, kind)
            and not (kind is int and isinstance(value, bool))
        ):
            return value
    spelled = ", ".join(
        "one of " + "|".join(map(str, get_args(kind)))
        if get_origin(kind) is Literal
        else str(getattr(kind, "__name__", kind))
        for kind in wanted
        if kind is not type(None)
    )
    raise ConfigurationError(f"[train] {name}: expected {spelled}, got {type(value).__name__}")
