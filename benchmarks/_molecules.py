"""Where the shared sets of molecules lie."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def molecules(name: str) -> Path:
    """Return the folder of a set, e.g. ``uspto50k``."""
    return Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules" / name
