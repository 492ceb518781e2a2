"""Real checkpoints in several versions, made from the detector that comes with the package."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from xinglin.model.checkpoint import MANIFEST, seal_checkpoint
from xinglin.model.shipped import shipped_folder

PARTS = ("name", "kind", "data", "settings", "seeds", "metrics", "parents", "limits")


def checkpoint(folder: Path, **changes: Any) -> Path:
    """A copy of the shipped detector, sealed anew with other words in its manifest."""
    source = shipped_folder("lung-nodules")
    folder.mkdir(parents=True)
    for path in source.iterdir():
        if path.name != MANIFEST:
            shutil.copyfile(path, folder / path.name)
    body = {key: value for key, value in json.loads((source / MANIFEST).read_text()).items() if key in PARTS}
    seal_checkpoint(folder, **(body | {"name": "nodules"} | changes))
    return folder


def data(word: str) -> list[dict[str, Any]]:
    """A list of one data set."""
    return [{"name": word, "sha256": f"{word:0>64}", "records": 10, "licence": "made", "weak": True}]


def metric(**changes: Any) -> dict[str, Any]:
    """A figure that any policy would like."""
    return {"name": "error", "value": 0.02, "low": 0.01, "high": 0.03, "n": 400, "data": "made"} | changes
