"""Docking results that are kept, by InChIKey below the digest of receptor, box, settings and program versions.

Below ``XINGLIN_HOME/cache/docking``: one small JSON file a ligand, written whole or not at all. An InChIKey does not
tell all tautomers and charges apart, so the docked SMILES is in the file's name too. Failures are not kept: they may
have been the machine's.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from xinglin.apps.drugs.dock.engine import Answer
from xinglin.apps.drugs.dock.ligand import LigandForm
from xinglin.store.home import home_folder

log = logging.getLogger("xinglin.docking")

LIMIT = 2_000_000_000
"""Most bytes kept; the folders of settings used longest ago go first."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The results of one target under one set of options."""

    folder: Path

    @staticmethod
    def home(digest: str) -> Shelf:
        """Return the shelf below ``XINGLIN_HOME`` for ``DockOptions.digest``."""
        return Shelf(home_folder() / "cache" / "docking" / digest[:32])

    def get(self, form: LigandForm) -> Answer | None:
        """Return what was kept of a ligand, or ``None``."""
        path = self._path(form)
        try:
            body = json.loads(path.read_bytes())
            score, pose = float(body["score"]), str(body["pose"])
            return Answer(score, pose, float(body["seconds"]), tuple(map(str, body["notes"])))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read and is docked again: %s", path, error)
            return None

    def put(self, form: LigandForm, answer: Answer) -> None:
        """Keep a score; a full disk is said, not fatal."""
        if answer.score is None:
            return
        path = self._path(form)
        body = {"score": answer.score, "pose": answer.pose, "seconds": answer.seconds, "notes": answer.notes,
                "smiles": form.smiles}  # fmt: skip
        new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            new.write_text(json.dumps(body), encoding="utf-8")
            os.replace(new, path)
        except OSError as error:
            log.warning("%s cannot be written, so the score is not kept: %s", path, error)
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)

    def bound(self, limit: int = LIMIT) -> None:
        """Remove other shelves, those written longest ago first, until at most ``limit`` bytes are kept."""
        if not self.folder.is_dir():
            return
        shelves = []
        for folder in self.folder.parent.iterdir():
            size = sum(path.stat().st_size for path in folder.iterdir())
            shelves.append((folder.stat().st_mtime, size, folder))
        total = sum(size for _, size, _ in shelves)
        for _, size, folder in sorted(shelves):
            if total <= limit:
                return
            if folder != self.folder:
                for path in folder.iterdir():
                    path.unlink(missing_ok=True)
                with suppress(OSError):
                    folder.rmdir()
                total -= size

    def _path(self, form: LigandForm) -> Path:
        digest = hashlib.sha256(form.smiles.encode()).hexdigest()[:12]
        return self.folder / f"{form.inchikey}-{digest}.json"
