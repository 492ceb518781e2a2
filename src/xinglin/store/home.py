"""Where state lives: ``XINGLIN_HOME``, or the platform's data folder."""

from __future__ import annotations

import os
from pathlib import Path


def home_folder() -> Path:
    """Return the folder of the store, models and keys; created (mode 0700) on first use."""
    named = os.environ.get("XINGLIN_HOME")
    if named:
        folder = Path(named).expanduser()
    else:
        from platformdirs import user_data_path

        folder = user_data_path("xinglin", appauthor=False)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
