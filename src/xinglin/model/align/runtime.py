"""Places and sentences on ONNX Runtime and ``tokenizers`` alone: no torch, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, InputTooLargeError, InvalidInputError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.parts import CONFIG, read_json
from xinglin.model.runtime import CALIBRATION, FP32, OF_CHECKPOINT, open_session
from xinglin.model.sizes import PAD
from xinglin.model.tokenizer import SPECIAL, load_tokenizer

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

PLACES, SENTENCES = FP32, "text.onnx"
MAX_TOKENS = 96
"""Longest sentence in tokens."""
MAX_CHARACTERS = 500
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LungWords:
    """Images and words, ready to answer; build it with :meth:`load`. Safe to share between threads."""

    id: str
    stride: int
    """Voxels from one place to the next."""
    offset: float
    """Voxel of the first place's centre."""
    align: int
    """Sizes must be multiples of this."""
    sharpness: float
    """Of the log-sum-exp over places."""
    scale: float
    """Learnt temperature: logit = scale * cosine + bias."""
    bias: float
    manifest: dict[str, Any] = field(repr=False)
    _places: InferenceSession = field(repr=False)
    _sentences: InferenceSession = field(repr=False)
    _tokenizer: Tokenizer = field(repr=False)

    @staticmethod
    def load(folder: Path, *, threads: int = 1) -> LungWords:
        """Verify a checkpoint and open its ONNX files.

        Raises:
            CheckpointError: it does not verify, is of another kind, or lacks a file of its own.
        """
        checkpoint = verify_checkpoint(folder)
        if checkpoint.manifest["kind"] != "aligned":
            raise CheckpointError(f"{folder}: expected images and words, got a {checkpoint.manifest['kind']}")
        missing = [
            name for name in (PLACES, SENTENCES, CALIBRATION) if name not in checkpoint.manifest["files"]
        ]
        if missing:
            raise CheckpointError(
                f"{folder}: {', '.join(missing)} is missing: train it again (xinglin train align)"
            )
        sessions = []
        for name in (PLACES, SENTENCES):
            session = open_session(folder / name, threads)
            made_from = session.get_modelmeta().custom_metadata_map.get(OF_CHECKPOINT)
            if made_from != checkpoint.id:
                raise CheckpointError(
                    f"{name}: exported from checkpoint {str(made_from)[:12]}, the folder holds {checkpoint.id[:12]}: "
                    "train it again (xinglin train align)"
                )
            sessions.append(session)
        body, learnt = read_json(folder / CONFIG), read_json(folder / CALIBRATION)
        try:
            return LungWords(
                id=checkpoint.id,
                stride=int(body["stride"]),
                offset=float(body["offset"]),
                align=int(body["align"]),
                sharpness=float(body["sharpness"]),
                scale=float(learnt["scale"]),
                bias=float(learnt["bias"]),
                manifest=checkpoint.manifest,
                _places=sessions[0],
                _sentences=sessions[1],
                _tokenizer=load_tokenizer(folder),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{CONFIG} or {CALIBRATION}: {error}: not of a model of images and words"
            ) from None

    def places(self, images: Floats) -> Floats:
        """Return unit vectors (n, space, z/stride, y/stride, x/stride) of scaled images (n, z, y, x).

        Raises:
            InvalidInputError: another shape, or sizes that are no multiples of ``align``.
        """
        if images.ndim != 4 or any(size % self.align or not size for size in images.shape[1:]):
            raise InvalidInputError(
                f"images: expected (n, z, y, x) with sizes that are multiples of {self.align}, got {images.shape}"
            )
        found: Floats = self._places.run(
            ["vectors"], {"images": images[:, None].astype(np.float32, copy=False)}
        )[0]
        return found

    def sentences(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors (n, space) of sentences.

        Raises:
            InvalidInputError: an empty text, or one of which nothing can be read.
            InputTooLargeError: longer than ``MAX_CHARACTERS``.
        """
        rows = []
        for text in texts:
            if len(text) > MAX_CHARACTERS:
                raise InputTooLargeError(f"a query may have {MAX_CHARACTERS} characters, got {len(text)}")
            read = self._tokenizer.encode(text)
            ids = read.ids[:MAX_TOKENS]
            known = [piece for piece in read.tokens if piece not in SPECIAL]
            if not any(letter.isalnum() for piece in known for letter in piece):
                raise InvalidInputError(
                    "查询词无法识别。The query holds no word that the model knows: describe a nodule, e.g. 毛刺结节 or "
                    "'spiculated nodule'"
                )
            rows.append(ids)
        width = max(map(len, rows), default=1)
        tokens = np.full((len(rows), width), PAD, dtype=np.int64)
        for index, row in enumerate(rows):
            tokens[index, : len(row)] = row
        mask = (tokens != PAD).astype(np.int64)
        found: Floats = self._sentences.run(["vectors"], {"input_ids": tokens, "attention_mask": mask})[0]
        return found

    def heat(self, places: Floats, sentence: Floats) -> Floats:
        """Return how well each place fits a sentence: logits (n, z, y, x) of places (n, space, z, y, x)."""
        cosine = np.einsum("nszyx,s->nzyx", places, sentence)
        return np.asarray(self.scale * cosine + self.bias, dtype=np.float32)

    def fit(self, places: Floats, sentences: Floats) -> Floats:
        """Return how well whole windows fit sentences: logits (n, m), the sharp log-sum-exp over places."""
        flat = places.reshape(*places.shape[:2], -1)
        logits = self.sharpness * (self.scale * np.einsum("nsp,ms->nmp", flat, sentences) + self.bias)
        top = logits.max(2, keepdims=True)
        pooled = np.log(np.exp(logits - top).sum(2)) + top[..., 0]
        return np.asarray(pooled / self.sharpness, dtype=np.float32)
