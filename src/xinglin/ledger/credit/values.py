"""The value of a coalition of sites, measured once and kept: what a retraining cost is never paid twice.

A coalition's value is whatever the caller measures, larger for better: here, how well a model trained on the data of
these sites alone does on rows that no site trained on.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from xinglin.errors import ConflictError, InputTooLargeError, InvalidInputError
from xinglin.store.keys import canonical_json, digest

Coalition = frozenset[str]
Value = Callable[[Coalition], float]
MAX_SITES = 10_000
MAX_FILE = 64 << 20
"""Bytes of a file of values."""


class Recorded:
    """A value function that asks for each coalition once, and keeps the answers in a file.

    The file holds one JSON line a coalition, written before the answer is used. A run that was killed goes on from
    there; a half-written last line is dropped. Settings differ: another file.
    """

    def __init__(
        self, value: Value, path: Path | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Open the file, if one is named.

        Args:
            value: measures a coalition.
            path: of the file; created if it is not there. ``None`` keeps the values in memory only.
            settings: all on which the values depend, as JSON values.

        Raises:
            ConflictError: the file holds values under other settings.
            InvalidInputError: not a file of values, or a damaged line before the last.
            InputTooLargeError: more than 64 MiB.
        """
        self._value, self._path = value, path
        self._head = {"settings": digest(canonical_json(dict(settings or {})))}
        self.values: dict[Coalition, float] = {}
        """All that is known, in the order in which it was measured."""
        self.evaluations = 0
        """How many coalitions this object measured itself."""
        if path is not None:
            self._open(path)

    def __call__(self, coalition: Coalition) -> float:
        """Return a coalition's value.

        Raises:
            InvalidInputError: the measured value is not finite.
        """
        if coalition not in self.values:
            found = finite(self._value(coalition), coalition)
            self.evaluations += 1
            if self._path is not None:
                self._append({"sites": sorted(coalition), "value": found})
            self.values[coalition] = found
        return self.values[coalition]

    def _open(self, path: Path) -> None:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        if path.stat().st_size > MAX_FILE:
            raise InputTooLargeError(f"{path.name}: expected at most {MAX_FILE} bytes of coalition values")
        whole, _, torn = path.read_bytes().rpartition(b"\n")
        if torn:  # cut off by a kill: measured again
            os.truncate(path, len(whole) + 1 if whole else 0)
        lines = whole.split(b"\n") if whole else []
        if not lines:
            self._append(self._head)
            return
        if _line(lines[0], path, 1) != self._head:
            raise ConflictError(
                f"{path.name}: these values were measured under other settings: name another file, or delete it"
            )
        for number, line in enumerate(lines[1:], 2):
            said = _line(line, path, number)
            coalition, value = coalition_from(said.get("sites")), said.get("value")
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise InvalidInputError(f"{path.name}, line {number}: expected a value, a number")
            self.values[coalition] = finite(float(value), coalition)

    def _append(self, content: Mapping[str, Any]) -> None:
        if self._path is None:
            return
        with self._path.open("ab") as stream:
            stream.write(canonical_json(content) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())


def with_free_disposal(value: Value) -> Value:
    """Return a value function in which no coalition is worth less than no data: a model that harms is not released.

    Without it a site that only dilutes another's bad data would be paid for repairing what nobody would have used.
    """

    def at_least_nothing(coalition: Coalition) -> float:
        return max(value(coalition), value(frozenset()))

    return at_least_nothing


def finite(value: float, coalition: Collection[str]) -> float:
    """Return a value that is a number.

    Raises:
        InvalidInputError: NaN or infinite.
    """
    if not math.isfinite(value):
        shown = ", ".join(sorted(coalition)) or "no site"
        raise InvalidInputError(f"value of {{{shown}}}: expected a finite number, got {value}")
    return float(value)


def coalition_from(sites: Any) -> Coalition:
    """Return the coalition that a list of names spells.

    Raises:
        InvalidInputError: not a list of different names.
    """
    if not isinstance(sites, list) or not all(isinstance(site, str) and site for site in sites):
        raise InvalidInputError("coalition: expected a list of names of sites")
    if len(set(sites)) < len(sites):
        raise InvalidInputError("coalition: a site is named twice")
    return frozenset(sites)


def checked_sites(sites: Collection[str]) -> tuple[str, ...]:
    """Return the sites in the order of their names.

    Raises:
        InvalidInputError: none, more than 10,000, an empty name, or one twice.
    """
    names = tuple(sorted(sites))
    if not 1 <= len(names) <= MAX_SITES or "" in names or len(set(names)) < len(names):
        raise InvalidInputError(f"sites: expected 1 to {MAX_SITES:,} different names, got {len(names)}")
    return names


def _line(text: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise InvalidInputError(
            f"{path.name}, line {number}: expected a JSON object of a coalition and its value"
        )
    return said
