"""The Transformer fine-tuned: it learns what a SMILES shows, repeats itself, and leaves the prior alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xinglin.model.molecule.decoder import Decoder, DecoderSize
from xinglin.model.molecule.tokens import Tokens, train_tokens
from xinglin.train.molecules.finetune import FineTuneOptions, finetune

SMILES = [f"{'C' * chain}{end}" for chain in range(1, 11) for end in ("O", "N", "F", "C(=O)O")]


@pytest.fixture(scope="module")
def prior() -> tuple[Decoder, Tokens]:
    tokens = Tokens(train_tokens(SMILES, 128))
    torch.manual_seed(0)
    return Decoder(DecoderSize(len(tokens), 32, 64, 1, 2, 64)), tokens


def test_numbers_and_classes_are_learned(prior: tuple[Decoder, Tokens]) -> None:
    decoder, tokens = prior
    before = {name: weight.clone() for name, weight in decoder.state_dict().items()}
    length = np.array([float(one.count("C")) for one in SMILES])
    acid = np.array([float("=O" in one) for one in SMILES])
    test = np.arange(len(SMILES)) % 5 == 2
    train = ~test
    assert 0 < acid[test].sum() < test.sum()
    told = [one for one, used in zip(SMILES, train, strict=True) if used]
    asked = [one for one, used in zip(SMILES, test, strict=True) if used]
    options = FineTuneOptions(epochs=25, batch=16, rate=5e-3, spellings=2)
    found = finetune(decoder, tokens, told, length[train], "number", asked, options)
    assert np.corrcoef(found, length[test])[0, 1] > 0.8
    again = finetune(decoder, tokens, told, length[train], "number", asked, options)
    assert np.allclose(found, again, atol=1e-4)
    odds = finetune(decoder, tokens, told, acid[train], "probability", asked, options)
    assert odds[acid[test] == 1].min() > odds[acid[test] == 0].max()
    assert all(torch.equal(before[name], weight) for name, weight in decoder.state_dict().items())
