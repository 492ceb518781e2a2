"""An export as it leaves: a flat folder with ``export.json``: its source, its files with digests, what was measured."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xinglin import __version__
from xinglin.errors import CheckpointError
from xinglin.model.parts import CONFIG, TOKENIZER, TOKENIZER_CONFIG, read_json, size_of
from xinglin.model.runtime import CALIBRATION
from xinglin.release.export.probe import Limits, ProbeReport, Runner
from xinglin.release.export.targets import TARGETS
from xinglin.types import DISCLAIMER, Checkpoint

EXPORT = "export.json"
FORMAT = 1
MAX_FILES = 64
BESIDE = (CONFIG, TOKENIZER, TOKENIZER_CONFIG, CALIBRATION)
"""Files of the checkpoint that go with every export: classes, words, calibration."""


def copy_beside(folder: Path, out: Path) -> None:
    """Copy what an export needs beside its own files."""
    for name in BESIDE:
        if (folder / name).is_file() and not (out / name).exists():
            shutil.copyfile(folder / name, out / name)


def seal_export(out: Path, source: Checkpoint, found: ProbeReport, limits: Limits) -> dict[str, Any]:
    """Write ``export.json``, last; returns its contents."""
    manifest = source.manifest
    body = {
        "format": FORMAT,
        "target": found.target,
        "checkpoint": source.id,
        "name": manifest["name"],
        "kind": manifest["kind"],
        "data": manifest["data"],
        "limits": manifest["limits"],
        "code": {"version": __version__},
        "files": {path.name: digest(path) for path in sorted(out.iterdir()) if path.name != EXPORT},
        "probe": found.as_json(),
        "gate": asdict(limits),
        "disclaimer": dict(DISCLAIMER),
    }
    text = json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    (out / EXPORT).write_text(text, encoding="utf-8")
    return body


def verify_export(out: Path) -> dict[str, Any]:
    """Check that an export is whole: every file there, none besides, every digest right; returns ``export.json``.

    Raises:
        CheckpointError: names the file and what is wrong with it.
    """
    body = read_json(out / EXPORT)
    files = body.get("files")
    known = body.get("format") == FORMAT and body.get("target") in TARGETS
    if not known or not isinstance(files, dict) or not 0 < len(files) <= MAX_FILES:
        raise CheckpointError(
            f"{out}: {EXPORT}: expected format {FORMAT}, a known target and files; export it again"
        )
    for name, expected in files.items():
        if Path(name).name != name:
            raise CheckpointError(f"{out}: {EXPORT}: {name[:80]!r} is no file name")
        size_of(out / name)
        found = digest(out / name)
        if found != expected:
            raise CheckpointError(
                f"{out}: {name} is not the file that was exported (SHA-256 {found[:12]}..., {EXPORT} says "
                f"{str(expected)[:12]}...): it was changed or damaged; export it again"
            )
    stray = sorted({path.name for path in out.iterdir()} - set(files) - {EXPORT})
    if stray:
        raise CheckpointError(
            f"{out}: {', '.join(stray[:5])} is not in {EXPORT}: remove it, nobody vouches for it"
        )
    return body


def open_export(out: Path) -> tuple[Runner, str]:
    """Verify an export and open it: what answers a feed, and what it runs on.

    Raises:
        CheckpointError: as :func:`verify_export`, or the target's runtime cannot read it.
        MissingExtraError: the target's runtime is not installed.
    """
    return TARGETS[verify_export(out)["target"]].open().runner(out)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
