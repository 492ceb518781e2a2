"""The twenty PMO tasks that need RDKit alone: a molecule to a score in [0, 1].

Formulas of GuacaMol (Brown et al., J. Chem. Inf. Model. 2019, 59, 1096) as TDC took them over (tdc/chem_utils/oracle).
Where TDC parts from GuacaMol, TDC is followed, and there are two TDCs. The one that measured the leaderboard counted the
atoms of an isomer (``isomers_*``, ``sitagliptin_mpo``, ``zaleplon_mpo``) from the letters of the SMILES: random screening
of ZINC is published at 0.17 and 0.11 on the two isomer tasks, and reaches 0.59 and 0.62 when atoms are counted. That form
is ``*_prev`` in PyTDC 0.4.0, whose own counts atoms as GuacaMol does; Genetic-GFN and its re-run of Mol GA were measured
with 0.4.0 (so says its README). The other sixteen oracles are the same in 0.3.6 and 0.4.0. (0.3.6, which PMO's README
recommends, has ``sitagliptin_mpo`` without its modifiers too, of values above 1, which no published figure holds.) A task
with ``_mended`` behind its name is the form of 0.4.0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import Crippen, GraphDescriptors, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.QED import qed

from benchmarks._pmo_pharmacophore import pharmacophore, tanimoto

FORMULA = re.compile(r"([A-Z][a-z]*)(\d*)")
Term = Callable[[Any], float]
"""A molecule to a number; most lie in [0, 1]."""

CELECOXIB = "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F"
TROGLITAZONE = "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O"
THIOTHIXENE = "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1"
ALBUTEROL = "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1"
MESTRANOL = "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1"
CAMPHOR, MENTHOL = "CC1(C)C2CCC1(C)C(=O)C2", "CC(C)C1CCC(C)CC1O"
TADALAFIL = "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C"
SILDENAFIL = "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C"
OSIMERTINIB = "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34"
FEXOFENADINE = "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4"
RANOLAZINE = "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2"
PERINDOPRIL = "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC"
AMLODIPINE = r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC"
SITAGLIPTIN = "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F"
SITAGLIPTIN_OF_VALSARTAN = "NC(CC(=O)N1CCn2c(nnc2C(F)(F)F)C1)Cc1cc(F)c(F)cc1F"
ZALEPLON = "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1"
HOP = "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C"
HOP_SCAFFOLD = "[#7]-c1n[c;h1]nc2[c;h1]c(-[#8])[c;h0][c;h1]c12"
HOP_DECORATION = "[#6]-[#6]-[#6]-[#8]-[#6]~[#6]~[#6]~[#6]~[#6]-[#7]-c1ccc2ncsc2c1"
VALSARTAN = "CN(C=O)Cc1ccc(c2ccccc2)cc1"


def _recipes(isomers: Callable[[str], Term]) -> dict[str, Callable[[], Term]]:
    return {
        "albuterol_similarity": lambda: _clipped(_similar(ALBUTEROL, "FCFP4"), 0.75),
        "amlodipine_mpo": lambda: _geometric(
            _similar(AMLODIPINE, "ECFP4"), _gauss(rdMolDescriptors.CalcNumRings, 3, 0.5)
        ),
        "celecoxib_rediscovery": lambda: _similar(CELECOXIB, "ECFP4"),
        "deco_hop": lambda: _arithmetic(
            _clipped(_pharmacophore(HOP), 0.85),
            _lacks("CS([#6])(=O)=O"),
            _lacks("[#7]-c1ccc2ncsc2c1"),
            _has(HOP_SCAFFOLD),
        ),
        "fexofenadine_mpo": lambda: _geometric(
            _clipped(_similar(FEXOFENADINE, "AP"), 0.8), _at_least(_tpsa, 90, 10), _at_most(_logp, 4, 1)
        ),
        "isomers_c7h8n2o2": lambda: isomers("C7H8N2O2"),
        "isomers_c9h10n2o2pf2cl": lambda: isomers("C9H10N2O2PF2Cl"),
        "median1": lambda: _geometric(_similar(CAMPHOR, "ECFP4"), _similar(MENTHOL, "ECFP4")),
        "median2": lambda: _geometric(_similar(TADALAFIL, "ECFP6"), _similar(SILDENAFIL, "ECFP6")),
        "mestranol_similarity": lambda: _clipped(_similar(MESTRANOL, "AP"), 0.75),
        "osimertinib_mpo": lambda: _geometric(
            _at_least(_tpsa, 100, 10),
            _at_most(_logp, 1, 1),
            _clipped(_similar(OSIMERTINIB, "FCFP4"), 0.8),
            _at_most(_similar(OSIMERTINIB, "ECFP6"), 0.85, 0.1),
        ),
        "perindopril_mpo": lambda: _geometric(
            _similar(PERINDOPRIL, "ECFP4"), _gauss(rdMolDescriptors.CalcNumAromaticRings, 2, 0.5)
        ),
        "qed": lambda: qed,
        "ranolazine_mpo": lambda: _geometric(
            _clipped(_similar(RANOLAZINE, "AP"), 0.7),
            _at_least(_logp, 7, 1),
            _at_least(_tpsa, 95, 20),
            _gauss(lambda mol: _count(mol, 9), 1, 1),
        ),
        "scaffold_hop": lambda: _arithmetic(
            _clipped(_pharmacophore(HOP), 0.75), _has(HOP_DECORATION), _lacks(HOP_SCAFFOLD)
        ),
        "sitagliptin_mpo": lambda: _geometric(
            _gauss(_similar(SITAGLIPTIN, "ECFP4"), 0, 0.1),
            _gauss(_logp, _logp(Chem.MolFromSmiles(SITAGLIPTIN)), 0.2),
            _gauss(_tpsa, _tpsa(Chem.MolFromSmiles(SITAGLIPTIN)), 5),
            isomers("C16H15F6N5O"),
        ),
        "thiothixene_rediscovery": lambda: _similar(THIOTHIXENE, "ECFP4"),
        "troglitazone_rediscovery": lambda: _similar(TROGLITAZONE, "ECFP4"),
        "valsartan_smarts": lambda: _valsartan(),
        "zaleplon_mpo": lambda: _geometric(_similar(ZALEPLON, "ECFP4"), isomers("C19H17N3O2")),
    }


MENDED = "_mended"
"""Behind the name of a task: with atoms counted, as PyTDC 0.4.0 does."""


@cache
def score(task: str) -> Term:
    """Return the scoring function of a task, on a molecule of RDKit."""
    total = _atoms if task.endswith(MENDED) else _read_as_formula
    return _recipes(partial(_isomers, total=total))[task.removesuffix(MENDED)]()


class PmoOracle:
    """A PMO task as an oracle: SMILES to scores; what is no molecule is NaN."""

    def __init__(self, task: str) -> None:
        self.score = score(task)

    def __call__(self, smiles: Sequence[str], /) -> NDArray[np.float64]:
        found = np.full(len(smiles), np.nan)
        with rdBase.BlockLogs():
            for row, one in enumerate(smiles):
                mol = Chem.MolFromSmiles(one)
                if mol is not None and mol.GetNumAtoms():
                    found[row] = self.score(mol)
        return found


# Properties.


def _logp(mol: Any) -> float:
    return float(Crippen.MolLogP(mol))


def _tpsa(mol: Any) -> float:
    return float(rdMolDescriptors.CalcTPSA(mol))


def _count(mol: Any, number: int) -> int:
    if number == 1:
        return sum(atom.GetTotalNumHs(includeNeighbors=True) for atom in mol.GetAtoms())
    return sum(atom.GetAtomicNum() == number for atom in mol.GetAtoms())


@cache
def _fingerprints(kind: str) -> Any:
    match kind:
        case "ECFP4":
            return rdFingerprintGenerator.GetMorganGenerator(radius=2)
        case "ECFP6":
            return rdFingerprintGenerator.GetMorganGenerator(radius=3)
        case "FCFP4":
            features = rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
            return rdFingerprintGenerator.GetMorganGenerator(radius=2, atomInvariantsGenerator=features)
        case _:
            return rdFingerprintGenerator.GetAtomPairGenerator(maxDistance=10)


def _similar(target: str, kind: str) -> Term:
    """Tanimoto similarity of unfolded counts to the target."""
    generator = _fingerprints(kind)
    wanted = generator.GetSparseCountFingerprint(Chem.MolFromSmiles(target))
    return lambda mol: DataStructs.TanimotoSimilarity(wanted, generator.GetSparseCountFingerprint(mol))


def _pharmacophore(target: str) -> Term:
    wanted = pharmacophore(Chem.MolFromSmiles(target))
    return lambda mol: tanimoto(wanted, pharmacophore(mol))


def _has(smarts: str) -> Term:
    pattern = Chem.MolFromSmarts(smarts)
    return lambda mol: float(mol.HasSubstructMatch(pattern))


def _lacks(smarts: str) -> Term:
    has = _has(smarts)
    return lambda mol: 1 - has(mol)


# Shapes.


def _gauss(value: Term, mu: float, sigma: float) -> Term:
    return lambda mol: math.exp(-0.5 * ((value(mol) - mu) / sigma) ** 2)


def _at_least(value: Term, mu: float, sigma: float) -> Term:
    return lambda mol: math.exp(-0.5 * (min(value(mol) - mu, 0) / sigma) ** 2)


def _at_most(value: Term, mu: float, sigma: float) -> Term:
    return lambda mol: math.exp(-0.5 * (max(value(mol) - mu, 0) / sigma) ** 2)


def _clipped(value: Term, full: float) -> Term:
    return lambda mol: min(value(mol) / full, 1)


def _arithmetic(*terms: Term) -> Term:
    return lambda mol: sum(term(mol) for term in terms) / len(terms)


def _geometric(*terms: Term) -> Term:
    return lambda mol: math.prod(term(mol) for term in terms) ** (1 / len(terms))


def _isomers(formula: str, total: Callable[[Any], float]) -> Term:
    table = Chem.GetPeriodicTable()
    wanted = {
        table.GetAtomicNumber(element): int(number or 1) for element, number in FORMULA.findall(formula)
    }
    terms = [
        _gauss(lambda mol, number=number: _count(mol, number), count, 1) for number, count in wanted.items()
    ]
    return _geometric(*terms, _gauss(total, sum(wanted.values()), 2))


def _atoms(mol: Any) -> int:
    """All atoms, hydrogens among them."""
    return int(mol.GetNumAtoms()) + _count(mol, 1)


def _read_as_formula(mol: Any) -> int:
    """The total that TDC had when the published figures were measured: a SMILES read as if it were a formula.

    Each run of a capital and small letters counts as one, or as the number behind it: ``CC12`` is 1 + 12.
    """
    return sum(int(number or 1) for _, number in FORMULA.findall(Chem.MolToSmiles(mol)))


def _valsartan() -> Term:
    other = Chem.MolFromSmiles(SITAGLIPTIN_OF_VALSARTAN)
    has = _has(VALSARTAN)
    near = _geometric(
        has,
        _gauss(_tpsa, _tpsa(other), 5),
        _gauss(_logp, _logp(other), 0.2),
        _gauss(GraphDescriptors.BertzCT, GraphDescriptors.BertzCT(other), 30),
    )
    # BertzCT is dear, and without the pattern the product is zero.
    return lambda mol: near(mol) if has(mol) else 0.0
