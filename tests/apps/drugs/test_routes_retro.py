"""A model of 130 real reactions: learned, kept, loaded, asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.apps.drugs.uspto import COLUMN, some, table
from xinglin.apps.drugs.routes.kept import FILES, MANIFEST, load
from xinglin.apps.drugs.routes.learn import LearnOptions
from xinglin.apps.drugs.routes.precedents import FEATURES, candidates
from xinglin.apps.drugs.routes.reactions import canonical, parse_reaction
from xinglin.apps.drugs.routes.recipe import lawful, train_templates
from xinglin.apps.drugs.routes.retro import Retro
from xinglin.apps.drugs.routes.sites import Product
from xinglin.apps.drugs.safety import screen
from xinglin.errors import CheckpointError, ControlledSubstanceError, InvalidInputError

SMALL = LearnOptions(trees=15, leaves=7, smallest_leaf=10, folds=3, most=40)


@pytest.fixture(scope="module")
def rows(data: Path) -> list[dict[str, str]]:
    return some(data, 130)


@pytest.fixture(scope="module")
def model(rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retro")
    train_templates(table(folder / "r.csv", rows), folder / "model", SMALL)
    return folder / "model"


@pytest.fixture(scope="module")
def retro(model: Path) -> Retro:
    return Retro.load(model)


def test_known_reactions_are_found_again(retro: Retro, rows: list[dict[str, str]]) -> None:
    found = asked = 0
    for row in rows[:20]:
        reaction = parse_reaction(row["id"], row[COLUMN])
        if screen(reaction.product) or screen(reaction.reactants, reagent=True):
            continue
        steps = retro.predict(reaction.product, 10).steps
        asked += 1
        found += reaction.reactants in [".".join(step.reactants) for step in steps]
        assert len(steps) <= 10
        assert [step.score for step in steps] == sorted((step.score for step in steps), reverse=True)
        assert len({step.reactants for step in steps}) == len(steps)
        assert all(reaction.product not in step.reactants for step in steps)
        for step in steps:
            assert canonical(".".join(step.reactants)) == ".".join(step.reactants)
    assert asked >= 18
    assert found >= 0.7 * asked


def test_a_kept_model_answers_as_the_one_that_was_learned(retro: Retro, model: Path) -> None:
    """What is rebuilt from the files counts what was counted while learning."""
    again, _, manifest = load(model)
    assert manifest["counts"]["precedents"] == len(again.precedents)
    product = Product.read("COc1ccc(cc1)C(=O)Nc1ccccc1")
    sites = product.sites(again.compiled)
    assert sites
    _, table_again = candidates(again, product, sites)
    _, table_first = candidates(retro.library, product, sites)
    assert (table_again == table_first).all()
    assert table_again.shape[1] == len(FEATURES)
    assert retro.predict("COc1ccc(cc1)C(=O)Nc1ccccc1") == Retro.load(model).predict(
        "COc1ccc(cc1)C(=O)Nc1ccccc1"
    )


@pytest.mark.slow
def test_the_same_reactions_and_seed_give_the_same_model(
    model: Path, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    manifest = train_templates(table(tmp_path / "r.csv", rows[:30]), tmp_path / "a", SMALL)
    other = train_templates(table(tmp_path / "r.csv", rows[:30]), tmp_path / "b", SMALL)
    assert manifest["files"] == other["files"]


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_damaged_model_is_refused(model: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    path = copy / name
    path.write_bytes(path.read_bytes()[:-20] + b"x")
    with pytest.raises(CheckpointError):
        Retro.load(copy)
    path.unlink()
    with pytest.raises(CheckpointError):
        Retro.load(copy)


def test_a_model_of_another_numbering_is_refused(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    body: dict[str, Any] = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    body["reference"][2] += 1
    (copy / MANIFEST).write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(CheckpointError, match="differently"):
        Retro.load(copy)


def test_a_scheduled_product_is_refused_and_scheduled_reactants_are_kept_out(retro: Retro) -> None:
    with pytest.raises(ControlledSubstanceError):
        retro.predict("CCC(=O)N(C1CCN(CCc2ccccc2)CC1)c1ccccc1")
    prediction = retro.predict("COC(=O)c1ccccc1NC(=O)c1ccccc1", 50)
    assert all(screen(part, reagent=True) is None for step in prediction.steps for part in step.reactants)


def test_scheduled_reactions_teach_nothing() -> None:
    amine = "[CH3:1][CH:2]([NH2:3])[CH2:4][c:5]1[cH:6][cH:7][cH:8][cH:9][cH:10]1"
    reaction = parse_reaction(
        "x",
        f"{amine}.[CH3:11][C:12](=[O:13])Cl>>{amine.replace('NH2', 'NH')}[C:12](=[O:13])[CH3:11]".replace(
            "[NH:3])[CH2:4]", "[NH:3][C:12](=[O:13])[CH3:11])[CH2:4]"
        ).replace("1[C:12](=[O:13])[CH3:11]", "1"),
    )
    assert screen(reaction.reactants, reagent=True) is not None
    assert lawful((reaction,)) == []


@pytest.mark.parametrize("text", ["", "C(", "CCO.CCN", "C" * 5000, "C" * 700])
def test_what_is_no_single_molecule_is_refused(retro: Retro, text: str) -> None:
    with pytest.raises(InvalidInputError):
        retro.predict(text)


def test_a_molecule_that_no_template_fits_gives_nothing(retro: Retro) -> None:
    assert retro.predict("C").steps == ()
