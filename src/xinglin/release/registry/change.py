"""What kind of update a version is, and the number that follows from it.

The rule is that of NMPA's guidance on AI medical devices (2022 No. 8), as the project's design states it: an update of
the algorithm is major; an update of the training data alone is major if performance differs significantly from the
last registered version. Here *not significant* counts only where the test could have seen a difference (power) and
the new version is not worse by more than a stated margin (non-inferiority): silence of a small test set is no proof.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.measure.paired import PairedTest

ALPHA = 0.05
POWER = 0.8
"""Least power at the margin."""
_NUMBER = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_CHANCE = ("seed", "seeds", "wall_seconds", "threads", "device")
"""Settings that make a run another run, not another algorithm."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The new version against the last registered one, on the same cases."""

    test: PairedTest
    margin: float
    """Largest loss of accuracy that would not matter, in (0, 1)."""
    power: float
    """Chance that the test had to see a difference of ``margin``."""
    data: str
    """SHA-256 of the cases."""

    @property
    def significant(self) -> bool:
        """Whether the two differ."""
        return self.test.p < ALPHA

    @property
    def equivalent(self) -> bool:
        """Whether it is shown that they do not differ in a way that matters."""
        return not self.significant and self.power >= POWER and self.test.low > -self.margin

    def as_json(self) -> dict[str, Any]:
        """Return all figures and what follows from them."""
        verdict = {"significant": self.significant, "equivalent": self.equivalent}
        return {**asdict(self), **verdict, "alpha": ALPHA, "least_power": POWER}


@dataclass(frozen=True, slots=True)
class Change:
    """The class of an update."""

    kind: str
    """``first``, ``algorithm``, ``data`` or ``none``."""
    major: bool
    why: str
    """In plain words, for the ledger."""


def classify(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    comparison: Comparison | None = None,
    *,
    same_code: str | None = None,
) -> Change:
    """Return the class of an update from the manifests of both versions.

    Args:
        before: manifest of the last registered version; ``None``: there is none.
        after: manifest of the new one.
        comparison: of the two; needed for a data-driven update to count as minor.
        same_code: who states that the algorithm's code is the same although the commit is another, and why.

    Raises:
        InvalidInputError: a margin outside (0, 1).
    """
    if comparison is not None and not 0 < comparison.margin < 1:
        raise InvalidInputError(f"margin: expected a value in (0, 1), got {comparison.margin}")
    if before is None:
        return Change("first", True, "no version before it")
    if before["id"] == after["id"]:
        return Change("none", False, "the same weights, configuration and data: only derived files differ")
    differing = _algorithm(before, after)
    if before["code"] != after["code"] and same_code is None:
        differing.append("code")
    if differing:
        return Change("algorithm", True, f"differs in {', '.join(differing)}")
    stated = f"; the code counts as the same: {same_code}" if same_code else ""
    if comparison is None:
        return Change("data", True, f"no comparison with the version before{stated}")
    test = comparison.test
    found = f"gain {test.gain:+.4f} [{test.low:+.4f}, {test.high:+.4f}], p {test.p:.3g}, n {test.n}"
    if comparison.significant:
        return Change("data", True, f"performance differs significantly: {found}{stated}")
    if not comparison.equivalent:
        lack = f"power {comparison.power:.2f} at margin {comparison.margin:g}"
        return Change("data", True, f"not shown that performance is the same: {found}, {lack}{stated}")
    return Change(
        "data", False, f"not inferior by {comparison.margin:g}, power {comparison.power:.2f}: {found}{stated}"
    )


def next_number(before: str | None, change: Change) -> str:
    """Return the number of the version after ``before``.

    Raises:
        InvalidInputError: ``before`` is no number of three parts.
    """
    if before is None:
        return "1.0.0"
    parts = _NUMBER.fullmatch(before)
    if parts is None:
        raise InvalidInputError(f"expected a version number such as 1.4.0, got {before[:40]!r}")
    major, minor, patch = map(int, parts.groups())
    if change.major:
        return f"{major + 1}.0.0"
    if change.kind == "data":
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def number_key(number: str) -> tuple[int, ...]:
    """Return what version numbers are ordered by."""
    return tuple(int(part) for part in number.split("."))


def _algorithm(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Name what differs in the algorithm; weights and data lists may differ without it."""
    found = [key for key in ("kind", "parents") if before[key] != after[key]]
    for name in ("config.json", "tokenizer.json"):
        if before["files"].get(name) != after["files"].get(name):
            found.append(name)
    ours, theirs = (
        {key: value for key, value in one["settings"].items() if key not in _CHANCE}
        for one in (before, after)
    )
    found += [
        f"setting {key}" for key in sorted(ours.keys() | theirs.keys()) if ours.get(key) != theirs.get(key)
    ]
    return found
