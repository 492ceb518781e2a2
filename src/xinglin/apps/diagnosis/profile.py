"""What a clinic can do itself: a TOML file of values, an unknown key is an error."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from xinglin.errors import ConfigurationError, MissingDataError

LEVELS = ("clinic", "county", "tertiary")


@dataclass(frozen=True, slots=True)
class ClinicProfile:
    """Which examinations and medicine classes are at hand."""

    name: str = "clinic"
    """Shown on notes and referral letters."""
    level: str = "clinic"
    """``clinic``, ``county`` or ``tertiary``: what is commonly available at that level is available."""
    exams: tuple[str, ...] = ()
    """Examinations available beyond the level, by Chinese name."""
    missing_exams: tuple[str, ...] = ()
    """Examinations of the level that this clinic lacks."""
    formulary: tuple[str, ...] | None = None
    """Options the clinic can provide, by Chinese name; ``None``: not stated."""

    def has(self, exam: str, setting: str) -> bool:
        """Whether an examination can be done here."""
        if exam in self.missing_exams:
            return False
        return exam in self.exams or LEVELS.index(setting) <= LEVELS.index(self.level)

    def provides(self, option: str) -> bool | None:
        """Whether an option is in the formulary; ``None`` when no formulary is stated."""
        return None if self.formulary is None else option in self.formulary


def read_profile(path: Path) -> ClinicProfile:
    """Read a profile.

    Raises:
        MissingDataError: there is no such file.
        ConfigurationError: not TOML, an unknown key, or a value of a wrong type.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no clinic profile {path}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name}: expected TOML: {error}") from None
    kinds = {"name": str, "level": str, "exams": list, "missing_exams": list, "formulary": list}
    for key, value in values.items():
        if key not in kinds:
            near = get_close_matches(key, kinds, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(kinds)}"
            raise ConfigurationError(f"{path.name}: unknown key {key!r}{hint}")
        if not isinstance(value, kinds[key]) or (
            isinstance(value, list) and not all(isinstance(item, str) for item in value)
        ):
            raise ConfigurationError(f"{path.name}: {key} must be {kinds[key].__name__} (of strings)")
    if values.get("level", "clinic") not in LEVELS:
        raise ConfigurationError(f"{path.name}: level must be one of {', '.join(LEVELS)}")
    chosen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return ClinicProfile(**chosen)
