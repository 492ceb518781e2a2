"""One hospital's training within a round: the same steps for every task, private or not.

FedProx's pull is taken as a step of its own before the optimiser's: for plain SGD that is exactly the gradient of
``mu / 2 * |w - w0|^2``, for AdamW it is decoupled, like its decay. It reads no example, so it needs no noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from xinglin.errors import TrainingError
from xinglin.federate.tasks.options import FitOptions
from xinglin.federate.tasks.protocol import Privacy

Row = tuple[Tensor, ...]
Loss = Callable[[nn.Module, Row], Tensor]
"""(module, batch) -> mean loss over the batch."""


class Rows(Dataset[Row]):
    """Examples as tensors with one row each, all of the same length."""

    def __init__(self, *columns: Tensor) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, place: int) -> Row:
        return tuple(column[place] for column in self.columns)

    def batch(self, places: Sequence[int]) -> Row:
        """Return several rows as one batch."""
        index = torch.as_tensor(np.asarray(places))
        return tuple(column[index] for column in self.columns)


def fit(
    module: nn.Module, rows: Rows, loss: Loss, options: FitOptions, *, private: Privacy | None, seed: int
) -> float:
    """Train the parameters of a module that require a gradient, in place; returns the mean loss over the steps.

    Args:
        module: what is trained.
        rows: the hospital's examples, at least one.
        loss: mean loss of a batch.
        options: how.
        private: DP-SGD; ``None``: not private.
        seed: of the order of the examples, of dropout and of the noise.

    Raises:
        TrainingError: the loss is not finite.
    """
    torch.manual_seed(seed)
    module.train()
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    anchors = [parameter.detach().clone() for parameter in trained]
    optimizer = _optimizer(trained, options)
    plan = options.sampling(len(rows))
    run: nn.Module = module
    if private is None:
        batches = _shuffled(rows, options, seed)
    else:
        from xinglin.federate.privacy.dpsgd import private_training

        loader = DataLoader(rows, batch_size=-(-len(rows) // options.batches(len(rows))))
        run, optimizer, drawn = private_training(
            module,
            optimizer,
            loader,
            noise_multiplier=private.noise_multiplier,
            max_grad_norm=private.max_grad_norm,
            seed=seed,
        )
        batches = _again(drawn)
    total = 0.0
    for _ in range(plan.steps):
        batch = next(batches)
        optimizer.zero_grad(set_to_none=True)
        value = loss(run, batch)
        # An empty Poisson batch has no mean loss, but its step adds the noise that the accountant has counted.
        if len(batch[0]) and not math.isfinite(value.item()):
            raise TrainingError(
                "training: the loss is not finite: lower learning_rate, or look for extreme values in the data"
            )
        total += value.item() if len(batch[0]) else 0.0
        value.backward()  # type: ignore[no-untyped-call]
        if options.proximal_mu:
            with torch.no_grad():
                for parameter, anchor in zip(trained, anchors, strict=True):
                    parameter.sub_(options.learning_rate * options.proximal_mu * (parameter - anchor))
        optimizer.step()
    return total / plan.steps


def _optimizer(trained: Sequence[nn.Parameter], options: FitOptions) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": options.weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if options.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=options.learning_rate, momentum=options.momentum)
    return torch.optim.AdamW(groups, lr=options.learning_rate)


def _shuffled(rows: Rows, options: FitOptions, seed: int) -> Iterator[Row]:
    generator = np.random.default_rng(seed)
    parts = options.batches(len(rows))
    while True:
        order = generator.permutation(len(rows)) if parts > 1 else np.arange(len(rows))
        for places in np.array_split(order, parts):
            yield rows.batch(cast(Any, places))


def _again(loader: Any) -> Iterator[Row]:
    while True:
        yield from loader
