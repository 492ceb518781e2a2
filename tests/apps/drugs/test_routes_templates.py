"""Templates of real reactions give back the reactants they were extracted from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.drugs.uspto import COLUMN, some, table
from xinglin.apps.drugs.routes.reactions import canonical, parse_reaction, read_reactions, split_by_product
from xinglin.apps.drugs.routes.sites import Product
from xinglin.apps.drugs.routes.templates import Runner, extract, pattern_of
from xinglin.errors import InvalidInputError

AMIDE = "[CH3:1][C:2](=[O:3])[Cl:9].[NH2:4][CH3:5]>>[CH3:1][C:2](=[O:3])[NH:4][CH3:5]"


def test_leaving_groups_lose_their_maps_and_spectators_are_dropped() -> None:
    left, right = AMIDE.split(">>")
    reaction = parse_reaction("a", f"{left}.[OH2:20]>>{right}")
    assert reaction.product == "CNC(C)=O"
    assert reaction.reactants == "CC(=O)Cl.CN"
    assert ":9" not in reaction.mapped
    found = extract(reaction)
    assert found is not None
    assert found.centre == {2, 4}
    assert set(found.templates) == {0, 1}


@pytest.mark.parametrize("stereo", [False, True])
def test_a_template_run_backwards_gives_the_reactants(data: Path, stereo: bool) -> None:
    rows = some(data, 16, stereo=stereo)
    assert len(rows) == 16
    runner = Runner()
    recovered = {0: 0, 1: 0}
    for row in rows:
        reaction = parse_reaction(row["id"], row[COLUMN])
        found = extract(reaction)
        assert found is not None
        for radius, smarts in found.templates.items():
            recovered[radius] += reaction.reactants in runner.outcomes(smarts, reaction.product)
    assert recovered[0] >= (14 if stereo else 15)
    assert recovered[1] >= 15


def test_without_stereo_both_engines_agree(data: Path) -> None:
    runner, compared = Runner(), 0
    for row in some(data, 25, stereo=False):
        reaction = parse_reaction(row["id"], row[COLUMN])
        if any(mark in reaction.product for mark in "@/\\"):
            continue
        found = extract(reaction, (0,))
        assert found is not None
        plain = runner.outcomes(found.templates[0], reaction.product)
        assert set(plain) == set(runner._with_stereo(found.templates[0], reaction.product))
        compared += 1
    assert compared >= 15


def test_the_pattern_matches_the_centre(data: Path) -> None:
    from rdkit import Chem

    for row in some(data, 15):
        reaction = parse_reaction(row["id"], row[COLUMN])
        found = extract(reaction, (0,))
        assert found is not None
        mapped = Chem.MolFromSmiles(reaction.mapped.split(">>")[1])
        centre = tuple(
            sorted(atom.GetIdx() for atom in mapped.GetAtoms() if atom.GetAtomMapNum() in found.centre)
        )
        for atom in mapped.GetAtoms():
            atom.SetAtomMapNum(0)
        product = Product(mapped)
        sites = product.sites([Chem.MolFromSmarts(pattern_of(found.templates[0]))])
        assert product.site(0, centre).key in [site.key for site in sites]


def test_symmetric_places_are_one_site_and_surroundings_ignore_the_order_of_atoms() -> None:
    from rdkit import Chem

    pattern = Chem.MolFromSmarts("[C;H3]-[O]")
    first, second = Product.read("COc1ccc(OC)cc1"), Product.read("c1(OC)ccc(cc1)OC")
    assert len(first.sites([pattern])) == 1
    assert first.sites([pattern])[0].around == second.sites([pattern])[0].around
    assert len(Product.read("COc1ccc(OCC)cc1OC").sites([pattern])) == 2


@pytest.mark.parametrize(
    "text",
    [
        "", "CCO", "C>>", ">>C", "[CH4:1]>>[CH4:1].[OH2:2]", "[CH4:1]>>[CH3:1]C", "[CH3:1][CH3:1]>>[CH3:1][CH3:1]",
        "C(>>[CH4:1]", "CC>>[CH4:1]", "[CH4:1]>>" + "[CH2:1]" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_mapped_reaction_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_reaction("x", text)


def test_bad_rows_are_named_and_good_ones_kept(tmp_path: Path) -> None:
    path = table(tmp_path / "r.csv", [{"id": "a", COLUMN: AMIDE}, {"id": "b", COLUMN: "nonsense"}])
    read = read_reactions(path)
    assert [one.id for one in read.rows] == ["a"]
    assert list(read.problems) == ["line 3"]
    with pytest.raises(InvalidInputError, match="none of its rows"):
        read_reactions(table(tmp_path / "s.csv", [{"id": "b", COLUMN: "nonsense"}]))


def test_one_product_is_on_one_side_of_the_split(data: Path) -> None:
    reactions = tuple(parse_reaction(row["id"], row[COLUMN]) for row in some(data, 100))
    fit, held = split_by_product(reactions)
    assert sorted(fit + held) == list(range(100))
    assert {reactions[i].product for i in fit}.isdisjoint(reactions[i].product for i in held)
    assert 10 <= len(held) <= 32


def test_canonical_sorts_the_parts() -> None:
    assert canonical("OC.CC(=O)O") == canonical("CC(O)=O.CO")


def test_a_centre_in_two_places_of_one_product_is_one_molecule() -> None:
    """Seen in USPTO-50k: both engines refuse two fragments on the product's side unless they are grouped."""
    left = "[CH3:1][O:2][c:3]1[cH:4][cH:5][c:6]([O:7][CH3:8])[cH:9][cH:10]1"
    right = "[OH:2][c:3]1[cH:4][cH:5][c:6]([OH:7])[cH:9][cH:10]1"
    reaction = parse_reaction("x", f"{left}>>{right}")
    found = extract(reaction, (0,))
    assert found is not None
    assert "." in found.templates[0].split(">>")[0]
    runner = Runner()
    assert reaction.reactants in runner.outcomes(found.templates[0], reaction.product)
    assert reaction.reactants in runner._with_stereo(found.templates[0], reaction.product)


@pytest.mark.parametrize("product", ["CCC(=O)NCCNC(C)=O", "CCC(=O)N[C@@H](C)CNC(C)=O"])
def test_a_template_can_be_held_to_one_place(product: str) -> None:
    runner = Runner()
    smarts = "[C;H0;D3;+0:1]-[NH;D2;+0:2]>>Cl-[C;H0;D3;+0:1].[NH2;D1;+0:2]"
    everywhere = runner.outcomes(smarts, product)
    assert len(everywhere) == 2
    first = runner.outcomes(smarts, product, frozenset([2, 4]))
    assert len(first) == 1
    assert "CCC(=O)Cl" in first[0].split(".")
    assert set(first) < set(everywhere)
    assert runner.outcomes(smarts, product, frozenset([0])) == []
