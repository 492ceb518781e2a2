"""Upcycling: exact without noise, standard classes, standard names; what cannot be continued is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from tests.model.experts.tiny import ARCHITECTURES, dense, tokens
from xinglin.errors import InvalidInputError
from xinglin.model.experts import UpcycleOptions, parameters, upcycle
from xinglin.model.experts.families import TARGETS

CASES = [(name, shared) for name, shared in TARGETS]


def logits(model, ids):
    with torch.inference_mode():
        return model(ids).logits


@pytest.mark.parametrize(("architecture", "shared"), CASES)
@pytest.mark.parametrize("split", [True, False])
def test_without_noise_the_mixture_computes_what_the_dense_model_does(architecture, shared, split):
    source = dense(architecture)
    mixture = upcycle(source, UpcycleOptions(experts=4, shared=int(shared), split=split))
    assert mixture.config.model_type == TARGETS[architecture, shared]
    assert mixture.config.num_experts_per_tok == 2
    ids = tokens()
    torch.testing.assert_close(logits(mixture, ids), logits(source, ids), rtol=2e-4, atol=2e-5)


@settings(max_examples=12, deadline=None)
@given(
    architecture=st.sampled_from(ARCHITECTURES),
    per_token=st.integers(1, 3),
    groups=st.integers(2, 3),
    shared=st.integers(1, 2),
    split=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_fitting_cut_is_exact(architecture, per_token, groups, shared, split, seed):
    options = UpcycleOptions(
        experts=per_token * groups, per_token=per_token, shared=shared, split=split, seed=seed
    )
    source = dense(architecture, seed, intermediate_size=16 * (options.parts + shared))
    mixture = upcycle(source, options)
    ids = tokens(seed)
    torch.testing.assert_close(logits(mixture, ids), logits(source, ids), rtol=5e-4, atol=5e-5)


def test_a_split_mixture_costs_a_token_what_the_dense_model_does():
    source = dense("qwen3", tie_word_embeddings=False)
    counted = parameters(upcycle(source, UpcycleOptions(experts=8)))
    router = 2 * 8 * 32
    assert counted.active == parameters(source).total + router
    ffn, slices = 2 * 3 * 32 * 48, 3
    assert counted.total == parameters(source).total + router + ffn * (8 - 2) // slices


@pytest.mark.parametrize("change", [{"noise": 0.05}, {"redraw": 0.5}])
def test_noise_tells_the_copies_apart_and_the_seed_repeats_it(change):
    source = dense("qwen3")
    first, again, other = (
        upcycle(source, UpcycleOptions(experts=4, seed=seed, **change)).state_dict() for seed in (1, 1, 2)
    )
    name = "model.layers.0.mlp.experts.gate_up_proj"
    experts = first[name]
    assert experts.shape[0] == 4
    for one in range(4):
        for two in range(one):
            assert not torch.equal(experts[one], experts[two])
    assert torch.equal(experts, again[name])
    assert not torch.equal(experts, other[name])
    assert torch.equal(
        first["model.layers.1.self_attn.q_proj.weight"],
        source.state_dict()["model.layers.1.self_attn.q_proj.weight"],
    )


def test_redrawing_leaves_the_other_channels_as_they_were():
    source = dense("qwen3", intermediate_size=60)
    redrawn = upcycle(source, UpcycleOptions(experts=4, redraw=0.25)).state_dict()
    plain = upcycle(source, UpcycleOptions(experts=4)).state_dict()
    name = "model.layers.0.mlp.experts.{}"
    same = redrawn[name.format("gate_up_proj")] == plain[name.format("gate_up_proj")]
    rows = same.all(dim=2)  # expert x (gate channels, then up channels)
    assert rows.shape == (4, 40)
    assert (rows.sum(dim=1) == 2 * (20 - 5)).all()
    assert torch.equal(rows[:, :20], rows[:, 20:])
    columns = (redrawn[name.format("down_proj")] == plain[name.format("down_proj")]).all(dim=1)
    assert torch.equal(columns, rows[:, :20])


@pytest.mark.parametrize(("architecture", "shared"), CASES)
def test_the_folder_holds_the_names_of_the_class_and_loads_without_us(architecture, shared, tmp_path: Path):
    """The names of the published checkpoints: one matrix an expert, as vLLM's loaders expect them."""
    source = dense(architecture, tie_word_embeddings=True)
    mixture = upcycle(source, UpcycleOptions(experts=4, shared=int(shared)))
    mixture.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        names = set(file.keys())
    block = "block_sparse_moe" if TARGETS[architecture, shared] == "mixtral" else "mlp"
    inside = {re.sub(r"\d+", "N", name.split(f".{block}.")[1]) for name in names if f".{block}." in name}
    expected = {
        "qwen3_moe": {"gate.weight"},
        "mixtral": {"gate.weight", *(f"experts.N.w{'N'}.weight" for _ in range(1))},
        "dots1": {"gate.weight", "gate.e_score_correction_bias"}
        | {f"shared_experts.{part}_proj.weight" for part in ("gate", "up", "down")},
        "qwen2_moe": {"gate.weight", "shared_expert_gate.weight"}
        | {f"shared_expert.{part}_proj.weight" for part in ("gate", "up", "down")},
    }[TARGETS[architecture, shared]]
    if block == "mlp":
        expected |= {f"experts.N.{part}_proj.weight" for part in ("gate", "up", "down")}
    assert inside == expected
    # Only dots1 keeps a head of its own: vLLM's class never ties it.
    assert ("lm_head.weight" in names) == (TARGETS[architecture, shared] == "dots1")
    loaded, report = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    ids = tokens()
    assert torch.equal(logits(loaded, ids), logits(mixture, ids))
    assert "xinglin" not in (tmp_path / "config.json").read_text()


def test_what_vllm_reads_beyond_transformers_is_written(tmp_path: Path):
    upcycle(dense("qwen3")).save_pretrained(tmp_path / "dots")
    config = AutoConfig.from_pretrained(tmp_path / "dots")
    assert (config.topk_method, config.scoring_func, config.moe_layer_freq) == ("noaux_tc", "sigmoid", 1)
    assert config.routed_scaling_factor == 1.0
    state = upcycle(dense("llama")).state_dict()
    bias = [value for name, value in state.items() if name.endswith("q_proj.bias")]
    assert len(bias) == 2
    assert not any(value.any() for value in bias)


@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
def test_a_classifier_keeps_its_head(architecture):
    shared = int(architecture == "llama")
    config = dense(architecture).config
    config.num_labels = 5
    torch.manual_seed(0)
    source = AutoModelForSequenceClassification.from_config(config).eval()
    mixture = upcycle(source, UpcycleOptions(experts=4, shared=shared))
    assert mixture.config.num_labels == 5
    ids = tokens()
    torch.testing.assert_close(logits(mixture, ids), logits(source, ids), rtol=2e-4, atol=2e-5)


def test_a_mixture_is_not_upcycled_again():
    with pytest.raises(InvalidInputError, match="4 experts already"):
        upcycle(upcycle(dense("qwen3"), UpcycleOptions(experts=4)))


def test_what_no_standard_class_continues_is_refused():
    gpt = AutoModelForCausalLM.from_config(
        AutoConfig.for_model("gpt2", vocab_size=20, n_embd=8, n_layer=1, n_head=2)
    )
    with pytest.raises(InvalidInputError, match="gpt2: expected one of llama, mistral, qwen2, qwen3"):
        upcycle(gpt)
    with pytest.raises(InvalidInputError, match="take --shared 1"):
        upcycle(dense("qwen2"), UpcycleOptions(shared=0))
    with pytest.raises(InvalidInputError, match="sliding window"):
        upcycle(dense("mistral", sliding_window=8))
    with pytest.raises(InvalidInputError, match="attention_bias"):
        upcycle(dense("llama", attention_bias=True))
    with pytest.raises(InvalidInputError, match="48 wide, which 5 slices"):
        upcycle(dense("qwen3"), UpcycleOptions(shared=3))
    with pytest.raises(InvalidInputError, match="do not make the width"):
        upcycle(dense("llama", head_dim=16))
    encoder = AutoModelForSequenceClassification.from_config(dense("qwen3").config)
    with pytest.raises(InvalidInputError, match="no such head"):
        upcycle(encoder, UpcycleOptions(experts=4))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"experts": 4, "per_token": 4}, "fewer than the 4 experts"),
        ({"experts": 4, "per_token": 9}, "got 9"),
        ({"experts": 1}, "expected 2 to 256"),
        ({"experts": 5}, "multiple of per_token"),
        ({"noise": -1.0}, "noise"),
        ({"noise": float("nan")}, "noise"),
        ({"redraw": 1.5}, "redraw"),
        ({"balance": -0.1}, "balance"),
        ({"shared": -1}, "shared"),
    ],
)
def test_impossible_options_are_refused(options, said):
    with pytest.raises(InvalidInputError, match=said):
        UpcycleOptions(**options)
