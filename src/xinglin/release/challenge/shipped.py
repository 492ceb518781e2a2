"""The challenges that come with the package: manifest and salts; their data are made from open sets by a recipe.

They are for practice: whoever has the open data can make the hidden part as well, and the salts are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from xinglin.errors import UnknownNameError
from xinglin.records.decode import decode_json
from xinglin.release.challenge.manifest import Manifest, read_manifest
from xinglin.release.challenge.parts import Which

FOLDER = Path(__file__).parent / "shipped"


@dataclass(frozen=True, slots=True)
class Shipped:
    """A challenge of the package."""

    folder: Path
    manifest: Manifest
    salts: dict[Which, str]


def shipped_challenge(name: str) -> Shipped:
    """Return a challenge of the package.

    Raises:
        UnknownNameError: there is none; the nearest name is listed.
    """
    names = sorted(path.name for path in FOLDER.iterdir() if (path / "manifest.json").is_file())
    if name not in names:
        near = get_close_matches(name, names, n=3, cutoff=0.3) or names
        raise UnknownNameError(
            f"no challenge {name[:60]!r} comes with the package; there are: {', '.join(near)}"
        )
    folder = FOLDER / name
    salts = decode_json((folder / "salts.json").read_bytes(), "salts.json")
    return Shipped(folder, read_manifest(folder / "manifest.json"), salts)
