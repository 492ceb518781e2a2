"""The model folder that a job starts from: named by the job, lying at each hospital; nothing is fetched."""

from __future__ import annotations

import re
from pathlib import Path

from xinglin.errors import CheckpointError, ConfigurationError, MissingDataError
from xinglin.model.checkpoint import MANIFEST, verify_checkpoint
from xinglin.model.shipped import SHIPPED
from xinglin.store.home import home_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def model_folder(name: str, base: str) -> Path:
    """Return where a model lies at this hospital: ``models/NAME`` in its home folder, else as it came with the package.

    A job may name a model, never a path: a coordinator must not choose which files of a hospital are opened.

    Args:
        name: of the model.
        base: id of the checkpoint that it must be; empty: any.

    Raises:
        ConfigurationError: not a name.
        MissingDataError: no such model here.
        CheckpointError: it is another checkpoint than the job wants, or damaged.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            "[train] model: expected a name of letters, digits, '.', '_' and '-', no path"
        )
    own = home_folder() / "models" / name
    folder = own if own.is_dir() else SHIPPED / name
    if not folder.is_dir():
        raise MissingDataError(f"there is no model {name!r} at this site: put its folder at {own}")
    if base:
        if not (folder / MANIFEST).is_file():
            raise CheckpointError(
                f"model {name!r}: the job wants checkpoint {base[:12]}, this folder bears no manifest"
            )
        found = verify_checkpoint(folder).id
        if found != base:
            raise CheckpointError(
                f"model {name!r}: the job wants checkpoint {base[:12]}, here lies {found[:12]}"
            )
    return folder
