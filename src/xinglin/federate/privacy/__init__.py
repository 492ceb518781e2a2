"""Privacy as a number that adds up: the accountant, the node's budget, private training, its checks."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Patients": "xinglin.federate.privacy.lineage",
    "Step": "xinglin.federate.privacy.accountant",
    "begin": "xinglin.federate.privacy.budget",
    "enrol": "xinglin.federate.privacy.lineage",
    "epsilon": "xinglin.federate.privacy.accountant",
    "link": "xinglin.federate.privacy.lineage",
    "noise_for": "xinglin.federate.privacy.accountant",
    "release": "xinglin.federate.privacy.budget",
    "reserve": "xinglin.federate.privacy.budget",
    "spent": "xinglin.federate.privacy.budget",
    "state_limit": "xinglin.federate.privacy.budget",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
