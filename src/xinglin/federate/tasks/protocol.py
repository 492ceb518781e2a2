"""What a federated task is: it turns a hospital's data into examples, trains a state on them and measures it.

A *state* is all that crosses between hospitals: arrays by name, ordered by name. It never holds a row of anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from xinglin.store import Store

Array = NDArray[Any]
State = dict[str, Array]
"""Name -> array of float32 or int64, in the order of the names."""


@dataclass(frozen=True, slots=True)
class Files:
    """A hospital's data as files: a folder, with one file or folder a part."""

    folder: Path
    part: str = "train"
    """``train``, ``test`` ...: which part of the data; ``train`` is ``train.csv``, ``train.parquet`` and so on."""


@dataclass(frozen=True, slots=True)
class Archived:
    """A hospital's data as a data set of the store's archive; grants and consents are checked as it is read."""

    store: Store
    dataset: str
    actor: str
    """Who reads; needs a grant for the purpose."""
    purpose: str = "training"
    """One of ``ledger.grants.PURPOSES``."""
    reference: str | None = None
    """The data set of this hospital whose moments standardise this one; ``None``: its own."""


NodeData = Files | Archived


@dataclass(frozen=True, slots=True)
class Privacy:
    """How one call of ``train`` is made private: DP-SGD (Abadi et al. 2016, arXiv 1607.00133), unit one example."""

    noise_multiplier: float
    """Standard deviation of the noise in units of ``max_grad_norm``."""
    max_grad_norm: float
    """Clipping norm of one example's gradient."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often one example can be looked at in one call of ``train``: what the accountant has to know."""

    rate: float
    """Probability that an example is in the batch of one step (Poisson sampling)."""
    steps: int


@dataclass(frozen=True, slots=True)
class Update:
    """What a hospital sends back."""

    state: State
    examples: int
    """Weight of this hospital in the average."""
    metrics: dict[str, float] = field(default_factory=dict)


class Task(Protocol):
    """One kind of model that hospitals train together."""

    @property
    def name(self) -> str:
        """Its name in ``JOB.toml``."""

    def initial(self, seed: int) -> State:
        """Return the state that the first round starts from."""

    def load(self, node: NodeData) -> Sized:
        """Read a hospital's examples; their number is ``len``.

        Raises:
            MissingDataError: no such data.
            InvalidInputError: no row, or data that do not fit the job.
        """

    def sampling(self, rows: int, options: Mapping[str, Any]) -> Sampling:
        """Return what one call of ``train`` on so many rows costs the privacy budget, before it runs."""

    def train(
        self,
        state: State,
        examples: Any,
        *,
        options: Mapping[str, Any],
        private: Privacy | None,
        seed: int,
    ) -> Update:
        """Train from a state on a hospital's own examples.

        Args:
            state: as ``initial`` or the last round gave it.
            examples: from ``load``.
            options: ``[train]`` of the job; also ``proximal_mu`` where the strategy is FedProx.
            private: how to make it private; ``None``: not at all.
            seed: of every draw.

        Raises:
            InvalidInputError: the state does not fit, or is not finite.
            NotTrainedError: what was meant to train did not change.
            TrainingError: the loss is not finite.
        """

    def evaluate(self, state: State, examples: Any) -> dict[str, float]:
        """Return figures of a state on examples: ``n``, ``loss``, ``accuracy`` and the like."""
