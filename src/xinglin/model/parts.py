"""Do the parts of a checkpoint belong together: configuration, tokenizer and weights of one and the same model?

Reads JSON and the header of the weights only, all of it bounded, so that a folder from anywhere can be looked at
before a library loads it. Nothing here needs a manifest.
"""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xinglin.errors import CheckpointError
from xinglin.model.weights import Tensor, read_header

CONFIG, WEIGHTS = "config.json", "model.safetensors"
ARRAYS = "model.npz"
"""Instead of the weights, where a model is no network."""
TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
REQUIRED = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)
MAX_JSON = 8 * 2**20
"""Bytes of a configuration, manifest or calibration; one of 1,208 labels has 100,000."""
MAX_TOKENIZER = 64 * 2**20
MAX_FILE = 16 * 2**30
MAX_VOCABULARY = 2_000_000
ROUNDED = 64
"""An embedding may be rounded up to a multiple of this beyond the tokenizer's size."""
_NAMED = (("pad_token", "pad_token_id"), ("cls_token", "cls_token_id"), ("sep_token", "sep_token_id"))
_EMBEDDINGS = ("tok_embeddings.weight", "word_embeddings.weight", "embed_tokens.weight")


@dataclass(frozen=True, slots=True)
class Parts:
    """What was read on the way."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    labels: tuple[str, ...]
    """Names of the classes in order; empty without a classification head."""


def check_parts(folder: Path, *, padded: bool = False) -> Parts:
    """Check that the parts of a folder are whole and of one model.

    Args:
        folder: the folder.
        padded: the vocabulary of the weights may be any size from the tokenizer's up, as language models pad it.

    Raises:
        CheckpointError: names the file, what was expected of it and what came.
    """
    missing = [name for name in REQUIRED if not (folder / name).exists()]
    if missing:
        raise CheckpointError(
            f"{folder}: expected {', '.join(REQUIRED)}; missing {', '.join(missing)}: copy the whole folder again"
        )
    for name in REQUIRED:
        size_of(folder / name)
    config = _without_code(folder, CONFIG)
    named = _without_code(folder, TOKENIZER_CONFIG)
    vocabulary = _whole(config, "vocab_size")
    _check_tokenizer(read_json(folder / TOKENIZER, MAX_TOKENIZER), named, config, vocabulary, padded)
    tensors = read_header(folder / WEIGHTS)
    for name, tensor in tensors.items():
        if name.endswith(_EMBEDDINGS) and tensor.shape[:1] != (vocabulary,):
            raise CheckpointError(
                f"{WEIGHTS}: {name} has {tensor.shape[0] if tensor.shape else 0} rows, {CONFIG} says a vocabulary "
                f"of {vocabulary}: weights and configuration are of different models"
            )
    return Parts(config, tensors, _labels(config, tensors))


def check_image_parts(folder: Path) -> Parts:
    """Check the configuration and the weights of a network of images; it has no tokenizer and names no classes.

    Raises:
        CheckpointError: names the file, what was expected of it and what came.
    """
    return Parts(_plain_config(folder, WEIGHTS), read_header(folder / WEIGHTS), ())


def check_array_parts(folder: Path) -> Parts:
    """Check the configuration of models that are arrays: neither tensors nor a tokenizer, and no classes.

    The arrays themselves are opened by who reads them, bounded and without objects.

    Raises:
        CheckpointError: names the file, what was expected of it and what came.
    """
    return Parts(_plain_config(folder, ARRAYS), {}, ())


def _plain_config(folder: Path, weights: str) -> dict[str, Any]:
    size_of(folder / weights)
    return _without_code(folder, CONFIG)


def _without_code(folder: Path, name: str) -> dict[str, Any]:
    found = read_json(folder / name)
    if "auto_map" in found:
        raise CheckpointError(
            f"{folder}: auto_map asks for code of its own: a checkpoint here carries no code"
        )
    return found


def size_of(path: Path, limit: int = MAX_FILE) -> int:
    """Return the size of a regular file.

    Raises:
        CheckpointError: absent, a link, a device or the like, or larger than ``limit``.
    """
    try:
        found = path.lstat()
    except OSError:
        raise CheckpointError(f"{path.parent}: {path.name} is missing: copy the whole folder again") from None
    if not stat.S_ISREG(found.st_mode):
        raise CheckpointError(f"{path.parent}: {path.name} must be a plain file, no link or device")
    if found.st_size > limit:
        raise CheckpointError(f"{path.name}: expected at most {limit} bytes, got {found.st_size}")
    return found.st_size


def read_json(path: Path, limit: int = MAX_JSON) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        CheckpointError: absent, too large, not UTF-8, broken, nested without end, NaN, or no object.
    """
    size_of(path, limit)
    try:
        value = json.loads(path.read_text("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise CheckpointError(f"{path.name}: nested too deep for a file of its kind") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise CheckpointError(f"{path.name}: expected JSON in UTF-8; {error}: copy the file again") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name}: expected a JSON object, got {type(value).__name__}")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _whole(config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if type(value) is not int or not 1 <= value <= MAX_VOCABULARY:
        raise CheckpointError(f"{CONFIG}: {key}: expected 1 to {MAX_VOCABULARY}, got {str(value)[:40]!r}")
    return value


def _check_tokenizer(
    tokenizer: dict[str, Any], named: dict[str, Any], config: dict[str, Any], vocabulary: int, padded: bool
) -> None:
    ids = _token_ids(tokenizer)
    size = max(ids.values(), default=-1) + 1
    rounded = -(-size // ROUNDED) * ROUNDED
    if vocabulary < size or (vocabulary not in (size, rounded) and not padded):
        raise CheckpointError(
            f"{TOKENIZER}: {size} tokens, {CONFIG} says a vocabulary of {vocabulary}: the tokenizer of another model"
        )
    for key, config_key in _NAMED:
        token, expected = named.get(key), config.get(config_key)
        if isinstance(token, dict):  # written by some versions as {"content": "[PAD]", ...}
            token = token.get("content")
        if not isinstance(token, str) or expected is None:
            continue
        if ids.get(token) != expected:
            raise CheckpointError(
                f"{TOKENIZER}: {token} has the id {ids.get(token)}, {CONFIG} says {config_key} {expected}: the "
                "tokenizer of another model"
            )


def _token_ids(tokenizer: dict[str, Any]) -> dict[str, int]:
    """Every token's id, of the model's own vocabulary and of the added ones."""
    model = tokenizer.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocab, list):  # Unigram: [[token, score], ...]
        vocab = {str(item[0]): i for i, item in enumerate(vocab) if isinstance(item, list) and item}
    if not isinstance(vocab, dict) or not vocab or len(vocab) > MAX_VOCABULARY:
        raise CheckpointError(f"{TOKENIZER}: expected model.vocab with at most {MAX_VOCABULARY} tokens")
    ids = dict(vocab)
    for added in tokenizer.get("added_tokens") or ():
        if not isinstance(added, dict) or not isinstance(added.get("content"), str):
            raise CheckpointError(f"{TOKENIZER}: added_tokens: expected objects with content and id")
        ids[added["content"]] = added.get("id")
    if not all(type(i) is int and 0 <= i < MAX_VOCABULARY for i in ids.values()):
        raise CheckpointError(f"{TOKENIZER}: expected token ids from 0 to {MAX_VOCABULARY}")
    return ids


def _labels(config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[str, ...]:
    head = tensors.get("classifier.weight")
    if head is None:
        return ()
    named = config.get("id2label")
    rows = head.shape[0] if head.shape else 0
    keys = [str(i) for i in range(rows)]
    if not isinstance(named, dict) or sorted(named) != sorted(keys):
        count = len(named) if isinstance(named, dict) else 0
        raise CheckpointError(
            f"{CONFIG}: id2label names {count} classes, the head in {WEIGHTS} has {rows}: they must be 0 to {rows - 1}"
        )
    labels = tuple(named[key] for key in keys)
    if not all(isinstance(label, str) and label.strip() for label in labels):
        raise CheckpointError(f"{CONFIG}: id2label: expected a name for every class")
    return labels
