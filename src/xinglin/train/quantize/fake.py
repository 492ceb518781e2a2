"""Fake quantisation: values are rounded to their 8-bit grid in the forward pass, gradients pass straight through.

Straight-through estimator (Bengio et al. 2013, arXiv 1308.3432): the gradient of rounding is taken as 1 within the grid and
0 outside, where a value is clipped. Observers keep a moving average of the least and the largest value of a tensor
(Jacob et al. 2018, arXiv 1712.05877). The forward pass is ``DequantizeLinear(QuantizeLinear(x))`` of ONNX, bit by bit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xinglin.errors import InvalidInputError, TrainingError
from xinglin.model.quantisation import ACTIVATION_LEVELS, SMALLEST, Grid


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(values: Tensor, scale: Tensor, zero: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
        # Division, not a product with the inverse: that is what QuantizeLinear does.
        levels = torch.round(values / scale) + zero
        inside = (levels >= low) & (levels <= high)
        return (levels.clamp(low, high) - zero) * scale, inside

    @staticmethod
    def setup_context(ctx: torch.autograd.function.FunctionCtx, inputs: tuple, output: tuple) -> None:  # type: ignore[type-arg]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor, _: Tensor) -> tuple:  # type: ignore[type-arg]
        (inside,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient * inside, None, None, None, None


def fake_quantise(values: Tensor, scale: Tensor, zero: Tensor, low: int, high: int) -> Tensor:
    """Return the values on the grid ``scale * (level - zero)``, levels ``low`` to ``high``; differentiable in ``values``.

    ``scale`` and ``zero`` broadcast against ``values`` and take no gradient.
    """
    found: Tensor = _StraightThrough.apply(values, scale, zero, low, high)[0]  # type: ignore[no-untyped-call]
    return found


class FakeWeights(nn.Module):
    """A parametrization of a matrix (outputs, inputs): symmetric, one scale a row, by the row's largest magnitude."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, weights: Tensor) -> Tensor:
        """Return the matrix on its grid."""
        scale = weights.detach().abs().amax(1, keepdim=True).clamp(min=SMALLEST) / self.levels
        return fake_quantise(weights, scale, torch.zeros_like(scale), -self.levels, self.levels)


class FakeActivations(nn.Module):
    """The grid of one tensor: learnt from what passes while training, fixed otherwise.

    Args:
        momentum: share of each new batch in the moving averages, in (0, 1].
    """

    low: Tensor
    high: Tensor
    batches: Tensor

    def __init__(self, momentum: float) -> None:
        super().__init__()
        if not 0 < momentum <= 1:
            raise InvalidInputError(f"momentum: expected a share in (0, 1], got {momentum}")
        self.momentum = momentum
        for name in ("low", "high", "batches"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, values: Tensor) -> Tensor:
        """Return the values on the grid."""
        if self.training:
            self._observe(values.detach())
        elif not self.batches:
            raise TrainingError("an activation is asked for its scale before any batch was seen: train first")
        low, high = self.low.clamp(max=0.0), self.high.clamp(min=0.0)
        scale = ((high - low) / ACTIVATION_LEVELS).clamp(min=SMALLEST)
        zero = torch.round(-low / scale).clamp(0, ACTIVATION_LEVELS)
        return fake_quantise(values, scale, zero, 0, ACTIVATION_LEVELS)

    def _observe(self, values: Tensor) -> None:
        if not values.numel():  # an expert to whom no token was sent
            return
        low, high = torch.aminmax(values.float())
        if not torch.isfinite(low + high):
            raise TrainingError(
                f"an activation: expected finite values, got {float(low)} to {float(high)}: lower the learning rate"
            )
        share = self.momentum if self.batches else 1.0
        self.low.lerp_(low, share)
        self.high.lerp_(high, share)
        self.batches.add_(1)

    def grid(self, name: str) -> Grid:
        """Return what was learnt.

        Raises:
            InvalidInputError: nothing was seen, or only one value throughout.
        """
        if not self.batches:
            raise InvalidInputError(f"{name}: no value was ever seen: train on more examples")
        try:
            return Grid.of_range(float(self.low), float(self.high))
        except InvalidInputError as error:
            raise InvalidInputError(f"{name}: {error}") from None
