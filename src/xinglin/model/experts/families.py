"""Which standard mixture-of-experts class of ``transformers`` continues a dense one exactly.

The attention must be the same, or the upcycled model would not start where the dense one stopped. Hence:

==================  =============  ====================================================================
dense               shared expert  mixture
==================  =============  ====================================================================
Qwen3               no             ``qwen3_moe`` (it has no shared expert)
Qwen3               yes            ``dots1``: Qwen3's attention with the experts of DeepSeek-V3
Llama, Mistral      no             ``mixtral``
Llama, Mistral,     yes            ``qwen2_moe``, whose shared expert stands behind a sigmoid gate
Qwen2
==================  =============  ====================================================================

vLLM has loaders for all four and reads more than ``transformers`` does, or less; what it needs is written too:
``dots1`` there never ties the output head to the embedding and asks for ``topk_method``, ``scoring_func`` and
``moe_layer_freq``; ``qwen2_moe`` always has biases on queries, keys and values and derives the head's size
(vllm/model_executor/models/dots1.py and qwen2_moe.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.errors import InvalidInputError
from xinglin.model.experts.options import UpcycleOptions

if TYPE_CHECKING:
    from transformers import PretrainedConfig

TARGETS = {
    ("qwen3", False): "qwen3_moe",
    ("qwen3", True): "dots1",
    ("llama", False): "mixtral",
    ("mistral", False): "mixtral",
    ("llama", True): "qwen2_moe",
    ("mistral", True): "qwen2_moe",
    ("qwen2", True): "qwen2_moe",
}
"""Mixture of a (dense ``model_type``, has a shared expert)."""
COUNTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""What configurations of mixtures call the number of experts."""
SHARED = {"dots1": "shared_experts", "qwen2_moe": "shared_expert"}
"""Module of the shared expert inside ``mlp``."""
_KEPT = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
    *("hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps", "rope_parameters"),
    *(
        "tie_word_embeddings",
        "attention_dropout",
        "use_cache",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
    ),
)


def number_of_experts(config: PretrainedConfig) -> int:
    """Return the routed experts of a layer; 0 for a dense model."""
    found = (getattr(config, name, None) for name in COUNTS)
    return next((int(value) for value in found if value), 0)


def target_of(config: PretrainedConfig, shared: bool) -> str:
    """Return the ``model_type`` of the mixture that continues a dense model exactly.

    Raises:
        InvalidInputError: it is a mixture already, its architecture has no such class, or it uses a variant
            (sliding window, biases) that the class lacks.
    """
    name = str(config.model_type)
    if number_of_experts(config):
        raise InvalidInputError(
            f"{name}: it has {number_of_experts(config)} experts already; a dense model is upcycled"
        )
    known = sorted({dense for dense, _ in TARGETS})
    if name not in known:
        raise InvalidInputError(f"architecture {name}: expected one of {', '.join(known)}")
    target = TARGETS.get((name, shared))
    if target is None:
        raise InvalidInputError(
            f"{name}: no standard class continues it without a shared expert: take --shared 1"
        )
    window = getattr(config, "sliding_window", None) if name == "mistral" else None
    if window or "sliding_attention" in (getattr(config, "layer_types", None) or ()):
        raise InvalidInputError(f"{name}: attention over a sliding window is not carried over")
    biased = [key for key in ("attention_bias", "mlp_bias") if getattr(config, key, False)]
    if biased:
        raise InvalidInputError(f"{name}: {target} has no place for {biased[0]}")
    if target == "qwen2_moe" and head_size(config) * config.num_attention_heads != config.hidden_size:
        raise InvalidInputError(
            f"{name}: heads of {head_size(config)} x {config.num_attention_heads} do not make the width "
            f"{config.hidden_size}, which {target} takes for granted: take --shared 0"
        )
    return target


def head_size(config: PretrainedConfig) -> int:
    """Return the width of one attention head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def target_config(config: PretrainedConfig, options: UpcycleOptions) -> PretrainedConfig:
    """Return the configuration of the mixture.

    Raises:
        InvalidInputError: as :func:`target_of`, or the width does not divide.
    """
    from transformers import AutoConfig

    target = target_of(config, options.shared > 0)
    width = options.width(int(config.intermediate_size))
    kept = {key: getattr(config, key) for key in _KEPT if hasattr(config, key)}
    labelled = {"id2label": config.id2label, "label2id": config.label2id}
    own: dict[str, Any] = {
        "qwen3_moe": {
            "num_experts": options.experts,
            "moe_intermediate_size": width,
            "norm_topk_prob": True,
            "head_dim": head_size(config),
        },
        "dots1": {
            "n_routed_experts": options.experts,
            "n_shared_experts": options.shared,
            "moe_intermediate_size": width,
            "norm_topk_prob": True,
            "head_dim": head_size(config),
            "tie_word_embeddings": False,
            "topk_method": "noaux_tc",
            "scoring_func": "sigmoid",
            "moe_layer_freq": 1,
        },
        "qwen2_moe": {
            "num_experts": options.experts,
            "moe_intermediate_size": width,
            "shared_expert_intermediate_size": width * options.shared,
            "norm_topk_prob": True,
            "qkv_bias": True,
        },
        "mixtral": {
            "num_local_experts": options.experts,
            "intermediate_size": width,
            "head_dim": head_size(config),
        },
    }[target]
    settings = {"intermediate_size": config.intermediate_size, **kept, **labelled, **own}
    if target != "dots1":  # its class has no such loss of its own: see balance.py
        settings |= {"output_router_logits": True, "router_aux_loss_coef": options.balance}
    return AutoConfig.for_model(target, num_experts_per_tok=options.per_token, **settings)
