"""SMILES in, a sealed prior out; a run that was stopped ends as one that was not."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import signal
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("rdkit")

from tests.model.molecule.chain import chains
from xinglin.errors import InvalidInputError, MissingDataError, TrainingError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.molecule.decoder import DecoderSize
from xinglin.model.molecule.sampling import Prior
from xinglin.model.molecule.tokens import Tokens, train_tokens
from xinglin.train.molecules.prior import PriorOptions
from xinglin.train.molecules.prior_figures import (
    PROPERTIES,
    Features,
    frechet,
    judged,
    known_molecules,
    properties,
)
from xinglin.train.molecules.prior_ship import train_prior
from xinglin.train.molecules.smiles import drawing, held_out, read_corpus, respelt
from xinglin.train.reinforce.oracle import canonical

SMALL = PriorOptions(
    size=DecoderSize(160, 32, 64, 2, 2, 48), steps=60, batch=32, learning_rate=1e-2, respelt=0.2
)


def interrupting(step: int):
    """Ctrl-C during a step."""
    return lambda tick: os.kill(os.getpid(), signal.SIGINT) if tick.step == step else None


@pytest.fixture
def smiles(tmp_path):
    path = tmp_path / "chains.smi.xz"
    with lzma.open(path, "wt") as file:
        file.write("".join(f"{one} name\n" for one in chains(1500)))
    return path


def test_a_stopped_run_ends_as_one_that_was_not(smiles, tmp_path):
    whole = train_prior(smiles, tmp_path / "whole", SMALL, samples=200)

    with pytest.raises(KeyboardInterrupt):
        train_prior(smiles, tmp_path / "parts", SMALL, samples=200, report=interrupting(20))
    assert not (tmp_path / "parts").exists()
    steps: list[int] = []
    again = train_prior(
        smiles, tmp_path / "parts", SMALL, samples=200, report=lambda tick: steps.append(tick.step)
    )
    assert steps == list(range(21, 61))  # the step of Ctrl-C was finished and saved
    assert again.id == whole.id
    assert not (tmp_path / ".parts.training").exists()
    assert verify_checkpoint(tmp_path / "whole").id == whole.id
    prior = Prior.load(tmp_path / "whole")
    drawn = prior.sample(200, seed=1)
    valid = [one for one in drawn if canonical(one)]
    metrics = whole.manifest["metrics"]
    assert metrics["validity"]["value"] == pytest.approx(len(valid) / 200)
    assert len(valid) > 100
    assert whole.manifest["kind"] == "decoder"
    assert whole.manifest["data"][0]["records"] == len(read_corpus(smiles).train)
    assert f"| validity | {len(valid) / 200:.4f} " in (tmp_path / "whole" / "README.md").read_text()


def test_transformers_writes_molecules_with_it(smiles, tmp_path):
    transformers = pytest.importorskip("transformers")
    train_prior(smiles, tmp_path / "prior", SMALL, samples=200)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "prior")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "prior")
    transformers.set_seed(0)
    ids = model.generate(do_sample=True, max_new_tokens=40, num_return_sequences=40)
    theirs = tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert sum(canonical(one) is not None for one in theirs) > 15


def test_the_verb(smiles, tmp_path):
    from xinglin.cli.train_molecules import app
    from xinglin.ledger import entries
    from xinglin.store import open_store

    run = CliRunner().invoke(
        app,
        [
            *("prior", "--data", str(smiles), "--out", str(tmp_path / "p"), "--steps", "60", "--batch", "16"),
            *("--width", "32", "--layers", "1", "--samples", "100", "--json"),
        ],
    )
    assert run.exit_code == 0, run.output
    said = json.loads(run.stdout)
    assert set(said["metrics"]) == {"validity", "uniqueness", "novelty", "held_out_nats"}
    with open_store().read() as connection:
        assert [entry.subjects for entry in entries(connection)] == [(said["id"],)]


def test_a_corpus_is_read_once_each_and_parted_by_its_text(smiles, tmp_path):
    corpus = read_corpus(smiles)
    assert sorted({*corpus.train, *corpus.held_out}) == sorted(set(chains(1500)))
    assert not set(corpus.train) & set(corpus.held_out)
    assert all(map(held_out, corpus.held_out))
    assert held_out("CC(C)(C)c1ccc2occ(CC(=O)Nc3ccccc3F)c2c1") is False  # SHA-1 86...
    with gzip.open(tmp_path / "again.smi.gz", "wt") as file:
        file.write("\n".join(chains(1500)))  # no newline at the end, no names, duplicates
    assert read_corpus(tmp_path / "again.smi.gz").digest == corpus.digest


@pytest.mark.parametrize("body", [b"", b"C\n", b"\xff\xfe\n", b"C" * 3000, b"C\n" + b"N" * 401 + b"\n"])
def test_bad_files_are_refused(tmp_path, body):
    path = tmp_path / "bad.smi"
    path.write_bytes(body)
    with pytest.raises(InvalidInputError):
        read_corpus(path)
    broken = tmp_path / "bad.smi.xz"
    broken.write_bytes(lzma.compress(b"C\n" * 90)[:-9])
    with pytest.raises(InvalidInputError):
        read_corpus(broken)
    with pytest.raises(MissingDataError):
        read_corpus(tmp_path / "none")


def test_a_pass_has_every_molecule_once():
    smiles = [f"C{'C' * (i % 30)}N{'O' * (i // 30)}" for i in range(320)]
    tokens = Tokens(train_tokens(smiles, 130))
    pick = drawing(smiles, tokens, 10, 48, seed=0, share=0.0)
    seen = [one for step in range(32) for one in pick(step)]  # 320 sequences: one pass
    assert Counter(map(tokens.decode, seen)) == Counter(smiles)
    fresh = drawing(smiles, tokens, 10, 48, seed=0, share=0.0)
    assert [fresh(step) for step in (31, 3, 17)] == [pick(step) for step in (31, 3, 17)]
    spread = [max(map(len, pick(step))) - min(map(len, pick(step))) for step in range(32)]
    assert np.mean(spread) < 6  # of like length, so that little is padded


def test_random_spellings_are_the_same_molecule():
    one = "CC(C)(C)c1ccc2occ(CC(=O)Nc3ccccc3F)c2c1"
    spellings = {respelt(one, seed) for seed in range(20)}
    assert len(spellings) > 10
    assert {canonical(spelling) for spelling in spellings} == {canonical(one)}
    assert respelt("no molecule", 1) == "no molecule"


def test_a_state_of_other_settings_is_refused(smiles, tmp_path):
    small = replace(SMALL, size=DecoderSize(160, 8, 8, 1, 1, 48))
    with pytest.raises(KeyboardInterrupt):
        train_prior(smiles, tmp_path / "p", small, samples=200, report=interrupting(2))
    with pytest.raises(TrainingError, match="settings"):
        train_prior(smiles, tmp_path / "p", replace(small, learning_rate=1e-3), samples=200)


def test_samples_are_judged():
    found = judged(["CCO", "OCC", "C1CC", "CCN", "CCC", ""], known_molecules(["C(C)N", "nothing"]))
    assert (found.validity.value, found.validity.n) == (4 / 6, 6)
    assert (found.uniqueness.value, found.uniqueness.n) == (3 / 4, 4)
    assert (found.novelty.value, found.novelty.n) == (2 / 3, 3)
    assert found.molecules == ("CCO", "CCN", "CCC")
    with pytest.raises(InvalidInputError):
        judged(["C1CC"], frozenset())


def test_the_distance_is_frechets():
    from scipy.linalg import sqrtm

    generator = np.random.default_rng(0)
    one = generator.normal(size=(400, 5)) @ generator.normal(size=(5, 5)) + 1
    other = generator.normal(size=(300, 5)) @ generator.normal(size=(5, 5))
    first, second = np.cov(one.T), np.cov(other.T)
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(
        first + second - 2 * np.real(sqrtm(first @ second))
    )
    assert frechet(one, other) == pytest.approx(expected)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)
    shifted = frechet(one, one + np.array([3.0, 0, 0, 4.0, 0]))
    assert shifted == pytest.approx(25)
    with pytest.raises(InvalidInputError):
        frechet(one, other[:, :4])


def test_properties_of_known_molecules():
    aspirin, glycine = properties(["CC(=O)Oc1ccccc1C(=O)O", "[NH3+][C@@H](C)C(=O)[O-]"])
    found = dict(zip(PROPERTIES, aspirin, strict=True))
    assert found["weight"] == pytest.approx(180.16, abs=0.01)
    assert found["tpsa"] == pytest.approx(63.6)
    assert [found[name] for name in ("heavy atoms", "rings", "donors", "charge")] == [13, 1, 1, 0]
    assert found["qed"] == pytest.approx(0.550, abs=0.001)
    assert dict(zip(PROPERTIES, glycine, strict=True))["stereocentres"] == 1
    near, far = chains(300, seed=1), ["c1ccc2ccccc2c1", "C1CCCCC1"] * 150
    real = Features.of(chains(300, seed=2))
    scale = real.properties.std(0) + 1e-9
    close, distant = (Features.of(one).distances(real, scale) for one in (near, far))
    assert all(close[name] < distant[name] for name in ("properties", "fingerprints"))
