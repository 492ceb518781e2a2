"""The prior: a language model of drug-like molecules, from a file of SMILES; resumable to the step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from xinglin.model.molecule.decoder import Decoder, DecoderSize, padded
from xinglin.model.molecule.tokens import PAD, Tokens, train_tokens
from xinglin.train.loop import Plan, Report, Trained, train
from xinglin.train.molecules.smiles import Corpus, drawing

WARMUP, DECAY = 0.03, 0.01
TOKENIZED = 40_000
"""Molecules that the tokenizer is learned from: more change no merge that matters."""
WATCHED = 2_000
"""Held-out molecules that are scored at every saved state."""


@dataclass(frozen=True, slots=True)
class PriorOptions:
    """What decides the weights, beside the data; by default those of the shipped prior."""

    size: DecoderSize = field(default_factory=DecoderSize)
    steps: int = 30_000
    batch: int = 64
    learning_rate: float = 2e-3
    respelt: float = 0.0
    """Share of molecules in a random spelling."""
    seed: int = 0


class NextToken(nn.Module):
    """The loss of a language model: nats a token."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Return the loss and the number of tokens it is a mean over."""
        tokens = (ids[:, 1:] != PAD).sum()
        return {"loss": -self.decoder.log_likelihoods(ids).sum() / tokens, "tokens": tokens}


def train_decoder(
    corpus: Corpus,
    options: PriorOptions,
    state: Path,
    *,
    threads: int | None = 1,
    save_every: int = 300,
    report: Report | None = None,
) -> tuple[Decoder, Tokens, Trained]:
    """Learn tokenizer and weights; the state of an interrupted run lies in ``state``.

    Raises:
        TrainingError: the loss is not finite, the disk is full, or the state is of other settings.
    """
    tokens = Tokens(train_tokens(corpus.train[:TOKENIZED], options.size.vocabulary))
    torch.manual_seed(options.seed)
    # A small corpus has fewer substructures than the vocabulary has room for.
    decoder = Decoder(replace(options.size, vocabulary=len(tokens)))
    pick = drawing(corpus.train, tokens, options.batch, options.size.positions, options.seed, options.respelt)
    watched = corpus.held_out[:WATCHED]
    settings = json.dumps(asdict(options), sort_keys=True) + corpus.digest
    plan = Plan(
        steps=options.steps,
        learning_rate=options.learning_rate,
        warmup=WARMUP,
        weight_decay=DECAY,
        seed=options.seed,
        save_every=save_every,
        digest=hashlib.sha256(settings.encode()).hexdigest(),
        threads=threads,
    )
    trained = train(
        NextToken(decoder),
        lambda step, shard, shards: {"ids": padded(pick(step)[shard::shards])},
        plan,
        state,
        report=report,
        validate=lambda module: {"held_out": molecule_loss(decoder, tokens, watched)},
    )
    return decoder, tokens, trained


@torch.no_grad()
def molecule_loss(decoder: Decoder, tokens: Tokens, smiles: Sequence[str], batch: int = 256) -> float:
    """Return the mean nats a molecule: what compares models whatever their tokens are."""
    ids = sorted((one[: decoder.size.positions] for one in tokens.encode(smiles)), key=len)
    total = 0.0
    for start in range(0, len(ids), batch):
        total -= float(decoder.log_likelihoods(padded(ids[start : start + batch])).sum())
    return total / len(ids)
