"""GGUF: the weights come back, llama.cpp says what transformers says, tokens are the same, the rest is refused by name."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.text_models import SENTENCES
from xinglin.errors import CheckpointError, InvalidInputError, MissingProgramError

gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from xinglin.release.export import llama_cpp  # noqa: E402
from xinglin.release.export.gguf import FILE, export, read_back, runner  # noqa: E402
from xinglin.release.export.gguf_tokens import (  # noqa: E402
    LLAMA3,
    QWEN2,
    WITHOUT_SHORT,
    cutting_rule,
)

ROWS = 512
SIZES = {
    "vocab_size": ROWS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.1,
}
KINDS = ("llama", "qwen3", "qwen3_moe")
TEXTS = (
    *SENTENCES,
    "血压 160/100 mmHg,don't worry: I'll call. 'stroke'\n\n  两 空格\t制表🚀 3.14",
    "<|im_start|>user\n胸痛3天<|im_end|>\n<|im_start|>assistant\n",
)


def tokenizer(cut: str) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(cut), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([*TEXTS] * 3, trainer)
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<|pad|>",
        eos_token="<|im_end|>",
        extra_special_tokens=["<|im_start|>"],
    )
    made.chat_template = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}{% endfor %}"
    return made


def decoder(folder: Path, kind: str, **changed: Any) -> Path:
    """Write a decoder of random weights."""
    torch.manual_seed(3)
    transformers.utils.logging.disable_progress_bar()
    if kind == "llama":
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES | changed))
    elif kind == "qwen3":
        body = {"head_dim": 32, "tie_word_embeddings": True}
        model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**SIZES | body | changed))
    else:
        body = {"head_dim": 32, "moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2}
        body |= {"norm_topk_prob": True, "decoder_sparse_step": 1}
        model = transformers.Qwen3MoeForCausalLM(transformers.Qwen3MoeConfig(**SIZES | body | changed))
    model.save_pretrained(folder)
    tokenizer(QWEN2).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("decoders")
    return {kind: decoder(place / kind, kind) for kind in KINDS}


def loaded(folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_weights_come_back_within_a_step_of_their_block(
    folders: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    (path,) = export(folders[kind], tmp_path)
    found = read_back(path)
    state = loaded(folders[kind]).state_dict()
    layers = SIZES["num_hidden_layers"]
    assert {name.split(".")[1] for name in found if name.startswith("blk.")} == {
        str(i) for i in range(layers)
    }
    assert ("output.weight" in found) is (kind != "qwen3"), "a tied head is not stored twice"
    embedding = state["model.embed_tokens.weight"].numpy()
    np.testing.assert_allclose(found["token_embd.weight"], embedding, atol=np.abs(embedding).max() / 127)
    if kind == "qwen3_moe":
        both = state["model.layers.1.mlp.experts.gate_up_proj"].numpy()
        right = {
            "ffn_gate_exps": both[:, :32],
            "ffn_up_exps": both[:, 32:],
            "ffn_down_exps": state["model.layers.1.mlp.experts.down_proj"].numpy(),
        }
        router = state["model.layers.1.mlp.gate.weight"].numpy()
        np.testing.assert_array_equal(found["blk.1.ffn_gate_inp.weight"], router)
    else:
        right = {"ffn_down": state["model.layers.1.mlp.down_proj.weight"].numpy()}
    for name, values in right.items():
        blocks = values.reshape(-1, 32)
        steps = np.abs(blocks).max(1, keepdims=True) / 8
        delta = np.abs(found[f"blk.1.{name}.weight"].reshape(-1, 32) - blocks)
        assert (delta <= 1.01 * steps + 1e-4).all(), name
        assert delta.max() > 0, "nothing was rounded to 4 bits"
    small = path.stat().st_size
    (wide,) = export(folders[kind], tmp_path, kind="F16")
    assert small < 0.62 * wide.stat().st_size


def test_llama_rows_are_paired_by_hand() -> None:
    """One head of width 4: the halves (a b | c d) become neighbours (a c b d)."""
    from xinglin.release.export.gguf import _paired

    rows = np.arange(8, dtype=np.float32)[:, None]
    assert _paired(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_the_metadata_is_what_llama_cpp_reads(folders: dict[str, Path], tmp_path: Path) -> None:
    (path,) = export(folders["qwen3_moe"], tmp_path)
    reader = gguf.GGUFReader(path)

    def value(key: str) -> Any:
        field = reader.get_field(key)
        assert field is not None, key
        return field.contents()

    assert value("general.architecture") == "qwen3moe"
    assert value("qwen3moe.expert_count") == 4
    assert value("qwen3moe.expert_used_count") == 2
    assert value("qwen3moe.attention.key_length") == 32
    assert value("tokenizer.ggml.model") == "gpt2"
    assert value("tokenizer.ggml.pre") == "qwen2"
    made = tokenizer(QWEN2)
    tokens = value("tokenizer.ggml.tokens")
    assert len(tokens) == ROWS
    assert tokens[:3] == ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    assert tokens[499] == made.convert_ids_to_tokens(499)
    kinds = value("tokenizer.ggml.token_type")
    assert kinds[:4] == [3, 3, 3, 1]
    assert kinds[500:] == [5] * 12
    merges = json.loads(made.backend_tokenizer.to_str())["model"]["merges"]
    assert value("tokenizer.ggml.merges") == [" ".join(pair) for pair in merges]
    assert value("tokenizer.ggml.eos_token_id") == 2
    assert "im_start" in value("tokenizer.chat_template")


@pytest.mark.parametrize(
    ("kind", "changed", "named"),
    [
        ("qwen3_moe", {"norm_topk_prob": False}, "norm_topk_prob"),
        ("qwen3", {"attention_bias": True}, "attention_bias"),
        ("qwen3", {"hidden_act": "gelu"}, "hidden_act"),
        ("llama", {"mlp_bias": True}, "mlp_bias"),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "rope"),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(
    tmp_path: Path, kind: str, changed: dict[str, Any], named: str
) -> None:
    folder = decoder(tmp_path / "odd", kind, **changed)
    with pytest.raises(CheckpointError, match=named):
        export(folder, tmp_path)


def test_other_architectures_and_tokenizers_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    torch.manual_seed(0)
    other = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=ROWS, n_embd=32, n_layer=1, n_head=2)
    )
    other.save_pretrained(tmp_path / "gpt2")
    tokenizer(QWEN2).save_pretrained(tmp_path / "gpt2")
    with pytest.raises(CheckpointError, match="gpt2"):
        export(tmp_path / "gpt2", tmp_path)
    with pytest.raises(InvalidInputError, match="Q4_K"):
        export(folders["llama"], tmp_path, kind="Q4_K")
    shutil.copytree(folders["llama"], tmp_path / "odd")
    tokenizer(r"\p{L}+|\s+|\S").save_pretrained(tmp_path / "odd")
    with pytest.raises(CheckpointError, match="cutting"):
        export(tmp_path / "odd", tmp_path)
    assert not (tmp_path / FILE).exists() or (tmp_path / FILE).stat().st_size == 0


def test_the_cutting_rule_is_known_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    def split(expression: str) -> dict[str, Any]:
        first = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated"}
        second = {"type": "ByteLevel", "use_regex": False, "add_prefix_space": False}
        return {
            "model": {"type": "BPE"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [first, second]},
        }

    assert cutting_rule(split(QWEN2), "m") == "qwen2"
    assert cutting_rule(split(LLAMA3), "m") == "llama-bpe"
    plain = {"model": {"type": "BPE"}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}}
    assert cutting_rule(plain, "m") == "gpt-2"
    with caplog.at_level(logging.WARNING, "xinglin.release"):
        assert cutting_rule(split(WITHOUT_SHORT), "m") == "qwen2"
    assert "single quotes" in caplog.text
    for bad in (
        {"model": {"type": "WordPiece"}},
        {"model": {"type": "BPE", "byte_fallback": True}},
        plain | {"normalizer": {"type": "Lowercase"}},
        split(QWEN2 + "|x"),
    ):
        with pytest.raises(CheckpointError, match=r"^m: gguf"):
            cutting_rule(bad, "m")


def test_a_broken_file_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    (path,) = export(folders["llama"], tmp_path)
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match=FILE):
            read_back(path)


def test_no_runner_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(llama_cpp.VARIABLE, raising=False)
    with pytest.raises(MissingProgramError, match=r"npm install|Node\.js"):
        llama_cpp.LlamaCpp(tmp_path / FILE)


@pytest.fixture
def installed() -> None:
    if not os.environ.get(llama_cpp.VARIABLE):
        pytest.skip(f"no llama.cpp: set {llama_cpp.VARIABLE}")
    return


def rounded(model: Any, kind: Any) -> Any:
    """The same model with its matrices rounded by ``gguf`` here, apart from the exporter."""
    wide = gguf.GGMLQuantizationType.Q8_0
    for name, tensor in model.state_dict().items():
        if tensor.ndim < 2 or name.endswith("mlp.gate.weight"):
            continue
        chosen = wide if "embed_tokens" in name or "lm_head" in name else kind
        values = gguf.quants.dequantize(gguf.quants.quantize(tensor.numpy(), chosen), chosen)
        tensor.copy_(torch.from_numpy(values))
    return model


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("kind", KINDS)
def test_llama_cpp_says_what_transformers_says(folders: dict[str, Path], tmp_path: Path, kind: str) -> None:
    (path,) = export(folders[kind], tmp_path)
    run, version = runner(tmp_path)
    assert version.startswith("llama.cpp")
    made = tokenizer(QWEN2)
    model = rounded(loaded(folders[kind]), gguf.GGMLQuantizationType.Q4_0)
    original = loaded(folders[kind])
    asked = llama_cpp.LlamaCpp(path)
    for text in TEXTS:
        ids = made(text).input_ids
        assert asked.tokens(text, special=True) == ids
        with torch.no_grad():
            right = model(torch.tensor([ids])).logits.numpy()
            exact = original(torch.tensor([ids])).logits.numpy()
        found = run({"input_ids": np.array([ids])})
        assert found.shape == right.shape
        # llama.cpp rounds the activations of a 4-bit matrix to 8 bits: a token near a tie of its router goes to another
        # expert there, and the tokens after it see that. So most tokens are asked for, and of dense models all.
        far, rounding = (np.abs(one - right)[0].max(-1) for one in (found, exact))
        assert np.median(far) < 0.2 * np.median(rounding), "rounding the weights is the error"
        assert np.quantile(far, 0.5 if kind == "qwen3_moe" else 1) < 0.15 * right.std()
    assert asked.template == made.chat_template
    asked.close()
    asked.close()


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_half_precision_is_nearly_exact_and_a_broken_file_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    export(folders["llama"], tmp_path, kind="F16")
    ids = tokenizer(QWEN2)(TEXTS[0]).input_ids
    with torch.no_grad():
        right = loaded(folders["llama"])(torch.tensor([ids])).logits.numpy()
    found = runner(tmp_path)[0]({"input_ids": np.array([ids])})
    assert np.abs(found - right).max() < 0.02 * right.std()
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:2000])
    with pytest.raises(CheckpointError, match=r"llama\.cpp"):
        llama_cpp.LlamaCpp(tmp_path / FILE)
