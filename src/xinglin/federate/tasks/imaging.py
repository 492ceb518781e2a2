"""Images with one label each: a small 2-D network, or the nodule network on 3-D windows.

A part is ``PART.npy`` (images of one size, never unpickled) and ``PART.csv`` with one row an image, in the same order.
The names of batch normalisation, its running moments included, begin with ``norm.``: ``local_keys = ["norm."]`` keeps
them at home (FedBN, Li et al. 2021, arXiv 2102.07623). DP-SGD refuses batch normalisation; the 2-D network has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xinglin.errors import (
    ConfigurationError,
    InputTooLargeError,
    InvalidInputError,
    MissingDataError,
    MissingExtraError,
)
from xinglin.federate.tasks.options import FitOptions, read_options
from xinglin.federate.tasks.protocol import Archived, Array, Files, NodeData, Privacy, Sampling, State, Update
from xinglin.federate.tasks.table import cells
from xinglin.federate.tasks.texts import check_labels

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    from xinglin.federate.privacy.guard import require_changed
    from xinglin.federate.tasks.fit import Row, Rows, fit
    from xinglin.federate.tasks.states import check_state, load_weights, weights_of
except ModuleNotFoundError as error:
    raise MissingExtraError("Federated training", "federate") from error

MAX_BYTES = 16 * 1024**3
BATCH = 64
NORM = "norm."


@dataclass(frozen=True, slots=True)
class ImagingOptions:
    """Settings of the images and the network."""

    labels: tuple[str, ...]
    """Names of the classes; ``instances-3d`` takes two, the second being *present*."""
    network: Literal["flat-2d", "instances-3d"] = "flat-2d"
    """Images (y, x), or windows (z, y, x) whose sizes are multiples of 4."""
    width: int = 16
    """Channels of the first stage."""
    label: str = "label"
    """Column of the label."""
    patient: str = ""
    """Column that says whose an image is, for privacy by patient; empty: not read."""
    lower: float = 0.0
    """Value that becomes -1, known beforehand: 0 of an 8-bit image, an HU value of a CT."""
    upper: float = 255.0
    """Value that becomes 1; what lies outside is cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images as the network reads them, and their labels."""

    rows: Rows
    """Images (n, 1, [z,] y, x) scaled to [-1, 1], labels (n,)."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def patients(self) -> Sequence[str] | None:
        """Whose each row is; ``None``: the data do not say."""
        return self.rows.patients


class Imaging:
    """The task ``imaging``."""

    name = "imaging"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._given = dict(options)
        self._options, _ = read_options(options, ImagingOptions)
        own = self._options
        check_labels(own.labels)
        if own.network == "instances-3d" and len(own.labels) != 2:
            raise ConfigurationError(f"[train] labels: instances-3d takes two, got {len(own.labels)}")
        if not own.lower < own.upper or not 1 <= own.width <= 256:
            raise ConfigurationError(
                "[train] lower, upper, width: expected lower below upper, and 1 to 256 channels"
            )
        self._network = self._build(0)
        self._trained = [name for name, weight in self._network.named_parameters() if weight.requires_grad]
        self._names = _spelled(self._network)

    def initial(self, seed: int) -> State:
        """Return a network drawn from the seed."""
        return self._state(self._build(seed))

    def load(self, node: NodeData) -> Images:
        """Read a hospital's images and their labels.

        Raises:
            ConfigurationError: the data lie in the archive, which holds no arrays of one size.
            InputTooLargeError: more than 16 GiB.
        """
        if isinstance(node, Archived):
            raise ConfigurationError("imaging reads files: give the node a folder with PART.npy and PART.csv")
        own = self._options
        images = _read_array(node, 3 if own.network == "flat-2d" else 4)
        labels, owners = [], []
        index = {name: place for place, name in enumerate(own.labels)}
        for place, (said, owner) in cells(node, [own.label, own.patient or own.label]):
            named = str(said).strip()
            if named not in index:
                raise InvalidInputError(f"{place}: column {own.label!r}: a label that the job does not name")
            if own.patient and not str(owner or "").strip():
                raise InvalidInputError(
                    f"{place}: column {own.patient!r}: expected whose the image is, it is empty"
                )
            labels.append(index[named])
            owners.append(str(owner))
        if len(labels) != len(images) or not labels:
            raise InvalidInputError(
                f"{node.part}: expected one label an image and at least one; got {len(images)} images, {len(labels)} labels"
            )
        if own.network == "instances-3d" and any(size % 4 for size in images.shape[1:]):
            raise InvalidInputError(
                f"{node.part}.npy: expected sizes that are multiples of 4, got {images.shape[1:]}"
            )
        scaled = (np.clip(images.astype(np.float32), own.lower, own.upper) - own.lower) / (
            own.upper - own.lower
        )
        read = torch.from_numpy(2.0 * scaled - 1.0)[:, None]
        return Images(Rows(read, torch.tensor(labels), patients=owners if own.patient else None))

    def sampling(self, rows: int, options: Mapping[str, Any]) -> Sampling:
        """Return what one call of ``train`` costs the privacy budget."""
        return self._fit(options).sampling(rows)

    def train(
        self,
        state: State,
        examples: Images,
        *,
        options: Mapping[str, Any],
        private: Privacy | None,
        seed: int,
    ) -> Update:
        """Train the network; see ``protocol.Task``."""
        network = self._loaded(deepcopy(self._network), state)  # a private run leaves its hooks on the module

        def loss(module: nn.Module, batch: Row) -> Tensor:
            return functional.cross_entropy(self._logits(module, batch[0]), batch[1])

        before = weights_of(network, self._trained)
        mean = fit(network, examples.rows, loss, self._fit(options), private=private, seed=seed)
        require_changed(before, weights_of(network, self._trained), self._trained)
        return Update(self._state(network), len(examples), {"loss": mean})

    def evaluate(self, state: State, examples: Images) -> dict[str, float]:
        """Return ``n``, ``loss``, ``accuracy`` and, of two labels that both occur, ``auc``."""
        logits = torch.from_numpy(self.logits(state, examples))
        labels = examples.rows.columns[1]
        found = {
            "n": float(len(labels)),
            "loss": float(functional.cross_entropy(logits, labels)),
            "accuracy": float((logits.argmax(1) == labels).double().mean()),
        }
        if logits.shape[1] == 2 and 0 < int(labels.sum()) < len(labels):
            from xinglin.federate.tasks.tabular import auc

            found["auc"] = auc((logits[:, 1] - logits[:, 0]).numpy(), labels.numpy() > 0)
        return found

    def logits(self, state: State, examples: Images) -> Array:
        """Return the logits of images, shape (images, labels)."""
        network = self._loaded(self._network, state).eval()
        images = examples.rows.columns[0]
        with torch.no_grad():
            parts = [
                self._logits(network, images[first : first + BATCH]) for first in range(0, len(images), BATCH)
            ]
        return np.asarray(torch.cat(parts).numpy())

    def _fit(self, options: Mapping[str, Any]) -> FitOptions:
        return read_options({**self._given, **options}, ImagingOptions)[1]

    def _build(self, seed: int) -> nn.Module:
        torch.manual_seed(seed)
        if self._options.network == "flat-2d":
            from xinglin.model.vision.flat import FlatClassifier

            return FlatClassifier(len(self._options.labels), self._options.width)
        from xinglin.model.vision.cnn import ConvolutionalInstances

        return ConvolutionalInstances(self._options.width)

    def _logits(self, module: nn.Module, images: Tensor) -> Tensor:
        answer: Tensor = module(images)
        if self._options.network == "flat-2d":
            return answer
        from xinglin.model.vision.pooling import pool

        present = pool(answer, "log-sum-exp")
        return torch.stack([torch.zeros_like(present), present], 1)

    def _state(self, network: nn.Module) -> State:
        found = weights_of(network, self._names)
        return dict(sorted((self._names[name], array) for name, array in found.items()))

    def _loaded(self, network: nn.Module, state: State) -> nn.Module:
        check_state(state, self._state(self._network))
        own = {spelled: name for name, spelled in self._names.items()}
        load_weights(network, {own[spelled]: array for spelled, array in state.items()})
        return network


def _spelled(network: nn.Module) -> dict[str, str]:
    """Name of each parameter and buffer -> its name in the state."""
    norms = tuple(
        f"{name}."
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d)
    )
    return {name: NORM + name if name.startswith(norms or ("\0",)) else name for name in network.state_dict()}


def _read_array(node: Files, axes: int) -> Array:
    path = node.folder / f"{node.part}.npy"
    if not path.is_file():
        raise MissingDataError(f"{node.folder}: expected {path.name} with the images")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: at most {MAX_BYTES // 1024**3} GiB")
    try:
        images = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise InvalidInputError(
            f"{path.name}: expected an array in NumPy's format, without pickled objects"
        ) from None
    if images.ndim != axes or images.dtype.kind not in "uif" or 0 in images.shape[1:]:
        raise InvalidInputError(
            f"{path.name}: expected numbers of shape (images, {'y, x' if axes == 3 else 'z, y, x'}), "
            f"got {images.dtype} {images.shape}"
        )
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise InvalidInputError(f"{path.name}: holds numbers that are not finite")
    return np.asarray(images)
