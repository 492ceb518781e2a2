"""May a folder be loaded as a language model? File names, bounded JSON and the weights' headers are all that is read.

Nothing of the folder is run and no pickle is opened. A folder from elsewhere needs no manifest of ours; one that has a
manifest must be whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xinglin.errors import CheckpointError, MissingDataError
from xinglin.model.checkpoint import MANIFEST, verify_checkpoint
from xinglin.model.parts import CONFIG, TOKENIZER, TOKENIZER_CONFIG, read_json

PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack")
BOUNDS = {
    "vocab_size": 2_000_000,
    "hidden_size": 65_536,
    "intermediate_size": 524_288,
    "moe_intermediate_size": 524_288,
    "num_hidden_layers": 1_024,
    "num_attention_heads": 4_096,
    "num_key_value_heads": 4_096,
    "head_dim": 4_096,
    "num_experts": 4_096,
    "num_local_experts": 4_096,
    "max_position_embeddings": 16_777_216,
}
"""Most of each size of a configuration: beyond any published model, so that a broken file asks for no terabytes."""


def check_folder(folder: Path) -> None:
    """Refuse a folder that could run code, holds no safe weights, or asks for sizes beyond any model.

    Raises:
        MissingDataError: no model folder.
        CheckpointError: it needs code of its own (``auto_map``, ``.py`` files), holds pickled weights alone, has a size
            out of bounds, or was sealed and is not whole.
    """
    if not (folder / CONFIG).is_file():
        raise MissingDataError(f"{folder}: no model folder: it has no {CONFIG}")
    config = read_json(folder / CONFIG)
    _no_code(folder, config)
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLED)
        found = f"only pickled weights ({pickled[0]}), which can run code" if pickled else "no weights"
        raise CheckpointError(f"{folder.name}: {found}: convert them to safetensors")
    _bounded(folder, config)
    if (folder / MANIFEST).is_file():
        verify_checkpoint(folder)


def _no_code(folder: Path, config: Mapping[str, Any]) -> None:
    code = sorted(path.name for path in folder.rglob("*.py"))
    named = folder / TOKENIZER_CONFIG
    asked = "auto_map" in config or (named.is_file() and "auto_map" in read_json(named))
    if asked or code:
        raise CheckpointError(
            f"{folder.name}: the model needs code of its own ({', '.join(code[:3]) or 'auto_map'}), which is never run: "
            "take one of transformers' own architectures"
        )


def _bounded(folder: Path, config: Mapping[str, Any]) -> None:
    """Check the sizes of a configuration and of the text part of one of text and images."""
    inner = config.get("text_config")
    for part in (config, inner if isinstance(inner, dict) else {}):
        for key, most in BOUNDS.items():
            value = part.get(key)
            if value is None:
                continue
            if type(value) is not int or not 1 <= value <= most:
                raise CheckpointError(
                    f"{folder.name}: {CONFIG}: {key}: expected a whole number from 1 to {most}, got {str(value)[:40]!r}"
                )


def folder_id(folder: Path) -> str:
    """Return what a model folder *is*: its manifest's id, or a SHA-256 over configuration, weights and tokenizer.

    Reads every byte of the weights once.

    Raises:
        CheckpointError: it has a manifest and is not whole.
    """
    if (folder / MANIFEST).is_file():
        return verify_checkpoint(folder).id
    paths = [folder / CONFIG, folder / TOKENIZER, *folder.glob("*.safetensors")]
    digests: dict[str, str] = {}
    for path in sorted(path for path in paths if path.is_file()):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(json.dumps(digests, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
