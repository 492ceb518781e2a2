"""What docking needs of a target: a rigid receptor and a box. A folder of plain files that any program can read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.apps.drugs.target.box import Array, Box
from xinglin.apps.drugs.target.remarks import Remark, told
from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.types import DISCLAIMER

RECEPTOR, BOX, REPORT, TEXT = "receptor.pdbqt", "box.json", "report.json", "report.txt"
MOST_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """A receptor, the box in it, and how both came about."""

    name: str
    """Of the file it was made from."""
    receptor: str
    """Rigid receptor, PDBQT."""
    box: Box
    remarks: tuple[Remark, ...] = ()
    about: Mapping[str, Any] | None = None
    """Of the report: format, counts, pockets, digest of the source."""

    @property
    def digest(self) -> str:
        """SHA-256 of receptor and box: docking results hold for these alone."""
        box = json.dumps([self.box.center, self.box.size])
        return hashlib.sha256(f"{box}\n{self.receptor}".encode()).hexdigest()

    def atoms(self) -> Array:
        """Return the positions of atoms other than hydrogen (n x 3, Å)."""
        return receptor_atoms(self.receptor)

    def save(self, folder: Path) -> None:
        """Write receptor, box and report into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (
            (RECEPTOR, self.receptor),
            (BOX, json.dumps(self.box.as_json(), ensure_ascii=False, indent=2) + "\n"),
            (REPORT, json.dumps(self.as_json(), ensure_ascii=False, indent=2) + "\n"),
            (TEXT, self.as_text() + "\n"),
        ):
            (folder / name).write_text(text, encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> Target:
        """Return the target of a folder that ``save`` wrote, or that holds a receptor.pdbqt and a box.json.

        Raises:
            MissingDataError: one of the two is absent.
            InvalidInputError: the files are not a receptor and a box.
        """
        for name in (RECEPTOR, BOX):
            if not (folder / name).is_file():
                raise MissingDataError(
                    f"{folder} has no {name}: make it with xinglin drugs target FILE --out {folder}"
                )
        if (folder / RECEPTOR).stat().st_size > MOST_BYTES:
            raise InvalidInputError(f"{folder / RECEPTOR}: more than {MOST_BYTES:,} bytes")
        receptor = (folder / RECEPTOR).read_text(encoding="utf-8", errors="replace")
        box = Box.from_json(_json(folder / BOX))
        report = _json(folder / REPORT) if (folder / REPORT).is_file() else {}
        try:
            remarks = tuple(Remark.from_json(item) for item in report.get("remarks", ()))
            name = str(report.get("name", folder.name))
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInputError(f"{folder / REPORT}: not a report of xinglin drugs target") from error
        receptor_atoms(receptor)
        return Target(name, receptor, box, remarks, report.get("about"))

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "name": self.name,
            "digest": self.digest,
            "box": self.box.as_json(),
            "remarks": [remark.as_json() for remark in self.remarks],
            "about": dict(self.about or {}),
            "disclaimer": DISCLAIMER,
        }

    def as_text(self) -> str:
        """Return the report as text, Chinese first."""
        about = dict(self.about or {})
        size = " x ".join(f"{edge:g}" for edge in self.box.size)
        center = ", ".join(f"{value:g}" for value in self.box.center)
        lines = [
            f"靶点 target: {self.name}",
            f"受体原子 receptor atoms: {len(self.atoms()):,} (不计氢 without hydrogen)",
            f"盒子 box: 中心 centre ({center}) Å, 边长 edges {size} Å; 依据 from: {self.box.origin}",
        ]
        for rank, pocket in enumerate(about.get("pockets", ()), 1):
            x, y, z = pocket["center"]
            lines.append(f"  口袋 pocket {rank}: ({x:g}, {y:g}, {z:g}) Å, {pocket['volume']:g} Å3")
        lining = about.get("lining", ())
        if lining:
            lines.append(f"盒内残基 residues in the box ({len(lining)}): {' '.join(lining)}")
        if self.remarks:
            lines += ["处理说明 what was done:", told(self.remarks)]
        return "\n".join([*lines, DISCLAIMER["zh"], DISCLAIMER["en"]])


def receptor_atoms(pdbqt: str) -> Array:
    """Return positions (n x 3, Å) of a PDBQT's atoms other than hydrogen.

    Raises:
        InvalidInputError: no atoms, a number that is none, or the PDBQT of a ligand.
    """
    places = []
    for line in pdbqt.splitlines():
        if line.startswith(("ROOT", "BRANCH", "TORSDOF")):
            raise InvalidInputError(
                "receptor.pdbqt: this is the PDBQT of a ligand (it has torsions), expected a rigid receptor"
            )
        if line.startswith(("ATOM  ", "HETATM")) and line[77:79].strip() not in ("H", "HD", "HS"):
            try:
                places.append([float(line[30:38]), float(line[38:46]), float(line[46:54])])
            except ValueError as error:
                raise InvalidInputError(
                    f"receptor.pdbqt: expected coordinates, got {line[30:54]!r}"
                ) from error
    if not places or not np.isfinite(places).all():
        raise InvalidInputError("receptor.pdbqt: no atoms, or coordinates that are not numbers")
    return np.asarray(places, float)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes()[:MOST_BYTES])
    except ValueError as error:
        raise InvalidInputError(f"{path}: not JSON") from error
