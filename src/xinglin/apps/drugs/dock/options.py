"""How a ligand is docked; whatever decides a score is in the digest under which scores are kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from xinglin.errors import ConfigurationError, MissingExtraError

PREPARATION = 1
"""Number of the way in which ligands are prepared: raised when it changes, so that no old score is taken."""


@dataclass(frozen=True, slots=True)
class DockOptions:
    """Settings of AutoDock Vina (Eberhardt et al. 2021, doi 10.1021/acs.jcim.1c00203)."""

    exhaustiveness: int = 8
    """Independent Monte Carlo searches of a ligand; 1 for screening and design, 8 and more for a pose to look at."""
    seed: int = 0
    """Of conformers and search: one core a ligand, so the same seed gives the same score."""
    timeout: float = 600.0
    """Seconds after which a ligand is given up."""
    scoring: Literal["vina", "vinardo"] = "vina"
    protonation: Literal["ph7", "as-drawn"] = "ph7"
    """``ph7``: charges by rules for pH 7.4; ``as-drawn``: the charges of the input."""

    def __post_init__(self) -> None:
        if not 1 <= self.exhaustiveness <= 1024 or self.timeout <= 0 or self.seed < 0:
            raise ConfigurationError(
                f"expected 1 <= exhaustiveness <= 1024, timeout > 0 and seed >= 0, got {self.exhaustiveness}, "
                f"{self.timeout:g}, {self.seed}"
            )

    def digest(self, target: str) -> str:
        """Return the SHA-256 of a target's digest, all settings but the timeout, and the programs' versions."""
        try:
            programs = {name: version(name) for name in ("vina", "meeko", "rdkit")}
        except PackageNotFoundError as error:
            raise MissingExtraError("xinglin drugs dock", "drugs") from error
        settings = {key: value for key, value in asdict(self).items() if key != "timeout"}
        body = {"target": target, "settings": settings, "programs": programs, "preparation": PREPARATION}
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
