"""DP-SGD by Opacus: units are drawn by Poisson sampling, each one's gradient is clipped, Gaussian noise is added.

Abadi et al. 2016 (arXiv:1607.00133). The unit is the example, or the patient: then patients are drawn, the gradients
of a patient's examples are added up and their sum is clipped, so that k examples weigh no more than one.

Draws and noise come from a secret: whoever could guess them could take the noise off again. The seed of a job is no
secret, so a key of 32 random bytes is mixed in unless the caller gives one. Opacus' secure mode (noise that survives
attacks on floating-point numbers, Mironov 2012) needs torchcsprng, which does not exist for this torch: the noise is
PyTorch's own Mersenne Twister, seeded with 64 secret bits.
"""

from __future__ import annotations

import hmac
import math
import secrets
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from xinglin.errors import ConfigurationError, InvalidInputError, MissingExtraError, TrainingError


def private_training(
    model: Any,
    optimizer: Any,
    loader: Any,
    *,
    noise_multiplier: float,
    max_grad_norm: float,
    seed: int,
    patients: Sequence[Hashable] | None = None,
    secret: bytes | None = None,
) -> tuple[Any, Any, Any]:
    """Return model, optimizer and loader that train privately; use them in place of those given.

    One pass over the loader is ``len(loader)`` steps, each of which draws every unit with chance ``1 / len(loader)``;
    that and the number of steps are what the accountant has to know. A batch may be empty: take the step all the same,
    it was counted. The loss must be the mean over the examples of the batch. Each step wants ``zero_grad`` before it.

    Args:
        model: what is trained, as it stands; layers that mix examples (batch norm) are refused.
        optimizer: over the parameters of ``model`` that require a gradient.
        loader: over a data set of known length; its batch size sets the rate.
        noise_multiplier: standard deviation of the noise over ``max_grad_norm``.
        max_grad_norm: L2 norm to which each unit's gradient is clipped.
        seed: of draws and noise, together with ``secret``.
        patients: patient of each example, in the order of the data set; ``None``: the unit is the example.
        secret: for a run that can be repeated, where nobody is to be protected; ``None``: drawn here and forgotten.

    Returns:
        (model, optimizer, loader).

    Raises:
        InvalidInputError: a number out of range, or as many patients as examples are not named.
        ConfigurationError: a layer mixes examples, or the optimizer does not hold what is to be trained.
        MissingExtraError: Opacus is not installed.
    """
    for name, value in (("noise_multiplier", noise_multiplier), ("max_grad_norm", max_grad_norm)):
        if not (math.isfinite(value) and value > 0):
            raise InvalidInputError(f"{name}: expected a number above 0, got {value!r}")
    try:
        import torch
        from opacus import GradSampleModule
        from opacus.optimizers import DPOptimizer
        from opacus.validators import ModuleValidator
    except ImportError:
        raise MissingExtraError("private training", "federate") from None
    count = len(loader.dataset)
    if patients is not None and len(patients) != count:
        raise InvalidInputError(f"patients: expected one for each of {count} examples, got {len(patients)}")
    wrong = ModuleValidator.validate(model)
    if wrong:
        raise ConfigurationError(f"this model cannot be trained privately: {str(wrong[0])[:300]}")
    _check_optimizer(model, optimizer)
    _spread_positions(model)
    key = secrets.token_bytes(32) if secret is None else secret
    draws, noise = (torch.Generator().manual_seed(_number(key, seed, use)) for use in (b"draws", b"noise"))
    groups = _groups(patients if patients is not None else range(count))
    rate = 1 / len(loader)
    private = DPOptimizer(
        optimizer,
        noise_multiplier=noise_multiplier,
        max_grad_norm=max_grad_norm,
        expected_batch_size=len(groups) * rate,
        generator=noise,
    )
    batches = PoissonLoader(loader, groups, rate, len(loader), draws)
    module = GradSampleModule(model)
    return module, private if patients is None else ByPatient(private, batches), batches


class PoissonLoader:
    """Batches in which every unit lies with the same chance, each independently of all others."""

    def __init__(
        self, loader: Any, groups: Sequence[Sequence[int]], rate: float, steps: int, generator: Any
    ) -> None:
        from opacus.data_loader import wrap_collate_with_empty

        self.owners: Any = None
        """Of each example of the last batch, the place of its unit among those drawn."""
        self.drawn = 0
        """How many units the last batch was made of."""
        self._groups, self._rate, self._steps, self._generator = groups, rate, steps, generator
        self._dataset = loader.dataset
        self._collate = wrap_collate_with_empty(collate_fn=loader.collate_fn)
        self._collate([self._dataset[0]])  # from which it knows what an empty batch looks like

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Any]:
        import torch

        for _ in range(self._steps):
            chance = torch.rand(len(self._groups), generator=self._generator)
            chosen = (chance < self._rate).nonzero().flatten().tolist()
            self.drawn = len(chosen)
            owners = [place for place, unit in enumerate(chosen) for _ in self._groups[unit]]
            self.owners = torch.tensor(owners, dtype=torch.long)
            yield self._collate([self._dataset[n] for unit in chosen for n in self._groups[unit]])


class ByPatient:
    """A private optimizer whose unit is the patient: before it clips, each patient's gradients are added up."""

    def __init__(self, optimizer: Any, batches: PoissonLoader) -> None:
        self._optimizer, self._batches = optimizer, batches

    @property
    def param_groups(self) -> Any:
        """Parameters and their learning rates."""
        return self._optimizer.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        self._optimizer.zero_grad(set_to_none)

    def step(self) -> None:
        """Clip, add noise, and move the weights.

        Raises:
            TrainingError: the gradients are not those of the last batch that was drawn.
        """
        owners, drawn = self._batches.owners, self._batches.drawn
        for parameter in self._optimizer.params:
            sample = parameter.grad_sample
            if isinstance(sample, list) or sample is None or len(sample) != len(owners):
                raise TrainingError(
                    "private training: expected one gradient of each example of the last batch: call zero_grad, one "
                    "backward and step for each batch, in this order"
                )
            total = sample.new_zeros((drawn, *sample.shape[1:]))
            parameter.grad_sample = total.index_add_(0, owners.to(sample.device), sample)
        self._optimizer.step()


def _groups(owners: Sequence[Hashable]) -> list[list[int]]:
    """Places of the examples of each unit, in the order in which the units appear."""
    found: dict[Hashable, list[int]] = {}
    for place, owner in enumerate(owners):
        found.setdefault(owner, []).append(place)
    return list(found.values())


def _check_optimizer(model: Any, optimizer: Any) -> None:
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if not trained or trained != held:
        raise ConfigurationError(
            f"the optimizer holds {len(held & trained)} of the {len(trained)} parameters that require a gradient, and "
            f"{len(held - trained)} others: make it over exactly these, after adapters were put in; the rest would "
            "silently not train"
        )


def _spread_positions(model: Any) -> None:
    """Give BERT-like embeddings one row of positions an example.

    They look up the positions once for the whole batch; the gradient of the position embeddings is then one for all,
    which has no norm by example. Asked for each example anew they give the same output, and gradients by example.
    """

    def spread(module: Any, arguments: Any, named: dict[str, Any]) -> Any:
        given = named.get("input_ids", arguments[0] if arguments else None)
        shape = given if given is not None else named.get("inputs_embeds")
        if (
            shape is not None
            and named.get("position_ids") is None
            and not named.get("past_key_values_length")
        ):
            positions = module.position_ids[:, : shape.shape[1]].expand(shape.shape[0], -1)
            named = {**named, "position_ids": positions}
        return arguments, named

    for module in model.modules():
        if hasattr(module, "position_embeddings") and hasattr(module, "position_ids"):
            module.register_forward_pre_hook(spread, with_kwargs=True)


def _number(secret: bytes, seed: int, use: bytes) -> int:
    return int.from_bytes(
        hmac.digest(secret, use + b"\0" + str(seed).encode(), "sha256")[:8], "big", signed=True
    )
