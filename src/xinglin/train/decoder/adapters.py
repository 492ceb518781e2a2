"""Low-rank adapters through PEFT: LoRA over a whole base, QLoRA over a base in 4 bits, and both merged back.

LoRA: Hu et al., ICLR 2022, arXiv 2106.09685. QLoRA: Dettmers et al., NeurIPS 2023, arXiv 2305.14314: the base in NF4 with
doubly quantised scales, adapters in full precision. The 4 bits are bitsandbytes'; its 0.50 quantises and trains on a CPU
too (slowly). Adapters of QLoRA are merged into the base opened in full precision, so the merged weights differ from those
trained beside by what 4 bits lose.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.errors import CheckpointError, MissingDataError, MissingExtraError
from xinglin.model.decoder import Decoder, open_decoder
from xinglin.train.decoder.options import Adapter, StageOptions

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def open_base(folder: Path, adapter: Adapter) -> Decoder:
    """Open the model that is trained: in float32, or in 4 bits for QLoRA.

    Raises:
        MissingExtraError: QLoRA without bitsandbytes.
        As :func:`xinglin.model.decoder.open_decoder`.
    """
    if adapter != "qlora":
        return open_decoder(folder)
    try:
        import bitsandbytes  # noqa: F401
        import torch
        from transformers import BitsAndBytesConfig
    except ImportError as error:
        raise MissingExtraError(
            "QLoRA: 4 比特 4 bits by bitsandbytes (pip install bitsandbytes)", "assistant"
        ) from error
    cuda = torch.cuda.is_available()
    four = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if cuda else torch.float32,
    )
    options = {"quantization_config": four, "device_map": {"": 0 if cuda else "cpu"}}
    return open_decoder(folder, options=options)


def adapter_config(options: StageOptions) -> LoraConfig | None:
    """Return PEFT's settings, or ``None`` where the whole model is trained."""
    if options.adapter == "none":
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=options.rank, lora_alpha=options.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def keep_adapter(model: Any, folder: Path, weights: Mapping[str, Any] | None = None) -> None:
    """Write a trained model's adapter in PEFT's own files.

    Args:
        model: of PEFT.
        folder: where to.
        weights: the gathered weights, where the model's own are spread over processes.
    """
    model.save_pretrained(folder, state_dict=dict(weights) if weights is not None else None)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's card is a form with nothing filled in


def fold(base: Path, adapter: Path) -> PreTrainedModel:
    """Return the model of ``base`` in float32 with the adapter of a folder folded into its weights.

    Raises:
        MissingDataError: no adapter of PEFT in safetensors there.
        CheckpointError: it does not fit the base.
        MissingExtraError: PEFT is not installed.
    """
    if not (adapter / CONFIG).is_file() or not (adapter / WEIGHTS).is_file():
        raise MissingDataError(
            f"{adapter}: no adapter: expected {CONFIG} and {WEIGHTS} (safetensors, no pickle)"
        )
    try:
        from peft import PeftModel
    except ImportError as error:
        raise MissingExtraError("LoRA", "assistant") from error
    opened = open_decoder(base)
    try:
        return PeftModel.from_pretrained(opened.model, adapter, local_files_only=True).merge_and_unload()  # type: ignore[no-any-return]
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{adapter.name}: the adapter does not fit {base.name} ({type(error).__name__})"
        ) from error
