"""A prior small enough to learn within a second: it writes chains of carbon, nitrogen and oxygen."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from xinglin.model.molecule.decoder import Decoder, DecoderSize, padded
from xinglin.model.molecule.sampling import Prior
from xinglin.model.molecule.tokens import Tokens, train_tokens


def chains(count: int, seed: int = 0) -> list[str]:
    """Open chains with a ring or a carbonyl here and there; every one is a molecule."""
    generator = np.random.default_rng(seed)
    parts = ["C", "CC", "CO", "CN", "CC(=O)", "c1ccccc1", "CCl", "C[C@H](O)"]
    found = []
    for _ in range(count):
        picked = generator.choice(len(parts) - 2, generator.integers(2, 5))
        found.append(
            "C" + "".join(parts[i] if parts[i] != "c1ccccc1" else "Cc1ccc(cc1)" for i in picked) + "C"
        )
    return found


@cache
def small_prior(steps: int = 80) -> Prior:
    """A prior of 20,000 weights after a second of training."""
    smiles = chains(2000)
    tokens = Tokens(train_tokens(smiles, 160))
    torch.manual_seed(0)
    decoder = Decoder(DecoderSize(len(tokens), 32, 64, 2, 2, 48))
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=1e-2)
    ids = tokens.encode(smiles)
    generator = np.random.default_rng(0)
    for _ in range(steps):
        rows = padded([ids[i] for i in generator.integers(len(ids), size=64)])
        loss = -decoder.log_likelihoods(rows).sum() / (rows[:, 1:] != 0).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return Prior(decoder, tokens, "small")
