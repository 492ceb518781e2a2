"""Standard form: what is changed, what is refused and why; real molecules written in other orders stay themselves."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.molecules import StandardOptions, standardise

LENIENT = StandardOptions(strict=False)


@pytest.fixture(scope="module")
def zinc(data: Path) -> list[str]:
    with lzma.open(data / "molecules" / "zinc250k" / "zinc250k.smi.xz", "rt") as file:
        return [line.strip() for line, _ in zip(file, range(20_000), strict=False)]


@pytest.mark.parametrize(
    ("written", "smiles", "note"),
    [
        ("OCC", "CCO", None),
        ("[Na]OC(=O)c1ccccc1", "O=C(O)c1ccccc1", "salt or solvent removed: [Na+]"),
        ("CC(=O)[O-].[K+]", "CC(=O)O", "salt or solvent removed: [K+]"),
        ("Cl.CCN", "CCN", "salt or solvent removed: Cl"),
        ("CN1CCC[C@H]1c1cccnc1.OC(=O)C(O)C(O)C(O)=O", "CN1CCC[C@H]1c1cccnc1", "salt or solvent removed"),
        ("[NH3+]CC([O-])=O", "NCC(=O)O", "charge neutralised"),
        ("C[N+](C)(C)CCO.[Cl-]", "C[N+](C)(C)CCO", "salt or solvent removed: [Cl-]"),
        ("[2H]C([2H])([2H])O", "CO", "isotope label removed: 2H"),
        ("[13CH3]C(=O)O", "CC(=O)O", "isotope label removed: 13C"),
        ("CS(C)=O", "C[S+](C)[O-]", "normalised"),
        ("CN(=O)=O", "C[N+](=O)[O-]", None),
        ("CCO.CCO", "CCO", "repeated part removed"),
        ("C1CCCCCCCCCCCCCC1", "C1CCCCCCCCCCCCCC1", "macrocycle: ring of 15 atoms"),
        ("OB(O)c1ccccc1", "OB(O)c1ccccc1", None),
    ],
)
def test_what_is_changed_is_said(written: str, smiles: str, note: str | None) -> None:
    molecule = standardise(written)
    assert molecule.smiles == smiles
    assert len(molecule.inchikey) == 27
    assert (molecule.notes == ()) if note is None else any(note in told for told in molecule.notes)
    assert molecule.doubts == ()


def test_tautomers_and_stereo_stay_as_written() -> None:
    assert standardise("C/C=C/C").smiles != standardise(r"C/C=C\C").smiles
    assert standardise("N[C@@H](C)C(=O)O").inchikey != standardise("N[C@H](C)C(=O)O").inchikey
    assert standardise("Oc1ccccn1").smiles != standardise("O=c1cccc[nH]1").smiles


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("CCO ethanol", "without blanks"),
        ("é", "without blanks"),
        ("C1CC", "unclosed ring"),
        ("not a molecule", "without blanks"),
        ("C(C)(C)(C)(C)C", "valence"),
        ("c1cccc1", "kekulize"),
        ("[Fe]", "Fe: metal"),
        ("N[Pt](N)(Cl)Cl", "Pt: metal"),
        ("[NH3].[NH3].[O-]C(=O)C1(CCC1)C(=O)[O-].[Pt+2]", "Pt: metal"),
        ("CCCC[Li]", "Li: metal"),
        ("CC[Hg]Sc1ccccc1C(=O)O", "Hg: metal"),
        ("*CC", "unspecified atom"),
        ("[CH2]C", "radical"),
        ("CC1(C)CCCC(C)(C)N1[O]", "radical"),
        ("O", "no carbon"),
        ("c1ccccc1CCCCCCCCCCN.CCCCCCCCCCCCCCCCO", "mixture of 2"),
        ("[H][H]", "beside hydrogen"),
    ],
)
def test_refusals_carry_the_reason_and_print_nothing(
    written: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidInputError, match="(?i)" + reason):
        standardise(written)
    told = capfd.readouterr()
    assert told.out == told.err == ""


def test_lenient_keeps_with_a_doubt() -> None:
    for written, doubt in (
        ("N[Pt](N)(Cl)Cl", "Pt"),
        ("*CC", "unspecified"),
        ("O", "no carbon"),
        ("c1ccccc1CCCCCCCCCCN.CCCCCCCCCCCCCCCCO", "mixture"),
    ):
        molecule = standardise(written, options=LENIENT)
        assert doubt in molecule.doubts[0]
    with pytest.raises(InvalidInputError):
        standardise("C1CC", options=LENIENT)


def test_bounds() -> None:
    with pytest.raises(InputTooLargeError, match="4,000"):
        standardise("C" * 4001)
    with pytest.raises(InputTooLargeError, match="atoms"):
        standardise("C" * 601)
    assert standardise("C" * 600).smiles == "C" * 600
    with pytest.raises(InvalidInputError):
        standardise(None)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 19_999), seed=st.integers(0, 2**31 - 1))
def test_the_order_of_atoms_does_not_matter_and_twice_is_once(zinc: list[str], at: int, seed: int) -> None:
    once = standardise(zinc[at])
    shuffled = Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(zinc[at]), 1, randomSeed=seed)[0]
    again = standardise(shuffled)
    assert (again.smiles, again.inchikey) == (once.smiles, once.inchikey)
    assert standardise(once.smiles).smiles == once.smiles


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="CNOcn123()[]=#+-.@/\\HFlBrS%*$:>~ \x00", max_size=40))
def test_any_text_is_answered_or_refused(text: str) -> None:
    try:
        molecule = standardise(text)
    except InvalidInputError:
        return
    assert standardise(molecule.smiles).smiles == molecule.smiles
