"""Annotation: schemes, rounds, truth from many annotators, selection, and the certificate of an error rate."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "AuditPlan": "xinglin.labels.evidence",
    "Reading": "xinglin.labels.evidence",
    "Scheme": "xinglin.labels.scheme",
    "Truth": "xinglin.labels.votes",
    "Votes": "xinglin.labels.votes",
    "audit_order": "xinglin.labels.evidence",
    "certify": "xinglin.labels.certificate",
    "claim": "xinglin.labels.assign",
    "dawid_skene": "xinglin.labels.dawid_skene",
    "draw_audit": "xinglin.labels.audit",
    "glad": "xinglin.labels.glad",
    "infer_truth": "xinglin.labels.truth",
    "mace": "xinglin.labels.mace",
    "majority": "xinglin.labels.majority",
    "open_campaign": "xinglin.labels.campaign",
    "read_campaign": "xinglin.labels.campaign",
    "scheme_from_json": "xinglin.labels.scheme",
    "scheme_from_refset": "xinglin.labels.scheme",
    "scheme_from_snomed": "xinglin.labels.scheme",
    "scheme_from_tsv": "xinglin.labels.scheme",
    "scheme_to_json": "xinglin.labels.scheme",
    "sign_certificate": "xinglin.labels.certificate",
    "tally": "xinglin.labels.evidence",
    "verify_certificate": "xinglin.labels.certificate",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
