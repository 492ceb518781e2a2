"""A language model of a few small molecules, trained in seconds: enough for a search to go its way."""

from __future__ import annotations

import itertools
from pathlib import Path

from xinglin.model.molecule.decoder import DecoderSize
from xinglin.model.molecule.sampling import Prior
from xinglin.train.molecules.prior import PriorOptions, train_decoder
from xinglin.train.molecules.smiles import read_corpus

TAILS = ("O", "N", "C", "F", "Cl", "OC", "CO", "CN", "C#N", "C(N)=O", "NC", "CC")


def small_prior(folder: Path, steps: int = 150) -> Prior:
    """Train on benzenes and pyridines with two groups each."""
    decoder, tokens, _ = train_decoder(
        read_corpus(small_corpus(folder)), small_options(steps), folder / "state"
    )
    return Prior(decoder, tokens, "small")


def small_options(steps: int = 150) -> PriorOptions:
    size = DecoderSize(vocabulary=160, width=48, inner=96, layers=1, heads=4, positions=48)
    return PriorOptions(size=size, steps=steps, batch=64, learning_rate=1e-2)


def small_corpus(folder: Path) -> Path:
    made = []
    for first, second in itertools.product(("O", "N", "C", "F", "CO", "NC", "CC", "N#C", "OC"), TAILS):
        made += [f"{first}c1ccc({second})cc1", f"{first}c1cccc({second})c1", f"{first}c1ccnc({second})c1"]
    path = folder / "small.smi"
    path.write_text("\n".join(dict.fromkeys(made)) + "\n")
    return path
