"""Files that are no receptor are refused with the reason; the format is told by content."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from tests.apps.drugs.structures import abl1, piece, save
from xinglin.apps.drugs.target.read import MOST_BYTES, read_structure
from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError


def test_one_structure_reads_the_same_from_pdb_mmcif_and_gzip(data: Path, tmp_path: Path) -> None:
    structure = piece(data, 300, 340)
    counts = []
    for name in ("a.pdb", "a.cif"):
        path = save(structure, tmp_path / name)
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        for file in (path, packed):
            read = read_structure(file)
            counts.append((read.format, read.structure[0].count_atom_sites()))
    assert [format_ for format_, _ in counts] == ["pdb", "pdb", "mmcif", "mmcif"]
    assert len({atoms for _, atoms in counts}) == 1


def test_the_suffix_does_not_decide(data: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "receptor.pdb"
    shutil.copy(abl1(data) / "dockstring_ABL1_target.pdbqt", wrong)
    assert read_structure(wrong).format == "pdbqt"


@pytest.mark.parametrize("name", ["1iep_ligand.sdf", "1iep_ligand.pdbqt", "1iep_ligand_vina_out.pdbqt"])
def test_a_ligand_is_no_receptor(data: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="ligand"):
        read_structure(abl1(data) / name)


def test_a_ligand_or_peptide_as_pdb_is_no_receptor(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="looks like a ligand or a peptide"):
        read_structure(save(piece(data, 300, 305), tmp_path / "peptide.pdb"))


def test_truncation_is_refused_or_said(data: Path, tmp_path: Path) -> None:
    text = save(piece(data, 300, 340), tmp_path / "a.pdb").read_text()
    atoms = [line for line in text.splitlines() if line.startswith("ATOM")]
    (tmp_path / "mid.pdb").write_text("\n".join(atoms)[:-45])
    with pytest.raises(InvalidInputError, match="truncated within"):
        read_structure(tmp_path / "mid.pdb")
    (tmp_path / "end.pdb").write_text("\n".join(atoms[:400]) + "\n")
    assert [remark.kind for remark in read_structure(tmp_path / "end.pdb").remarks] == ["no-end"]
    assert read_structure(tmp_path / "a.pdb").remarks == ()
    cif = save(piece(data, 300, 340), tmp_path / "a.cif").read_text()
    (tmp_path / "cut.cif").write_text(cif[: cif.index("_atom_site.") + 3000])
    with pytest.raises(InvalidInputError, match=r"cut\.cif"):
        read_structure(tmp_path / "cut.cif")
    packed = gzip.compress(text.encode())
    (tmp_path / "cut.pdb.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InvalidInputError, match="gzip"):
        read_structure(tmp_path / "cut.pdb.gz")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "neither PDB nor mmCIF"),
        (b"hello\n" * 20, "neither PDB nor mmCIF"),
        (b"\x00\x01\x02" * 100, "binary"),
        (b"ATOM      1  N   ALA A   1         nan     nan     nan  1.00  0.00           N\n" * 30, "."),
        (b"data_x\nloop_\n_atom_site.id\n", "."),
    ],
)
def test_other_files_are_refused(tmp_path: Path, body: bytes, said: str) -> None:
    path = tmp_path / "file.pdb"
    path.write_bytes(body)
    with pytest.raises(InvalidInputError, match=said):
        read_structure(path)


def test_sizes_are_bounded(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.pdb.gz"
    with gzip.open(bomb, "wb") as stream:
        for _ in range(MOST_BYTES // 1_000_000 + 1):
            stream.write(b"REMARK    \n" * 91_000)
    assert bomb.stat().st_size < 1_000_000
    with pytest.raises(InputTooLargeError, match="unpacks"):
        read_structure(bomb)
    with pytest.raises(MissingDataError):
        read_structure(tmp_path / "absent.pdb")


def test_coordinates_in_one_place_are_absent_coordinates(tmp_path: Path) -> None:
    line = "ATOM  {:5d}  CA  ALA A{:4d}       0.000   0.000   0.000  1.00  0.00           C  \n"
    (tmp_path / "zero.pdb").write_text("".join(line.format(i, i) for i in range(1, 40)) + "END\n")
    with pytest.raises(InvalidInputError, match="one place"):
        read_structure(tmp_path / "zero.pdb")
