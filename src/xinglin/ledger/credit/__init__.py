"""Credit: what each site's data added to a model, the rule that turns it into points, and how the points are paid."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Recorded": "xinglin.ledger.credit.values",
    "assess": "xinglin.ledger.credit.evidence",
    "basis_points": "xinglin.ledger.credit.rule",
    "claim": "xinglin.ledger.credit.settle",
    "evidence": "xinglin.ledger.credit.evidence",
    "finalise": "xinglin.ledger.credit.settle",
    "first_holders": "xinglin.ledger.credit.duplicates",
    "leave_one_out": "xinglin.ledger.credit.exact",
    "near_copies": "xinglin.ledger.credit.near",
    "object_to": "xinglin.ledger.credit.objections",
    "propose": "xinglin.ledger.credit.settle",
    "sample": "xinglin.ledger.credit.sampled",
    "shapley": "xinglin.ledger.credit.exact",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
