"""The balancing loss against its definition, and the imbalance that a sum over layers hides."""

from __future__ import annotations

import pytest
import torch
from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

from tests.model.experts.tiny import dense, tokens
from xinglin.errors import InvalidInputError
from xinglin.model.experts import UpcycleOptions, balancing_loss, upcycle


@pytest.fixture(scope="module")
def mixture():
    return upcycle(dense("qwen3"), UpcycleOptions(experts=4, redraw=0.5, split=False))


def test_it_is_the_mean_of_the_layers_own(mixture):
    ids = tokens(rows=2, length=9)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    logits = mixture(ids, attention_mask=mask, output_router_logits=True).router_logits
    slow = []
    for layer in logits:
        kept = layer[mask.reshape(-1) == 1]
        chosen = kept.topk(2, dim=-1).indices
        per_token = torch.stack([(chosen == expert).sum() for expert in range(4)]) / len(kept)
        slow.append(4 * (per_token * kept.softmax(-1).mean(0)).sum())
    assert len(slow) == 2
    torch.testing.assert_close(balancing_loss(logits, mixture.config, mask), torch.stack(slow).mean())


def test_imbalance_that_cancels_over_layers_is_seen(mixture):
    left = torch.tensor([[9.0, 9.0, 0.0, 0.0]]).repeat(8, 1)
    opposite = (left, left.flip(1))
    assert load_balancing_loss_func(opposite, 4, 2).item() == pytest.approx(2, abs=1e-3)
    assert balancing_loss(opposite, mixture.config).item() == pytest.approx(4, abs=1e-2)
    even = (torch.zeros(8, 4) + torch.eye(4).repeat(2, 1) * 1e-3,) * 2
    assert balancing_loss(even, mixture.config).item() == pytest.approx(2, abs=0.01)


def test_its_gradient_reaches_every_router(mixture):
    logits = mixture(tokens(), output_router_logits=True).router_logits
    balancing_loss(logits, mixture.config).backward()
    gradients = [layer.mlp.gate.weight.grad for layer in mixture.model.layers]
    assert len(gradients) == 2
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_a_pass_without_router_logits_is_named(mixture):
    for missing in (None, ()):
        with pytest.raises(InvalidInputError, match="output_router_logits=True"):
            balancing_loss(missing, mixture.config)
