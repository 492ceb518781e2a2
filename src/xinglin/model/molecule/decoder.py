"""The decoder: a small Llama, written out in plain torch so that training, sampling and scoring are quick on a CPU.

The architecture is that of ``transformers``' ``LlamaForCausalLM`` with tied embeddings and one key and value head for all
query heads (Touvron et al. 2023, arXiv 2302.13971; multi-query attention: Shazeer 2019, arXiv 1911.02150), tensor
names included: the files load there, and logits agree. What is left out is what a small model on a CPU waits for: masks
that causality makes needless when the padding is on the right, and the library's own import.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from xinglin.errors import CheckpointError, ConfigurationError
from xinglin.model.molecule.tokens import BOS, EOS, PAD
from xinglin.model.parts import CONFIG, WEIGHTS, read_json

EPSILON, THETA = 1e-5, 10_000.0


@dataclass(frozen=True, slots=True)
class DecoderSize:
    """Widths of the decoder; by default those of the shipped prior."""

    vocabulary: int = 384
    width: int = 128
    inner: int = 384
    """Width of the gated feed-forward layer."""
    layers: int = 3
    heads: int = 4
    positions: int = 128
    """Longest sequence in tokens, begin and end included."""

    def __post_init__(self) -> None:
        numbers = (self.vocabulary, self.width, self.inner, self.layers, self.heads, self.positions)
        if min(numbers) < 1 or self.width % (2 * self.heads) or max(numbers) > 65_536:
            raise ConfigurationError(
                f"decoder: expected positive widths, the width twice the heads' multiple, got {numbers}"
            )

    @property
    def head(self) -> int:
        """Width of one head."""
        return self.width // self.heads

    def config(self) -> dict[str, object]:
        """Return the ``config.json`` of a ``LlamaForCausalLM`` of these widths."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocabulary,
            "hidden_size": self.width,
            "intermediate_size": self.inner,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": 1,
            "head_dim": self.head,
            "max_position_embeddings": self.positions,
            "rms_norm_eps": EPSILON,
            "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "pad_token_id": PAD,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
            "dtype": "float32",
        }

    @classmethod
    def read(cls, folder: Path) -> DecoderSize:
        """Return the widths in a folder's ``config.json``.

        Raises:
            CheckpointError: it is no Llama as :meth:`config` writes it.
        """
        found = read_json(folder / CONFIG)
        try:
            size = cls(
                int(found["vocab_size"]),
                int(found["hidden_size"]),
                int(found["intermediate_size"]),
                int(found["num_hidden_layers"]),
                int(found["num_attention_heads"]),
                int(found["max_position_embeddings"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{folder / CONFIG}: expected the widths of a decoder; {error!r}") from None
        differs = [key for key, value in size.config().items() if found.get(key, value) != value]
        if differs:
            raise CheckpointError(
                f"{folder / CONFIG}: {', '.join(differs)}: not as this decoder has it: another architecture"
            )
        return size


class Attention(nn.Module):
    """Weights of one attention layer."""

    def __init__(self, size: DecoderSize) -> None:
        super().__init__()
        self.q_proj = nn.Linear(size.width, size.width, bias=False)
        self.k_proj = nn.Linear(size.width, size.head, bias=False)
        self.v_proj = nn.Linear(size.width, size.head, bias=False)
        self.o_proj = nn.Linear(size.width, size.width, bias=False)


class Gated(nn.Module):
    """Weights of one gated feed-forward layer."""

    def __init__(self, size: DecoderSize) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(size.width, size.inner, bias=False)
        self.up_proj = nn.Linear(size.width, size.inner, bias=False)
        self.down_proj = nn.Linear(size.inner, size.width, bias=False)


class Layer(nn.Module):
    """One layer: attention and feed-forward, each normalised before and added to what came."""

    def __init__(self, size: DecoderSize) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(size.width, EPSILON)
        self.self_attn = Attention(size)
        self.post_attention_layernorm = nn.RMSNorm(size.width, EPSILON)
        self.mlp = Gated(size)

    def queried(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value of (..., width), before positions."""
        weights = self.self_attn
        joined = torch.cat([weights.q_proj.weight, weights.k_proj.weight, weights.v_proj.weight])
        mixed = functional.linear(self.input_layernorm(hidden), joined)
        head = weights.k_proj.out_features
        query, key, value = torch.split(mixed, [mixed.shape[-1] - 2 * head, head, head], -1)
        return query, key, value

    def finished(self, hidden: Tensor, attended: Tensor) -> Tensor:
        """Add what was attended to and the feed-forward layer's answer."""
        hidden = hidden + self.self_attn.o_proj(attended)
        seen = self.post_attention_layernorm(hidden)
        gated = functional.silu(self.mlp.gate_proj(seen)) * self.mlp.up_proj(seen)
        out: Tensor = hidden + self.mlp.down_proj(gated)
        return out


class Body(nn.Module):
    """Embeddings, layers and the last norm."""

    def __init__(self, size: DecoderSize) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(size.vocabulary, size.width)
        self.layers = nn.ModuleList([Layer(size) for _ in range(size.layers)])
        self.norm = nn.RMSNorm(size.width, EPSILON)

    def stack(self) -> Iterator[Layer]:
        """Yield the layers in order."""
        for layer in self.layers:
            if isinstance(layer, Layer):
                yield layer


class Decoder(nn.Module):
    """The language model; weights are drawn from torch's global generator.

    Args:
        size: widths.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, size: DecoderSize) -> None:
        super().__init__()
        self.size = size
        self.model = Body(size)
        frequencies = THETA ** (-torch.arange(0, size.head, 2, dtype=torch.float32) / size.head)
        angles = torch.outer(torch.arange(size.positions, dtype=torch.float32), frequencies)
        self.register_buffer("cosine", torch.cat([angles.cos()] * 2, -1), persistent=False)
        self.register_buffer("sine", torch.cat([angles.sin()] * 2, -1), persistent=False)
        for weight in self.parameters():
            if weight.ndim == 2:
                nn.init.normal_(
                    weight, std=0.02 if weight.shape[0] == size.vocabulary else weight.shape[1] ** -0.5
                )

    @classmethod
    def load(cls, folder: Path) -> Decoder:
        """Read ``config.json`` and ``model.safetensors``; nothing is verified beyond their fitting together.

        Raises:
            CheckpointError: a file is absent, broken, or of another architecture.
        """
        from safetensors.torch import load_file

        decoder = cls(DecoderSize.read(folder))
        try:
            decoder.load_state_dict(load_file(str(folder / WEIGHTS)))
        except Exception as error:  # safetensors and torch raise several kinds
            raise CheckpointError(
                f"{folder / WEIGHTS}: expected the weights of the decoder; {error}"
            ) from None
        return decoder.eval()

    def save(self, folder: Path) -> None:
        """Write ``config.json`` and ``model.safetensors`` as ``LlamaForCausalLM.from_pretrained`` reads them."""
        from safetensors.torch import save_file

        text = json.dumps(self.size.config(), indent=2) + "\n"
        (folder / CONFIG).write_text(text, encoding="utf-8")
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})

    def turned(self, vectors: Tensor, first: int, last: int) -> Tensor:
        """Rotate vectors (..., positions, head) by their positions (RoPE, Su et al. 2021, arXiv 2104.09864)."""
        half = vectors.shape[-1] // 2
        crossed = torch.cat([-vectors[..., half:], vectors[..., :half]], -1)
        return vectors * self.cosine[first:last] + crossed * self.sine[first:last]

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits (rows, length, vocabulary) of ids (rows, length), padded on the right if at all."""
        return functional.linear(self.hidden(ids), self.model.embed_tokens.weight)

    def hidden(self, ids: Tensor) -> Tensor:
        """Return normed hidden states (rows, length, width) of ids (rows, length), padded on the right if at all."""
        rows, length = ids.shape
        heads, width = self.size.heads, self.size.head
        hidden = self.model.embed_tokens(ids)
        for layer in self.model.stack():
            query, key, value = layer.queried(hidden)
            query = self.turned(query.view(rows, length, heads, width).transpose(1, 2), 0, length)
            key = self.turned(key, 0, length)[:, None].expand_as(query)
            value = value[:, None].expand_as(query)
            seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            hidden = layer.finished(hidden, seen.transpose(1, 2).reshape(rows, length, -1))
        states: Tensor = self.model.norm(hidden)
        return states

    def log_likelihoods(self, ids: Tensor) -> Tensor:
        """Return the log-likelihood of every token after the first, (rows, length - 1); 0 where it is padding."""
        losses = functional.cross_entropy(
            self(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), ignore_index=PAD, reduction="none"
        )
        return -losses.view(len(ids), -1)


def padded(sequences: list[list[int]]) -> Tensor:
    """Return sequences of ids as rows padded on the right."""
    length = max(map(len, sequences))
    return torch.tensor([one + [PAD] * (length - len(one)) for one in sequences])
