"""What is refused, what is not, and what the ledger keeps of it."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.apps.drugs.safety import duties, refuse, remember, screen
from xinglin.errors import ControlledSubstanceError, InputTooLargeError, InvalidInputError
from xinglin.ledger import entries
from xinglin.store import Store

ROOT = Path(__file__).parents[3]
MORPHINE = "CN1CCC23C4Oc5c2c(CC1C3C=CC4O)ccc5O"
ALLOWED = {
    "naloxone": "C=CCN1CCC23C4Oc5c(O)ccc(CC1C2(O)CCC4=O)c35",
    "naltrexone": "Oc1ccc2CC3N(CC4CC4)CCC45C(Oc1c24)C(=O)CCC35O",
    "nalmefene": "C=C1CCC2(O)C3Cc4ccc(O)c5OC1C2(CCN3CC1CC1)c45",
    "methylnaltrexone": "C[N+]1(CC2CC2)CCC23C4Oc5c(O)ccc(CC1C2(O)CCC4=O)c35",
    "selegiline": "C#CCN(C)C(C)Cc1ccccc1",
    "bupropion": "CC(NC(C)(C)C)C(=O)c1cccc(Cl)c1",
    "tamsulosin": "CCOc1ccccc1OCCNC(C)Cc1ccc(OC)c(c1)S(N)(=O)=O",
    "formoterol": "COc1ccc(CC(C)NCC(O)c2ccc(O)c(NC=O)c2)cc1",
    "melphalan": "NC(Cc1ccc(cc1)N(CCCl)CCCl)C(=O)O",
    "cyclophosphamide": "ClCCN(CCCl)P1(=O)NCCCO1",
    "bendamustine": "Cn1c(CCCC(=O)O)nc2cc(ccc12)N(CCCl)CCCl",
    "loperamide": "CN(C)C(=O)C(CCN1CCC(O)(CC1)c1ccc(Cl)cc1)(c1ccccc1)c1ccccc1",
    "sumatriptan": "CNS(=O)(=O)Cc1ccc2[nH]cc(CCN(C)C)c2c1",
    "cabergoline": "CCNC(=O)N(CCCN(C)C)C(=O)C1CN(CC=C)C2Cc3c[nH]c4cccc(C2C1)c34",
    "granisetron": "CN1C2CCCC1CC(C2)NC(=O)c1nn(C)c2ccccc12",
    "lonidamine": "OC(=O)c1nn(Cc2ccc(Cl)cc2Cl)c2ccccc12",
    "glufosinate": "CP(=O)(O)CCC(N)C(=O)O",
    "fosfomycin": "CC1OC1P(=O)(O)O",
    "fonofos, exempted by the Annex": "CCOP(=S)(CC)Sc1ccccc1",
    "dimethylaminoethanol, exempted by the Annex": "CN(C)CCO",
    "diethylaminoethanol, exempted by the Annex": "CCN(CC)CCO",
    "flumazenil": "CCOC(=O)c1ncn2c1CN(C)C(=O)c1cc(F)ccc12",
    "dopamine": "NCCc1ccc(O)c(O)c1",
    "salbutamol": "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1",
}


def scheduled(part: str) -> list[dict[str, str]]:
    with (ROOT / "benchmarks" / "scheduled.tsv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["part"] == part]


def test_members_of_the_schedules_are_refused_under_their_category() -> None:
    rows = scheduled("written with")
    assert len(rows) >= 80
    for row in rows:
        refusal = screen(row["smiles"])
        assert refusal is not None, row["name"]
        assert refusal.entry.category == row["category"], row["name"]


@pytest.mark.parametrize("name", ALLOWED)
def test_a_medicine_that_is_no_controlled_one_passes(name: str) -> None:
    assert screen(ALLOWED[name]) is None


def test_salts_charges_isotopes_and_stereo_do_not_hide_a_structure() -> None:
    written = [
        "[NH3+][C@@H](C)Cc1ccccc1.[Cl-]",
        "[2H]C([2H])([2H])C(N)Cc1ccccc1",
        "N[C@H](C)Cc1ccccc1.OC(=O)C(O)C(O)C(O)=O",
    ]
    keys = {screen(smiles).digest for smiles in written}  # type: ignore[union-attr]
    assert keys == {screen("CC(N)Cc1ccccc1").digest}  # type: ignore[union-attr]
    assert screen(f"CCO.{MORPHINE}") is not None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_the_answer_does_not_depend_on_how_a_structure_is_written(seed: int) -> None:
    from rdkit import Chem

    for smiles, category in ((MORPHINE, "narcotic"), (ALLOWED["naloxone"], None)):
        other = Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(smiles), 1, randomSeed=seed)[0]
        refusal = screen(other)
        assert (refusal and refusal.entry.category) == category


def test_the_chain_length_that_the_annex_bounds_is_not_used_to_let_a_longer_one_through() -> None:
    """The family is wider than the schedule on purpose: an O-alkyl group of any size."""
    assert all(screen(f"CP(=O)(F)O{'C' * size}") is not None for size in (1, 10, 11))


def test_lawfully_traded_reagents_are_declared_and_refused_only_as_products() -> None:
    chloride = "O=S(Cl)Cl"
    assert screen(chloride) is not None
    assert screen(chloride, reagent=True) is None
    assert [duty.entry.en for duty in duties(chloride)] == ["thionyl chloride"]
    assert screen("CC(C)=O") is None
    assert [duty.entry.category for duty in duties("CC(C)=O.CC(=O)OC(C)=O")] == ["precursor"] * 2
    assert duties("CCO") == ()
    assert screen("CC(=O)Cc1ccccc1", reagent=True) is not None


def test_a_message_says_schedule_and_way_out_in_both_languages_and_no_structure() -> None:
    refusal = screen(MORPHINE)
    assert refusal is not None
    assert "麻醉药品" in refusal.zh
    assert "许可" in refusal.zh
    assert "licence" in refusal.en
    assert "no override" in refusal.en
    with pytest.raises(ControlledSubstanceError) as caught:
        refuse(["CCO", MORPHINE])
    assert MORPHINE not in str(caught.value)
    refuse(["CCO", "c1ccccc1"])


@pytest.mark.parametrize("text", ["", "   ", "C(", "not a smiles", "c1cccc1", "\x00"])
def test_what_is_no_smiles_is_an_error_not_a_pass(text: str) -> None:
    with pytest.raises(InvalidInputError):
        screen(text)


def test_sizes_are_bounded() -> None:
    with pytest.raises(InputTooLargeError):
        screen("C" * 5000)
    with pytest.raises(InputTooLargeError):
        screen("C" * 601)


def test_the_ledger_keeps_digests_and_counts_in_the_act_s_transaction(store: Store) -> None:
    refusals = [screen(MORPHINE), screen("CC(N)Cc1ccccc1"), screen(MORPHINE)]
    with store.write() as connection:
        remember(connection, refusals, actor="test", where="design")  # type: ignore[arg-type]
        remember(connection, [], actor="test", where="design")
    with store.read() as connection:
        kept = [entry for entry in entries(connection) if entry.action == "drugs.refuse"]
    assert len(kept) == 1
    assert kept[0].detail["categories"] == {"narcotic": 2, "psychotropic": 1}
    assert len(kept[0].subjects) == 2
    assert MORPHINE not in str(kept[0])

    class FailedError(Exception):
        pass

    def act_that_fails() -> None:
        with store.write() as connection:
            remember(connection, refusals, actor="test", where="design")  # type: ignore[arg-type]
            raise FailedError

    with pytest.raises(FailedError):
        act_that_fails()
    with store.read() as connection:
        assert len([entry for entry in entries(connection) if entry.action == "drugs.refuse"]) == 1


def test_few_of_the_approved_medicines_are_refused_wrongly(data: Path) -> None:
    """4-hydroxyamphetamine and levallorphan are the two of 1,253 that no list names (docs/results/safety.md)."""
    with gzip.open(data / "molecules" / "moleculenet" / "clintox_train_valid.csv.gz", "rt") as file:
        approved = [row["smiles"] for row in csv.DictReader(file) if row["FDA_APPROVED"] == "1"]
    assert len(approved) == 1253
    for smiles in approved[::10]:
        screen(smiles)
    assert screen("CC(Cc1ccc(cc1)O)[NH3+]") is not None
