"""Every SMILES comes back as it went in; the file is one that transformers reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.molecule.chain import chains
from xinglin.errors import CheckpointError, ConfigurationError
from xinglin.model.molecule.tokens import ATOMS, BOS, EOS, SPECIAL, UNK, Tokens, save_tokens, train_tokens

HARD = [
    "C[C@@H]1CC(Nc2cncc(-c3nncn3C)c2)C[C@@H](C)C1",
    "CC[N+](C)(C)CC.[O-]C(=O)c1ccc(Br)c(Cl)c1",
    "[13CH3][Si](C)(C)/C=C\\[Se]C",
    "C%10CCCCC%10[Pt+2]",
    "[2H]OB(O)c1cc[nH]c1",
]


@pytest.fixture(scope="module")
def tokens():
    return Tokens(train_tokens([*chains(500), *HARD], 160))


def test_there_and_back(tokens):
    for one in [*chains(50, seed=1), *HARD]:
        (ids,) = tokens.encode([one])
        assert ids[0] == BOS
        assert ids[-1] == EOS
        assert UNK not in ids
        assert tokens.decode(ids) == one


@given(st.text(alphabet="CNOcn1()=#[]@H+-BrClSi%02./\\", max_size=60))
def test_any_row_of_smiles_letters_comes_back(tokens, text):
    assert tokens.decode(tokens.encode([text])[0]) == text


def test_atoms_stay_whole(tokens):
    for atom in ATOMS:
        (ids,) = tokens.encode([f"{atom}~"])
        assert tokens.decode(ids[:2]).startswith(atom)


def test_what_is_no_smiles_is_unknown(tokens):
    assert UNK in tokens.encode(["C酸C"])[0]


def test_transformers_reads_the_file(tokens, tmp_path):
    transformers = pytest.importorskip("transformers")
    save_tokens(tokens.tokenizer, tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for one in HARD:
        assert theirs(one)["input_ids"] == tokens.encode([one])[0]
        assert theirs.decode(theirs(one)["input_ids"], skip_special_tokens=True) == one
    assert (theirs.pad_token, theirs.bos_token, theirs.eos_token) == SPECIAL[:3]
    again = Tokens.load(tmp_path)
    assert again.encode(HARD) == tokens.encode(HARD)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(CheckpointError):
        Tokens.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError):
        Tokens.load(tmp_path)
    with pytest.raises(ConfigurationError):
        train_tokens(["C"], 10)
