"""Receptor and box: against the receptor that AutoDock Vina ships for 1IEP, and for damaged structures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import gemmi
import numpy as np
import pytest

from tests.apps.drugs.structures import abl1, add_hetero, add_ligand, piece, residue, save
from xinglin.apps.drugs.target.box import Box, box_around
from xinglin.apps.drugs.target.prepare import prepare_target
from xinglin.apps.drugs.target.site import ligand_points
from xinglin.apps.drugs.target.target import Target
from xinglin.errors import ConfigurationError, InputTooLargeError, InvalidInputError, MissingDataError


def types(pdbqt: str) -> Counter[str]:
    return Counter(line[77:79].strip() for line in pdbqt.splitlines() if line.startswith(("ATOM", "HETATM")))


def test_the_receptor_of_1iep_is_that_of_autodock_vina(data: Path, tmp_path: Path) -> None:
    folder = abl1(data)
    target = prepare_target(folder / "1iep_receptorH.pdb", reference=str(folder / "1iep_ligand.sdf"))
    theirs = (folder / "1iep_receptor.pdbqt").read_text()
    assert types(target.receptor) == types(theirs)
    places = {tuple(row) for row in target.atoms().round(3)}
    assert places == {tuple(row) for row in Target("x", theirs, target.box).atoms().round(3)}
    # Their box: centre 15.190 53.903 16.917.
    assert target.box.center == pytest.approx((15.190, 53.903, 16.917), abs=0.001)
    assert target.box.holds(ligand_points(folder / "1iep_ligand.sdf")).all()
    assert {"A:THR:315", "A:ASP:381", "A:MET:318"} <= set(target.about["lining"])
    target.save(tmp_path)
    again = Target.load(tmp_path)
    assert again == target
    assert again.digest == target.digest
    assert "盒子 box" in (tmp_path / "report.txt").read_text()
    assert json.loads((tmp_path / "box.json").read_text())["center"] == list(target.box.center)


def test_a_damaged_structure_becomes_a_receptor_and_all_is_said(data: Path, tmp_path: Path) -> None:
    structure = piece(data, 312, 330, hydrogens=False)
    other = piece(data, 355, 385)[0]["A"]
    for item in other:
        structure[0]["A"].add_residue(item)
    residue(structure, 316).remove_atom("CD", "\0")
    unknown = residue(structure, 320)
    unknown.name = "XYZ"
    add_hetero(structure, "ZN", "Zn", (15.0, 52.0, 18.0), 801)
    add_hetero(structure, "HOH", "O", (15.0, 50.0, 18.0), 901)
    add_ligand(structure, abl1(data) / "1iep_ligand.sdf", "STI", 201)
    path = save(structure, tmp_path / "damaged.cif")
    target = prepare_target(path, reference="STI")
    said = {remark.kind: remark for remark in target.remarks}
    assert {"missing-atoms", "non-standard", "metal", "water", "hetero", "break", "near-site"} <= said.keys()
    assert said["missing-atoms"].where == ("A:GLU:316→ALA",)
    assert said["non-standard"].where == ("A:XYZ:320→ALA",)
    assert any("801" in place for place in said["near-site"].where)
    found = types(target.receptor)
    assert found["Zn"] == 1
    assert found["HD"] > 30
    assert target.box.origin == "ligand A:STI:201"
    assert target.box.holds(ligand_points(abl1(data) / "1iep_ligand.sdf")).all()
    # The file is one that Vina itself reads.
    from xinglin.apps.drugs.dock.engine import Engine
    from xinglin.apps.drugs.dock.options import DockOptions

    Engine(target.receptor, Box(target.box.center, (4.0, 4.0, 4.0)), DockOptions(exhaustiveness=1))


def test_hydrogens_that_fit_no_template_are_placed_anew(data: Path, tmp_path: Path) -> None:
    structure = piece(data, 312, 325)
    item = residue(structure, 314)
    extra, oxygen = item.find_atom("HA", "*").clone(), item.find_atom("O", "*").pos
    extra.name, extra.pos = "HX", gemmi.Position(oxygen.x, oxygen.y, oxygen.z + 0.95)
    item.add_atom(extra)
    target = prepare_target(save(structure, tmp_path / "h.pdb"), residues="A:318")
    said = {remark.kind: remark for remark in target.remarks}
    assert said["hydrogens"].where == ("A:ILE:314",)


def test_a_ready_receptor_is_used_as_it_is(data: Path) -> None:
    folder = abl1(data)
    target = prepare_target(folder / "dockstring_ABL1_target.pdbqt", residues="91,92")
    ready = (folder / "dockstring_ABL1_target.pdbqt").read_text()
    assert types(target.receptor) == types(ready)
    assert [remark.kind for remark in target.remarks] == ["ready"]
    packed = data / "molecules" / "docking-mood-5targets" / "fa7.pdbqt.gz"
    assert prepare_target(packed, detect=True).about["format"] == "pdbqt"


def test_ways_to_place_the_box(data: Path, tmp_path: Path) -> None:
    folder = abl1(data)
    ready = folder / "dockstring_ABL1_target.pdbqt"
    with pytest.raises(ConfigurationError, match="exactly one"):
        prepare_target(ready)
    with pytest.raises(ConfigurationError, match="exactly one"):
        prepare_target(ready, detect=True, residues="91")
    # The crystal ligand of 1IEP lies in another frame than dockstring's ABL1 (2HYY).
    with pytest.raises(InvalidInputError, match="another frame"):
        prepare_target(ready, reference=str(folder / "1iep_ligand.sdf"))
    with pytest.raises(InvalidInputError, match="neither a file nor a residue"):
        prepare_target(ready, reference="STI")
    with pytest.raises(InvalidInputError, match="CHAIN:NUMBER"):
        prepare_target(ready, residues="THR")
    with pytest.raises(InvalidInputError, match="no residue B:315"):
        prepare_target(ready, residues="B:315")
    far = prepare_target(ready, box=Box((500.0, 0.0, 0.0), (20.0, 20.0, 20.0)))
    assert "empty-box" in {remark.kind for remark in far.remarks}
    flat = tmp_path / "flat.mol"
    atoms = "".join(f"{x:10.4f}    0.0000    0.0000 C   0  0\n" for x in (0, 1.5, 3))
    head = "\n  x\n\n  3  2  0  0  0  0  0  0  0  0999 V2000\n"
    flat.write_text(f"{head}{atoms}  1  2  1  0\n  2  3  1  0\nM  END\n")
    with pytest.raises(InvalidInputError, match="flat drawing"):
        ligand_points(flat)
    (tmp_path / "not.sdf").write_text("hello")
    with pytest.raises(InvalidInputError, match="not an SDF"):
        ligand_points(tmp_path / "not.sdf")
    (tmp_path / "huge.sdf").write_text("x" * 5_000_000)
    with pytest.raises(InputTooLargeError):
        ligand_points(tmp_path / "huge.sdf")


def test_a_box_has_bounds() -> None:
    box = box_around(np.array([[0.0, 0, 0], [1, 1, 50]]), "x")
    assert box.size == (20.0, 20.0, 30.0)
    assert box.center == (0.5, 0.5, 25.0)
    for body in ({"center": [0, 0], "size": [1, 1, 1]}, {"center": [0, 0, 0]}, [], {"center": "abc", "size": "abc"},
                 {"center": [0, 0, float("nan")], "size": [1, 1, 1]}, {"center": [0, 0, 0], "size": [0, 1, 1]}):  # fmt: skip
        with pytest.raises(InvalidInputError, match="box"):
            Box.from_json(body)


def test_a_folder_that_is_no_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"receptor\.pdbqt"):
        Target.load(tmp_path)
    (tmp_path / "receptor.pdbqt").write_text("ROOT\n")
    (tmp_path / "box.json").write_text("{}")
    with pytest.raises(InvalidInputError, match="box"):
        Target.load(tmp_path)
    (tmp_path / "box.json").write_text(json.dumps({"center": [0, 0, 0], "size": [20, 20, 20]}))
    with pytest.raises(InvalidInputError, match="ligand"):
        Target.load(tmp_path)
    (tmp_path / "receptor.pdbqt").write_text("")
    with pytest.raises(InvalidInputError, match="no atoms"):
        Target.load(tmp_path)
