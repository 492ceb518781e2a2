"""What is remembered: the hash-chained ledger, consent and access grants."""

from importlib import import_module
from typing import Any

_DOORS = {
    "append": "xinglin.ledger.chain",
    "append_all": "xinglin.ledger.chain",
    "check": "xinglin.ledger.grants",
    "entries": "xinglin.ledger.chain",
    "give_consent": "xinglin.ledger.grants",
    "grant": "xinglin.ledger.grants",
    "revoke": "xinglin.ledger.grants",
    "verify": "xinglin.ledger.verification",
    "withdraw_consent": "xinglin.ledger.grants",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
