"""The SMILES Transformer fine-tuned to a measured property: what the fingerprint models are compared with.

Hidden states of the pre-trained decoder, averaged over the tokens of a molecule, and one linear layer; all weights are
trained. Every epoch spells each molecule anew (Bjerrum 2017, arXiv 1703.07076), and a prediction is the mean over several
spellings. It ships only where it wins: see docs/drugs-activity.md.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xinglin.model.molecule.activity import Kind
from xinglin.model.molecule.decoder import Decoder, padded
from xinglin.model.molecule.tokens import PAD, Tokens
from xinglin.train.molecules.smiles import respelt

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FineTuneOptions:
    """How the Transformer is fine-tuned."""

    epochs: int = 20
    """Passes over the molecules, each with new spellings."""
    batch: int = 32
    """Molecules a step."""
    rate: float = 1e-3
    """Peak learning rate, after a tenth of the steps; then down to zero on a line."""
    decay: float = 0.01
    """Weight decay of AdamW."""
    spellings: int = 8
    """Of which a prediction is the mean."""
    seed: int = 0
    """Of the head, the order and the spellings."""


class Regressor(nn.Module):
    """The decoder's mean hidden state and a linear head; one output a molecule, shape (rows,)."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = copy.deepcopy(decoder)
        self.head = nn.Linear(decoder.size.width, 1)
        nn.init.zeros_(self.head.bias)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the output of molecules as padded ids (rows, length)."""
        known = (ids != PAD).float()[..., None]
        pooled = (self.decoder.hidden(ids) * known).sum(1) / known.sum(1)
        scored: Tensor = self.head(pooled)
        return scored[:, 0]


def finetune(
    decoder: Decoder,
    tokens: Tokens,
    smiles: Sequence[str],
    labels: Array,
    kind: Kind,
    wanted: Sequence[str],
    options: FineTuneOptions | None = None,
) -> Array:
    """Fine-tune on labelled molecules and return the predictions of others.

    Args:
        decoder: pre-trained; left as it is.
        tokens: its tokenizer.
        smiles: training molecules.
        labels: numbers, or 0 and 1, shape (molecules,).
        kind: what the labels are.
        wanted: molecules to predict.
        options: how.

    Returns:
        Numbers in the labels' unit, or log-odds, shape (wanted,).
    """
    options = options or FineTuneOptions()
    generator = np.random.default_rng(options.seed)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = Regressor(decoder)
    middle, width = (labels.mean(), labels.std() or 1.0) if kind == "number" else (0.0, 1.0)
    target = torch.tensor((labels - middle) / width, dtype=torch.float32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=options.decay)
    steps = options.epochs * -(-len(smiles) // options.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (0.1 * steps), (steps - step) / (0.9 * steps))
    )
    model.train()
    for _ in range(options.epochs):
        order = generator.permutation(len(smiles))
        for start in range(0, len(order), options.batch):
            rows = order[start : start + options.batch]
            outputs = model(_ids(tokens, [smiles[row] for row in rows], decoder, generator))
            if kind == "number":
                loss = functional.mse_loss(outputs, target[rows])
            else:
                loss = functional.binary_cross_entropy_with_logits(outputs, target[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return middle + width * _predicted(model, tokens, wanted, decoder, generator, options)


def _predicted(
    model: Regressor,
    tokens: Tokens,
    smiles: Sequence[str],
    decoder: Decoder,
    generator: np.random.Generator,
    options: FineTuneOptions,
) -> Array:
    found = np.zeros(len(smiles))
    model.eval()
    with torch.no_grad():
        for _ in range(options.spellings):
            for start in range(0, len(smiles), 256):
                part = slice(start, start + 256)
                found[part] += model(_ids(tokens, smiles[part], decoder, generator)).double().numpy()
    return found / options.spellings


def _ids(tokens: Tokens, smiles: Sequence[str], decoder: Decoder, generator: np.random.Generator) -> Tensor:
    """A new spelling of each molecule as padded ids; what is longer than the decoder's positions is cut."""
    spelt = [respelt(one, int(generator.integers(2**31 - 1))) for one in smiles]
    return padded([ids[: decoder.size.positions] for ids in tokens.encode(spelt)])
