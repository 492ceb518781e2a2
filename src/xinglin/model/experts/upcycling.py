"""Sparse upcycling: a dense language model becomes a mixture of experts that starts where it stopped.

Komatsuzaki et al. 2022 (arXiv 2212.05055) copy the feed-forward network into every expert. We renormalise the chosen
experts' weights to 1, which they do for decoders too, so that without noise the mixture equals the dense model.
Fine-grained experts follow He et al. 2024 (arXiv 2410.07524): the network is cut into parts, the experts that hold the
parts of one copy share their row of the router (*virtual group*), so that a token wakes one whole copy, and the outputs
are scaled back. We differ in two ways: they keep the softmax over all experts and scale by it, we renormalise; and a
slice of the network may become the shared expert. Identical experts would part slowly: ``redraw`` draws a share of
their channels anew from the mean and deviation of what stood there (drop-upcycling, Nakamura et al. 2025, arXiv
2502.19261), ``noise`` is the simpler way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.model.experts.families import SHARED, target_config
from xinglin.model.experts.options import UpcycleOptions

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtraError("专家混合 a mixture of experts", "train") from error

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MLP = ".mlp."


def upcycle(model: PreTrainedModel, options: UpcycleOptions | None = None) -> PreTrainedModel:
    """Return a mixture of experts made of a dense model, in evaluation mode, on the CPU; the dense one is unchanged.

    Args:
        model: a causal language model or a sequence classifier of :data:`xinglin.model.experts.families.TARGETS`.
        options: how it is cut; without noise and redrawing the result computes what ``model`` does.

    Both models are in memory at once: about ``1 + experts * width / inner`` times the dense one's feed-forward part.

    Raises:
        InvalidInputError: the architecture cannot be continued, or the options do not fit it.
    """
    chosen = options or UpcycleOptions()
    config = target_config(model.config, chosen)
    mixture = _empty(model, config.model_type, config)
    weights = {name: value for name, value in model.state_dict().items() if MLP not in name}
    made = torch.Generator().manual_seed(chosen.seed)
    for layer in range(int(config.num_hidden_layers)):
        weights |= _layer(model, f"model.layers.{layer}.mlp.", config.model_type, chosen, made)
    if config.model_type == "qwen2_moe":
        weights |= _zero_biases(mixture, weights)
    if getattr(model.config, "tie_word_embeddings", False) and "lm_head.weight" in mixture.state_dict():
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    mixture.load_state_dict({name: value.detach().cpu() for name, value in weights.items()}, strict=True)
    mixture.tie_weights()
    generation = getattr(model, "generation_config", None)
    if generation is not None and mixture.can_generate():
        mixture.generation_config = generation
    return mixture.eval()


def _empty(model: PreTrainedModel, target: str, config: object) -> PreTrainedModel:
    """The mixture of the same head as the dense model; its weights do not matter yet."""
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    head = type(model).__name__
    heads = {
        "ForCausalLM": AutoModelForCausalLM,
        "ForSequenceClassification": AutoModelForSequenceClassification,
    }
    auto = next((auto for ending, auto in heads.items() if head.endswith(ending)), None)
    if auto is None:
        raise InvalidInputError(f"{head}: expected a class that ends in {' or '.join(heads)}")
    try:
        return auto.from_config(config, dtype=model.dtype)
    except ValueError as error:
        raise InvalidInputError(
            f"{head}: {target} has no such head in transformers: take another --shared"
        ) from error


def _layer(
    model: PreTrainedModel, prefix: str, target: str, options: UpcycleOptions, made: torch.Generator
) -> dict[str, Tensor]:
    """Router, experts and shared expert of one layer.

    Args:
        model: the dense one; its layer has ``gate_proj`` and ``up_proj`` (inner x width), ``down_proj`` (width x inner).
        prefix: of the layer's feed-forward network.
        target: ``model_type`` of the mixture.
        options: how it is cut.
        made: of every random draw.
    """
    gate, up, down = (
        model.get_parameter(f"{prefix}{name}_proj.weight").detach() for name in ("gate", "up", "down")
    )
    width, parts = options.width(gate.shape[0]), options.parts
    kept = width * options.shared
    routed = []
    for expert in range(options.experts):
        first = kept + width * (expert % parts)
        rows = slice(first, first + width)
        # The chosen experts' weights sum to 1 and each holds one of the parts: their sum is brought back.
        routed.append(_varied((gate[rows], up[rows], parts * down[:, rows]), options, made))
    groups = (
        torch.randn(options.experts // parts, gate.shape[1], generator=made) * model.config.initializer_range
    )
    layer = {
        f"{prefix}gate.weight": groups.repeat_interleave(parts, dim=0).to(gate.dtype),
        f"{prefix}experts.gate_up_proj": torch.stack([torch.cat((one, two)) for one, two, _ in routed]),
        f"{prefix}experts.down_proj": torch.stack([three for _, _, three in routed]),
    }
    if not options.shared:
        return layer
    shared = f"{prefix}{SHARED[target]}"
    layer |= {f"{shared}.gate_proj.weight": gate[:kept], f"{shared}.up_proj.weight": up[:kept]}
    layer[f"{shared}.down_proj.weight"] = down[:, :kept]
    if target == "qwen2_moe":  # a gate of zeros lets half through: sigmoid(0) = 1/2
        layer[f"{shared}.down_proj.weight"] = 2 * down[:, :kept]
        layer[f"{shared}_gate.weight"] = torch.zeros(1, gate.shape[1], dtype=gate.dtype)
    else:
        layer[f"{prefix}gate.e_score_correction_bias"] = torch.zeros(options.experts)
    return layer


def _varied(
    matrices: tuple[Tensor, Tensor, Tensor], options: UpcycleOptions, made: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """One expert's gate and up (channels x width) and down (width x channels), with what tells it from its copies."""
    gate, up, down = (matrix.clone() for matrix in matrices)
    channels = gate.shape[0]
    drawn = torch.randperm(channels, generator=made)[: round(options.redraw * channels)]
    for matrix in (gate, up, down.T) if drawn.numel() else ():
        chosen = matrix[drawn].float()
        fresh = torch.randn(chosen.shape, generator=made) * chosen.std() + chosen.mean()
        matrix[drawn] = fresh.to(matrix.dtype)
    for matrix in (gate, up, down) if options.noise else ():
        spread = options.noise * float(matrix.float().std())
        matrix += (spread * torch.randn(matrix.shape, generator=made)).to(matrix.dtype)
    return gate, up, down


def _zero_biases(mixture: PreTrainedModel, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Zeros for biases that the dense attention does not have; vLLM's class always expects them."""
    return {
        name: torch.zeros_like(value)
        for name, value in mixture.state_dict().items()
        if name.endswith("_proj.bias") and name not in weights
    }
