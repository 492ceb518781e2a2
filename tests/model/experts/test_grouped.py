"""The quick path equals the loop over experts: values, gradients, whole models, one token and many."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.experts.tiny import dense, tokens
from xinglin.model.experts import UpcycleOptions, quicken, upcycle
from xinglin.model.experts import grouped as grouped_module
from xinglin.model.experts.grouped import NAME, grouped_experts


def layer(experts: int, width: int, inner: int, seed: int):
    from transformers.models.qwen3_moe.configuration_qwen3_moe import Qwen3MoeConfig
    from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeExperts

    torch.manual_seed(seed)
    made = Qwen3MoeExperts(
        Qwen3MoeConfig(hidden_size=width, moe_intermediate_size=inner, num_experts=experts)
    )
    for matrix in made.parameters():
        torch.nn.init.normal_(matrix, std=0.3)
    made.config._experts_implementation = "eager"
    return made


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 40),
    experts=st.integers(2, 9),
    chosen=st.integers(1, 3),
    width=st.integers(1, 6),
    inner=st.integers(1, 6),
    seed=st.integers(0, 999),
    one_sided=st.booleans(),
)
def test_values_and_gradients_equal_the_loop(count, experts, chosen, width, inner, seed, one_sided):
    chosen = min(chosen, experts)
    made = layer(experts, 4 * width, 4 * inner, seed)
    scores = torch.rand(count, experts)
    if one_sided:  # most experts get no token at all
        scores[:, :chosen] += 1
    weights, index = scores.topk(chosen)
    found = {}
    for name, path in (("loop", made), ("ours", lambda *given: grouped_experts(made, *given))):
        hidden = torch.randn(
            count, 4 * width, generator=torch.Generator().manual_seed(seed), requires_grad=True
        )
        weight = weights.clone().requires_grad_()
        made.zero_grad()
        result = path(hidden, index, weight)
        result.square().sum().backward()
        gradients = [hidden.grad, weight.grad, *(matrix.grad for matrix in made.parameters())]
        found[name] = [result.detach(), *gradients]
    assert len(found["ours"]) == 5
    for ours, theirs in zip(found["ours"], found["loop"], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
@pytest.mark.parametrize("shared", [0, 1])
def test_a_whole_model_decodes_the_same_text(architecture, shared):
    mixture = upcycle(dense(architecture), UpcycleOptions(experts=4, shared=shared, split=False, noise=0.5))
    ids = tokens(rows=1)
    loop = mixture.generate(ids, max_new_tokens=12, do_sample=False)
    mixture.set_experts_implementation("eager")
    with torch.inference_mode():
        eager = mixture(ids).logits
        assert quicken(mixture) == NAME
        quick = mixture(ids).logits
    torch.testing.assert_close(quick, eager, rtol=1e-4, atol=1e-5)
    assert torch.equal(mixture.generate(ids, max_new_tokens=12, do_sample=False), loop)


def test_the_quick_path_is_the_one_that_runs(monkeypatch):
    mixture = upcycle(dense("qwen3"), UpcycleOptions(experts=4))
    seen = []

    def counted(self, hidden_states, *given):
        seen.append(hidden_states.shape[0])
        return grouped_experts(self, hidden_states, *given)

    monkeypatch.setattr(grouped_module, "grouped_experts", counted)
    assert quicken(mixture) == NAME
    mixture(tokens(rows=2, length=5))
    assert seen == [10, 10]  # two layers


def test_widths_that_torch_cannot_group_keep_the_loop():
    mixture = upcycle(dense("qwen3", intermediate_size=3 * 6), UpcycleOptions(experts=4))
    mixture.set_experts_implementation("eager")
    assert quicken(mixture) == "eager"
    mixture(tokens())


def test_a_dense_model_is_left_alone():
    model = dense("qwen3")
    before = model.config._experts_implementation
    assert quicken(model) == str(before)


def test_saving_leaves_no_trace_of_the_path(tmp_path):
    mixture = upcycle(dense("qwen3"), UpcycleOptions(experts=4))
    quicken(mixture)
    mixture.save_pretrained(tmp_path)
    assert NAME not in (tmp_path / "config.json").read_text()
