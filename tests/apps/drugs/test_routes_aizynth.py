"""AiZynthFinder's routes in our form: a row that AiZynthFinder 4.4.1 wrote, and the program where it is installed."""

from __future__ import annotations

import copy
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from xinglin.apps.drugs.routes.aizynth import EngineError, read_result, read_route, run_aizynthfinder
from xinglin.apps.drugs.routes.search import SearchOptions
from xinglin.errors import ControlledSubstanceError, InvalidInputError, MissingDataError, MissingProgramError

AMIDE = "COc1ccc(C(=O)NCc2ccccc2)cc1"
OPTIONS = SearchOptions(routes=5, seconds=5)


@pytest.fixture
def row() -> dict[str, Any]:
    text = (Path(__file__).parent / "aizynthfinder_row.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text("expansion: {}\n", encoding="utf-8")
    return path


def test_a_recorded_row_becomes_routes(row: dict[str, Any]) -> None:
    found = read_result(AMIDE, row, OPTIONS)
    assert found.routes
    costs = [route.cost for route in found.routes]
    assert costs == sorted(costs)
    for route in found.routes:
        assert route.smiles == AMIDE
        steps = [node.step for node in route.nodes() if node.step]
        assert route.steps == len(steps)
        expected = sum(OPTIONS.step_cost - math.log(step.score) for step in steps)
        assert route.cost == pytest.approx(expected)


def test_a_leaf_that_cannot_be_bought_is_no_route(row: dict[str, Any]) -> None:
    def none_in_stock(tree: dict[str, Any]) -> None:
        tree["in_stock"] = False
        for child in tree.get("children", ()):
            none_in_stock(child)

    for tree in row["trees"]:
        none_in_stock(tree)
    assert read_result(AMIDE, row, OPTIONS).routes == ()


def test_a_route_through_a_scheduled_chemical_is_left_out(row: dict[str, Any]) -> None:
    tree = copy.deepcopy(next(tree for tree in row["trees"] if read_route(tree, 0.0)))
    while tree.get("children"):
        leaf = tree = tree["children"][0]
    leaf["smiles"] = "CC(=O)Cc1ccccc1"
    whole = {"trees": [row["trees"][0]]}
    outer = whole["trees"][0]
    while outer["children"][0].get("children") and outer["children"][0]["children"][0].get("children"):
        outer = outer["children"][0]["children"][0]
    outer["children"][0]["children"][0] = leaf | {"type": "mol", "in_stock": True}
    found = read_result(AMIDE, whole, OPTIONS)
    assert found.routes == ()
    assert [refusal.entry.category for refusal in found.refused] == ["precursor"]


@pytest.mark.parametrize(
    "tree", [{}, {"type": "reaction"}, {"type": "mol", "smiles": "C", "children": [{"type": "reaction"}]}]
)
def test_what_is_no_route_is_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        read_route(tree, 0.3)


def test_absent_program_configuration_and_lawful_target(config: Path) -> None:
    with pytest.raises(MissingProgramError, match="pip install aizynthfinder"):
        run_aizynthfinder([AMIDE], config, OPTIONS, program="no-such-aizynthcli")
    with pytest.raises(MissingDataError):
        run_aizynthfinder([AMIDE], config.with_name("absent.yml"), OPTIONS, program="true")
    with pytest.raises(ControlledSubstanceError):
        run_aizynthfinder(["CC(N)Cc1ccccc1"], config, OPTIONS, program="no-such-aizynthcli")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'model file missing' >&2; exit 3", "model file missing"),
        ("exit 0", "it said nothing"),
        ('for last; do :; done; echo nonsense > "$last"', "on reading it"),
        ('for last; do :; done; echo \'{"data": []}\' | gzip > "$last"', "expected 1 results"),
    ],
)
def test_a_failing_program_is_an_error_with_its_last_words(
    config: Path, tmp_path: Path, script: str, said: str
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    with pytest.raises(EngineError, match=said):
        run_aizynthfinder([AMIDE], config, OPTIONS, program=str(program))


@pytest.mark.slow
def test_the_program_itself() -> None:
    """Needs AIZYNTH_CONFIG and aizynthcli on the path or in AIZYNTHCLI."""
    config = os.environ.get("AIZYNTH_CONFIG")
    if not config:
        pytest.skip("AiZynthFinder is not set up: AIZYNTH_CONFIG")
    found = run_aizynthfinder(
        [AMIDE], Path(config), OPTIONS, program=os.environ.get("AIZYNTHCLI", "aizynthcli")
    )
    assert found[0].routes
