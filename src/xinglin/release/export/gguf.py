"""Target ``gguf``: a decoder with 4-bit weights in one file, as llama.cpp and what is built on it read it.

Names of tensors and keys are those of the ``gguf`` package; which tensors are rearranged, and how, follows llama.cpp's
own converter (``conversion/llama.py``, ``conversion/qwen.py``). Matrices become Q4_0: 32 weights share a 16-bit scale,
4.5 bits each; token embedding and head Q8_0, as their errors go straight into the logits; norms and the router of
experts stay in 32 bits. llama.cpp's K-quants are smaller at the same error, but ``gguf`` cannot write them.

What llama.cpp would silently compute otherwise (biases, scaled or partial rotary positions, windows, another
activation, expert weights that are not renormalised) is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, InvalidInputError, MissingExtraError
from xinglin.model.decoder.opening import Decoder, open_decoder
from xinglin.release.export.gguf_tokens import write_tokens
from xinglin.release.export.llama_cpp import open_gguf

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, GGUFWriter

    from xinglin.release.export.probe import Runner
    from xinglin.release.export.targets import Calibration

FILE = "model.gguf"
ARCHITECTURES = {"llama": "LLAMA", "qwen3": "QWEN3", "qwen3_moe": "QWEN3MOE"}
"""``model_type`` of transformers -> name in ``gguf.MODEL_ARCH``."""
KINDS = ("Q4_0", "Q8_0", "F16")
WIDE = ("token_embd.weight", "output.weight")
PLAIN = ("ffn_gate_inp.weight",)
"""Matrices that stay in 32 bits: the router decides by small differences."""


def export(folder: Path, out: Path, calibration: Calibration = None, /, *, kind: str = "Q4_0") -> list[Path]:
    """Write ``model.gguf``: weights, tokenizer and chat template in one file.

    Args:
        folder: a decoder of architecture Llama, Qwen3 or Qwen3-MoE with a byte-level BPE tokenizer.
        out: an existing folder.
        calibration: not used: the scales of Q4_0 depend on the weights alone.
        kind: of the matrices, one of :data:`KINDS`.

    Raises:
        InvalidInputError: another kind.
        CheckpointError: the folder cannot be opened, or has a part that llama.cpp would compute otherwise.
        MissingExtraError: gguf, torch or transformers is not installed.
    """
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin model export --to gguf", "edge") from error
    if kind not in KINDS:
        raise InvalidInputError(f"kind: expected one of {', '.join(KINDS)}, got {kind[:20]!r}")
    decoder = open_decoder(folder)
    config = decoder.model.config.to_dict()
    _require(config)
    architecture = getattr(gguf.MODEL_ARCH, ARCHITECTURES[config["model_type"]])
    path = out / FILE
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    try:
        _write_sizes(writer, config, decoder, kind)
        write_tokens(writer, decoder.tokenizer, int(config["vocab_size"]), folder.name)
        for name, values in _tensors(decoder, config):
            stored = _kind_of(name, values, kind)
            writer.add_tensor(name, gguf.quants.quantize(values, stored), raw_dtype=stored)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    return [path]


def runner(out: Path, /) -> tuple[Runner, str]:
    """Open the file in llama.cpp (:func:`xinglin.release.export.llama_cpp.open_gguf`)."""
    return open_gguf(out / FILE)


def read_back(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of a GGUF file as 32-bit floats, by llama.cpp's names.

    Raises:
        CheckpointError: it is no GGUF file, or a broken one.
        MissingExtraError: gguf is not installed.
    """
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise MissingExtraError("GGUF", "edge") from error
    try:
        tensors = gguf.GGUFReader(path).tensors
        return {item.name: gguf.quants.dequantize(item.data, item.tensor_type) for item in tensors}
    except (ValueError, KeyError, IndexError, OSError, UnicodeDecodeError, OverflowError) as error:
        raise CheckpointError(
            f"{path.name}: no whole GGUF file ({type(error).__name__}): export it again"
        ) from error


def _require(config: Mapping[str, Any]) -> None:
    """Refuse what llama.cpp would not compute as transformers does."""
    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        raise CheckpointError(
            f"gguf: expected an architecture of {', '.join(ARCHITECTURES)}, got {str(kind)[:40]!r}: train one of these"
        )
    rope = config.get("rope_parameters") or {}
    heads, width = config["num_attention_heads"], config["hidden_size"]
    head = config.get("head_dim") or width // heads
    refused = {
        "attention_bias": bool(config.get("attention_bias")),
        "mlp_bias": bool(config.get("mlp_bias")),
        "hidden_act": config.get("hidden_act") != "silu",
        "rope_parameters": rope.get("rope_type", "default") != "default",
        "partial_rotary_factor": rope.get("partial_rotary_factor", 1.0) != 1.0,
        "use_sliding_window": bool(config.get("use_sliding_window")),
        "head_dim": kind == "llama" and head * heads != width,
    }
    if kind == "qwen3_moe":
        refused |= {
            "norm_topk_prob": not config.get("norm_topk_prob"),
            "decoder_sparse_step": config.get("decoder_sparse_step") != 1,
            "mlp_only_layers": bool(config.get("mlp_only_layers")),
        }
    found = [name for name, bad in refused.items() if bad]
    if found:
        values = ", ".join(f"{name} = {config.get(name)}" for name in found)
        raise CheckpointError(
            f"gguf: llama.cpp computes {kind} without {values[:200]}: it would give other numbers"
        )


def _write_sizes(writer: GGUFWriter, config: Mapping[str, Any], decoder: Decoder, kind: str) -> None:
    import gguf

    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or config["hidden_size"] // heads)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(decoder.folder.name)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_file_type(getattr(gguf.LlamaFileType, f"MOSTLY_{kind}"))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_context_length(decoder.max_context)
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config["num_key_value_heads"]))
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float((config.get("rope_parameters") or {}).get("rope_theta", 10_000.0)))
    writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))
    writer.add_vocab_size(int(config["vocab_size"]))
    if config["model_type"] == "qwen3_moe":
        writer.add_expert_count(int(config.get("num_experts") or config["num_local_experts"]))
        writer.add_expert_used_count(int(config["num_experts_per_tok"]))
        writer.add_expert_feed_forward_length(int(config["moe_intermediate_size"]))


def _tensors(decoder: Decoder, config: Mapping[str, Any]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every tensor by llama.cpp's name, arranged as llama.cpp wants it."""
    import gguf

    architecture = getattr(gguf.MODEL_ARCH, ARCHITECTURES[config["model_type"]])
    names = gguf.get_tensor_name_map(architecture, int(config["num_hidden_layers"]))
    tied = bool(config.get("tie_word_embeddings"))
    for name, tensor in decoder.model.state_dict().items():
        if tied and name == "lm_head.weight":
            continue  # llama.cpp takes the embedding where there is no head
        values = tensor.float().numpy()
        for part, piece in _parts(name, values, config):
            # Stacked experts carry no suffix in transformers.
            renamed = names.get_name(part, try_suffixes=(".weight",)) or names.get_name(
                f"{part}.weight", try_suffixes=(".weight",)
            )
            if renamed is None:
                raise CheckpointError(f"gguf: {part}: llama.cpp has no such tensor in {config['model_type']}")
            yield renamed if renamed.endswith(".weight") else f"{renamed}.weight", piece


def _parts(
    name: str, values: NDArray[np.float32], config: Mapping[str, Any]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    if name.endswith("mlp.experts.gate_up_proj"):  # (experts, 2 * inner, width), the gate first
        half = values.shape[1] // 2
        base = name.removesuffix("gate_up_proj")
        yield f"{base}gate_proj", np.ascontiguousarray(values[:, :half])
        yield f"{base}up_proj", np.ascontiguousarray(values[:, half:])
    elif config["model_type"] == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
        whose = "num_attention_heads" if "q_proj" in name else "num_key_value_heads"
        yield name, _paired(values, int(config[whose]))
    else:
        yield name, values


def _paired(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of queries or keys from two halves, as transformers turns them, to neighbours, as llama.cpp's Llama does."""
    rows, columns = values.shape
    halves = values.reshape(heads, 2, rows // heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(rows, columns)


def _kind_of(name: str, values: NDArray[np.float32], kind: str) -> GGMLQuantizationType:
    import gguf

    if values.ndim < 2 or name.endswith(PLAIN):
        return gguf.GGMLQuantizationType.F32
    if kind == "F16" or values.shape[-1] % 32:  # a block is 32 weights of one row
        return gguf.GGMLQuantizationType.F16
    chosen: GGMLQuantizationType = getattr(gguf.GGMLQuantizationType, "Q8_0" if name in WIDE else kind)
    return chosen
