"""Pooling against its formula, and what the losses ask for."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from xinglin.errors import InvalidInputError  # noqa: E402
from xinglin.model.vision.cnn import ALIGN, OFFSET, STRIDE, ConvolutionalInstances, reach  # noqa: E402
from xinglin.model.vision.pooling import POOLINGS, evidence, pool  # noqa: E402
from xinglin.train.nodules.objectives import PARTS, CentreObjective, instance_places  # noqa: E402


def test_poolings_are_their_formulas():
    torch.manual_seed(0)
    maps = torch.randn(3, 2, 2, 3, 4, dtype=torch.float64) * 3
    z, score = maps[:, 0].flatten(1).numpy(), maps[:, 1].flatten(1).numpy()
    none = np.prod(1 - 1 / (1 + np.exp(-z)), axis=1)
    weights = np.exp(score) / np.exp(score).sum(1, keepdims=True)
    expected = {
        "mean": z.mean(1),
        "noisy-or": np.log((1 - none) / none),
        "log-sum-exp": np.log(np.exp(4 * z).mean(1)) / 4,
        "attention": (weights * z).sum(1),
    }
    assert set(expected) == set(POOLINGS)
    for how in POOLINGS:
        assert pool(maps, how).numpy() == pytest.approx(expected[how], rel=1e-6)
    assert evidence(maps, "attention").flatten(1).sum(1).numpy() == pytest.approx(expected["attention"])
    with pytest.raises(InvalidInputError, match="max"):
        pool(maps, "max")  # type: ignore[arg-type]


def test_noisy_or_survives_extremes():
    for value in (-80.0, 80.0):
        maps = torch.full((1, 1, 4, 4, 4), value, requires_grad=True)
        pooled = pool(maps, "noisy-or")
        pooled.backward()
        assert torch.isfinite(pooled).all()
        assert torch.isfinite(maps.grad).all()


def test_an_instance_sees_no_further_than_it_says():
    """Change one voxel: only instances within reach may answer otherwise."""
    torch.manual_seed(0)
    for depth in (1, 2):
        network = ConvolutionalInstances(4, depth).eval()
        size = 80
        image = torch.randn(1, 1, size, 4 * ALIGN, 4 * ALIGN)
        other = image.clone()
        other[0, 0, 40, 8, 8] += 5
        with torch.no_grad():
            moved = (network(image) - network(other)).abs().amax((0, 1, 3, 4))
        away = np.abs(np.arange(size // STRIDE) * STRIDE + OFFSET - 40)
        assert (moved.numpy()[away > reach(depth)] == 0).all()
        assert (moved.numpy()[away < reach(depth) - 4] > 0).any()


def test_the_grid_is_symmetric_under_flips():
    places = instance_places(torch.Size((10, 16, 16)), STRIDE, OFFSET).numpy()
    for axis, size in enumerate((20, 32, 32)):
        assert np.allclose(np.flip(size - 1 - places[axis], axis), places[axis])


class Fixed(torch.nn.Module):
    def __init__(self, maps):
        super().__init__()
        self.maps = torch.nn.Parameter(maps)

    def forward(self, images):
        return self.maps


def test_the_right_answer_costs_least():
    centre = torch.tensor([[9.0, 13.0, 20.0], [0.0, 0.0, 0.0]])
    places = instance_places(torch.Size((10, 16, 16)), STRIDE, OFFSET)
    away = centre[0][:, None, None, None] - places
    right = torch.zeros(2, PARTS, 10, 16, 16)
    right[:, 0] = -8
    right[0, 0] = torch.where(away.square().sum(0) <= 2.6**2, 8.0, -8.0)
    right[0, 1:4] = away
    right[0, 4] = math.log(6.0)
    batch = {
        "images": torch.zeros(2, 1, 20, 32, 32),
        "labels": torch.tensor([1.0, 0.0]),
        "centres": centre,
        "diameters": torch.tensor([6.0, 1.0]),
    }

    def cost(maps):
        return CentreObjective(Fixed(maps), STRIDE, OFFSET)(**batch)["loss"].item()

    best = cost(right)
    for change in ("elsewhere", "offset", "size", "everywhere"):
        wrong = right.clone()
        if change == "elsewhere":
            wrong[0, 0] = right[0, 0].roll(4, -1)
        elif change == "offset":
            wrong[0, 1:4] += 1
        elif change == "size":
            wrong[0, 4] += 0.3
        else:
            wrong[:, 0] = 8
        assert cost(wrong) > best + 0.01


def test_a_batch_without_nodules_has_a_loss():
    maps = torch.zeros(1, PARTS, 10, 16, 16)
    losses = CentreObjective(Fixed(maps), STRIDE, OFFSET)(
        torch.zeros(1, 1, 20, 32, 32), torch.zeros(1), torch.zeros(1, 3), torch.ones(1)
    )
    losses["loss"].backward()
    assert torch.isfinite(losses["loss"])


def test_transformers_have_the_same_grid_and_pretraining_learns():
    from xinglin.model.vision.vit import MaskedCubes, StemInstances, TubeletInstances, VitSize

    torch.manual_seed(0)
    size = VitSize(32, 2, 2)
    images = torch.randn(2, 1, 20, 32, 32)
    assert TubeletInstances(size)(images).shape == (2, 1, 5, 8, 8)
    assert StemInstances(size, 8, attention=True)(images).shape == (2, 2, 5, 8, 8)
    module = MaskedCubes(size)
    hidden = torch.zeros(2, 320)
    hidden[:, :240] = 1
    optimiser = torch.optim.AdamW(module.parameters(), 3e-3)
    losses = []
    for _ in range(8):
        loss = module(images, hidden)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    encoder = TubeletInstances(size, encoder=module.encoder())
    assert torch.equal(
        encoder.encoder.embeddings.patch_embeddings.projection.weight,
        module.whole.videomae.embeddings.patch_embeddings.projection.weight,
    )


def test_windowed_attention_sees_only_its_block():
    """Behind the stem's own reach a block's tokens know nothing of another block."""
    from xinglin.model.vision.vit import StemInstances, VitSize

    torch.manual_seed(0)
    network = StemInstances(VitSize(32, 2, 2), 8).eval()
    image = torch.randn(1, 1, 20, 32, 64)
    other = image.clone()
    other[..., 60:] += 3
    with torch.no_grad():
        moved = (network(image) - network(other)).abs().amax((0, 1, 2, 3))
    assert (moved[:8] == 0).all()
    assert (moved[12:] > 0).all()
