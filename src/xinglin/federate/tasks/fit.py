"""One hospital's training within a round: the same steps for every task, private or not.

FedProx's pull is taken as a step of its own before the optimiser's: for plain SGD that is exactly the gradient of
``mu / 2 * |w - w0|^2``, for AdamW it is decoupled, like its decay. It reads no example, so it needs no noise.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from xinglin.errors import ConfigurationError, TrainingError
from xinglin.federate.tasks.options import FitOptions
from xinglin.federate.tasks.protocol import Privacy

Row = tuple[Tensor, ...]
Loss = Callable[[nn.Module, Row], Tensor]
"""(module, batch) -> mean loss over the batch."""


class Rows(Dataset[Row]):
    """Examples as tensors with one row each, all of the same length."""

    def __init__(self, *columns: Tensor, patients: Sequence[str] | None = None, dropped: int = 0) -> None:
        self.columns = columns
        self.dropped = dropped
        """Rows of the data that were left out."""
        self.patients = patients
        """Whose each row is; ``None``: the data do not say."""

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
        ConfigurationError: the unit is the patient, and the data do not say whose the rows are.
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

        if private.unit == "patient" and rows.patients is None:
            raise ConfigurationError(
                "[privacy] unit = 'patient': the data do not say whose the rows are; name the column as [train] patient"
            )
        _sample_norms_without_bias()
        loader = DataLoader(rows, batch_size=-(-len(rows) // options.batches(len(rows))))
        run, optimizer, drawn = private_training(
            module,
            optimizer,
            loader,
            noise_multiplier=private.noise_multiplier,
            max_grad_norm=private.max_grad_norm,
            seed=seed,
            patients=rows.patients if private.unit == "patient" else None,
            secret=private.secret,
        )
        batches = _again(drawn)
    total = 0.0
    for _ in range(plan.steps):
        batch = next(batches)
        optimizer.zero_grad(set_to_none=True)
        if len(batch[0]):
            value = loss(run, batch)
            if not math.isfinite(value.item()):
                raise TrainingError(
                    "training: the loss is not finite: lower learning_rate, or look for extreme values in the data"
                )
            total += value.item()
            with warnings.catch_warnings():
                warnings.filterwarnings(
                    "ignore", "Full backward hook is firing", UserWarning
                )  # Opacus means it so
                value.backward()  # type: ignore[no-untyped-call]
        else:
            # Poisson sampling drew nobody: the step is noise alone, as the accountant has counted it.
            for parameter in trained:
                parameter.grad_sample = parameter.new_zeros((0, *parameter.shape))  # type: ignore[attr-defined]
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


def _sample_norms_without_bias() -> None:
    """Teach Opacus layer norms that have no bias, as ModernBERT's: its own rule asks for one."""
    from opacus.grad_sample import register_grad_sampler
    from opacus.utils.tensor_utils import sum_over_all_but_batch_and_last_n

    @register_grad_sampler(nn.LayerNorm)  # type: ignore[untyped-decorator, unused-ignore]
    def sample(
        layer: nn.LayerNorm, activations: list[Tensor], backprops: Tensor
    ) -> dict[nn.Parameter, Tensor]:
        normed = nn.functional.layer_norm(activations[0], layer.normalized_shape, eps=layer.eps)
        found = {}
        if layer.weight is not None and layer.weight.requires_grad:
            found[layer.weight] = sum_over_all_but_batch_and_last_n(normed * backprops, layer.weight.dim())
        if layer.bias is not None and layer.bias.requires_grad:
            found[layer.bias] = sum_over_all_but_batch_and_last_n(backprops, layer.bias.dim())
        return found


def _again(loader: Any) -> Iterator[Row]:
    while True:
        yield from loader
