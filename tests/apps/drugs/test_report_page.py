"""Pages need no other file and load none; the view turns under the mouse; what is written there is only text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from tests.apps.drugs.small_target import CENTER, small_target
from xinglin.apps.drugs.report.scene import bare_ligand, posed_ligand, receptor, scene
from xinglin.apps.drugs.report.target_page import target_page
from xinglin.apps.drugs.target.remarks import Remark
from xinglin.apps.drugs.target.target import Target

EVIL = "</script><script>alert(1)</script>"


def dressed(data: Path) -> Target:
    plain = small_target(data)
    ring = [
        [CENTER[0] + 1.4 * np.cos(a), CENTER[1] + 1.4 * np.sin(a), CENTER[2]]
        for a in np.arange(6) * np.pi / 3
    ]
    remarks = (Remark("water", "去除", EVIL, ("A:HOH:1",)), Remark("metal", "保留", "kept", (), warning=True))
    return Target(EVIL, plain.receptor, plain.box, remarks, {"reference": ring, "lining": [EVIL], "pockets": [],
                                                             "source_sha256": "0"})  # fmt: skip


def test_a_scene_holds_the_atoms_around_the_ligand_and_its_contacts(data: Path) -> None:
    target = small_target(data)
    molecule = Chem.AddHs(Chem.MolFromSmiles("NC=O"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    heavy = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1]
    atoms = receptor(target.receptor)
    polar = next(i for i, element in enumerate(atoms.elements) if element == "O")
    shift = atoms.places[polar] + [0, 0, 3.0] - molecule.GetConformer().GetPositions()[0]
    for index in range(molecule.GetNumAtoms()):
        molecule.GetConformer().SetAtomPosition(
            index, (molecule.GetConformer().GetPositions()[index] + shift).tolist()
        )
    found = scene(target, [posed_ligand("x", molecule)], box=True)
    places = molecule.GetConformer().GetPositions()[heavy]
    near = {
        atoms.residues[i]
        for i, place in enumerate(atoms.places)
        if np.linalg.norm(places - place, axis=1).min() <= 5.0
    }
    assert len(found["pocket"]["atoms"]) == sum(residue in near for residue in atoms.residues)
    assert [atom[0] for atom in found["ligands"][0]["atoms"]] == ["N", "C", "O"]
    assert found["ligands"][0]["bonds"] == [[0, 1], [1, 2]]
    expected = sum(
        np.linalg.norm(atoms.places[i] - place) <= 3.5
        for i, element in enumerate(atoms.elements) if element in ("N", "O") and atoms.residues[i] in near
        for place in places[[0, 2]]
    )  # fmt: skip
    assert len(found["ligands"][0]["contacts"]) == expected >= 1
    assert len(found["box"]) == 12
    assert all(abs(np.linalg.norm(np.subtract(*edge)) - 9) < 0.02 for edge in found["box"])
    ring = bare_ligand("ring", np.array([[np.cos(a), np.sin(a), 0] for a in np.arange(6) * np.pi / 3]) * 1.4)
    assert len(ring.bonds) == 6


def test_names_from_outside_are_text_and_nothing_is_loaded(data: Path) -> None:
    page = target_page(dressed(data))
    assert EVIL not in page
    assert page.count("<script") == 2
    assert not re.search(r"(src|href)\s*=|https?://|@import|url\(", page)
    body = re.search(r'<script type="application/json" id="pocket">(.*?)</script>', page)[1]
    assert len(json.loads(body)["ligands"][0]["atoms"]) == 6
    assert "不是医疗器械" in page
    assert page.index("保留") < page.index("去除")  # warnings first


@pytest.mark.browser
def test_the_view_is_drawn_and_turns(data: Path, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    path = tmp_path / "page.html"
    path.write_text(target_page(dressed(data)), encoding="utf-8")
    asked, said = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_timeout(300)

        def picture() -> str:
            return str(page.locator("canvas").evaluate("c => c.toDataURL()"))

        before = picture()
        drawn = "c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
        count = f"c => {drawn}.filter((v, i) => i % 4 == 3 && v > 0).length"
        assert page.locator("canvas").evaluate(count) > 2000
        box = page.locator("canvas").bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 320, box["y"] + 240, steps=4)
        page.mouse.up()
        page.wait_for_timeout(200)
        turned = picture()
        assert turned != before
        page.locator("canvas").focus()
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(200)
        assert picture() != turned
        browser.close()
    assert asked == [path.as_uri()]
    assert said == []
