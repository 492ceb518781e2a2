"""Runs of a benchmark that are kept as they are made, so that an interrupted one goes on where it stopped."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any


class Kept:
    """A folder of finished runs, named by all settings on which they depend.

    It lies in the folder that XINGLIN_BENCH_STATE names, and stays there; else in the system's folder for temporary
    files, where it is removed when the benchmark has come to its end: a later run, perhaps of other code, begins anew.
    """

    def __init__(self, benchmark: str, settings: Any) -> None:
        digest = sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
        named = os.environ.get("XINGLIN_BENCH_STATE")
        self._stays = bool(named)
        base = named or os.path.join(tempfile.gettempdir(), "xinglin-benchmarks")
        self._benchmark, self._folder = benchmark, Path(base) / f"{benchmark}-{digest}"
        self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the JSON value of a run as it was kept, or make and keep it."""
        path = self._folder / f"{name.replace(' ', '_').replace(',', '')}.json"
        if not path.is_file():
            print(f"{self._benchmark}: {name}", file=sys.stderr, flush=True)
            new = path.with_suffix(".new")
            new.write_text(json.dumps(make()), encoding="utf-8")
            os.replace(new, path)
        return json.loads(path.read_text(encoding="utf-8"))

    def done(self) -> None:
        """Forget all runs, unless they lie where they were asked to lie."""
        if not self._stays:
            shutil.rmtree(self._folder)
