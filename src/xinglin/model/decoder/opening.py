"""Open a folder as a causal language model: safetensors only, no code of the folder, nothing filled in by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.errors import CheckpointError, InvalidInputError, MissingExtraError
from xinglin.model.decoder.folder import check_folder, folder_id

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DTYPES = ("float32", "bfloat16", "float16")
CONTEXT = 2_048
"""Positions of a model whose configuration does not say."""
NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory")
"""torch reports a full memory of the CPU as a plain RuntimeError, whose text alone tells it."""


@dataclass(frozen=True, eq=False)
class Decoder:
    """A causal language model and its tokenizer, in evaluation mode."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_context: int
    """Tokens that the model can see."""
    folder: Path

    @cached_property
    def id(self) -> str:
        """What the model *is* (:func:`xinglin.model.decoder.folder.folder_id`); reads the weights once."""
        return folder_id(self.folder)


def open_decoder(
    folder: Path, *, dtype: str = "float32", device: str = "cpu", options: Mapping[str, Any] | None = None
) -> Decoder:
    """Open a model folder; no code of the folder is run and no pickle read.

    Args:
        folder: ``config.json``, ``*.safetensors`` and a tokenizer of ``transformers``, sealed by us or not.
        dtype: ``float32``, ``bfloat16`` or ``float16``, whatever the weights were saved in.
        device: where it goes; ignored where ``options`` place it.
        options: further arguments of ``from_pretrained``, e.g. a ``quantization_config``.

    Raises:
        InvalidInputError: an unknown ``dtype``.
        MissingExtraError: torch or transformers is not installed.
        MissingDataError: no model folder.
        CheckpointError: as :func:`check_folder`; an architecture that ``transformers`` does not know; weights that are
            missing or do not fit the configuration; or it does not fit the memory.
    """
    if dtype not in DTYPES:
        raise InvalidInputError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    check_folder(folder)
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError("语言模型 a language model of transformers", "train") from error
    more = dict(options or {})
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            **more,
        )
        model, report = loaded
        if not more:
            model = model.to(device)
    except (OSError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        if out_of_memory(error):
            raise CheckpointError(
                f"{folder.name}: out of memory while it was loaded: take a smaller model, dtype bfloat16, or 4 bits"
            ) from error
        raise CheckpointError(
            f"{folder.name}: transformers cannot load it ({type(error).__name__})"
        ) from error
    absent = sorted(report["missing_keys"])
    if absent:
        raise CheckpointError(
            f"{folder.name}: the weights lack {len(absent)} of the configuration's tensors ({', '.join(absent[:3])}), "
            "which would be filled in by chance: copy the whole folder again"
        )
    return Decoder(model.eval(), tokenizer, context_of(model), folder)


def context_of(model: PreTrainedModel) -> int:
    """Return how many tokens a model can see."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or CONTEXT)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the memory of the CPU or of an accelerator is full."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error).lower() for said in NO_MEMORY)
