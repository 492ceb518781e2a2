"""Samples follow the model's own probabilities, whatever lies beside them in the batch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from tests.model.molecule.chain import chains, small_prior
from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.molecule.decoder import Decoder, DecoderSize, padded
from xinglin.model.molecule.sampling import Prior, sample
from xinglin.model.molecule.tokens import BOS, EOS


def test_every_token_is_drawn_from_the_models_own_distribution():
    """Each drawn token is where its random number falls in the whole model's distribution after the same beginning."""
    prior = small_prior()
    decoder = prior.decoder
    drawn = sample(decoder, 150, seed=5)
    chances = torch.rand(150, decoder.size.positions - 1, generator=torch.Generator().manual_seed(5))
    checked = 0
    for ids, row in zip(drawn, chances, strict=True):
        whole = [BOS, *ids, EOS]
        with torch.no_grad():
            heap = decoder(padded([whole]))[0].softmax(-1).double().cumsum(-1)
        for place, token in enumerate(whole[1:][: decoder.size.positions - 1]):
            below = float(heap[place, token - 1]) if token else 0.0
            assert below - 1e-4 <= float(row[place]) <= float(heap[place, token]) + 1e-4
            checked += 1
    assert checked > 500


def test_frequencies_are_probabilities():
    prior = small_prior()
    found = Counter(prior.sample(6000, seed=1))
    common = [one for one, _ in found.most_common(20)]
    expected = np.exp(prior.log_likelihood(common))
    seen = np.array([found[one] for one in common]) / 6000
    # Of one molecule the usual tokens are counted only, so that it may be seen a little more often.
    assert np.abs(seen - expected).max() < 5 * np.sqrt(expected.max() / 6000)


def test_seeds_and_batches():
    decoder = small_prior().decoder
    whole = sample(decoder, 60, seed=3)
    assert sample(decoder, 60, seed=3) == whole
    assert sample(decoder, 60, seed=4) != whole
    assert sample(decoder, 0, seed=3) == []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert sample(decoder, 500, seed=3)[:60] == whole
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    # Long sequences: the room for keys is doubled on the way and the longest are cut.
    torch.manual_seed(0)
    blind = Decoder(DecoderSize(140, 16, 16, 1, 1, 48)).eval()
    lengths = [len(one) for one in sample(blind, 40, seed=0)]
    assert max(lengths) == 47


def test_cold_samples_are_likelier():
    prior = small_prior()
    warm, cold = (
        np.nanmean(prior.log_likelihood(prior.sample(200, seed=2, temperature=t))) for t in (1.0, 0.5)
    )
    assert cold > warm + 0.5


def test_likelihood_is_a_sum_in_any_order():
    prior = small_prior()
    smiles = chains(30, seed=9)
    together = prior.log_likelihood(smiles, batch=7)
    assert together == pytest.approx([prior.log_likelihood([one])[0] for one in smiles], abs=1e-4)
    assert np.isnan(prior.log_likelihood(["C酸", "C#" * 60])).all()
    assert len(prior.log_likelihood([])) == 0


@pytest.mark.parametrize("asked", [(-1, 1.0), (3, 0.0), (3, float("nan"))])
def test_senseless_requests_are_refused(asked):
    with pytest.raises(InvalidInputError):
        small_prior().sample(asked[0], seed=0, temperature=asked[1])


def test_a_checkpoint_of_another_kind_is_no_prior():
    from xinglin.model.shipped import shipped_folder

    with pytest.raises(CheckpointError, match="decoder"):
        Prior.load(shipped_folder("lung-nodules"))
