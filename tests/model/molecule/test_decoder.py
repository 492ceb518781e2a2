"""The decoder is transformers' Llama, number for number; its files load there; broken ones are refused."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")

import torch

from xinglin.errors import CheckpointError, ConfigurationError
from xinglin.model.molecule.decoder import Decoder, DecoderSize, padded

SIZE = DecoderSize(vocabulary=130, width=48, inner=80, layers=3, heads=4, positions=40)


def test_logits_are_those_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    ours = Decoder(SIZE)
    for weight in ours.parameters():  # norms too: at their first values an omitted one would go unseen
        weight.data += 0.1 * torch.randn_like(weight)
    ours.save(tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(theirs).__name__ == "LlamaForCausalLM"
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in ours.parameters())
    ids = torch.randint(4, 130, (5, 33))
    with torch.no_grad():
        expected = theirs(ids).logits
        assert expected.std() > 0.5
        torch.testing.assert_close(ours(ids), expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(Decoder.load(tmp_path)(ids), expected, atol=1e-4, rtol=0)


def test_likelihood_ignores_padding():
    torch.manual_seed(0)
    decoder = Decoder(SIZE)
    rows = padded([[1, 5, 6, 7, 2], [1, 9, 2]])
    together = decoder.log_likelihoods(rows)
    assert together.shape == (2, 4)
    assert together[1, 2:].tolist() == [0.0, 0.0]
    alone = decoder.log_likelihoods(padded([[1, 9, 2]]))
    torch.testing.assert_close(together[1, :2], alone[0])
    by_hand = decoder(rows)[0].log_softmax(-1)
    assert together[0, 1].item() == pytest.approx(by_hand[1, 6].item(), abs=1e-5)


@pytest.mark.parametrize("widths", [{"width": 50}, {"heads": 0}, {"layers": -1}, {"vocabulary": 10**6}])
def test_senseless_widths_are_refused(widths):
    with pytest.raises(ConfigurationError):
        DecoderSize(**widths)


@pytest.mark.parametrize(
    "change",
    [{"num_key_value_heads": 4}, {"hidden_size": "wide"}, {"hidden_act": "gelu"}, {"vocab_size": None}],
)
def test_another_architecture_is_refused(tmp_path, change):
    Decoder(SIZE).save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError):
        Decoder.load(tmp_path)


def test_weights_of_other_widths_are_refused(tmp_path):
    Decoder(SIZE).save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"intermediate_size": 81}))
    with pytest.raises(CheckpointError, match="weights"):
        Decoder.load(tmp_path)
