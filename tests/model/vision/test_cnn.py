"""The parts of the convolutional network that have an answer of their own."""

from __future__ import annotations

import pytest


def test_doubled_is_the_nearest_neighbour() -> None:
    torch = pytest.importorskip("torch")
    from xinglin.model.vision.cnn import doubled

    features = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = torch.randn(2, 3, 8, 10, 12, generator=torch.Generator().manual_seed(1))
    asked = torch.nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")
    assert torch.equal(doubled(features), asked)
    (mine,) = torch.autograd.grad((doubled(features) * weights).sum(), features)
    (theirs,) = torch.autograd.grad((asked * weights).sum(), features)
    assert torch.allclose(mine, theirs, atol=1e-5)
