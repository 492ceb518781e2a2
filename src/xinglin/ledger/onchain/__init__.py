"""The ledger on an EVM chain: an in-process one, or any node that speaks JSON-RPC. An optional extra."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Chain": "xinglin.ledger.onchain.chain",
    "Contracts": "xinglin.ledger.onchain.contracts",
    "anchor_audit": "xinglin.ledger.onchain.audit",
    "anchor_consents": "xinglin.ledger.onchain.statements",
    "anchor_grants": "xinglin.ledger.onchain.statements",
    "check_links": "xinglin.ledger.onchain.lineage",
    "in_force": "xinglin.ledger.onchain.deployment",
    "links": "xinglin.ledger.onchain.lineage",
    "new_account": "xinglin.ledger.onchain.keystore",
    "open_account": "xinglin.ledger.onchain.keystore",
    "standing": "xinglin.ledger.onchain.statements",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
