"""Sampling molecules, many at once: keys and values are kept, and what is finished leaves the batch.

Threads take batches, not parts of a multiplication: the matrices of a small decoder are too small to be shared, and two
threads inside of them were slower than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.molecule.decoder import Decoder, padded
from xinglin.model.molecule.tokens import BOS, EOS, PAD, UNK, Tokens
from xinglin.model.shipped import shipped_folder

NAME = "molecules-prior"
BATCH = 512
"""Sequences at once: more no longer gain, and their keys and values leave the cache of the processor."""
SHARE = 64
"""Sequences that a thread of its own is worth."""
KEPT = 0.75
"""Rows are packed anew once fewer than this share of them are unfinished."""


def sample(
    decoder: Decoder, count: int, *, seed: int, temperature: float = 1.0, batch: int = BATCH
) -> list[list[int]]:
    """Draw sequences of ids, begin and end left out; one that has no end at the longest length is cut there.

    Every sequence has random numbers of its own (inverse transform sampling), so that it does not depend on which
    others are drawn beside it, but for rounding. As many batches run at once as torch has threads; while they do,
    torch's own operations, in other threads too, run on one thread each.

    Raises:
        InvalidInputError: a negative count or a temperature that is not positive.
    """
    if count < 0 or not temperature > 0:
        raise InvalidInputError(
            f"sample: expected count >= 0 and temperature > 0, got {count} and {temperature}"
        )
    if count == 0:
        return []
    generator = torch.Generator().manual_seed(seed)
    chances = torch.rand(count, decoder.size.positions - 1, generator=generator)
    workers = min(torch.get_num_threads(), -(-count // SHARE))
    if workers < 2:
        return [ids for part in _parts(chances, batch) for ids in _batch(decoder, part, temperature)]
    parts = _parts(chances, min(batch, -(-count // workers)))
    with _one_thread_each(), ThreadPoolExecutor(workers) as pool:
        drawn = pool.map(lambda part: _batch(decoder, part, temperature), parts)
        return [ids for part in drawn for ids in part]


def _parts(chances: Tensor, rows: int) -> list[Tensor]:
    return [chances[start : start + rows] for start in range(0, len(chances), rows)]


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.inference_mode()
def _batch(decoder: Decoder, chances: Tensor, temperature: float) -> list[list[int]]:
    size = decoder.size
    rows, longest = chances.shape
    written = torch.full((rows, longest), PAD)
    alive = torch.arange(rows)
    ids = torch.full((rows,), BOS)
    # (rows, positions, head): one key and one value for all heads of a row.
    room = 32
    keys = [torch.empty(rows, room, size.head) for _ in range(size.layers)]
    values = [torch.empty(rows, room, size.head) for _ in range(size.layers)]
    for place in range(longest):
        if place == room:
            keys, values = (
                [torch.cat([one, torch.empty_like(one)], 1) for one in kept] for kept in (keys, values)
            )
            room *= 2
        logits = _step(decoder, ids, place, keys, values)
        if temperature != 1.0:
            logits = logits / temperature
        heap = functional.softmax(logits, -1).cumsum(-1)
        # The last sum is 1 but for rounding: what is drawn is below it.
        drawn = chances[alive, place] * heap[:, -1]
        ids = torch.searchsorted(heap, drawn[:, None], right=True)[:, 0].clamp_(max=size.vocabulary - 1)
        written[alive, place] = ids
        going = ids != EOS
        left = int(going.sum())
        if left == 0:
            break
        if left < KEPT * len(alive):
            alive, ids = alive[going], ids[going]
            keys, values = ([one[going] for one in kept] for kept in (keys, values))
    return [_ended(one) for one in written.tolist()]


def _step(decoder: Decoder, ids: Tensor, place: int, keys: list[Tensor], values: list[Tensor]) -> Tensor:
    """Return the logits after one more token of every row, and keep its keys and values."""
    rows, heads, head = len(ids), decoder.size.heads, decoder.size.head
    hidden = decoder.model.embed_tokens(ids)
    for number, layer in enumerate(decoder.model.stack()):
        query, key, value = layer.queried(hidden)
        keys[number][:, place] = decoder.turned(key, place, place + 1)
        values[number][:, place] = value
        query = decoder.turned(query.view(rows, heads, head), place, place + 1)
        seen = torch.bmm(query, keys[number][:, : place + 1].transpose(1, 2)) * head**-0.5
        attended = torch.bmm(seen.softmax(-1), values[number][:, : place + 1])
        hidden = layer.finished(hidden, attended.view(rows, -1))
    return functional.linear(decoder.model.norm(hidden), decoder.model.embed_tokens.weight)


def _ended(ids: list[int]) -> list[int]:
    return ids[: ids.index(EOS)] if EOS in ids else ids


class Prior:
    """A language model of molecules: samples, and says how likely molecules are.

    Args:
        decoder: its weights.
        tokens: its tokenizer.
        identity: id of the checkpoint, where it comes from one.
    """

    def __init__(self, decoder: Decoder, tokens: Tokens, identity: str = "") -> None:
        self.decoder = decoder.eval()
        self.tokens = tokens
        self.identity = identity

    @classmethod
    def load(cls, folder: Path | None = None) -> Prior:
        """Load a verified checkpoint; by default the prior that comes with the package.

        Raises:
            CheckpointError: the folder is damaged, or its model is no decoder of molecules.
            UnknownNameError: no prior comes with this package.
            MissingExtraError: torch is not installed.
        """
        folder = folder or shipped_folder(NAME)
        sealed = verify_checkpoint(folder)
        if sealed.manifest["kind"] != "decoder":
            raise CheckpointError(
                f"{folder}: expected a decoder of molecules, got {sealed.manifest['kind']}: another model"
            )
        decoder, tokens = Decoder.load(folder), Tokens.load(folder)
        if len(tokens) != decoder.size.vocabulary:
            raise CheckpointError(f"{folder}: {len(tokens)} tokens for {decoder.size.vocabulary} embeddings")
        return cls(decoder, tokens, sealed.id)

    def sample(self, count: int, *, seed: int, temperature: float = 1.0) -> list[str]:
        """Return SMILES as the model writes them: not every one is a molecule, none is canonical on purpose.

        Raises:
            InvalidInputError: a negative count or a temperature that is not positive.
        """
        drawn = sample(self.decoder, count, seed=seed, temperature=temperature)
        return [self.tokens.decode(ids) for ids in drawn]

    @torch.inference_mode()
    def log_likelihood(self, smiles: Sequence[str], batch: int = 256) -> NDArray[np.float64]:
        """Return the natural logarithm of each SMILES' probability in this spelling and its usual tokens, shape (n,).

        NaN where the model cannot write it: unknown characters, or too long.
        """
        found = np.full(len(smiles), np.nan)
        ids = self.tokens.encode(smiles)
        longest = self.decoder.size.positions
        order = sorted(
            (i for i, one in enumerate(ids) if UNK not in one and len(one) <= longest),
            key=lambda i: len(ids[i]),
        )
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            rows = self.decoder.log_likelihoods(padded([ids[i] for i in part]))
            found[part] = rows.sum(-1).double().numpy()
        return found
