"""A federated job: what is trained, on whose data, for what purpose, under which guarantees. Read from ``JOB.toml``.

The job crosses the wire as this module's own JSON, so that what a hospital agrees to is what was written down: its
digest names it in every ledger. Values only; nothing in it is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from xinglin.errors import InvalidInputError
from xinglin.records.decode import check_keys, read_toml
from xinglin.records.manifest import canonical

MAX_BYTES = 1024 * 1024
"""Bound on a job file."""
STRATEGIES: dict[str, frozenset[str]] = {
    "fedavg": frozenset(),
    "fedprox": frozenset({"proximal_mu"}),
    "fedadam": frozenset({"eta", "eta_l", "beta_1", "beta_2", "tau"}),
    "fedadagrad": frozenset({"eta", "eta_l", "tau"}),
    "fedyogi": frozenset({"eta", "eta_l", "beta_1", "beta_2", "tau"}),
    "fedmedian": frozenset(),
    "fedtrimmed": frozenset({"beta"}),
    "krum": frozenset({"malicious", "keep"}),
}
"""Strategy -> the numbers that it takes."""
ROBUST = ("fedmedian", "fedtrimmed", "krum")
"""Strategies that look at single updates, which secure aggregation hides."""
AVERAGES = ("fedavg", "fedprox")
"""Strategies that are a plain average at the coordinator."""

Option = str | int | float | bool | list[str] | list[int] | list[float]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class DataNeeds(_Section):
    """``[data]``: what a hospital's data must be for it to take part."""

    dataset: str = Field(min_length=1, max_length=200)
    """Name of the data set, the same at every hospital."""
    test_dataset: str | None = Field(None, min_length=1, max_length=200)
    """Name of the data set to measure on, for hospitals whose data lie in their archive; one whose data are a folder
    measures on its part ``test``. ``None``: such a hospital tells figures of its training rows, named so."""
    certificate_bound: float | None = Field(None, ge=0.0, le=1.0)
    """Largest certified upper bound of the annotation error; ``None``: no certificate is needed."""
    needs: tuple[str, ...] = Field((), max_length=100, strict=False)
    """What the manifest must show, e.g. columns or the consent basis; read by the node's contract."""


class Strategy(_Section):
    """``[strategy]``: how the updates of the hospitals become one model."""

    name: str = "fedavg"
    """One of ``STRATEGIES``."""
    proximal_mu: float | None = Field(None, ge=0.0)
    """Weight of FedProx's term (Li et al. 2020, arXiv 1812.06127); the task adds it to its loss."""
    eta: float | None = Field(None, gt=0.0)
    """Server's learning rate (Reddi et al. 2021, arXiv 2003.00295)."""
    eta_l: float | None = Field(None, gt=0.0)
    """Client's learning rate as the server's optimiser assumes it."""
    beta_1: float | None = Field(None, ge=0.0, lt=1.0)
    beta_2: float | None = Field(None, ge=0.0, lt=1.0)
    tau: float | None = Field(None, gt=0.0)
    """Degree of adaptivity: added to the root of the second moment."""
    beta: float | None = Field(None, ge=0.0, lt=0.5)
    """Share cut off at each end by the trimmed mean (Yin et al. 2018, arXiv 1803.01498)."""
    malicious: int | None = Field(None, ge=0)
    """Hospitals that may be malicious, as Krum assumes (Blanchard et al. 2017, arXiv 1703.02757)."""
    keep: int | None = Field(None, ge=1)
    """Updates averaged by Multi-Krum; ``None``: Krum proper, which keeps one."""
    local_keys: tuple[str, ...] = Field((), max_length=100, strict=False)
    """Prefixes of weights that never leave a hospital: its normalisation (FedBN, Li et al. 2021, arXiv 2102.07623) or
    its personal head (FedPer, Arivazhagan et al. 2019, arXiv 1912.00818)."""
    max_norm: float | None = Field(None, gt=0.0)
    """Largest Euclidean norm of an update; ``None``: a multiple of the round's median norm."""

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in STRATEGIES:
            near = get_close_matches(name, STRATEGIES, n=1, cutoff=0.4)
            raise ValueError(
                f"expected one of {', '.join(STRATEGIES)}; got {name!r}"
                + (f": did you mean {near[0]}?" if near else "")
            )
        return name

    @model_validator(mode="after")
    def _own_numbers(self) -> Strategy:
        every = frozenset[str]().union(*STRATEGIES.values())
        foreign = sorted(key for key in every - STRATEGIES[self.name] if getattr(self, key) is not None)
        if foreign:
            raise ValueError(
                f"{self.name} takes {', '.join(sorted(STRATEGIES[self.name])) or 'no numbers'}, not {foreign[0]}"
            )
        return self

    def numbers(self) -> dict[str, float | int]:
        """Return the numbers that were given, by name."""
        given = {key: getattr(self, key) for key in STRATEGIES[self.name]}
        return {key: value for key, value in sorted(given.items()) if value is not None}


class Privacy(_Section):
    """``[privacy]``: differential privacy of this job. The section's absence means none."""

    unit: Literal["example", "patient", "hospital"]
    """Whose presence is hidden: of one example, one patient (at each hospital), or one hospital (at the server)."""
    epsilon: float = Field(gt=0.0)
    """Most that the job may spend; a round that would exceed it is refused before it trains."""
    delta: float = Field(gt=0.0, lt=1.0)
    noise_multiplier: float | None = Field(None, gt=0.0)
    """Noise in units of the clipping norm; ``None``: the least that keeps all rounds within ``epsilon``."""
    max_grad_norm: float = Field(1.0, gt=0.0)
    """Clipping norm of one example's gradient."""
    clip: float | None = Field(None, gt=0.0)
    """Clipping norm of one hospital's update; for unit ``hospital``."""

    @model_validator(mode="after")
    def _complete(self) -> Privacy:
        if (self.unit == "hospital") != (self.clip is not None):
            raise ValueError("clip belongs to unit hospital: give it there, and only there")
        return self


class Secure(_Section):
    """``[secure]``: secure aggregation by SecAgg+ (Bell et al. 2020, ePrint 2020/704), as Flower has it."""

    secagg: bool = False
    shares: int | float | None = None
    """Shares of each secret, or their share of the sites; ``None``: one a site."""
    threshold: int | float | None = None
    """Shares that restore a secret; ``None``: two thirds of the shares."""
    clipping_range: float = Field(8.0, gt=0.0)
    """Weights are cut to [-r, r] before they are quantised."""
    quantization_range: int = Field(4_194_304, ge=2, le=2**30)
    """Steps into which the clipping range is cut."""

    @model_validator(mode="after")
    def _splittable(self) -> Secure:
        for name, value, least in (("shares", self.shares, 3), ("threshold", self.threshold, 2)):
            if isinstance(value, int) and value < least:
                raise ValueError(f"{name}: a count must be {least} or more; write 1.0 for all")
            if isinstance(value, float) and not 0.0 < value <= 1.0:
                raise ValueError(f"{name}: a part must lie above 0 and be at most 1")
        return self


class Job(_Section):
    """A job, all sections together; those of ``[job]`` lie at the top."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    task: str = Field(min_length=1, max_length=100)
    """What is trained: a name of ``federate.tasks``."""
    purpose: str = "training"
    """For which the data are used; each hospital's grants must cover it."""
    rounds: int = Field(ge=1, le=100_000)
    seed: int = Field(0, ge=0, lt=2**63)
    fraction: float = Field(1.0, gt=0.0, le=1.0)
    """Share of the admitted hospitals that trains in a round, drawn anew from ``seed`` each round."""
    min_sites: int = Field(2, ge=1, le=10_000)
    """Fewest hospitals that must train in a round; below it the job stops."""
    timeout: float = Field(3600.0, gt=0.0)
    """Seconds to wait for a hospital in one round."""
    data: DataNeeds
    train: dict[str, Option] = Field(default_factory=dict)
    """Handed to the task as it is: ``epochs`` or ``steps``, ``batch``, ``learning_rate`` ..."""
    strategy: Strategy = Strategy()
    privacy: Privacy | None = None
    secure: Secure = Secure()

    @model_validator(mode="after")
    def _compatible(self) -> Job:
        own = self.train.get("intercept") == "site"
        if self.task == "tabular" and own and "bias" not in self.strategy.local_keys:
            raise ValueError(
                '[train] intercept = "site" keeps an intercept at each hospital: add "bias" to [strategy] local_keys'
            )
        if (
            self.privacy is not None
            and self.privacy.unit == "hospital"
            and self.strategy.name not in AVERAGES
        ):
            raise ValueError(
                f"[privacy] unit hospital averages clipped updates itself: choose {' or '.join(AVERAGES)}, "
                f"not {self.strategy.name}"
            )
        if self.secure.secagg:
            reason = None
            if self.strategy.name in ROBUST:
                reason = f"{self.strategy.name} compares single updates"
            elif self.strategy.max_norm is not None:
                reason = "max_norm measures single updates"
            elif self.privacy is not None and self.privacy.unit == "hospital":
                reason = "unit hospital clips single updates at the server"
            elif self.strategy.name not in AVERAGES:
                reason = f"Flower's SecAgg+ averages, it does not run {self.strategy.name}"
            if reason:
                raise ValueError(
                    f"[secure] secagg hides single updates from the server, and {reason}: choose one of the two"
                )
        return self

    def as_json(self) -> dict[str, Any]:
        """Return the job as JSON values, in the sections of the file."""
        values = self.model_dump(mode="json")
        sections = {key: values.pop(key) for key in ("data", "train", "strategy", "privacy", "secure")}
        return {"job": values, **sections}

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the job's canonical JSON."""
        return hashlib.sha256(canonical(self.as_json())).hexdigest()


_SECTIONS: dict[str, type[_Section] | None] = {
    "job": Job,
    "data": DataNeeds,
    "train": None,
    "strategy": Strategy,
    "privacy": Privacy,
    "secure": Secure,
}


def read_job(path: Path) -> Job:
    """Read a job file.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: more than 1 MiB.
        InvalidInputError: not TOML; an unknown key (the nearest is named); a value of a wrong type or range; or parts
            that exclude each other, e.g. secure aggregation with a robust strategy.
    """
    return job_from(read_toml(path, "job", MAX_BYTES), path.name)


def job_from(decoded: Mapping[str, Any], name: str = "job") -> Job:
    """Return the job of decoded TOML or JSON, in the sections of the file.

    Raises:
        InvalidInputError: as ``read_job``.
    """
    check_keys(decoded, tuple(_SECTIONS), name)
    for section, kind in _SECTIONS.items():
        given = decoded.get(section)
        if given is None:
            continue
        if not isinstance(given, Mapping):
            raise InvalidInputError(f"{name}: [{section}]: expected a section")
        if kind is not None:
            own = tuple(key for key in kind.model_fields if key not in _SECTIONS)
            check_keys(given, own, f"{name}: [{section}]")
    rest = {key: value for key, value in decoded.items() if key != "job" and value is not None}
    try:
        return Job.model_validate({**decoded.get("job", {}), **rest})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "job"
        raise InvalidInputError(f"{name}: {place}: {first['msg'].removeprefix('Value error, ')}") from None
