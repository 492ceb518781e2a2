"""Files of molecules: every entry keeps its place, bad ones are named, duplicates are reported."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from rdkit import Chem

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.records.molecules import read_molecules

CSV = 'id,Smiles,y\na,OCC,1\nb,"C1CC",2\nc,CCO.Cl,3\nd\ne,,5\n'


@pytest.mark.parametrize("zipped", [False, True])
def test_csv(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / ("t.csv.gz" if zipped else "t.csv")
    path.write_bytes(gzip.compress(CSV.encode()) if zipped else CSV.encode())
    table = read_molecules(path)
    assert [entry.place for entry in table.entries] == ["line 2", "line 3", "line 4", "line 5", "line 6"]
    assert set(table.problems) == {"line 3", "line 5", "line 6"}
    assert "unclosed ring" in table.problems["line 3"]
    assert "expected 3 cells, got 1" in table.problems["line 5"]
    assert "empty" in table.problems["line 6"]
    assert list(table.duplicates.values()) == [("line 2", "line 4")]
    assert table.entries[2].cells["y"] == "3"
    molecule = table.entries[2].molecule
    assert molecule is not None
    assert molecule.notes


def test_a_smiles_file_with_names(tmp_path: Path) -> None:
    path = tmp_path / "t.smi"
    path.write_text("CCO ethyl alcohol\n\nc1ccccc1\tbenzene\nXx\n")
    table = read_molecules(path)
    assert [entry.cells.get("name") for entry in table.entries] == ["ethyl alcohol", "benzene", None]
    assert list(table.problems) == ["line 4"]


def test_sdf(tmp_path: Path) -> None:
    good = Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    good.SetProp("_Name", "alanine")
    block = Chem.MolToMolBlock(good)
    broken = block.replace(" C ", " Q9", 1).replace("  1  2", "  1 99", 1)
    path = tmp_path / "t.sdf"
    path.write_text(f"{block}> <Ki>\n12\nnM\n\n$$$$\n{broken}$$$$\nno end\n$$$$\n{block}")
    table = read_molecules(path)
    assert len(table.entries) == 4
    first = table.entries[0]
    assert first.molecule is not None
    assert first.molecule.smiles == "C[C@H](N)C(=O)O"
    assert first.cells == {"name": "alanine", "Ki": "12\nnM"}
    assert "connection table" in (table.entries[1].problem or "")
    assert "M  END" in (table.entries[2].problem or "")
    assert len(table.duplicates) == 1


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        read_molecules(tmp_path / "none.csv")
    for name, content, expected in (
        ("t.pdf", b"%PDF", "expected .csv"),
        ("t.csv", b"a,b\n1,2\n", "column 'smiles'"),
        ("u.csv", b"smiles,SMILES\nC,C\n", "found 2"),
        ("v.csv", b"", "header"),
        ("w.csv.gz", gzip.compress(b"smiles\n" + b"CCO\n" * 50_000)[:-200], "damaged"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=expected):
            read_molecules(path)
