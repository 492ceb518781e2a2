"""PMO's oracles against values published for a known molecule, and its figure against the definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit")
from benchmarks import _pmo_oracles, pmo
from benchmarks._pmo import auc, graph_ga, screening
from benchmarks._pmo_oracles import PmoOracle
from benchmarks._pmo_pharmacophore import pharmacophore, tanimoto
from rdkit import Chem, DataStructs
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

from xinglin.train.reinforce.oracle import Budgeted

KNOWN = "CC(C)(C)[C@H]1CCc2c(sc(NC(=O)COc3ccc(Cl)cc3)c2C(N)=O)C1"
"""The molecule of TDC's own examples."""
AS_PUBLISHED = {
    "albuterol_similarity": 0.2772277227722772,
    "amlodipine_mpo": 0.461083967620704,
    "celecoxib_rediscovery": 0.14728682170542637,
    "deco_hop": 0.5338365434669443,
    "fexofenadine_mpo": 0.4336446174984538,
    "isomers_c7h8n2o2": 7.077155389805107e-22,
    "isomers_c9h10n2o2pf2cl": 3.775134544279098e-11,
    "median1": 0.09722243533981723,
    "median2": 0.12259690287307903,
    "mestranol_similarity": 0.19460880999342536,
    "osimertinib_mpo": 0.09011742702110873,
    "perindopril_mpo": 0.36023741111440966,
    "ranolazine_mpo": 0.29285467466584664,
    "scaffold_hop": 0.38446411012782694,
    "thiothixene_rediscovery": 0.17391304347826086,
    "troglitazone_rediscovery": 0.24427480916030533,
    "valsartan_smarts": 0.0,
    "zaleplon_mpo": 7.752152611462035e-05,
}
"""TDC's documentation and issue 244 of mims-harvard/TDC; the tests of MachineLearningLifeScience/poli."""
COUNTED = {
    "isomers_c7h8n2o2_mended": 2.1987591132394053e-34,
    "isomers_c9h10n2o2pf2cl_mended": 1.713908431542013e-15,
}
"""What PyTDC 0.4.7 gives instead, once atoms are counted: the same sources."""
ITSELF = {
    "albuterol_similarity": _pmo_oracles.ALBUTEROL,
    "celecoxib_rediscovery": _pmo_oracles.CELECOXIB,
    "mestranol_similarity": _pmo_oracles.MESTRANOL,
    "thiothixene_rediscovery": _pmo_oracles.THIOTHIXENE,
    "troglitazone_rediscovery": _pmo_oracles.TROGLITAZONE,
}


def test_there_are_twenty_tasks_and_the_benchmark_lists_them() -> None:
    assert len(set(pmo.LEADERBOARD)) == 20
    assert set(pmo.TUNING) < set(pmo.LEADERBOARD)
    assert set(pmo.MENDED.values()) < set(pmo.LEADERBOARD)
    assert set(pmo.PARTS) == {*pmo.LEADERBOARD, *pmo.MENDED}


@pytest.mark.parametrize("task", sorted(AS_PUBLISHED))
def test_a_known_molecule_has_its_published_value(task: str) -> None:
    (value,) = PmoOracle(task)([KNOWN])
    assert value == pytest.approx(AS_PUBLISHED[task], rel=1e-9)


@pytest.mark.parametrize("task", sorted(COUNTED))
def test_counted_atoms_give_the_mended_values(task: str) -> None:
    (value,) = PmoOracle(task)([KNOWN])
    assert value == pytest.approx(COUNTED[task], rel=1e-9)


def test_a_comment_changes_no_digest_and_code_does(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    found = []
    for text in ('"""One."""\nx = 1\n', '"""Two."""\n\nx = 1  # why\n"""Of x."""\n', "x = 2\n"):
        path.write_text(text)
        found.append(pmo._what_runs(path))
    assert found[0] == found[1] != found[2]


def test_mended_tasks_know_their_own_molecule() -> None:
    """The formula and the number of atoms enter as they are."""
    zaleplon = _pmo_oracles.ZALEPLON
    (mended,) = PmoOracle("zaleplon_mpo_mended")([zaleplon])
    (before,) = PmoOracle("zaleplon_mpo")([zaleplon])
    # Zaleplon is C17H15N5O; the task asks for C19H17N3O2: two C, H and N, one O and three atoms off.
    factor = np.exp(-0.5 * (4 + 4 + 4 + 1 + (3 / 2) ** 2)) ** (1 / 5)
    assert mended == pytest.approx(factor ** (1 / 2), rel=1e-9)
    assert before != pytest.approx(mended)
    sitagliptin = _pmo_oracles.SITAGLIPTIN
    (mended,) = PmoOracle("sitagliptin_mpo_mended")([sitagliptin])
    assert mended == pytest.approx(
        np.exp(-0.5 * 10**2) ** (1 / 4), rel=1e-6
    )  # itself: of the wrong similarity alone


@pytest.mark.parametrize("task", sorted(ITSELF))
def test_a_target_is_itself(task: str) -> None:
    assert PmoOracle(task)([ITSELF[task]]).tolist() == [1.0]


def test_what_is_no_molecule_is_nan_and_scores_lie_between_zero_and_one() -> None:
    smiles = ["c1ccccc1", "C1CC", "", KNOWN, "CCO", "[Na+].[Cl-]", _pmo_oracles.HOP]
    for task in pmo.PARTS:
        scores = PmoOracle(task)(smiles)
        assert np.isnan(scores).tolist() == [False, True, True, False, False, False, False]
        assert (scores[~np.isnan(scores)] >= 0).all()
        assert (scores[~np.isnan(scores)] <= 1).all()


def test_pharmacophores_are_those_of_rdkit(data: Path) -> None:
    """Number of bits and every pairwise similarity, on drugs and on molecules of ZINC."""
    import lzma

    with lzma.open(data / "molecules" / "zinc250k" / "zinc250k.smi.xz", "rt") as file:
        lines = file.read().split()
    smiles = [*lines[:: len(lines) // 12][:12], KNOWN, _pmo_oracles.HOP, "CCO", "c1ccccc1"]
    mols = [Chem.MolFromSmiles(one) for one in smiles]
    theirs = [Generate.Gen2DFingerprint(mol, Gobbi_Pharm2D.factory) for mol in mols]
    ours = [pharmacophore(mol) for mol in mols]
    assert [len(bits) for bits in ours] == [bits.GetNumOnBits() for bits in theirs]
    assert max(len(bits) for bits in ours) > 100
    for one, other in zip(ours, theirs, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            if len(one) or len(a):
                assert tanimoto(one, a) == pytest.approx(DataStructs.TanimotoSimilarity(other, b))


def _slow_auc(scores: list[float], top: int, budget: int) -> float:
    """The definition, by sorting all over again at every reading."""
    read = [*range(100, min(len(scores), budget) + 1, 100)]
    if min(len(scores), budget) % 100:
        read.append(min(len(scores), budget))
    area, before, last = 0.0, 0.0, 0
    for calls in read:
        now = float(np.mean(sorted(scores[:calls], reverse=True)[:top]))
        area += (calls - last) * (now + before) / 2
        before, last = now, calls
    return (area + (budget - last) * before) / budget


@pytest.mark.parametrize("count", [7, 100, 250, 1000, 1250])
@pytest.mark.parametrize("top", [1, 10, 100])
def test_the_area_is_that_of_the_definition(count: int, top: int) -> None:
    scores = np.random.default_rng(count).random(count).tolist()
    assert auc(scores, top, 1000) == pytest.approx(_slow_auc(scores, top, 1000))


def test_the_area_of_a_constant_misses_the_first_half_reading() -> None:
    """From 0 at no call to 1 at the first reading: 1 - 50 / 1000. NaN counts as 0."""
    assert auc([1.0] * 1000, 10, 1000) == pytest.approx(0.95)
    assert auc([1.0] * 200, 10, 1000) == pytest.approx(0.95)
    assert auc([float("nan")] * 1000, 10, 1000) == 0.0


def test_graph_ga_beats_screening_and_both_repeat_by_seed(data: Path) -> None:
    from benchmarks._pmo import zinc

    start = zinc()[:3000]
    found = {}
    for arm in (screening, graph_ga):
        runs = []
        for _ in range(2):
            asked = Budgeted(PmoOracle("celecoxib_rediscovery"), 600)
            arm(asked, start, 1)
            assert asked.calls == 600
            runs.append([call.score for call in asked.history])
        assert runs[0] == runs[1]
        found[arm] = max(runs[0])
    assert found[graph_ga] > found[screening]


@pytest.mark.slow
def test_a_run_is_kept_and_goes_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINGLIN_BENCH_STATE", str(tmp_path))
    monkeypatch.setenv("XINGLIN_PMO_ARMS", "screening")
    monkeypatch.setenv("XINGLIN_PMO_SEEDS", "1")
    first = pmo.run(True, ["celecoxib_rediscovery"])
    (kept,) = tmp_path.glob("pmo-screening-*/*.json")
    before = kept.stat().st_mtime_ns
    again = pmo.run(True, ["celecoxib_rediscovery", "qed"])
    assert kept.stat().st_mtime_ns == before
    assert [line.value for line in again if "celecoxib" in line.name] == [first[0].value]
    assert len(list(kept.parent.glob("*.json"))) == 2
