"""What ran: Python, the platform, and every installed distribution with its version, under one digest."""

from __future__ import annotations

import platform
from importlib.metadata import distributions
from typing import Any

from xinglin.store.keys import canonical_json, digest


def environment() -> dict[str, Any]:
    """Return the content of an ``environment`` evidence for this process."""
    found = sorted(
        {(str(one.metadata["Name"]).lower(), str(one.version)) for one in distributions() if one.metadata}
    )
    packages = dict(found)
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "lock": {"sha256": digest(canonical_json(packages)), "packages": packages},
    }
