"""What a sweep tries: read from a TOML file, and turned into trials, the same ones every time.

[sweep]
job = "department"               # encoder | diagnosis | department
data = "train.jsonl"
validation = "dev.jsonl"         # or validation_share = 0.2, cut by the text's digest
metric = "macro_f1"              # accuracy | macro_f1 | log_loss; encoder: validation_loss
search = "grid"                  # or "random", with trials = 20
seeds = [0, 1, 2]
[fixed]
epochs = 4
[space]
learning_rate = [1e-4, 3e-4]     # random also takes { low = 1e-5, high = 1e-3, log = true }
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.records.decode import read_toml
from xinglin.train.corpus import file_digest
from xinglin.train.options import FineTuneOptions, PretrainOptions

MAX_BYTES = 1 << 20
MOST_TRIALS = 10_000
METRICS = {
    "encoder": ("validation_loss",),
    "diagnosis": ("accuracy", "macro_f1", "log_loss"),
    "department": ("accuracy", "macro_f1", "log_loss"),
}
LOWER_IS_BETTER = ("validation_loss", "log_loss")
Value = bool | int | float | str


class Range(BaseModel):
    """Numbers between two bounds, drawn evenly, or evenly on a logarithmic scale."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if not self.low < self.high or (self.log and self.low <= 0.0):
            raise ValueError("expected low < high, and both above 0 with log")
        return self


class Sweep(BaseModel):
    """A sweep; the keys of ``[sweep]`` lie at the top, paths are relative to the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    job: Literal["encoder", "diagnosis", "department"]
    data: Path
    validation: Path | None = None
    validation_share: float | None = Field(None, gt=0.0, lt=1.0)
    start: Path | None = None
    """Checkpoint that classifiers start from; ``None``: the shipped model."""
    metric: str
    search: Literal["grid", "random"] = "grid"
    trials: int | None = Field(None, ge=1, le=MOST_TRIALS)
    """Configurations that a random search draws."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1, max_length=1000)] = (0,)
    """Every configuration is trained once with each."""
    seed: int = Field(0, ge=0)
    """Of the random search."""
    fixed: dict[str, Value] = Field(default_factory=dict)
    space: dict[str, tuple[Value, ...] | Range]

    @model_validator(mode="after")
    def _whole(self) -> Sweep:
        known = METRICS[self.job]
        if self.metric not in known:
            raise ValueError(f"metric of {self.job}: expected {' or '.join(known)}, got {self.metric!r}")
        cut = (self.validation is not None) + (self.validation_share is not None)
        if cut != (self.job != "encoder"):
            raise ValueError(
                "a classifier needs validation or validation_share, one of the two; an encoder keeps its own part"
            )
        if (self.search == "random") != (self.trials is not None):
            raise ValueError("trials belongs to search random: give it there, and only there")
        if len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise ValueError("seeds: expected different numbers of at least 0")
        for key, values in self.space.items():
            if isinstance(values, Range):
                if self.search == "grid":
                    raise ValueError(f"space.{key}: a range needs search random; a grid takes a list")
            elif not values or len(set(values)) != len(values):
                raise ValueError(f"space.{key}: expected different values, at least one")
        if twice := set(self.space) & set(self.fixed):
            raise ValueError(f"{', '.join(sorted(twice))}: either in fixed or in space")
        return self


@dataclass(frozen=True, slots=True)
class Trial:
    """One training run of a sweep: all that another process or host needs to know."""

    id: str
    """Digest of everything that decides the result; the trial's folder is named after it."""
    sweep: Sweep
    chosen: Mapping[str, Value] = field(hash=False)
    seed: int
    folder: Path
    options: FineTuneOptions | PretrainOptions


def read_sweep(path: Path) -> Sweep:
    """Read a sweep.

    Raises:
        MissingDataError: no such file, or no file of data.
        InputTooLargeError: more than 1 MiB.
        InvalidInputError: not TOML, an unknown key (the nearest is named), or parts that do not fit.
    """
    decoded = read_toml(path, "sweep", MAX_BYTES)
    _known(decoded, ("sweep", "fixed", "space"), path.name)
    head = decoded.get("sweep", {})
    if not isinstance(head, dict):
        raise InvalidInputError(f"{path.name}: [sweep]: expected a section")
    _known(head, tuple(key for key in Sweep.model_fields if key not in ("fixed", "space")), "[sweep]")
    try:
        sweep = Sweep.model_validate(
            {**head, "fixed": decoded.get("fixed", {}), "space": decoded.get("space", {})}
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "sweep"
        raise InvalidInputError(
            f"{path.name}: {place}: {first['msg'].removeprefix('Value error, ')}"
        ) from None
    options: type[PretrainOptions | FineTuneOptions] = (
        PretrainOptions if sweep.job == "encoder" else FineTuneOptions
    )
    own = tuple(one.name for one in fields(options) if one.name not in ("seed", "shards"))
    for section in (sweep.fixed, sweep.space):
        _known(section, own, f"{path.name}: options of {sweep.job}")
    files = {
        name: (path.parent / value).resolve()
        for name in ("data", "validation", "start")
        if (value := getattr(sweep, name)) is not None
    }
    for name, file in files.items():
        if not file.exists():
            raise MissingDataError(f"{path.name}: {name}: there is no {file}")
    return sweep.model_copy(update=files)


def trials(sweep: Sweep, out: Path) -> list[Trial]:
    """Return the trials, configuration by configuration, each with every seed.

    Raises:
        InvalidInputError: more than ``MOST_TRIALS``, or a value that an option does not take.
    """
    digests = [file_digest(file) for file in (sweep.data, sweep.validation) if file is not None]
    if sweep.start is not None:
        digests.append(file_digest(sweep.start / "manifest.json"))
    found = []
    for chosen in _configurations(sweep):
        for seed in sweep.seeds:
            options = _options(sweep, chosen, seed)
            body = [sweep.job, options.as_json(), sweep.validation_share, digests]
            name = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
            found.append(Trial(name, sweep, chosen, seed, out / "trials" / name, options))
    return found


def _configurations(sweep: Sweep) -> list[dict[str, Value]]:
    names = list(sweep.space)
    if sweep.search == "grid":
        lists = [values for values in sweep.space.values() if not isinstance(values, Range)]
        many = math.prod(map(len, lists)) * len(sweep.seeds)
        if many > MOST_TRIALS:
            raise InvalidInputError(f"space: {many} trials; expected at most {MOST_TRIALS}: search random")
        return [dict(zip(names, values, strict=True)) for values in product(*lists)]
    generator = np.random.default_rng(sweep.seed)
    found: list[dict[str, Value]] = []
    for _ in range(sweep.trials or 0):
        chosen = {name: _drawn(values, generator) for name, values in sweep.space.items()}
        if chosen not in found:
            found.append(chosen)
    return found


def _drawn(values: tuple[Value, ...] | Range, generator: np.random.Generator) -> Value:
    if not isinstance(values, Range):
        return values[int(generator.integers(len(values)))]
    if values.log:
        return float(np.exp(generator.uniform(math.log(values.low), math.log(values.high))))
    return float(generator.uniform(values.low, values.high))


def _options(sweep: Sweep, chosen: Mapping[str, Value], seed: int) -> FineTuneOptions | PretrainOptions:
    start: FineTuneOptions | PretrainOptions = (
        PretrainOptions() if sweep.job == "encoder" else FineTuneOptions()
    )
    given: dict[str, Any] = {**sweep.fixed, **chosen}
    for name, value in given.items():
        expected = getattr(start, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(expected, int) and not (number and isinstance(value, int)):
            raise InvalidInputError(f"{name}: expected a whole number, got {value!r}")
        if isinstance(expected, float) and not number:
            raise InvalidInputError(f"{name}: expected a number, got {value!r}")
    return replace(start, **given, seed=seed, shards=1)


def _known(given: Mapping[str, Any], known: tuple[str, ...], at: str) -> None:
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise InvalidInputError(f"{at}: unknown key {key!r}; {hint}")
