"""A design from prior to files: it improves, it resumes to the same end, and its page needs nothing else."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from tests.apps.drugs.small_prior import small_prior
from tests.apps.drugs.small_target import small_target
from tests.apps.drugs.told import Told
from xinglin.apps.drugs.design import SearchOptions, design, learning_curve
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.dock.pool import Pool
from xinglin.apps.drugs.report.charts import _ticks, learning_svg, pareto_svg
from xinglin.apps.drugs.report.depict import drawing
from xinglin.apps.drugs.report.design_files import write_design
from xinglin.errors import ConfigurationError, InvalidInputError, TrainingError
from xinglin.model.molecule.sampling import Prior

DOCKING = DockOptions(exhaustiveness=1, timeout=60)
SARIN = "CC(C)OP(C)(=O)F"


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Prior:
    return small_prior(tmp_path_factory.mktemp("prior"))


def test_an_interrupted_design_ends_as_the_one_that_was_not(prior: Prior, data: Path, tmp_path: Path) -> None:
    target = small_target(data)
    options = SearchOptions(calls=70, batch=16, listed=20, per_scaffold=2)
    told = Told(
        lambda form: None if "Cl" in form.smiles else -5.0 - form.smiles.count("N") - form.smiles.count("n")
    )
    whole = design(target, prior, told, DOCKING, options, tmp_path / "whole", start=[SARIN, "Nc1ccncc1"])
    steps = []

    def stop(step) -> None:
        steps.append(step.calls)
        if len(steps) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        design(
            target, prior, told, DOCKING, options, tmp_path / "cut", start=[SARIN, "Nc1ccncc1"], report=stop
        )
    again = design(target, prior, told, DOCKING, options, tmp_path / "cut", start=[SARIN, "Nc1ccncc1"])
    assert again.found == whole.found
    assert again.curve == whole.curve
    assert whole.calls == 70
    assert whole.failed > 0
    assert all(not np.isnan(item.reward) for item in whole.found)
    assert [item.reward for item in whole.found] == sorted(
        (item.reward for item in whole.found), reverse=True
    )
    assert not any("Cl" in item.smiles for item in whole.found)
    assert SARIN not in [item.smiles for item in whole.every]
    assert SARIN not in (tmp_path / "whole" / "state" / "design.json").read_text()
    with pytest.raises(TrainingError, match="settings"):
        design(target, prior, told, DOCKING, SearchOptions(calls=80, batch=16), tmp_path / "cut")


@pytest.mark.slow
def test_files_of_a_design_with_real_docking(prior: Prior, data: Path, tmp_path: Path) -> None:
    target = small_target(data)
    options = SearchOptions(calls=10, batch=8, listed=6)
    with Pool(target, DOCKING, 1) as pool:
        run = design(
            target, prior, pool, DOCKING, options, tmp_path, known=["Cc1ccc(O)cc1"], start=["Nc1ccncc1"]
        )
    written = write_design(run, tmp_path, None)
    assert [path.name for path in written] == ["molecules.csv", "poses.sdf", "report.html", "design.json"]
    rows = list(csv.DictReader((tmp_path / "molecules.csv").open()))
    assert len(rows) == len(run.found) > 0
    assert float(rows[0]["docking"]) == pytest.approx(run.found[0].docked.score)
    assert {"efficiency", "qed", "sa", "similarity", "qed_desirability", "nearest_known"} <= rows[0].keys()
    poses = list(Chem.SDMolSupplier(str(tmp_path / "poses.sdf")))
    assert len(poses) == len(rows)
    page = (tmp_path / "report.html").read_text()
    assert "不是医疗器械" in page
    assert not re.search(r"(src|href)\s*=|https?://|@import|url\(", page)
    assert "default-src &#x27;none&#x27;" in page
    scene = json.loads(re.search(r'<script type="application/json" id="poses">(.*?)</script>', page)[1])
    assert len(scene["ligands"]) == len(rows)
    assert len(scene["ligands"][0]["atoms"]) == poses[0].GetNumHeavyAtoms()
    assert page.count("<svg") == len(rows) + 2
    body = json.loads((tmp_path / "design.json").read_text())
    assert body["calls"] == run.calls
    assert body["disclaimer"]["zh"]


def test_a_learning_curve_counts_failures_as_calls() -> None:
    assert learning_curve([0.1, float("nan"), 0.5]) == [
        (1, 0.1, 0.1),
        (2, 0.1, 0.1),
        (3, 0.5, pytest.approx(0.3)),
    ]
    assert learning_curve([float("nan")]) == []


def test_charts_and_drawings() -> None:
    assert learning_svg([]) == ""
    chart = learning_svg([(1, 0.1, 0.1), (100, 0.8, 0.5)])
    assert chart.count("<path") == 2
    dots = pareto_svg([(-8.0, 0.5), (-9.0, 0.7), (-7.0, 0.9)], [1, 2], "x <", "y")
    assert dots.count("<circle") == 3
    assert "x &lt;" in dots
    assert pareto_svg([(1.0, 1.0)], [0], "x", "y").count("<circle") == 1
    for low, high in ((0, 1), (-12.3, -4.4), (0, 3000), (0.48, 0.52)):
        ticks = _ticks(low, high)
        assert 3 <= len(ticks) <= 11
        assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
    svg = drawing("CCO")
    assert svg.startswith("<svg")
    assert "http" not in svg
    with pytest.raises(InvalidInputError):
        drawing("C1CC")
    with pytest.raises(ConfigurationError):
        SearchOptions(calls=0)
