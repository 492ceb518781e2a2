"""A dossier as files in a folder, each the same bytes wherever the same evidence is."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.release.dossier.bom import as_bom
from xinglin.release.dossier.dossier import Dossier, build
from xinglin.release.dossier.markdown import as_markdown
from xinglin.release.dossier.pdf import as_pdf
from xinglin.release.dossier.questions import AUTHORITIES, CARD
from xinglin.release.registry.version import Version


def write_dossier(version: Version, authority: str, out: Path) -> tuple[Dossier, dict[str, str]]:
    """Write the dossier (Markdown, PDF, JSON), the model card, the ML-BOM, and their checksums
    (``sha256sum --check`` reads them).

    Everything is made before the first file is written. Files of the same names are replaced; others are left.

    Args:
        version: as the registry hands it out.
        authority: ``nmpa``, ``fda``, ``eu`` or ``pipl``.
        out: a folder; made if absent.

    Returns:
        The dossier, and the SHA-256 of every file by name.

    Raises:
        InvalidInputError: no such authority, ``out`` is no folder, or the version is not one.
        ChainBrokenError: evidence is not what its ledger entry names.
        MissingExtraError: ReportLab is not installed.
    """
    if authority not in AUTHORITIES:
        raise InvalidInputError(f"--for: expected one of {', '.join(AUTHORITIES)}, got {authority[:40]!r}")
    if out.exists() and not out.is_dir():
        raise InvalidInputError(f"--out: expected a folder, {out} is a file: name another 请另选文件夹")
    dossier = build(version, authority)
    files = {
        f"dossier-{authority}.md": as_markdown(dossier).encode(),
        f"dossier-{authority}.pdf": as_pdf(dossier),
        f"dossier-{authority}.json": _json(dossier.as_json()),
        "model-card.md": as_markdown(build(version, CARD)).encode(),
        "bom.cdx.json": _json(as_bom(version)),
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files[f"dossier-{authority}.sha256"] = "".join(
        f"{digest}  {name}\n" for name, digest in sorted(sums.items())
    ).encode()
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        part = out / f".{name}.part"
        part.write_bytes(content)
        os.replace(part, out / name)
    return dossier, sums


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()
